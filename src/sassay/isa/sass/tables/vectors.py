"""Look-ups by numpy, many words at a time. How a word is looked up is said in `layout`."""

from __future__ import annotations

from threading import local
from typing import TYPE_CHECKING

import numpy as np

from sassay.isa.sass.tables.layout import (
    CHUNKS,
    KEYS,
    NAME_BITS,
    NAME_MASK,
    PIECES,
    REUSE_SHIFT,
    SPECIAL,
    WRONG,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sassay.isa.sass.tables.layout import Layout, Rest, Test
    from sassay.isa.sass.words import Words

BLOCK_WORDS = 1 << 16
"""Words at a time, measured: fewer cost more calls, more leave the caches."""

_STARTS = tuple(sum(1 << width for _, width in CHUNKS[:number]) for number in range(len(CHUNKS)))
"""Where in a row the values of each chunk are."""
_ROW = sum(1 << width for _, width in CHUNKS)
_BYTE = 8
_NUMBER_BITS = 32


class VectorTable:
    """One table as numpy looks it up."""

    def __init__(self, layout: Layout) -> None:
        """Makes the arrays as `take` wants them.

        Args:
            layout: The arrays.
        """
        # As `take` wants them: places as wide as pointers, scaled, and one row for all chunks.
        used = np.flatnonzero(layout.heads.any(axis=1))
        self._row = np.zeros(KEYS, np.intp)
        self._row[used] = np.arange(1, len(used) + 1) * _ROW
        table = np.zeros((len(used) + 1, _ROW), np.int32)
        for column, ((_, width), start) in enumerate(zip(CHUNKS, _STARTS, strict=True)):
            values = layout.heads[used, column, np.newaxis] + np.arange(1 << width)
            table[1:, start : start + (1 << width)] = layout.chunks[values]
        table[1:, : _STARTS[1]] += layout.heads[used, -1:]
        self._chunks = [table.reshape(-1)[start:] for start in _STARTS]
        self._answers = layout.answers
        self._special = layout.specials.astype(np.intp) << _BYTE
        by_key = layout.shifts[layout.specials]
        self._shifts = [by_key[:, piece].astype(np.intp) for piece in range(PIECES)]
        self._pieces = [layout.pieces[:, piece].reshape(-1) for piece in range(PIECES)]
        self._rests = layout.rests
        rests = np.array([rest is not None for rest in layout.rests])
        self._has_rest = rests[layout.specials]
        counts = layout.spans[:, 1] - layout.spans[:, 0]
        self._is_searched = (counts != 0)[layout.specials]
        # All that is searched lies in one sorted array: the number of its opcode, then the index.
        numbers = np.repeat(np.arange(len(counts)), counts)
        self._known = numbers << _NUMBER_BITS | layout.known
        self._places = np.arange(len(numbers)) + np.repeat(
            layout.starts - layout.spans[:, 0], counts
        )
        self._scratch = local()

    def decode(self, words: Words) -> NDArray[np.int32]:
        """The id of each word's mnemonic, -1 where the table has none."""
        ids = np.empty(len(words), dtype=np.int32)
        signed = words.view(np.int64)
        for start in range(0, len(words), BLOCK_WORDS):
            stop = start + BLOCK_WORDS
            self._decode_block(signed[start:stop], ids[start:stop])
        return ids

    def _decode_block(self, words: NDArray[np.int64], ids: NDArray[np.int32]) -> None:
        place, row, high, index, added, truth = self._buffers(len(words))
        np.bitwise_and(words[:, 0], KEYS - 1, out=place)
        self._row.take(place, out=row, mode="clip")  # no other mode writes to `out` directly
        np.copyto(high, words[:, 1])
        for (first, width), chunk in zip(CHUNKS, self._chunks, strict=True):
            np.right_shift(high, first - 64, out=place)
            place &= (1 << width) - 1
            place += row
            chunk.take(place, out=added, mode="clip")
            if first == CHUNKS[0][0]:
                index, added = added, index
            else:
                index += added
        special = np.flatnonzero(np.greater_equal(index, SPECIAL, out=truth))
        if len(special):
            index[special] = self._finish(words, special, index.take(special) - SPECIAL)
        np.maximum(index, 0, out=place)
        self._answers.take(place, out=ids, mode="clip")
        np.right_shift(high, REUSE_SHIFT - NAME_BITS, out=place)
        place &= ids
        np.greater(place, NAME_MASK, out=truth)
        ids[truth] = 0
        ids &= NAME_MASK
        ids -= 1

    def _buffers(
        self, count: int
    ) -> tuple[
        NDArray[np.intp],
        NDArray[np.intp],
        NDArray[np.int64],
        NDArray[np.int32],
        NDArray[np.int32],
        NDArray[np.bool_],
    ]:
        """This thread's arrays of so many entries: fresh ones would cost a page fault a page."""
        held = self._scratch.__dict__.get("held")
        if held is None or len(held[0]) < count:
            held = self._scratch.held = (
                np.empty(count, np.intp),
                np.empty(count, np.intp),
                np.empty(count, np.int64),
                np.empty(count, np.int32),
                np.empty(count, np.int32),
                np.empty(count, np.bool_),
            )
        place, row, high, index, added, truth = held
        return place[:count], row[:count], high[:count], index[:count], added[:count], truth[:count]

    def _finish(
        self, words: NDArray[np.int64], special: NDArray[np.intp], index: NDArray[np.int32]
    ) -> NDArray[np.int32]:
        """The indices of the words of opcodes that need more than chunks."""
        halves = words.reshape(-1)
        place = special << 1
        low = halves.take(place)
        key = low & KEYS - 1
        number = self._special.take(key)
        for shifts, pieces in zip(self._shifts, self._pieces, strict=True):
            np.right_shift(low, shifts.take(key), out=place)
            place &= (1 << _BYTE) - 1
            place |= number
            index += pieces.take(place)
        number >>= _BYTE
        rest = np.flatnonzero(self._has_rest.take(key))
        if len(rest):
            numbers = number.take(rest)
            high = halves.take((special.take(rest) << 1) + 1).view(np.uint64)
            for one in np.flatnonzero(np.bincount(numbers)).tolist():
                chosen = numbers == one
                places = rest[chosen]
                pair = low.take(places).view(np.uint64), high[chosen]
                index[places] = _rest(self._rests[one], pair, index.take(places))
        searched = np.flatnonzero(self._is_searched.take(key))
        if len(searched):
            wanted = number.take(searched) << _NUMBER_BITS | index.take(searched)
            found = self._known.searchsorted(wanted)
            hit = self._known.take(found, mode="clip") == wanted
            index[searched] = np.where(hit, self._places.take(found, mode="clip"), WRONG)
        return index


def _rest(
    rest: Rest | None,
    halves: tuple[NDArray[np.uint64], NDArray[np.uint64]],
    index: NDArray[np.int32],
) -> NDArray[np.int32]:
    """The indices of words of one opcode, after what only single tests tell."""
    if rest is None:
        return index
    for test in rest.tests:
        index += _holds(test, halves[test.high]) * np.int32(test.adds)
    for half, mask, value in zip(halves, rest.mask, rest.value, strict=True):
        if mask:
            index[(half ^ np.uint64(value)) & np.uint64(mask) != 0] = WRONG
    return index


def _holds(test: Test, half: NDArray[np.uint64]) -> NDArray[np.bool_]:
    values = half >> np.uint64(test.shift) & np.uint64(test.mask)
    if len(test.values) == 1:
        single: NDArray[np.bool_] = values == np.uint64(test.values[0])
        return single
    wanted = np.array(test.values, dtype=np.uint64)
    found = np.searchsorted(wanted, values)
    member: NDArray[np.bool_] = wanted.take(found, mode="clip") == values
    return member
