"""A state as a record that is written and read fast: by columns, what repeats held once.

A wheel of forty thousand kernels has six thousand names and three hundred opcodes: a record holds
each name, opcode, place and set of resources once, and so does the state that is made of it.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

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
    from collections.abc import Callable, Hashable, Iterable, Sequence

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


class _Table(Generic[T]):
    """Numbers things in the order in which they are first met."""

    def __init__(self) -> None:
        self.numbers: dict[T, int] = {}

    def number(self, item: T) -> int:
        """The number of a thing."""
        return self.numbers.setdefault(item, len(self.numbers))

    @property
    def items(self) -> tuple[T, ...]:
        """The things by number."""
        return tuple(self.numbers)


def pack(state: State, store: CodeArchive) -> PackedState:
    """A state as a record.

    Args:
        state: The state.
        store: Knows where its code lies.
    """
    kernels = state.kernels
    symbols: dict[tuple[str, str, str], int] = {}
    names: list[_Name] = []
    archs, launches, resources = _Table[str](), _Table[Launch](), _Table[Resources]()
    sources, toolchains = _Table[Source](), _Table[tuple[Toolchain, ...]]()
    paths: dict[str, int] = {}
    sections = _Table[str]()
    counted: list[SassFacts] = []
    lies: list[str] = []
    places: dict[str, str] = {}
    extras: dict[int, _Extra] = {}
    more: dict[int, tuple[int, ...]] = {}
    columns: list[tuple[int, int, int, int, int, int, int, int]] = []
    for place, kernel in enumerate(kernels):
        identity = (kernel.symbol, kernel.name, kernel.family)
        name = symbols.setdefault(identity, len(names))
        if name == len(names):
            names.append(_Name(kernel.name, kernel.symbol, kernel.family, kernel.specialization))
        numbers = [sources.number(source) for source in kernel.sources]
        if len(numbers) != 1:
            more[place] = tuple(numbers)
        for source, number in zip(kernel.sources, numbers, strict=True):
            paths[source.path] = number
        code, section = kernel.code, _NONE
        if kernel.instructions.sass is not None and code.sass is not None:
            section = sections.number(code.sass)
            if section == len(counted):
                counted.append(_counted(kernel, kernel.instructions.sass))
                lies.append(store.place_of(code.sass) or kernel.sources[0].path)
        extra = _extra(kernel, section)
        if extra is not None:
            extras[place] = extra
            first = kernel.sources[0].path if kernel.sources else ""
            for ref in (extra.sass, extra.ptx, extra.lines):
                path = store.place_of(ref) if ref is not None else None
                if ref is not None and path is not None and path != first:
                    places[ref] = path
        columns.append(
            (
                name,
                archs.number(kernel.arch),
                launches.number(kernel.launch),
                resources.number(kernel.resources),
                _NONE if kernel.code_bytes is None else kernel.code_bytes,
                section,
                numbers[0] if numbers else _NONE,
                toolchains.number(kernel.toolchains),
            )
        )
    turned = np.array(columns, np.int64).reshape(-1, 8).T
    small = [column.tobytes() for column in turned.astype(np.int32)]
    return PackedState(
        names=tuple(names),
        archs=archs.items,
        sources=sources.items,
        launches=launches.items,
        resources=resources.items,
        toolchains=toolchains.items,
        sections=_Sections(
            sections.items,
            array("i", (paths.get(path, _NONE) for path in lies)).tobytes(),
            pack_counts(counted),
        ),
        kernels=_Columns(
            ids=tuple(kernel.id for kernel in kernels),
            digests=tuple(kernel.digest for kernel in kernels),
            names=small[0],
            archs=small[1],
            launches=small[2],
            resources=small[3],
            code_bytes=turned[4].tobytes(),
            sections=small[5],
            sources=small[6],
            toolchains=small[7],
            more_sources=more,
            extras=extras,
        ),
        functions=state.functions,
        environment=dict(state.environment),
        tools=dict(state.tools),
        diagnostics=state.diagnostics,
        counts=dict(state.counts),
        places=places,
    )


def _counted(kernel: Kernel, census: Census) -> SassFacts:
    resources = kernel.resources
    spills = (resources.spill_load_bytes or 0, resources.spill_store_bytes or 0)
    return SassFacts(census, kernel.categories.sass or {}, spills)


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


def unpack(
    packed: PackedState,
    label: str,
    store: CodeArchive,
    artifacts: Callable[[], Iterable[Artifact]],
) -> State:
    """The state of a record; its code is promised to the store once it is asked for.

    Args:
        packed: The record.
        label: Of the state.
        store: Where its code is asked for; what it counted before is shared.
        artifacts: All artifacts of the input.
    """
    store.promise_later(lambda: _promise(packed, store, artifacts()))
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


def _promise(packed: PackedState, store: CodeArchive, artifacts: Iterable[Artifact]) -> None:
    """Tell a store where the code of a record lies."""
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
