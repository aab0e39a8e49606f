"""A whole state by the digests of its artifacts: what is known is not put together again.

A wheel of forty thousand kernels has six thousand names and three hundred opcodes: a record holds
each name, opcode and census once, and so does the state that is made of it.
"""

from __future__ import annotations

import hashlib
from array import array
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from sassay.capture.counting import SassFacts
from sassay.capture.section_counts import Counts
from sassay.isa.categories import CATEGORIES
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
from sassay.sources.record_cache import RecordCache

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from sassay.capture.store import CodeArchive
    from sassay.model.artifact import Artifact


class _Name(msgspec.Struct, frozen=True, array_like=True):
    name: str
    symbol: str
    family: str
    specialization: Specialization


class _Row(msgspec.Struct, frozen=True, array_like=True):
    """A kernel, its larger parts by number; `counted` is -1 without SASS."""

    id: str
    name: int
    arch: int
    sources: tuple[int, ...]
    launch: Launch
    resources: Resources
    code_bytes: int | None
    digest: str
    counted: int
    toolchains: tuple[int, ...]
    sass: str | None
    ptx: str | None
    lines: str | None
    ptx_census: Census | None
    ptx_categories: Census | None
    ptx_digest: str | None
    metadata: dict[str, Scalar]
    facts: dict[str, Fact]
    location: SourceLocation | None


class PackedState(msgspec.Struct, frozen=True):
    """A state without what a person adds to it (label, evidence, environment).

    Attributes:
        opcodes: All that occur, sorted.
        counted: The different code sections; they name places in `opcodes`.
        places: Where code lies that is not at the first source of its kernel, by digest.
    """

    opcodes: tuple[str, ...]
    counted: tuple[Counts, ...]
    names: tuple[_Name, ...]
    archs: tuple[str, ...]
    sources: tuple[Source, ...]
    toolchains: tuple[Toolchain, ...]
    kernels: tuple[_Row, ...]
    functions: tuple[Function, ...]
    environment: dict[str, Scalar]
    tools: dict[str, str]
    diagnostics: tuple[Diagnostic, ...]
    counts: dict[str, int]
    places: dict[str, str]


class StateCache:
    """States of earlier runs.

    Args:
        folder: Where records are kept; None keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._records = RecordCache(folder, "states", PackedState)

    def load(self, key: str) -> PackedState | None:
        """The state of a key, None where there is none."""
        return self._records.load(key)

    def save(self, key: str, state: State, store: CodeArchive) -> None:
        """Keep a state."""
        self._records.save(key, pack(state, store))


class _Table:
    """Numbers things in the order in which they are first met."""

    def __init__(self) -> None:
        self.items: list[object] = []
        self._numbers: dict[object, int] = {}

    def number(self, item: object, key: object = None) -> int:
        """The number of a thing, or of its key."""
        key = item if key is None else key
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.items)
            self.items.append(item)
        return number


def pack(state: State, store: CodeArchive) -> PackedState:
    """A state as a record.

    Args:
        state: The state.
        store: Knows where its code lies.
    """
    names, archs, sources, toolchains = _Table(), _Table(), _Table(), _Table()
    counted, opcodes = _Table(), _Opcodes(state)
    places: dict[str, str] = {}
    sections: list[Counts] = []
    rows = []
    for kernel in state.kernels:
        first = kernel.sources[0].path if kernel.sources else ""
        code = kernel.code
        for ref in (code.sass, code.ptx, code.lines):
            path = store.place_of(ref) if ref is not None else None
            if ref is not None and path is not None and path != first:
                places[ref] = path
        number = -1
        if kernel.instructions.sass is not None:
            number = counted.number(code.sass, code.sass)
            if number == len(sections):
                sections.append(opcodes.counts(kernel, store.counted.get(code.sass or "")))
        name = _Name(kernel.name, kernel.symbol, kernel.family, kernel.specialization)
        rows.append(
            _Row(
                id=kernel.id,
                name=names.number(name, (kernel.symbol, kernel.name, kernel.family)),
                arch=archs.number(kernel.arch),
                sources=tuple(sources.number(source) for source in kernel.sources),
                launch=kernel.launch,
                resources=kernel.resources,
                code_bytes=kernel.code_bytes,
                digest=kernel.digest,
                counted=number,
                toolchains=tuple(toolchains.number(each) for each in kernel.toolchains),
                sass=code.sass,
                ptx=code.ptx,
                lines=code.lines,
                ptx_census=kernel.instructions.ptx,
                ptx_categories=kernel.categories.ptx,
                ptx_digest=kernel.ptx_digest,
                metadata=dict(kernel.metadata),
                facts=dict(kernel.facts),
                location=kernel.location,
            )
        )
    return PackedState(
        opcodes=opcodes.names,
        counted=tuple(sections),
        names=tuple(names.items),  # type: ignore[arg-type]  # a table holds what it was given
        archs=tuple(archs.items),  # type: ignore[arg-type]  # likewise
        sources=tuple(sources.items),  # type: ignore[arg-type]  # likewise
        toolchains=tuple(toolchains.items),  # type: ignore[arg-type]  # likewise
        kernels=tuple(rows),
        functions=state.functions,
        environment=dict(state.environment),
        tools=dict(state.tools),
        diagnostics=state.diagnostics,
        counts=dict(state.counts),
        places=places,
    )


def unpack(
    packed: PackedState, label: str, store: CodeArchive, artifacts: Iterable[Artifact]
) -> State:
    """The state of a record; its code is promised to the store.

    Args:
        packed: The record.
        label: Of the state.
        store: Where its code is asked for; what it counted before is shared.
        artifacts: All artifacts of the input.
    """
    known: list[SassFacts | None] = [None] * len(packed.counted)
    promised: dict[str, list[str]] = {}
    kernels = []
    for row in packed.kernels:
        name = packed.names[row.name]
        sources = tuple(map(packed.sources.__getitem__, row.sources))
        facts = None
        if row.counted >= 0:
            facts = known[row.counted]
            if facts is None:
                facts = store.counted.get(row.sass or "")
                if facts is None:
                    held = packed.counted[row.counted]
                    facts = SassFacts(
                        held.census(packed.opcodes), held.grouped(), held.spills, held,
                        packed.opcodes,
                    )  # fmt: skip
                    store.counted[row.sass or ""] = facts
                known[row.counted] = facts
        for ref in (row.sass, row.ptx, row.lines):
            if ref is not None:
                path = packed.places.get(ref) or (sources[0].path if sources else "")
                promised.setdefault(path, []).append(ref)
        kernels.append(
            Kernel(
                row.id, name.name, name.symbol, name.family, name.specialization,
                packed.archs[row.arch], sources, row.launch, row.resources, row.code_bytes,
                row.digest,
                Layered(ptx=row.ptx_census, sass=facts.census if facts else None),
                Layered(ptx=row.ptx_categories, sass=facts.categories if facts else None),
                row.facts,
                tuple(map(packed.toolchains.__getitem__, row.toolchains)),
                row.metadata, row.location, CodeRefs(row.ptx, row.sass, row.lines),
                row.ptx_digest,
            )
        )  # fmt: skip
    for artifact in artifacts:
        store.promise(promised.get(artifact.source.path, ()), artifact)
    return State(
        label=label,
        kernels=tuple(kernels),
        functions=packed.functions,
        environment=packed.environment,
        tools=packed.tools,
        diagnostics=packed.diagnostics,
        counts=packed.counts,
    )


class _Opcodes:
    """The opcodes of a state, and its code sections counted by their places.

    Attributes:
        names: Sorted.
    """

    def __init__(self, state: State) -> None:
        censuses = {
            id(census): census
            for kernel in state.kernels
            if (census := kernel.instructions.sass) is not None
        }
        self.names = tuple(sorted(set().union(*censuses.values())))
        self._places = {opcode: number for number, opcode in enumerate(self.names)}
        self._moved: dict[tuple[str, ...], NDArray[np.uint32]] = {}
        self._last: tuple[tuple[str, ...], NDArray[np.uint32]] = ((), np.zeros(0, np.uint32))

    def counts(self, kernel: Kernel, facts: SassFacts | None) -> Counts:
        """What was counted of a kernel; out of `facts`, where that is what the kernel holds."""
        census = kernel.instructions.sass or {}
        if facts is not None and facts.counts is not None and facts.census is census:
            moved = self._moved_from(facts.names)
            places = moved[np.frombuffer(facts.counts.opcodes, np.uint32)]
            return msgspec.structs.replace(facts.counts, opcodes=places.tobytes(), asked=0)
        groups, resources = kernel.categories.sass or {}, kernel.resources
        return msgspec.structs.replace(
            Counts.of(census, self._places),
            categories=array("I", (groups.get(name, 0) for name in CATEGORIES)).tobytes(),
            spills=(resources.spill_load_bytes or 0, resources.spill_store_bytes or 0),
        )

    def _moved_from(self, names: tuple[str, ...]) -> NDArray[np.uint32]:
        """Where the opcodes of one cubin stand among all."""
        if names is not self._last[0]:
            moved = self._moved.get(names)
            if moved is None:
                places = [self._places.get(name, 0) for name in names]
                moved = self._moved[names] = np.array(places, np.uint32)
            self._last = (names, moved)
        return self._last[1]


class StateKey:
    """The key of a state, out of all that it is made of.

    Args:
        facts: What else decides: label, filters, versions.
    """

    def __init__(self, *facts: object) -> None:
        self._digest = hashlib.sha256(msgspec.msgpack.encode(facts))
        self.usable = True
        self._archs: set[str] = set()

    def add(self, artifact: Artifact) -> None:
        """One artifact; one whose digest nobody knows makes the key unusable."""
        if artifact.digest is None or artifact.compile is not None:
            self.usable = False
            return
        if artifact.arch is not None:
            self._archs.add(artifact.arch)
        source = artifact.source
        self._digest.update(
            msgspec.msgpack.encode(
                (source, artifact.kind, artifact.arch, artifact.compilation, artifact.digest)
            )
        )

    def finish(self, versions: Mapping[str, str | None], more: Sequence[object]) -> str:
        """The key.

        Args:
            versions: Of the disassemblers, by architecture.
            more: What the walk said besides: diagnostics, packages.
        """
        self._digest.update(msgspec.msgpack.encode((sorted(versions.items()), more)))
        return self._digest.hexdigest()

    @property
    def archs(self) -> list[str]:
        """Architectures met, sorted."""
        return sorted(self._archs)
