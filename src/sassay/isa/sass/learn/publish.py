"""From what was learned to the table that is shipped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.isa.sass.learn.opcode import MAX_DECIDING, Opcode
from sassay.isa.sass.tables.record import (
    NO_SHAPE,
    SCHEMA,
    ConditionRecord,
    OpcodeRecord,
    OpcodeShapes,
    OperandRecord,
    TableRecord,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sassay.isa.sass.learn.splits import Shapes

_HALF = (1 << 64) - 1


def table_of(opcodes: Iterable[Opcode], archs: Iterable[str], taught_by: str) -> TableRecord:
    """The table of a family.

    Args:
        opcodes: What was learned; opcodes with too many deciding bits are left out.
        archs: The architectures of the family.
        taught_by: The version of the nvdisasm that was asked.
    """
    kept = sorted(
        (opcode for opcode in opcodes if opcode.size <= MAX_DECIDING), key=lambda item: item.key
    )
    rows = [(opcode, opcode.table()) for opcode in kept]
    names = tuple(sorted({name for _, table in rows for name in table.values()}))
    places = {name: place for place, name in enumerate(names)}
    return TableRecord(
        schema=SCHEMA,
        archs=tuple(sorted(archs)),
        taught_by=taught_by,
        names=names,
        opcodes=tuple(_record(opcode, table, places) for opcode, table in rows if table),
    )


def operands_of(shapes: Mapping[int, Shapes], table: TableRecord) -> OperandRecord:
    """What was learned of the operands of a family.

    Args:
        shapes: By opcode; those without any are left out.
        table: The family's mnemonics.
    """
    every = tuple(sorted({shape for item in shapes.values() for shape in item.by_index.values()}))
    places = {shape: place for place, shape in enumerate(every)}
    opcodes = []
    for key, item in sorted(shapes.items()):
        if not item.by_index:
            continue
        chosen = np.full(1 << len(item.bits), NO_SHAPE, dtype="<u2")
        for index, shape in item.by_index.items():
            chosen[index] = places[shape]
        opcodes.append(OpcodeShapes(key, item.bits, chosen.tobytes()))
    return OperandRecord(SCHEMA, table.archs, table.taught_by, every, tuple(opcodes))


def _record(opcode: Opcode, table: dict[int, str], places: dict[str, int]) -> OpcodeRecord:
    value = opcode.base & opcode.fixed
    reuse = [opcode.reuse.get(index, opcode.flags) for index in table]
    return OpcodeRecord(
        key=opcode.key,
        fixed_mask=(opcode.fixed & _HALF, opcode.fixed >> 64),
        fixed_value=(value & _HALF, value >> 64),
        bits=tuple(opcode.deciding),
        conditions=tuple(
            ConditionRecord(item.start, item.width, item.values) for item in opcode.conditions
        ),
        indices=np.array(list(table), dtype="<u4").tobytes(),
        names=np.array([places[name] for name in table.values()], dtype="<u4").tobytes(),
        reuse=bytes(reuse),
    )
