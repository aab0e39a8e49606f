"""One run of the command line: its code store, its disassembler, and the states that it opens."""

from __future__ import annotations

import gc
import re
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from sassay.cli.arrays import load_numpy_alone
from sassay.cli.leaving import keep
from sassay.cli.progress import Progress
from sassay.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from sassay.build import CompileRun
    from sassay.capture import CodeArchive
    from sassay.isa.sass import Disassembler
    from sassay.model.artifact import Scalar
    from sassay.model.state import Evidence, State

_LABEL = re.compile(r"^(?P<label>[A-Za-z0-9][\w .+#@-]{0,79})=(?P<spec>.+)$", re.DOTALL)


def split_label(argument: str) -> tuple[str | None, str]:
    """Split `label=STATE`; a path that exists, or `pypi:name==1.0`, is never split.

    Args:
        argument: One STATE of the command line.

    Returns:
        The label, None where there is none, and the input.
    """
    if argument.startswith("pypi:") or _exists(argument):
        return None, argument
    match = _LABEL.match(argument)
    if match is None:
        return None, _at_home(argument)
    return match["label"], _at_home(match["spec"])


def _exists(argument: str) -> bool:
    try:
        return Path(argument).exists()
    except (OSError, ValueError):  # a name too long for the system, a NUL
        return False


def _at_home(spec: str) -> str:
    """`~` in the middle of an argument (`base=~/cache`) is left alone by most shells."""
    if not spec.startswith("~") or _exists(spec):
        return spec
    try:
        return str(Path(spec).expanduser())
    except RuntimeError:  # no such user
        return spec


class Session(AbstractContextManager["Session"]):
    """What every subcommand that reads states shares; closes its tools on exit."""

    def __init__(
        self,
        *,
        quiet: bool = False,
        wrappers: Sequence[str] | None = None,
        algebra: bool = False,
    ) -> None:
        """Opens nothing yet.

        Args:
            quiet: Shows no progress.
            wrappers: Generic C++ wrappers that the user names.
            algebra: Whether the command multiplies matrices.
        """
        if not algebra:
            load_numpy_alone()
        from sassay.capture import CodeArchive, cache_dir
        from sassay.isa.sass import Disassembler

        self.cache: Path = cache_dir()
        self.store: CodeArchive = CodeArchive()
        self.disassembler: Disassembler = Disassembler(self.cache)
        self._wrappers = tuple(wrappers or ())
        self.progress = Progress(enabled=not quiet)

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        gc.unfreeze()
        keep(self.store)
        self.progress.stop()
        self.disassembler.close()
        self.store.close()

    def open(
        self,
        argument: str,
        *,
        archs: Sequence[str] = (),
        label: str | None = None,
        evidence: Mapping[str, Evidence] | None = None,
        environment: Mapping[str, Scalar] | None = None,
        kernel: str | None = None,
    ) -> State:
        """Open one STATE: a capture is read, any other input is captured in memory.

        Args:
            argument: The STATE as written, label included.
            archs: Architecture globs to keep; empty keeps all.
            label: Overrides the label in the argument.
            evidence: Measurements to attach.
            environment: Facts of the environment to add.
            kernel: Symbol, name, family, or a glob of them; what holds no such kernel need not be
                read.
        """
        from sassay.capture import kernel_names, open_state, unwrap_families
        from sassay.capture.collector import without_collector

        written, spec = split_label(argument)
        self.progress.note(f"reading {argument}")
        with without_collector():
            state = open_state(
                spec,
                label=label or written,
                store=self.store,
                disassembler=self.disassembler,
                arch_globs=tuple(archs),
                evidence=evidence or {},
                environment=environment or {},
                progress=self.progress.note,
                names=kernel_names(kernel, self._wrappers) if kernel else None,
            )
            gc.freeze()  # it stays until the end: nothing is gained by looking for cycles in it
            keep(state)
        return unwrap_families(state, self._wrappers)

    def open_merged(
        self,
        arguments: Sequence[str],
        *,
        label: str,
        archs: Sequence[str] = (),
        evidence: Mapping[str, Evidence] | None = None,
        environment: Mapping[str, Scalar] | None = None,
    ) -> State:
        """Open several inputs as one state.

        Args:
            arguments: The inputs; a single one may be a capture to relabel.
            label: The state's name.
            archs: Architecture globs to keep.
            evidence: Measurements to attach.
            environment: Facts of the environment to add.
        """
        from sassay.capture import merge_states

        states = [
            self.open(
                argument, archs=archs, label=label, evidence=evidence, environment=environment
            )
            for argument in arguments
        ]
        return states[0] if len(states) == 1 else merge_states(states, label=label)

    def open_compiled(
        self,
        run: CompileRun,
        *,
        label: str,
        evidence: Mapping[str, Evidence] | None = None,
        environment: Mapping[str, Scalar] | None = None,
    ) -> State:
        """The state of what a manifest compiled to; what failed or is absent is a diagnostic.

        Args:
            run: The compilation.
            label: The state's name.
            evidence: Measurements to attach.
            environment: Facts of the environment to add.

        Raises:
            InputError: Nothing compiled; the first failure is quoted.
        """
        import msgspec

        from sassay.build import launch_warnings
        from sassay.capture import build_state

        if run.failures and not (run.compiled or run.reused):
            first = run.failures[0]
            raise InputError(
                f"no kernel compiled; the first of {len(run.failures)}: {first.message}",
                artifact=first.place,
            )
        if run.absent and not (run.compiled or run.reused):
            raise InputError(
                f"none of the {len(run.absent)} kernels is in these sources",
                artifact=run.absent[0].place,
                hint="is --root the right folder?",
            )
        state = build_state(
            str(run.caches),
            label=label,
            store=self.store,
            disassembler=self.disassembler,
            evidence=evidence or {},
            environment=environment or {},
            progress=self.progress.note,
        )
        warnings = launch_warnings(state.kernels)
        diagnostics = tuple(sorted((*state.diagnostics, *run.failures, *run.absent, *warnings)))
        return msgspec.structs.replace(state, diagnostics=diagnostics)

    def open_all(
        self,
        arguments: Sequence[str],
        *,
        archs: Sequence[str] = (),
        evidence: Sequence[str] = (),
    ) -> tuple[State, ...]:
        """Open several STATEs, oldest first, with labels that tell them apart.

        Args:
            arguments: The STATEs as written.
            archs: Architecture globs to keep.
            evidence: `[LABEL=]FILE.json` arguments; without a label they go to the last state.
        """
        import msgspec

        from sassay.capture import load_evidence

        states = [self.open(argument, archs=archs) for argument in arguments]
        states = [
            msgspec.structs.replace(state, label=label)
            for state, label in zip(states, _distinct(states, arguments), strict=True)
        ]
        for argument in evidence:
            label, spec = split_label(argument)
            position = _position(states, label) if label else len(states) - 1
            merged = {**states[position].evidence, **load_evidence(Path(spec))}
            states[position] = msgspec.structs.replace(states[position], evidence=merged)
        self.progress.note("comparing")
        return tuple(states)


def _position(states: Sequence[State], label: str) -> int:
    for position, state in enumerate(states):
        if state.label == label:
            return position
    known = ", ".join(state.label for state in states)
    raise UsageError(f"no state is labelled {label!r}", hint=f"labels: {known}")


def _distinct(states: Sequence[State], arguments: Sequence[str]) -> list[str]:
    """Labels of the states, made distinct; equal ones that a person wrote are refused."""
    written = [label for label, _ in map(split_label, arguments) if label]
    for label in written:
        if written.count(label) > 1:
            raise UsageError(f"two states are labelled {label!r}", hint="give each its own label=")
    labels: list[str] = []
    for state in states:
        label, number = state.label, 2
        while label in labels:
            label, number = f"{state.label} ({number})", number + 1
        labels.append(label)
    return labels


def parse_groups(arguments: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Read `--group NAME=GLOB[,GLOB...]` arguments.

    Args:
        arguments: As written.

    Raises:
        UsageError: An argument has no name or no glob.
    """
    groups: dict[str, tuple[str, ...]] = {}
    for argument in arguments:
        name, equals, globs = argument.partition("=")
        patterns = tuple(part for part in globs.split(",") if part)
        if not equals or not name or not patterns:
            raise UsageError(
                f"--group {argument!r} is not NAME=GLOB[,GLOB...]",
                hint="such as --group 'RMSNorm=*rmsnorm*'",
            )
        groups[name] = groups.get(name, ()) + patterns
    return groups


def parse_environment(arguments: Sequence[str]) -> dict[str, Scalar]:
    """Read `--env KEY=VALUE` arguments; values stay text.

    Args:
        arguments: As written.

    Raises:
        UsageError: An argument has no key.
    """
    facts: dict[str, Scalar] = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals or not key:
            raise UsageError(f"--env {argument!r} is not KEY=VALUE")
        facts[key] = value
    return facts


def parse_across(argument: str | None) -> tuple[str, str] | None:
    """Read `--across-arch A:B`.

    Args:
        argument: As written, or None.

    Raises:
        UsageError: Not two architectures.
    """
    if argument is None:
        return None
    before, colon, after = argument.partition(":")
    if not colon or not before or not after:
        raise UsageError(
            f"--across-arch {argument!r} is not A:B", hint="such as --across-arch sm_80:sm_90a"
        )
    return before, after
