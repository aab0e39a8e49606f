"""A state as a record that is written and read fast: by columns, what repeats held once.

A wheel of forty thousand kernels has six thousand names and three hundred opcodes: a record holds
each name, opcode, place and set of resources once, and so does the state that is made of it.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from itertools import accumulate
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import msgspec
import numpy as np

from sassay.capture.counting import SassFacts
from sassay.capture.packed_counts import PackedCounts, pack_counts
from sassay.model.artifact import Scalar, Source, SourceLocation, Toolchain
from sassay.model.fact import Fact
from sassay.model.kernel import (
    Census,
    CodeRefs,
    Function,
    Kernel,
    Launch,
    Resources,
    Specialization,
)
from sassay.model.layers import Layered
from sassay.model.state import Diagnostic, State

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from sassay.capture.store import CodeArchive
    from sassay.model.artifact import Artifact

T = TypeVar("T", bound="Hashable")

_Counted: TypeAlias = "tuple[Layered[Census], Layered[Census], CodeRefs]"
_NONE = -1


class _Name(msgspec.Struct, frozen=True, array_like=True):
    name: str
    symbol: str
    family: str
    specialization: Specialization


class _Sections(msgspec.Struct, frozen=True, array_like=True):
    """The different code sections.

    Attributes:
        digests: Under which a store is asked for them.
        places: The source that holds each, by number, as native i32.
        counts: Their instructions.
    """

    digests: tuple[str, ...]
    places: bytes
    counts: PackedCounts


class _Extra(msgspec.Struct, frozen=True, array_like=True):
    """What few kernels of a library have: PTX, line tables, metadata of a front end."""

    ptx: str | None
    lines: str | None
    sass: str | None
    ptx_census: Census | None
    ptx_categories: Census | None
    ptx_digest: str | None
    metadata: dict[str, Scalar]
    facts: dict[str, Fact]
    location: SourceLocation | None


class _Columns(msgspec.Struct, frozen=True, array_like=True):
    """One entry a kernel; numbers as native i32, `code_bytes` as native i64, -1 for None.

    Attributes:
        sections: -1 without counted SASS.
        sources: The first source of each.
        more_sources: All sources of the kernels that have several.
    """

    ids: tuple[str, ...]
    digests: tuple[str, ...]
    names: bytes
    archs: bytes
    launches: bytes
    resources: bytes
    code_bytes: bytes
    sections: bytes
    sources: bytes
    toolchains: bytes
    more_sources: dict[int, tuple[int, ...]]
    extras: dict[int, _Extra]


class PackedState(msgspec.Struct, frozen=True):
    """A state without what a person adds to it (label, evidence, environment).

    Attributes:
        toolchains: The different sets of them.
        places: Where other code than a section lies that is not at the first source of its
            kernel, by digest.
    """

    names: tuple[_Name, ...]
    archs: tuple[str, ...]
    sources: tuple[Source, ...]
    launches: tuple[Launch, ...]
    resources: tuple[Resources, ...]
    toolchains: tuple[tuple[Toolchain, ...], ...]
    sections: _Sections
    kernels: _Columns
    functions: tuple[Function, ...]
    environment: dict[str, Scalar]
    tools: dict[str, str]
    diagnostics: tuple[Diagnostic, ...]
    counts: dict[str, int]
    places: dict[str, str]


def _numbered(things: Iterable[T]) -> tuple[tuple[T, ...], list[int]]:
    """The different things in the order in which they are first met, and the number of each."""
    numbers: defaultdict[T, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    column = list(map(numbers.__getitem__, things))
    return tuple(numbers), column


def _first_met(column: Sequence[int]) -> list[int]:
    """Where each number of `_numbered` is first met."""
    places: list[int] = np.unique(np.array(column, np.int32), return_index=True)[1].tolist()
    return places


def _i32(column: Sequence[int]) -> bytes:
    return array("i", column).tobytes()


def pack(state: State, store: CodeArchive) -> PackedState:
    """A state as a record.

    Args:
        state: The state.
        store: Knows where its code lies, and what was counted of it in this run.
    """
    kernels = state.kernels
    identities, names = _numbered((each.symbol, each.name, each.family) for each in kernels)
    named = [kernels[place] for place in _first_met(names)]
    archs, arch = _numbered(each.arch for each in kernels)
    launches, launch = _numbered(each.launch for each in kernels)
    resources, resource = _numbered(each.resources for each in kernels)
    toolchains, toolchain = _numbered(each.toolchains for each in kernels)
    sources, met = _numbered(source for each in kernels for source in each.sources)
    ends = list(accumulate(len(each.sources) for each in kernels))
    spans = list(zip([0, *ends], ends, strict=False))
    sections, section = _sections(kernels, sources, store)
    extras = {
        place: extra
        for place, each in enumerate(kernels)
        if (extra := _extra(each, section[place])) is not None
    }
    return PackedState(
        names=tuple(
            _Name(name, symbol, family, each.specialization)
            for (symbol, name, family), each in zip(identities, named, strict=True)
        ),
        archs=archs,
        sources=sources,
        launches=launches,
        resources=resources,
        toolchains=toolchains,
        sections=sections,
        kernels=_Columns(
            ids=tuple(each.id for each in kernels),
            digests=tuple(each.digest for each in kernels),
            names=_i32(names),
            archs=_i32(arch),
            launches=_i32(launch),
            resources=_i32(resource),
            code_bytes=array(
                "q", (_NONE if each.code_bytes is None else each.code_bytes for each in kernels)
            ).tobytes(),
            sections=section.tobytes(),
            sources=_i32([met[start] if start < end else _NONE for start, end in spans]),
            toolchains=_i32(toolchain),
            more_sources={
                place: tuple(met[start:end])
                for place, (start, end) in enumerate(spans)
                if end - start != 1
            },
            extras=extras,
        ),
        functions=tuple(state.functions),
        environment=dict(state.environment),
        tools=dict(state.tools),
        diagnostics=state.diagnostics,
        counts=dict(state.counts),
        places=_places(kernels, extras, store),
    )


def _sections(
    kernels: Sequence[Kernel], sources: Sequence[Source], store: CodeArchive
) -> tuple[_Sections, array[int]]:
    """The different code sections, and the number of each kernel's."""
    held = [
        (place, each, each.code.sass)
        for place, each in enumerate(kernels)
        if each.instructions.sass is not None and each.code.sass is not None
    ]
    digests, numbers = _numbered(digest for _, _, digest in held)
    column = array("i", [_NONE]) * len(kernels)
    for (place, _, _), number in zip(held, numbers, strict=True):
        column[place] = number
    first = [held[place][1] for place in _first_met(numbers)]
    paths = {source.path: number for number, source in enumerate(sources)}
    known = store.counted
    lies, counted = array("i"), []
    for digest, kernel in zip(digests, first, strict=True):
        path = store.place_of(digest) or kernel.sources[0].path
        lies.append(paths.get(path, _NONE))
        counted.append(known.get(digest) or _counted(kernel))
    return _Sections(digests, lies.tobytes(), pack_counts(counted)), column


def _places(
    kernels: Sequence[Kernel], extras: Mapping[int, _Extra], store: CodeArchive
) -> dict[str, str]:
    """Where other code than a section lies, unless it is at the first source of its kernel."""
    places: dict[str, str] = {}
    for place, extra in extras.items():
        sources = kernels[place].sources
        first = sources[0].path if sources else ""
        for ref in (extra.sass, extra.ptx, extra.lines):
            path = store.place_of(ref) if ref is not None else None
            if ref is not None and path is not None and path != first:
                places[ref] = path
    return places


def _counted(kernel: Kernel) -> SassFacts:
    """What a kernel that this run did not count says of its section."""
    resources = kernel.resources
    spills = (resources.spill_load_bytes or 0, resources.spill_store_bytes or 0)
    return SassFacts(kernel.instructions.sass or {}, kernel.categories.sass or {}, spills)


def _extra(kernel: Kernel, section: int) -> _Extra | None:
    """What the columns do not hold of a kernel."""
    code = kernel.code
    plain = kernel.instructions.ptx is None and kernel.ptx_digest is None
    if (
        plain
        and kernel.location is None
        and code.ptx is None
        and code.lines is None
        and (code.sass is None) == (section < 0)
        and not kernel.metadata
        and not kernel.facts
    ):
        return None
    return _Extra(
        code.ptx,
        code.lines,
        code.sass,
        kernel.instructions.ptx,
        kernel.categories.ptx,
        kernel.ptx_digest,
        dict(kernel.metadata),
        dict(kernel.facts),
        kernel.location,
    )


def unpack(packed: PackedState, label: str, store: CodeArchive) -> State:
    """The state of a record.

    Args:
        packed: The record.
        label: Of the state.
        store: What it counted before is shared.
    """
    facts = _section_facts(packed, store)
    plain: list[_Counted] = [
        (Layered(None, each.census), Layered(None, each.categories), CodeRefs(None, digest))
        for digest, each in zip(packed.sections.digests, facts, strict=True)
    ]
    columns = packed.kernels
    alone = [(source,) for source in packed.sources]
    kernels = []
    for place, (
        kernel_id, digest, name, arch, launch, resources, code_bytes, section, source, toolchain,
    ) in enumerate(
        zip(
            columns.ids,
            columns.digests,
            map(packed.names.__getitem__, array("i", columns.names)),
            map(packed.archs.__getitem__, array("i", columns.archs)),
            map(packed.launches.__getitem__, array("i", columns.launches)),
            map(packed.resources.__getitem__, array("i", columns.resources)),
            array("q", columns.code_bytes),
            array("i", columns.sections),
            array("i", columns.sources),
            map(packed.toolchains.__getitem__, array("i", columns.toolchains)),
            strict=True,
        )
    ):  # fmt: skip
        if place in columns.more_sources:
            sources = tuple(map(packed.sources.__getitem__, columns.more_sources[place]))
        else:
            sources = alone[source]
        instructions, categories, code = plain[section] if section >= 0 else _NOTHING
        size = None if code_bytes < 0 else code_bytes
        extra = columns.extras.get(place)
        if extra is None:
            kernels.append(
                Kernel(
                    kernel_id, name.name, name.symbol, name.family, name.specialization, arch,
                    sources, launch, resources, size, digest, instructions, categories, {},
                    toolchain, {}, None, code,
                )
            )  # fmt: skip
            continue
        kernels.append(
            Kernel(
                kernel_id, name.name, name.symbol, name.family, name.specialization, arch,
                sources, launch, resources, size, digest,
                Layered(ptx=extra.ptx_census, sass=instructions.sass),
                Layered(ptx=extra.ptx_categories, sass=categories.sass),
                extra.facts, toolchain, extra.metadata, extra.location,
                CodeRefs(extra.ptx, extra.sass, extra.lines), extra.ptx_digest,
            )
        )  # fmt: skip
    return State(
        label=label,
        kernels=tuple(kernels),
        functions=packed.functions,
        environment=packed.environment,
        tools=packed.tools,
        diagnostics=packed.diagnostics,
        counts=packed.counts,
    )


_NOTHING: _Counted = (Layered(), Layered(), CodeRefs())


def _section_facts(packed: PackedState, store: CodeArchive) -> Sequence[SassFacts]:
    """What was counted of each section; what the store knows is shared."""
    digests = packed.sections.digests
    known = store.counted
    missing = [place for place, digest in enumerate(digests) if digest not in known]
    for place, facts in zip(missing, packed.sections.counts.facts(missing), strict=True):
        known[digests[place]] = facts
    return [known[digest] for digest in digests]


def promise_code(packed: PackedState, store: CodeArchive, artifacts: Iterable[Artifact]) -> None:
    """Tell a store where the code of a record lies.

    Args:
        packed: The record.
        store: Where its code is asked for.
        artifacts: All artifacts of the input.
    """
    promised: dict[str, list[str]] = {}
    sections, sources = packed.sections, packed.sources
    for digest, lies in zip(sections.digests, array("i", sections.places), strict=True):
        if lies >= 0:
            promised.setdefault(sources[lies].path, []).append(digest)
    columns = packed.kernels
    first, section = array("i", columns.sources), array("i", columns.sections)
    for place, extra in columns.extras.items():
        source = sources[first[place]].path if first[place] >= 0 else ""
        for ref in (extra.ptx, extra.lines, extra.sass if section[place] < 0 else None):
            if ref is not None:
                promised.setdefault(packed.places.get(ref, source), []).append(ref)
    for artifact in artifacts:
        refs = promised.pop(artifact.source.path, None)
        if refs is not None:
            store.promise(refs, artifact)
