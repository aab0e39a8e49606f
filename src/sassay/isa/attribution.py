"""Ties instructions to source lines, counts each line, and ties SASS to PTX.

Both layers bring the same record: for each instruction a site (a line with the calls around it)
and the PTX line. For SASS it comes from a cubin's line tables (`containers.lines`), for PTX from
its `.loc` directives (`isa.ptx.source_lines`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from sassay.isa.categories import summarize
from sassay.model.artifact import SourceLocation
from sassay.model.layers import Layer, Layered
from sassay.model.lines import Chain, KernelLines, LineCensus, LineCounts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sassay.containers.lines import CubinLines, LineTable

NOWHERE = -1
"""The site of an instruction that no line claims."""

INSTRUCTION_BYTES = 16


class LayerLines(msgspec.Struct, frozen=True, eq=False):
    """Where each instruction of one layer of a kernel comes from.

    Attributes:
        chains: Lines with the calls around them, each once, innermost line first.
        sites: Index in `chains` of each instruction; `NOWHERE` where nothing is known.
        ptx_lines: Line in the PTX module of each instruction, from 1; 0 where nothing is known;
            None where the input does not tell.
    """

    chains: tuple[Chain, ...]
    sites: NDArray[np.int32]
    ptx_lines: NDArray[np.int32] | None = None

    def chain(self, instruction: int) -> Chain:
        """The lines of one instruction, innermost first; empty where nothing is known."""
        site = int(self.sites[instruction])
        return () if site == NOWHERE else self.chains[site]


class Counted(msgspec.Struct, frozen=True, eq=False):
    """What is counted in one layer of a kernel.

    Attributes:
        opcodes: One id an instruction.
        names: Opcode of each id.
        lines: Where the instructions come from; None without line information.
    """

    opcodes: NDArray[np.int32]
    names: tuple[str, ...]
    lines: LayerLines | None


def sass_lines(tables: CubinLines, symbol: str, instructions: int) -> LayerLines | None:
    """Where the SASS instructions of a kernel come from.

    Args:
        tables: Line tables of its cubin.
        symbol: The kernel or device function.
        instructions: How many its code section holds.

    Returns:
        None where the cubin has no line table for it.
    """
    source = (tables.source or {}).get(symbol)
    ptx = (tables.ptx or {}).get(symbol)
    if source is None and ptx is None:
        return None
    offsets = np.arange(instructions, dtype=np.int64) * INSTRUCTION_BYTES
    ptx_lines = None if ptx is None else _lines(ptx, offsets)
    if source is None:
        return LayerLines((), np.full(instructions, NOWHERE, dtype=np.int32), ptx_lines)
    chains = tuple(source.chain(site) for site in range(len(source.frames)))
    return LayerLines(chains, source.at(offsets), ptx_lines)


def _lines(table: LineTable, offsets: NDArray[np.int64]) -> NDArray[np.int32]:
    lines = np.array([*(frame.line for frame in table.frames), 0], dtype=np.int32)
    return lines[table.at(offsets)]


def ptx_of_sass(sass: LayerLines, ptx: LayerLines) -> NDArray[np.int32]:
    """For each SASS instruction, the PTX instruction that it comes from.

    Args:
        sass: Lines of the SASS layer.
        ptx: Lines of the PTX that it was compiled from.

    Returns:
        Indices of PTX instructions, the first of several on one line; `NOWHERE` where the line
        holds none (code that ptxas puts in front belongs to the opening brace) or is not known.
    """
    if sass.ptx_lines is None or ptx.ptx_lines is None or not len(ptx.ptx_lines):
        return np.full(len(sass.sites), NOWHERE, dtype=np.int32)
    places = np.searchsorted(ptx.ptx_lines, sass.ptx_lines)
    places[places == len(ptx.ptx_lines)] = 0
    found = ptx.ptx_lines[places] == sass.ptx_lines
    return np.where(found, places, NOWHERE).astype(np.int32)


def kernel_lines(layers: Layered[Counted]) -> KernelLines:
    """Counts the instructions of every source line.

    Args:
        layers: Both layers; None for one that the input does not hold.
    """
    parts = {layer: _count(layers.of(layer)) for layer in Layer}
    known = [part for part in parts.values() if part is not None]
    places = sorted({place for part in known for place in part.inclusive})
    return KernelLines(
        lines=tuple(
            LineCensus(
                place,
                tuple(sorted({name for part in known for name in part.names.get(place, ())})),
                own=_layered(parts, lambda part: part.own.get(place, {})),  # noqa: B023 - called here
                inclusive=_layered(parts, lambda part: part.inclusive.get(place, {})),  # noqa: B023 - called here
            )
            for place in places
        ),
        unattributed=_layered(parts, lambda part: part.rest),
        total=Layered(
            ptx=None if layers.ptx is None else len(layers.ptx.opcodes),
            sass=None if layers.sass is None else len(layers.sass.opcodes),
        ),
    )


Tally = dict[SourceLocation, dict[str, int]]


class _Part(msgspec.Struct, frozen=True):
    """One layer, counted by line; `names` are the functions that lines stand in."""

    own: Tally
    inclusive: Tally
    names: Mapping[SourceLocation, set[str]]
    rest: dict[str, int]


def _count(counted: Counted | None) -> _Part | None:
    if counted is None or counted.lines is None:
        return None
    own: Tally = defaultdict(lambda: defaultdict(int))
    inclusive: Tally = defaultdict(lambda: defaultdict(int))
    names: dict[SourceLocation, set[str]] = defaultdict(set)
    rest: dict[str, int] = defaultdict(int)
    lines = counted.lines
    width = max(len(counted.names), 1)
    # Each pair of site and opcode once: far fewer than instructions.
    pairs, counts = np.unique(
        (lines.sites.astype(np.int64) + 1) * width + counted.opcodes, return_counts=True
    )
    for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
        site, opcode = pair // width - 1, counted.names[pair % width]
        if site == NOWHERE:
            rest[opcode] += count
            continue
        chain = lines.chains[site]
        # The innermost line is known, those of calls may be 0.
        places = dict.fromkeys(SourceLocation(each.file, each.line) for each in chain if each.line)
        own[next(iter(places))][opcode] += count
        for place in places:
            inclusive[place][opcode] += count
        for frame in chain:
            if frame.line and frame.function is not None:
                names[SourceLocation(frame.file, frame.line)].add(frame.function)
    return _Part(own, inclusive, names, rest)


def _layered(
    parts: Mapping[Layer, _Part | None], tally: Callable[[_Part], Mapping[str, int]]
) -> Layered[LineCounts]:
    ptx, sass = parts[Layer.PTX], parts[Layer.SASS]
    return Layered(
        ptx=None if ptx is None else _counts(Layer.PTX, tally(ptx)),
        sass=None if sass is None else _counts(Layer.SASS, tally(sass)),
    )


def _counts(layer: Layer, opcodes: Mapping[str, int]) -> LineCounts:
    ordered = dict(sorted(opcodes.items()))
    return LineCounts(ordered, summarize(layer, ordered))


def opcode_ids(opcodes: Sequence[str]) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Opcodes as numbers, as `Counted` wants them: the ids, and the opcode of each id."""
    names = tuple(sorted(set(opcodes)))
    numbers = {name: number for number, name in enumerate(names)}
    return np.array([numbers[opcode] for opcode in opcodes], dtype=np.int32), names
