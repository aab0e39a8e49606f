"""From instruction words to their registers, many words at a time.

The low 12 bits of a word and a few bits of its opcode's choice select its shape; a shape's register
fields are then read from all its words at once.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from sassay.isa.sass.shape import FIRST_BIT, SIGNIFICANT
from sassay.isa.sass.tables.record import NO_SHAPE

if TYPE_CHECKING:
    from sassay.isa.sass.shape import Shape
    from sassay.isa.sass.tables.record import OperandRecord
    from sassay.isa.sass.words import Words

UNSHAPED = -1
_KEYS = 1 << 12
_HALF = (1 << 64) - 1


class Registers(msgspec.Struct, frozen=True):
    """The registers of words, a row a word and a column a field in printed order.

    Attributes:
        numbers: Their numbers; -1 where a word has no such field, or it names none (RZ, PT).
        classes: Places in `shape.CLASSES`.
        forms: A `shape.Form` each.
        starts: The lowest bit of each field; a plain register at bit 16 is written, every other
            one read.
    """

    numbers: NDArray[np.int32]
    classes: NDArray[np.int8]
    forms: NDArray[np.int8]
    starts: NDArray[np.int16]


class OperandDecoder:
    """The shapes of one family of architectures, ready for look-ups.

    Attributes:
        archs: The architectures that they hold for.
    """

    def __init__(self, record: OperandRecord) -> None:
        """Lay the shapes out."""
        self.archs = record.archs
        self._shapes = record.shapes
        most = max((len(opcode.bits) for opcode in record.opcodes), default=0)
        rows = len(record.opcodes) + 1
        self._row = np.zeros(_KEYS, dtype=np.intp)
        self._half = np.zeros((most, rows), dtype=bool)
        self._shift = np.zeros((most, rows), dtype=np.uint64)
        self._weight = np.zeros((most, rows), dtype=np.int32)
        starts = np.zeros(rows, dtype=np.int32)
        parts = [np.full(1, UNSHAPED, dtype=np.int32)]
        start = 1
        for row, opcode in enumerate(record.opcodes, 1):
            self._row[opcode.key] = row
            starts[row] = start
            for place, bit in enumerate(opcode.bits):
                self._half[place, row] = bit >= 64
                self._shift[place, row] = bit % 64
                self._weight[place, row] = 1 << place
            part = np.frombuffer(opcode.places, dtype="<u2").astype(np.int32)
            part[part == NO_SHAPE] = UNSHAPED
            parts.append(part)
            start += len(part)
        self._starts = starts
        self._places = np.concatenate(parts)

    def shapes(self, words: Words) -> NDArray[np.int32]:
        """The shape of each word, `UNSHAPED` where none was learned."""
        low, high = words[:, 0], words[:, 1]
        row = self._row[(low & np.uint64(_KEYS - 1)).astype(np.intp)]
        index = self._starts[row]
        for half, shift, weight in zip(self._half, self._shift, self._weight, strict=True):
            values = np.where(half[row], high, low) >> shift[row] & np.uint64(1)
            index += values.astype(np.int32) * weight[row]
        return self._places[index]

    def registers(self, words: Words, shapes: NDArray[np.int32]) -> Registers:
        """The registers of words, all of which have a shape."""
        layout = self._layout
        starts = layout.starts[shapes]
        low, high = words[:, :1], words[:, 1:2]
        shift = (starts & 63).astype(np.uint64)
        numbers = (np.where(starts >= 64, high, low) >> shift).astype(np.int64)
        numbers &= layout.masks[shapes]
        numbers ^= layout.inverted[shapes]
        shown = numbers.astype(np.int32)
        shown[(shown == layout.zeros[shapes]) | (layout.masks[shapes] == 0)] = -1
        return Registers(shown, layout.classes[shapes], layout.forms[shapes], starts)

    def register_bits(self, shapes: NDArray[np.int32]) -> Words:
        """The bits that hold registers, as words."""
        return self._layout.register_bits[shapes]

    def significant_bits(self, shapes: NDArray[np.int32]) -> Words:
        """The bits in which words differ only if they print differently, whatever registers."""
        return self._layout.significant_bits[shapes]

    @cached_property
    def _layout(self) -> _Layout:
        return _Layout(self._shapes)


class _Layout:
    """All shapes as arrays, a row a shape and a column a field."""

    def __init__(self, shapes: tuple[Shape, ...]) -> None:
        size = (len(shapes), max((len(shape.fields) for shape in shapes), default=0))
        self.starts = np.zeros(size, dtype=np.int16)
        self.masks = np.zeros(size, dtype=np.int64)
        self.inverted = np.zeros(size, dtype=np.int64)
        self.zeros = np.full(size, -1, dtype=np.int32)
        self.classes = np.zeros(size, dtype=np.int8)
        self.forms = np.zeros(size, dtype=np.int8)
        self.register_bits = np.zeros((len(shapes), 2), dtype=np.uint64)
        self.significant_bits = np.zeros((len(shapes), 2), dtype=np.uint64)
        for row, shape in enumerate(shapes):
            registers = 0
            for column, each in enumerate(shape.fields):
                self.starts[row, column] = each.start
                self.masks[row, column] = (1 << each.width) - 1
                self.inverted[row, column] = self.masks[row, column] if each.inverted else 0
                self.zeros[row, column] = each.zero
                self.classes[row, column] = each.register_class
                self.forms[row, column] = each.form
                registers |= each.mask()
            telling = sum(
                1 << bit for bit, kind in enumerate(shape.kinds, FIRST_BIT) if kind in SIGNIFICANT
            )
            for bits, place in ((registers, self.register_bits), (telling, self.significant_bits)):
                place[row] = (bits & _HALF, bits >> 64)
