"""A table of mnemonics as columns: what lies on disk, and what the look-ups are laid out from.

The same facts as `record.TableRecord`, which a person and the generator read more easily; of half
a million entries Python objects would take thirty times as long to make.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from sassay.errors import FormatError
from sassay.isa.sass.tables.names import Names
from sassay.isa.sass.tables.record import SCHEMA, ConditionRecord, OpcodeRecord, TableRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray


class StoredTable(msgspec.Struct, frozen=True, eq=False):
    """The columns as bytes, little-endian.

    Attributes:
        schema: `SCHEMA`.
        archs: As of `TableRecord`.
        taught_by: As of `TableRecord`.
        shared: As of `Names`.
        lengths: As of `Names`.
        rests: As of `Names`.
        keys: u16, by opcode.
        fixed: Four u64 by opcode: its mask, low half first, and its value.
        bit_counts: u8 by opcode: how many deciding bits it has.
        bits: u8: those of each opcode behind one another.
        condition_counts: u8 by opcode.
        conditions: Three u32 each: start, width, and how many values.
        values: u64: those of each condition behind one another.
        entries: u32 by opcode: how many known indices it has.
        indices: u32: those of each opcode behind one another, each less the one before, modulo
            two to the 32.
        places: u32: that of the mnemonic of each, likewise.
        reuse: u8: the `.reuse` flags of each.
    """

    schema: int
    archs: tuple[str, ...]
    taught_by: str
    shared: memoryview
    lengths: memoryview
    rests: memoryview
    keys: memoryview
    fixed: memoryview
    bit_counts: memoryview
    bits: memoryview
    condition_counts: memoryview
    conditions: memoryview
    values: memoryview
    entries: memoryview
    indices: memoryview
    places: memoryview
    reuse: memoryview


class TableColumns:
    """The columns of a table as arrays.

    Attributes:
        stored: What they were read from, which says what they are; `indices` and `places` are
            summed up again.
        names: The mnemonics.
        bit_ends: Where those of each opcode end in `bits`.
        entry_ends: Likewise in `indices`, `places` and `reuse`.
    """

    def __init__(self, stored: StoredTable) -> None:
        """Reads the columns.

        Raises:
            FormatError: One is longer or shorter than another says.
        """
        self.stored = stored
        self.archs, self.taught_by = stored.archs, stored.taught_by
        self.names = Names(stored.shared, stored.lengths, stored.rests)
        self.keys = _column(stored.keys, "<u2")
        count = len(self.keys)
        self.fixed = _column(stored.fixed, "<u8", count * 4).reshape(-1, 4)
        self.bit_counts = _column(stored.bit_counts, np.uint8, count)
        self.bit_ends = np.cumsum(self.bit_counts, dtype=np.int64)
        self.bits = _column(stored.bits, np.uint8, _last(self.bit_ends))
        self.condition_counts = _column(stored.condition_counts, np.uint8, count)
        held = int(self.condition_counts.sum())
        self._conditions = _conditions(
            _column(stored.conditions, "<u4", held * 3).reshape(-1, 3).tolist(),
            _column(stored.values, "<u8").tolist(),
        )
        self._condition_ends = np.cumsum(self.condition_counts, dtype=np.int64)
        self.entries = _column(stored.entries, "<u4", count).astype(np.int64)
        self.entry_ends = np.cumsum(self.entries)
        total = _last(self.entry_ends)
        self.indices = np.cumsum(_column(stored.indices, "<u4", total), dtype=np.uint32)
        self.places = np.cumsum(_column(stored.places, "<u4", total), dtype=np.uint32)
        self.reuse = _column(stored.reuse, np.uint8, total)

    def __len__(self) -> int:
        return len(self.keys)

    def conditions(self, row: int) -> tuple[ConditionRecord, ...]:
        """Those of an opcode."""
        end = int(self._condition_ends[row])
        return self._conditions[end - int(self.condition_counts[row]) : end]

    def opcode(self, row: int) -> OpcodeRecord:
        """An opcode by its place."""
        last, last_bit = int(self.entry_ends[row]), int(self.bit_ends[row])
        known = slice(last - int(self.entries[row]), last)
        low_mask, high_mask, low, high = self.fixed[row].tolist()
        return OpcodeRecord(
            key=int(self.keys[row]),
            fixed_mask=(low_mask, high_mask),
            fixed_value=(low, high),
            bits=tuple(self.bits[last_bit - int(self.bit_counts[row]) : last_bit].tolist()),
            conditions=self.conditions(row),
            indices=self.indices[known].astype("<u4").tobytes(),
            names=self.places[known].astype("<u4").tobytes(),
            reuse=self.reuse[known].tobytes(),
        )

    def record(self) -> TableRecord:
        """The same table as records."""
        return TableRecord(
            schema=self.stored.schema,
            archs=self.archs,
            taught_by=self.taught_by,
            names=tuple(self.names),
            opcodes=tuple(map(self.opcode, range(len(self)))),
        )


def columns_of(table: TableRecord) -> TableColumns:
    """The columns of a table.

    Raises:
        FormatError: A name is too long.
    """
    opcodes = table.opcodes
    conditions = [each for opcode in opcodes for each in opcode.conditions]
    names = Names.of(table.names)

    def gathered(each: Callable[[OpcodeRecord], Iterable[int]], kind: str) -> memoryview:
        return _bytes([number for opcode in opcodes for number in each(opcode)], kind)

    def counted(each: Callable[[OpcodeRecord], int], kind: str) -> memoryview:
        return _bytes(list(map(each, opcodes)), kind)

    return TableColumns(StoredTable(
        schema=SCHEMA,
        archs=table.archs,
        taught_by=table.taught_by,
        shared=memoryview(names.shared),
        lengths=memoryview(names.lengths),
        rests=memoryview(names.rests),
        keys=counted(lambda each: each.key, "<u2"),
        fixed=gathered(lambda each: (*each.fixed_mask, *each.fixed_value), "<u8"),
        bit_counts=counted(lambda each: len(each.bits), "u1"),
        bits=gathered(lambda each: each.bits, "u1"),
        condition_counts=counted(lambda each: len(each.conditions), "u1"),
        conditions=_bytes(
            [(each.start, each.width, len(each.values)) for each in conditions], "<u4"
        ),
        values=_bytes([value for each in conditions for value in each.values], "<u8"),
        entries=counted(lambda each: len(each.indices) // 4, "<u4"),
        indices=_steps(b"".join(each.indices for each in opcodes)),
        places=_steps(b"".join(each.names for each in opcodes)),
        reuse=memoryview(b"".join(each.reuse for each in opcodes)),
    ))  # fmt: skip


def _bytes(numbers: Sequence[int] | Sequence[tuple[int, ...]], kind: str) -> memoryview:
    return memoryview(np.array(numbers, kind).tobytes())


def _steps(numbers: bytes) -> memoryview:
    """Each u32 less the one before: those of tables then repeat, and pack much better."""
    steps = np.diff(np.frombuffer(numbers, "<u4"), prepend=np.uint32(0))
    return memoryview(steps.astype("<u4").tobytes())


def _column(data: memoryview, kind: Any, count: int | None = None) -> NDArray[Any]:
    size = np.dtype(kind).itemsize
    if len(data) % size or (count is not None and len(data) != count * size):
        raise FormatError("its columns do not fit together")
    return np.frombuffer(data, kind)


def _last(ends: NDArray[np.int64]) -> int:
    return int(ends[-1]) if len(ends) else 0


def _conditions(heads: list[list[int]], values: list[int]) -> tuple[ConditionRecord, ...]:
    found: list[ConditionRecord] = []
    start = 0
    for first, width, count in heads:
        found.append(ConditionRecord(first, width, tuple(values[start : start + count])))
        start += count
    if start != len(values):
        raise FormatError("its columns do not fit together")
    return tuple(found)
