"""Which of the operands that were learned of one architecture hold for all of its table.

All are asked for whole lines of the same made-up words; an opcode of which one line differs is left
out.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np

from sassay.isa.sass.learn.contexts import Reader, some_words
from sassay.isa.sass.tables.record import (
    NO_SHAPE,
    SCHEMA,
    OpcodeShapes,
    OperandRecord,
    TableRecord,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sassay.isa.sass.tools import Tool

COUNT = 64
"""Words of one opcode that all architectures must print alike."""
_SEED = 11


def hold_alike(
    learned: OperandRecord,
    leader: str,
    table: TableRecord,
    tool: Tool,
    say: Callable[[str], None],
) -> OperandRecord:
    """The operands that hold for every architecture of a table.

    Args:
        learned: What was learned of the leader.
        leader: An architecture of the table.
        table: Its mnemonics.
        tool: The nvdisasm that taught both.
        say: Takes a line of progress.

    Raises:
        ToolError: if nvdisasm fails.
    """
    chosen = random.Random(_SEED)  # noqa: S311 - questions to a disassembler, no secrets
    known = {opcode.key for opcode in learned.opcodes}
    words = {o.key: some_words(o, COUNT, chosen) for o in table.opcodes if o.key in known}
    every = [word for part in words.values() for word in part]
    kept = set(words)
    model: Reader | None = None
    for arch in table.archs:
        if arch == leader:
            continue
        if model is None:
            model = Reader(leader, tool)
            model.ask(every)
        reader = Reader(arch, tool)
        reader.ask(every)
        fell = {key for key in kept if not _alike(model, reader, words[key])}
        kept -= fell
        say(f"operands of {arch}: {len(words)} opcodes asked, {len(fell)} left out")
    opcodes = tuple(opcode for opcode in learned.opcodes if opcode.key in kept)
    used = sorted({place for opcode in opcodes for place in _places(opcode)} - {NO_SHAPE})
    moved = {place: number for number, place in enumerate(used)} | {NO_SHAPE: NO_SHAPE}
    return OperandRecord(
        SCHEMA,
        table.archs,
        table.taught_by,
        tuple(learned.shapes[place] for place in used),
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
    """Whether both print the same for all words, refusals included."""
    return all(one.text(word) == other.text(word) for word in words)


def _places(opcode: OpcodeShapes) -> list[int]:
    return [int(place) for place in np.frombuffer(opcode.places, dtype="<u2")]
