"""Reads lines out of what `nvdisasm -gi` and `-gp` print; shares nothing with the reader."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from tests.containers.kernels import nvidia

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sassay.containers.lines import CubinLines, LineTable

Lines = tuple[tuple[str, int], ...]
"""File and line, innermost first."""

PTX_FILE = ".nv_debug_ptx_txt"

_MARK = re.compile(r'\t//## File "(.*?)", line (\d+)(?: inlined at "(.*?)", line (\d+))?$')
_INSTRUCTION = re.compile(r"\s+/\*([0-9a-f]{4,})\*/")


@dataclass(frozen=True)
class Printed:
    """Lines of an instruction, and the offset at which nvdisasm printed them."""

    lines: Lines
    since: int


def printed_lines(data: bytes) -> dict[str, dict[int, dict[str, Printed]]]:
    """By symbol, offset and option; a mark holds for the instructions that follow it."""
    found: dict[str, dict[int, dict[str, Printed]]] = {}
    section: dict[int, dict[str, Printed]] | None = None
    current: dict[str, Printed] = {}
    marks: list[re.Match[str]] = []
    for line in nvidia("nvdisasm", "-gi", "-gp", "-c", data=data).split("\n"):
        if line.startswith(".text.") and line.endswith(":"):
            section = found.setdefault(line[len(".text.") : -1], {})
            current, marks = {"-gi": Printed((), 0), "-gp": Printed((), 0)}, []
        elif line.startswith("//-----"):
            section = None
        elif mark := _MARK.match(line):
            marks.append(mark)
        elif section is not None and (instruction := _INSTRUCTION.match(line)):
            offset = int(instruction[1], 16)
            for option in current:
                part = [mark for mark in marks if mark[1].startswith(PTX_FILE) == (option == "-gp")]
                for mark, caller in pairwise(part):
                    assert (mark[3], mark[4]) == (caller[1], caller[2])
                if part:
                    lines = tuple((mark[1], int(mark[2])) for mark in part)
                    current = {**current, option: Printed(lines, offset)}
            marks = []
            section[offset] = current
    assert found
    return found


def check(data: bytes, tables: CubinLines) -> tuple[int, int, int]:
    """Compares every instruction of a cubin with what nvdisasm prints, source and PTX lines.

    nvdisasm prints nothing where only the calls around a line change and not the line itself;
    there the line alone is compared.

    Returns:
        Instructions, inlined ones among them, those of which the line alone was printed.
    """
    total = inlined = unprinted = 0
    for symbol, instructions in printed_lines(data).items():
        offsets = np.array(list(instructions), dtype=np.int64)
        total += len(offsets)
        for option, table in (
            ("-gi", (tables.source or {}).get(symbol)),
            ("-gp", (tables.ptx or {}).get(symbol)),
        ):
            for offset, lines in zip(offsets.tolist(), _ours(table, offsets), strict=True):
                wanted = instructions[offset][option]
                inlined += len(lines) > 1
                if lines == wanted.lines:
                    continue
                assert lines[:1] == wanted.lines[:1], (symbol, hex(offset), lines, wanted)
                assert table is not None
                starts = table.offsets
                assert np.any((starts > wanted.since) & (starts <= offset)), (symbol, offset)
                unprinted += 1
    return total, inlined, unprinted


def _ours(table: LineTable | None, offsets: NDArray[np.int64]) -> list[Lines]:
    if table is None:
        return [()] * len(offsets)
    chains = [table.chain(site) for site in table.at(offsets).tolist()]
    return [tuple((frame.file, frame.line) for frame in chain) for chain in chains]
