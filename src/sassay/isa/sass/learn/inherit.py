"""Hands what was learned of operands to architectures of another table, where nvdisasm agrees.

Run as `python -m sassay.isa.sass.learn.inherit DONOR LEADER`, as `sm_89 sm_88`: takes seconds,
where learning anew takes minutes. Both architectures are asked for whole lines of the same made-up
words; an opcode of which one line differs is left out.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sassay.errors import InputError, SassayError
from sassay.isa.sass import tables
from sassay.isa.sass.learn.contexts import Reader, some_words
from sassay.isa.sass.tables.record import (
    NO_SHAPE,
    OPERAND_SUFFIX,
    SCHEMA,
    SUFFIX,
    OpcodeShapes,
    OperandRecord,
    read_operands,
    read_table,
    write_table,
)
from sassay.isa.sass.tools import find_tools

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sassay.isa.sass.tables.record import TableRecord
    from sassay.isa.sass.tools import Tool

COUNT = 64
"""Words of one opcode that both architectures must print alike."""
FEW = 8
"""Fewer lines than this prove nothing."""
DATA = Path(tables.__file__).parent / "data"
_SEED = 11


def inherit(
    donor: OperandRecord, table: TableRecord, tools: Sequence[Tool], say: Callable[[str], None]
) -> OperandRecord:
    """The operands of a donor that hold for every architecture of a table.

    Args:
        donor: What was learned of the operands of another family, or of a part of this one.
        table: The mnemonics of the family that inherits.
        tools: Every nvdisasm at hand.
        say: Takes a line of progress.

    Raises:
        InputError: if no nvdisasm at hand taught one of the two.
        ToolError: if nvdisasm fails.
    """
    chosen = random.Random(_SEED)  # noqa: S311 - questions to a disassembler, no secrets
    known = {opcode.key for opcode in donor.opcodes}
    words = {o.key: some_words(o, COUNT, chosen) for o in table.opcodes if o.key in known}
    every = [word for part in words.values() for word in part]
    theirs = Reader(donor.archs[-1], _teacher(tools, donor.archs[-1], donor.taught_by))
    theirs.ask(every)
    kept = set(words)
    for arch in table.archs:
        if arch in donor.archs:
            continue
        reader = Reader(arch, _teacher(tools, arch, table.taught_by))
        reader.ask(every)
        fell = {key for key in kept if not _alike(theirs, reader, words[key])}
        kept -= fell
        say(f"{arch} as {donor.archs[-1]}: {len(words)} opcodes asked, {len(fell)} left out")
    opcodes = tuple(opcode for opcode in donor.opcodes if opcode.key in kept)
    used = sorted({place for opcode in opcodes for place in _places(opcode)} - {NO_SHAPE})
    moved = {place: number for number, place in enumerate(used)} | {NO_SHAPE: NO_SHAPE}
    return OperandRecord(
        SCHEMA,
        table.archs,
        table.taught_by,
        tuple(donor.shapes[place] for place in used),
        tuple(
            OpcodeShapes(
                opcode.key,
                opcode.bits,
                np.array([moved[place] for place in _places(opcode)], dtype="<u2").tobytes(),
            )
            for opcode in opcodes
        ),
    )


def _alike(one: Reader, other: Reader, words: Sequence[int]) -> bool:
    """Whether both print the same for all words, refusals included, and enough of them."""
    pairs = [(one.text(word), other.text(word)) for word in words]
    return all(a == b for a, b in pairs) and sum(a is not None for a, _ in pairs) >= FEW


def _places(opcode: OpcodeShapes) -> list[int]:
    return [int(place) for place in np.frombuffer(opcode.places, dtype="<u2")]


def _teacher(tools: Sequence[Tool], arch: str, release: str) -> Tool:
    for tool in tools:
        if arch in tool.archs and tool.release == release:
            return tool
    raise InputError(f"needs nvdisasm {release} for {arch}", hint="see SASSAY_NVDISASM")


def main() -> int:
    """Write the operands of one table; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m sassay.isa.sass.learn.inherit", description=__doc__
    )
    parser.add_argument("donor", help="whose operands were learned, as sm_89")
    parser.add_argument("leader", help="the table that inherits, as sm_88")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the tables")
    options = parser.parse_args()
    source = options.data / f"{options.donor}{OPERAND_SUFFIX}"
    mnemonics = options.data / f"{options.leader}{SUFFIX}"
    try:
        donor = read_operands(source.read_bytes(), artifact=str(source))
        table = read_table(mnemonics.read_bytes(), artifact=str(mnemonics))
        found = inherit(donor, table, find_tools(None), _say)
    except (SassayError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    path = options.data / f"{options.leader}{OPERAND_SUFFIX}"
    size = write_table(found, path)
    _say(f"{path.name}: {len(found.opcodes)} of {len(table.opcodes)} opcodes, {size} bytes")
    return 0


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    raise SystemExit(main())
