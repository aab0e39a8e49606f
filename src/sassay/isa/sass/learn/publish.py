"""From what was learned to the table that is shipped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.isa.sass.learn.opcode import MAX_DECIDING, Opcode
from sassay.isa.sass.tables.record import SCHEMA, ConditionRecord, OpcodeRecord, TableRecord

if TYPE_CHECKING:
    from collections.abc import Iterable

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
