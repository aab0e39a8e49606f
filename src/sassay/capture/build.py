"""Opens an input as a state: a capture as it is, any other one by reading all that it holds."""

from __future__ import annotations

import contextlib
import itertools
import mmap
from typing import TYPE_CHECKING

import msgspec

from sassay.capture.builder import StateBuilder, wants_arch
from sassay.capture.collector import without_collector
from sassay.capture.diagnostics import sort_diagnostics
from sassay.capture.known_input import KnownInput
from sassay.capture.ondisk import is_capture, read_capture
from sassay.capture.state_cache import StateCache, StateKey
from sassay.containers.mapped import release_part
from sassay.errors import InputError
from sassay.model.artifact import Artifact
from sassay.model.state import Diagnostic
from sassay.sources import Withdrawn, discover
from sassay.sources.record_cache import analysis_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sassay.capture.store import CodeArchive
    from sassay.isa.sass import Disassembler
    from sassay.model.artifact import Scalar
    from sassay.model.state import Evidence, State
    from sassay.sources import Discovery
    from sassay.sources.context import Progress

HELD_BYTES = 32 << 20
"""Artifacts are held back until the state may turn out to be known, while they are so few."""


def open_state(
    spec: str,
    *,
    label: str | None = None,
    store: CodeArchive,
    disassembler: Disassembler,
    arch_globs: Sequence[str] = (),
    evidence: Mapping[str, Evidence] | None = None,
    environment: Mapping[str, Scalar] | None = None,
    progress: Progress | None = None,
    names: Callable[[str], bool] | None = None,
) -> State:
    """Open a capture folder or build a state out of any other INPUT.

    Args:
        spec: Capture folder, path, `pypi:NAME==VERSION`, or `-`.
        label: Name for reports; None takes the capture's own, or the input's base name.
        store: Where the code goes, shared by all states of a run.
        disassembler: Decodes SASS; unused for a capture.
        arch_globs: Only architectures that match one of these; empty means all.
        evidence: Attached measurements; added to those of a capture.
        environment: What is known of the run; added to what the input says.
        progress: Told each place before it is read.
        names: Whether a kernel of this symbol is asked for: what holds none may be passed over.

    Raises:
        InputError: The input is missing or holds no compiled code.
        SassayError: It cannot be read otherwise.
    """
    if is_capture(spec):
        state = read_capture(spec, store)
        return _adjusted(state, label, arch_globs, evidence or {}, environment or {})
    return build_state(
        spec,
        label=label,
        store=store,
        disassembler=disassembler,
        arch_globs=arch_globs,
        evidence=evidence,
        environment=environment,
        progress=progress,
        names=names,
    )


def build_state(
    spec: str,
    *,
    label: str | None = None,
    store: CodeArchive,
    disassembler: Disassembler,
    arch_globs: Sequence[str] = (),
    evidence: Mapping[str, Evidence] | None = None,
    environment: Mapping[str, Scalar] | None = None,
    progress: Progress | None = None,
    names: Callable[[str], bool] | None = None,
) -> State:
    """Build a state out of an INPUT that is no capture. Arguments and errors as `open_state`."""
    discovery = discover(spec, arch_globs=arch_globs, on_progress=progress, names=names)
    cache = StateCache(analysis_folder())
    known = None
    if names is None:
        known = KnownInput(analysis_folder(), discovery, arch_globs, disassembler)
    with without_collector():
        state = _recalled(known, cache, discovery, store)
        if state is None:
            # Of an input in which few kernels are asked for, however large, little is read.
            builder = StateBuilder(
                store,
                disassembler,
                tuple(arch_globs),
                analysis_folder(),
                lambda: 0 if names is not None else discovery.size,
            )
            key = StateKey(discovery.label, sorted(arch_globs), disassembler.uses_tables)
            with contextlib.closing(builder):
                state = _read(
                    discovery,
                    builder,
                    key,
                    store=store,
                    disassembler=disassembler,
                    cache=cache,
                    known=known,
                )
    return _adjusted(state, label, (), evidence or {}, environment or {})


def _read(
    discovery: Discovery,
    builder: StateBuilder,
    key: StateKey,
    *,
    store: CodeArchive,
    disassembler: Disassembler,
    cache: StateCache,
    known: KnownInput | None,
) -> State:
    """The state of an input, which is walked, and read unless all that it holds is known."""
    waiting: list[list[Artifact]] | None = []
    held = 0
    for group in _compilations(discovery, builder):
        for artifact in group:
            key.add(artifact)
        if waiting is not None and key.usable and builder.knows(group):
            held += sum(map(_passing, group))
            if held <= HELD_BYTES:
                waiting.append(group)
                continue
        for earlier in waiting or ():
            builder.add(earlier)
            _let_go(earlier)
        waiting = None
        builder.add(group)
    if not key.usable or known is None:
        return _finished(discovery, builder, waiting)
    versions = {arch: disassembler.version(arch) for arch in key.archs}
    seen = (sort_diagnostics(builder.walked), discovery.packages, discovery.counts)
    name = key.finish(versions, seen)
    state = None
    if waiting is not None:
        groups = waiting
        state = cache.load(
            name, discovery.label, store, lambda: itertools.chain.from_iterable(groups)
        )
    if state is None:
        state = _finished(discovery, builder, waiting)
        if not state.kernels or not builder.lasting:
            return state
        state = cache.save(name, state, store)
    known.keep(name, versions)
    return state


def _finished(
    discovery: Discovery, builder: StateBuilder, waiting: Sequence[Sequence[Artifact]] | None
) -> State:
    """The state, once what was held back is read too."""
    for group in waiting or ():
        builder.add(group)
        _let_go(group)
    return builder.finish(discovery)


def _recalled(
    known: KnownInput | None, cache: StateCache, discovery: Discovery, store: CodeArchive
) -> State | None:
    """The state of an input that did not change since an earlier run; it is not even walked."""
    name = known.recall() if known is not None else None
    if name is None:
        return None

    def artifacts() -> Iterator[Artifact]:
        return (found for found in discovery.artifacts() if isinstance(found, Artifact))

    return cache.load(name, discovery.label, store, artifacts)


def _let_go(group: Sequence[Artifact]) -> None:
    """Give back the memory of mapped artifacts that have been read."""
    for artifact in group:
        if artifact.packed is not None:
            release_part(artifact.packed.stored)


def _passing(artifact: Artifact) -> int:
    """Bytes of an artifact that are at hand only while somebody holds them."""
    if artifact.packed is None:
        return len(artifact.data)
    stored = artifact.packed.stored
    mapped = isinstance(stored, memoryview) and isinstance(stored.obj, mmap.mmap)
    return 0 if mapped else len(stored)


def _compilations(discovery: Discovery, builder: StateBuilder) -> Iterator[list[Artifact]]:
    """Artifacts by compilation; those of one follow each other in the stream."""
    group: list[Artifact] = []
    for found in discovery.artifacts():
        if isinstance(found, Diagnostic):
            builder.diagnostics.append(found)
            builder.walked.append(found)
            continue
        if isinstance(found, Withdrawn):
            if group:
                yield group
                group = []
            builder.withdraw(found.places)
            continue
        if group and (found.compilation is None or found.compilation != group[0].compilation):
            yield group
            group = []
        group.append(found)
    if group:
        yield group


def _adjusted(
    state: State,
    label: str | None,
    arch_globs: Sequence[str],
    evidence: Mapping[str, Evidence],
    environment: Mapping[str, Scalar],
) -> State:
    """A capture's state under another label, with fewer architectures, with more evidence."""
    kernels, functions = state.kernels, state.functions
    if arch_globs:
        kernels = tuple(kernel for kernel in kernels if wants_arch(kernel.arch, arch_globs))
        functions = tuple(item for item in functions if wants_arch(item.arch, arch_globs))
        if not kernels and not functions:
            raise InputError(f"holds no code for {' or '.join(arch_globs)}", artifact=state.label)
    return msgspec.structs.replace(
        state,
        label=label or state.label,
        kernels=kernels,
        functions=functions,
        evidence=dict(sorted({**state.evidence, **evidence}.items())),
        environment=dict(sorted({**state.environment, **environment}.items())),
    )
