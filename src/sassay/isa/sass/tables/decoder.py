"""From instruction words to mnemonics by table look-ups, many words at a time.

The low 12 bits select an opcode. Its deciding bits are gathered into an index without a loop over
opcodes: nearly all of them lie in bits 64 to 91, which are cut in three chunks, and a table per
opcode and chunk says what the chunk adds to the index, or that a fixed bit in it is not as it must
be. What is left, a few deciding bits elsewhere and operand values with spellings of their own, is
done opcode by opcode for the words concerned, and so are opcodes with too many deciding bits for a
dense table. A word whose fixed bits, combination or `.reuse` flags were not learned is `UNKNOWN`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from sassay.isa.sass.tables.record import ConditionRecord, OpcodeRecord, TableRecord
    from sassay.isa.sass.words import Words

UNKNOWN = -1
BLOCK_WORDS = 1 << 17
"""Words at a time, measured: half as many cost a fifth more, twice as many gain little."""

_KEYS = 1 << 12
_CHUNKS = ((64, 8), (72, 10), (82, 10))
"""First bit and width of each chunk."""
_CHUNKED = range(64, 92)
_STRIDE_BITS = 10
"""The widest chunk: rows of all chunk tables lie as far apart, so one product serves them all."""
DENSE_BITS = 14
"""Beyond so many deciding bits and conditions, the known indices are searched."""
_NAME_BITS = 24
_NAME_MASK = (1 << _NAME_BITS) - 1
_REUSE_SHIFT = 58
"""Of the `.reuse` flags in the high half of a word."""
_SPECIAL = 1 << 27
"""Added for an opcode that needs more than chunks; above every place of an answer."""
_WRONG = -(1 << 28)
"""Added for a chunk with a wrong fixed bit: the sum stays negative whatever is added."""


class TableDecoder:
    """The opcodes of one family of architectures, ready for look-ups.

    Attributes:
        archs: The architectures that the table holds for.
        taught_by: The version of the nvdisasm that gave every answer.
        names: The mnemonic of each id.
    """

    def __init__(self, table: TableRecord) -> None:
        """Lay the tables out."""
        self.archs = table.archs
        self.taught_by = table.taught_by
        self.names = table.names
        rows = len(table.opcodes) + 1
        # Row 0 belongs to keys that the table lacks, and entry 0 of the answers to them.
        self._row = np.zeros(_KEYS, dtype=np.intp)
        self._chunks = [np.zeros((rows, 1 << _STRIDE_BITS), dtype=np.int32) for _ in _CHUNKS]
        self._mask = np.zeros((2, rows), dtype=np.uint64)
        self._value = np.zeros((2, rows), dtype=np.uint64)
        self._special: dict[int, OpcodeRecord] = {}
        # An answer holds the id plus 1 (0: unknown) and, above it, the flags that it refuses.
        answers = [np.zeros(1, dtype=np.int32)]
        self._starts: dict[int, int] = {}
        self._searched: dict[int, NDArray[np.int32]] = {}
        start = 1
        for row, opcode in enumerate(table.opcodes, 1):
            self._row[opcode.key] = row << _STRIDE_BITS
            bits = len(opcode.bits) + len(opcode.conditions)
            indices = np.frombuffer(opcode.indices, dtype="<u4").astype(np.int32)
            part = _answers(opcode)
            if bits > DENSE_BITS:
                self._searched[row] = indices
                self._starts[row] = start
            else:
                dense = np.zeros(1 << bits, dtype=np.int32)
                dense[indices] = part
                part = dense
            self._lay_out(row, opcode, 0 if bits > DENSE_BITS else start)
            answers.append(part)
            start += len(part)
        self._answers = np.concatenate(answers)
        self._flat = [chunk.reshape(-1) for chunk in self._chunks]

    def _lay_out(self, row: int, opcode: OpcodeRecord, start: int) -> None:
        places = {bit: place for place, bit in enumerate(opcode.bits)}
        for number, ((first, width), chunk) in enumerate(zip(_CHUNKS, self._chunks, strict=True)):
            values = np.arange(1 << width, dtype=np.int64)
            added = np.full(1 << width, start if number == 0 else 0, dtype=np.int64)
            for bit in range(first, first + width):
                if bit in places:
                    added += (values >> (bit - first) & 1) << places[bit]
            mask = opcode.fixed_mask[1] >> (first - 64) & (1 << width) - 1
            wanted = opcode.fixed_value[1] >> (first - 64) & mask
            chunk[row, : 1 << width] = np.where((values & mask) == wanted, added, _WRONG)
        outside = ~sum(1 << (bit - 64) for bit in _CHUNKED)
        self._mask[0, row] = opcode.fixed_mask[0]
        self._mask[1, row] = opcode.fixed_mask[1] & outside
        self._value[0, row] = opcode.fixed_value[0] & opcode.fixed_mask[0]
        self._value[1, row] = opcode.fixed_value[1] & opcode.fixed_mask[1] & outside
        if (
            opcode.conditions
            or row in self._searched
            or self._mask[:, row].any()
            or any(bit not in _CHUNKED for bit in opcode.bits)
        ):
            self._special[row] = opcode
            self._chunks[0][row] += _SPECIAL

    def decode(self, words: Words) -> NDArray[np.int32]:
        """The id of each word's mnemonic, `UNKNOWN` where the table has none."""
        ids = np.empty(len(words), dtype=np.int32)
        for start in range(0, len(words), BLOCK_WORDS):
            stop = start + BLOCK_WORDS
            ids[start:stop] = self._decode_block(words[start:stop])
        return ids

    def _decode_block(self, words: Words) -> NDArray[np.int32]:
        low = np.ascontiguousarray(words[:, 0])
        high = np.ascontiguousarray(words[:, 1])
        signed = high.view(np.int64)
        place = low.view(np.int64) & (_KEYS - 1)
        row = self._row.take(place, mode="clip")
        index = np.zeros(len(words), dtype=np.int32)
        for (first, width), flat in zip(_CHUNKS, self._flat, strict=True):
            np.right_shift(signed, first - 64, out=place)
            place &= (1 << width) - 1
            place |= row
            index += flat.take(place, mode="clip")
        special = np.flatnonzero(index >= _SPECIAL)
        if len(special):
            index[special] -= _SPECIAL
            for one, places in _groups(row, special):
                self._finish(one, places, index, low, high)
        np.maximum(index, 0, out=index)
        answers = self._answers.take(index, mode="clip")
        flags = np.right_shift(signed, _REUSE_SHIFT - _NAME_BITS, out=place).astype(np.int32)
        flags &= answers
        answers[flags > _NAME_MASK] = 0
        answers &= _NAME_MASK
        answers -= 1
        return answers

    def _finish(
        self,
        row: int,
        places: NDArray[np.intp],
        index: NDArray[np.int32],
        low: NDArray[np.uint64],
        high: NDArray[np.uint64],
    ) -> None:
        """Complete the index of the words of one opcode that needs more than chunks."""
        lows, highs = low[places], high[places]
        found = index[places] + _more(self._special[row], lows, highs)
        if row in self._searched:
            found = self._search(row, found)
        wrong = (lows ^ self._value[0, row]) & self._mask[0, row]
        wrong |= (highs ^ self._value[1, row]) & self._mask[1, row]
        found[wrong != 0] = 0
        index[places] = found

    def _search(self, row: int, index: NDArray[np.int32]) -> NDArray[np.int32]:
        """Places of the answers of an opcode without a dense table."""
        known = self._searched[row]
        place = np.searchsorted(known, index).astype(np.int32)
        hit = known.take(place, mode="clip") == index
        return np.where(hit, place + np.int32(self._starts[row]), np.int32(0))


def _groups(
    row: NDArray[np.intp], places: NDArray[np.intp]
) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """The row and the words of each opcode among some words."""
    rows = (row.take(places) >> _STRIDE_BITS).astype(np.uint16)
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    bounds = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    for part in np.split(order, bounds):
        yield int(rows[part[0]]), places[part]


def _answers(opcode: OpcodeRecord) -> NDArray[np.int32]:
    """For each known index, what `TableDecoder` keeps as its answer."""
    names = np.frombuffer(opcode.names, "<u4").astype(np.int32) + 1
    refused = ~np.frombuffer(opcode.reuse, "u1") & 0xF
    return names | refused.astype(np.int32) << _NAME_BITS


def _more(
    opcode: OpcodeRecord, low: NDArray[np.uint64], high: NDArray[np.uint64]
) -> NDArray[np.int32]:
    """What deciding bits outside the chunks, and conditions, add to the index."""
    added = np.zeros(len(low), dtype=np.int32)
    for place, bit in enumerate(opcode.bits):
        if bit not in _CHUNKED:
            half, shift = (low, bit) if bit < 64 else (high, bit - 64)
            added |= ((half >> np.uint64(shift) & np.uint64(1)) << np.uint64(place)).astype(
                np.int32
            )
    for place, condition in enumerate(opcode.conditions, len(opcode.bits)):
        added |= _holds(condition, low, high).astype(np.int32) << place
    return added


def _holds(
    condition: ConditionRecord, low: NDArray[np.uint64], high: NDArray[np.uint64]
) -> NDArray[np.bool_]:
    half, shift = (low, condition.start) if condition.start < 64 else (high, condition.start - 64)
    values = half >> np.uint64(shift) & np.uint64((1 << condition.width) - 1)
    if len(condition.values) == 1:
        single: NDArray[np.bool_] = values == np.uint64(condition.values[0])
        return single
    wanted = np.array(condition.values, dtype=np.uint64)
    found = np.searchsorted(wanted, values)
    member: NDArray[np.bool_] = wanted.take(found, mode="clip") == values
    return member
