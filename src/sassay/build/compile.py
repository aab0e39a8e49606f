"""Compiles a manifest into an ordinary Triton cache folder."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from sassay.build.archs import arch_number, known_archs
from sassay.build.extract import Extracted, Extractor
from sassay.build.manifest import Manifest, Variant
from sassay.build.modules import AbsentError, ModuleFinder, SourceFile
from sassay.build.pool import TIMEOUT_S, run_jobs
from sassay.build.resolve import (
    Arguments,
    resolve_arguments,
    unknown_parameters,
    without_unknown,
)
from sassay.build.sidecar import (
    SCHEMA,
    Location,
    Sidecar,
    read_sidecars,
    remove_entry,
    remove_halves,
    write_sidecar,
)
from sassay.build.values import FunctionRef, TupleValue, Value, scalar
from sassay.build.wire import Answer, Compiled, Failed, Job, SignatureTree
from sassay.errors import CompileError, ToolError
from sassay.model.state import Diagnostic, Level

WORKERS = 2

Progress = Callable[[str], None]
"""Told after each compilation how far it is, in words."""


class CompileRun(msgspec.Struct, frozen=True):
    """What a compilation left behind.

    Attributes:
        caches: Triton cache folder that holds exactly this run's kernels.
        failures: One diagnostic for each kernel that did not compile, in the manifest's order.
        absent: One note for each function or parameter that the manifest names and this checkout
            does not have; only where that is allowed, else they are failures.
        absent_failures: How many of the failures are functions that this checkout does not have.
        compiled: Entries compiled now.
        reused: Entries that were there and still hold.
        frontend: Such as `triton 3.9.0`.
    """

    caches: Path
    failures: tuple[Diagnostic, ...]
    compiled: int
    reused: int
    frontend: str
    absent: tuple[Diagnostic, ...] = ()
    absent_failures: int = 0


class _Plan(msgspec.Struct, frozen=True):
    tasks: list[_Task]
    failures: list[Diagnostic]
    absent: list[Diagnostic]
    absent_failures: int


class _Task(msgspec.Struct, frozen=True):
    variant: Variant
    arch: str
    extracted: Extracted
    arguments: Arguments
    job: Job
    digest: str

    @property
    def title(self) -> str:
        return f"{self.variant.title} {self.arch}"


def compile_manifest(
    manifest: Manifest,
    *,
    archs: Sequence[str] = (),
    cache_dir: Path,
    progress: Progress | None = None,
    jobs: int | None = None,
    timeout: float = TIMEOUT_S,
    allow_missing: bool = False,
) -> CompileRun:
    """Compiles every variant for every architecture, without a GPU.

    Entries of an earlier run that still hold are kept, the other entries that an earlier run left
    are removed: the folder is what this manifest compiles to.

    Args:
        manifest: What to compile.
        archs: Architectures that take the place of the manifest's own; empty for its own.
        cache_dir: The Triton cache folder to fill; created if it is missing.
        progress: Told after each compilation.
        jobs: Most compiler processes at a time; None for two.
        timeout: Seconds that one kernel may take.
        allow_missing: Leave out what the manifest names and the sources do not have: functions,
            their files, their parameters. Without it they are failures.

    Raises:
        ToolError: Triton is not installed.
        UsageError: An architecture is unknown.
    """
    version = _triton_version()
    chosen = known_archs(archs)
    if progress is not None:
        progress(f"reading the sources of {len(manifest.variants)} compilations")
    plan = _plan(manifest, chosen, version, allow_missing=allow_missing)
    tasks, failures = plan.tasks, plan.failures
    cache_dir.mkdir(parents=True, exist_ok=True)
    kept = _reuse(cache_dir, {task.digest for task in tasks})
    todo = [task for task in tasks if task.digest not in kept]
    answers: dict[int, Answer] = {}

    def done(index: int, answer: Answer) -> None:
        task = todo[index]
        if isinstance(answer, Compiled):
            write_sidecar(cache_dir, answer.key, _sidecar(task, answer))
        answers[index] = answer
        if progress is not None:
            number = len(tasks) - len(todo) + len(answers)
            progress(f"compiled {number} of {len(tasks)}: {task.title}")

    if todo:
        run_jobs(
            [task.job for task in todo],
            cache_dir=cache_dir,
            workers=jobs or min(WORKERS, os.cpu_count() or 1),
            done=done,
            timeout=timeout,
        )
    remove_halves(cache_dir)
    failures += [
        _diagnostic(task, answer)
        for task, answer in ((todo[number], answers[number]) for number in sorted(answers))
        if isinstance(answer, Failed)
    ]
    good = sum(isinstance(answer, Compiled) for answer in answers.values())
    return CompileRun(
        caches=cache_dir,
        failures=tuple(failures),
        compiled=good,
        reused=len(tasks) - len(todo),
        frontend=f"triton {version}",
        absent=tuple(plan.absent),
        absent_failures=plan.absent_failures,
    )


def _triton_version() -> str:
    try:
        return importlib.metadata.version("triton")
    except importlib.metadata.PackageNotFoundError as error:
        raise ToolError("Triton is not installed", hint="pip install 'sassay[triton]'") from error


def _plan(
    manifest: Manifest, archs: tuple[str, ...], version: str, *, allow_missing: bool
) -> _Plan:
    finder = ModuleFinder(manifest.root, manifest.search)
    extractor = Extractor(finder)
    tasks: list[_Task] = []
    failures: list[Diagnostic] = []
    absent: dict[Diagnostic, None] = {}
    absent_failures = 0
    cache: dict[bytes, Extracted | CompileError] = {}
    for variant in manifest.variants:
        try:
            extracted = _extract(extractor, finder, variant, cache)
            if allow_missing:
                absent |= dict.fromkeys(_unknown_parameters(variant, extracted))
                arguments = resolve_arguments(extracted, without_unknown(variant, extracted))
            else:
                arguments = resolve_arguments(extracted, variant)
        except AbsentError as error:
            if allow_missing:
                absent[_absent(variant, error)] = None
                continue
            refused = [_refusal(variant, arch, error) for arch in archs or variant.archs]
            failures += refused
            absent_failures += len(refused)
            continue
        except CompileError as error:
            failures += [_refusal(variant, arch, error) for arch in archs or variant.archs]
            continue
        for arch in archs or variant.archs:
            job = arguments.job(extracted, variant, arch_number(arch))
            digest = hashlib.sha256(
                version.encode() + msgspec.json.encode(job, order="deterministic")
            ).hexdigest()
            tasks.append(
                _Task(
                    variant=variant,
                    arch=arch,
                    extracted=extracted,
                    arguments=arguments,
                    job=job,
                    digest=digest,
                )
            )
    return _Plan(
        # Defaults can make two variants one compilation; the first name stands.
        tasks=list({task.digest: task for task in reversed(tasks)}.values())[::-1],
        failures=failures,
        absent=list(absent),
        absent_failures=absent_failures,
    )


def _extract(
    extractor: Extractor,
    finder: ModuleFinder,
    variant: Variant,
    cache: dict[bytes, Extracted | CompileError],
) -> Extracted:
    also = tuple(
        sorted({name for value in variant.constants.values() for name in _function_names(value)})
    )
    key = msgspec.json.encode(
        [variant.file, variant.module, variant.function, variant.globals, also],
        order="deterministic",
    )
    if key not in cache:
        try:
            source = _source(finder, variant)
            cache[key] = extractor.extract(
                source, variant.function, supplied=variant.globals, also=also
            )
        except CompileError as error:
            cache[key] = error
    found = cache[key]
    if isinstance(found, CompileError):
        raise found
    return found


def _source(finder: ModuleFinder, variant: Variant) -> SourceFile:
    return (
        finder.by_module(variant.module) if variant.module else finder.by_file(variant.file or "")
    )


def _function_names(value: Value) -> list[str]:
    if isinstance(value, TupleValue):
        return [name for item in value.items for name in _function_names(item)]
    return [value.name] if isinstance(value, FunctionRef) else []


def _reuse(cache_dir: Path, wanted: set[str]) -> set[str]:
    """Digests of entries that still hold; removes those that an earlier run left."""
    kept: set[str] = set()
    for folder, sidecar in read_sidecars(cache_dir):
        whole = (folder / f"{sidecar.name[:150]}.cubin").is_file()
        if sidecar.digest in wanted and whole:
            kept.add(sidecar.digest)
        else:
            remove_entry(folder)
    return kept


def _sidecar(task: _Task, answer: Compiled) -> Sidecar:
    arguments = task.arguments
    return Sidecar(
        schema=SCHEMA,
        name=task.variant.function,
        signature={name: _type_text(tree) for name, tree in arguments.signature},
        constants={name: scalar(value) for name, value in arguments.named_constants.items()},
        divisibility=dict(arguments.named_divisibility),
        options=dict(sorted(answer.options.items())),
        location=Location(file=task.extracted.file, line=task.extracted.line),
        variant=task.variant.name,
        kernel=task.variant.title.split("[")[0],
        arch=task.arch,
        digest=task.digest,
    )


def _type_text(tree: SignatureTree) -> str:
    if isinstance(tree, tuple):
        return "(" + ", ".join(_type_text(item) for item in tree) + ")"
    return tree


def _refusal(variant: Variant, arch: str, error: CompileError) -> Diagnostic:
    place = ": ".join(part for part in (error.artifact, error.place) if part)
    hint = f" ({error.hint})" if error.hint else ""
    return Diagnostic(
        level=Level.ERROR,
        place=place or variant.function,
        message=f"{variant.title} {arch}: {error.message}{hint}",
        arch=_claimed(arch),
        family=variant.function,
    )


def _absent(variant: Variant, error: AbsentError) -> Diagnostic:
    return Diagnostic(
        level=Level.NOTE,
        place=error.artifact or variant.function,
        message=f"`{variant.function}` is not in these sources: {error.message}",
    )


def _unknown_parameters(variant: Variant, extracted: Extracted) -> list[Diagnostic]:
    return [
        Diagnostic(
            level=Level.NOTE,
            place=f"{extracted.file}: line {extracted.line}",
            message=f"`{variant.function}` has no parameter `{name}` in these sources",
        )
        for name in unknown_parameters(variant, extracted)
    ]


def _diagnostic(task: _Task, answer: Failed) -> Diagnostic:
    file = answer.file or task.extracted.file
    line = answer.line or task.extracted.line
    return Diagnostic(
        level=Level.ERROR,
        place=f"{file}: line {line}",
        message=f"{task.title}: {answer.message}",
        arch=_claimed(task.arch),
        family=task.variant.function,
    )


def _claimed(arch: str) -> str:
    """The architecture as the cubin would have said it: Triton emits the `a` variant from sm_90."""
    return f"{arch}a" if arch_number(arch) >= 90 else arch
