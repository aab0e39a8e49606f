"""How often each opcode occurs in each of several code sections."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from sassay.isa.sass import words as word
from sassay.isa.sass.tables.decoder import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sassay.isa.sass.tables.decoder import TableDecoder

_FAR = 1 << 20
"""Sections are looked up together where no more than so many bytes between them are lost."""
_ENTRIES = 1 << 22
"""Of the table of sections and ids that are counted in one go."""


class Tally(msgspec.Struct, frozen=True):
    """What occurs, an entry for each id of each section.

    Attributes:
        used: The ids of the decoder that occur, ascending.
        sections: Places of sections, ascending.
        places: Places in `used`, ascending in each section.
        counts: So many of each.
        left: The words of each section that the decoder does not know, where there are any.
    """

    used: NDArray[np.intp]
    sections: NDArray[np.intp]
    places: NDArray[np.intp]
    counts: NDArray[np.uint32]
    left: dict[int, word.Words]


def tally(image: memoryview, sections: Sequence[tuple[int, int]], decoder: TableDecoder) -> Tally:
    """Count the opcodes of sections of a cubin.

    Args:
        image: The cubin.
        sections: Offset and bytes of each; what lies behind its last whole word or behind the
            cubin's end is left out.
        decoder: Knows the words.
    """
    spans = np.array(sections, np.int64).reshape(-1, 2)
    np.clip(spans[:, 0], 0, len(image), out=spans[:, 0])
    np.clip(spans[:, 1], 0, len(image) - spans[:, 0], out=spans[:, 1])
    spans[:, 1] //= word.WORD_BYTES
    counted = decoder.count(image, spans)
    if counted is None:
        return _counted(image, spans, decoder)
    ids, counts, ends = counted
    rows = np.repeat(np.arange(len(spans)), np.diff(ends, prepend=0))
    known = ids != UNKNOWN
    left = {}
    if not known.all():
        for row in rows[~known].tolist():
            words = _words(image, *spans[row].tolist())
            left[row] = words[decoder.decode(words) == UNKNOWN]
        rows, ids, counts = rows[known], ids[known], counts[known]
    occurs = np.zeros(len(decoder.names), np.bool_)
    occurs[ids] = True
    used = np.flatnonzero(occurs)
    place = np.empty(len(occurs), np.intp)
    place[used] = np.arange(len(used))
    return Tally(used, rows, place[ids], counts, left)


def _words(image: memoryview, start: int, count: int) -> word.Words:
    return word.section_words(image[start : start + count * word.WORD_BYTES])


def _counted(image: memoryview, spans: NDArray[np.int64], decoder: TableDecoder) -> Tally:
    """The same by numpy."""
    # Places as wide as pointers, or numpy makes them so again and again; what is unknown is 0.
    decoded = [(words, ids.astype(np.intp) + 1) for words, ids in _decoded(image, spans, decoder)]
    # A table knows some forty thousand names, a cubin holds a hundred of them: sections are counted
    # by the place among those. What is unknown stands behind them.
    occurs = np.zeros(len(decoder.names) + 1, np.bool_)
    for _, shifted in decoded:
        occurs[shifted] = True
    used = np.flatnonzero(occurs[1:])
    place = np.full(len(occurs), len(used), np.intp)
    place[used + 1] = np.arange(len(used))
    width = len(used) + 1
    left: dict[int, word.Words] = {}
    parts: list[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]] = []
    step = max(_ENTRIES // width, 1)
    for first in range(0, len(decoded), step):
        some = decoded[first : first + step]
        table = np.zeros((len(some), width), np.intp)
        for row, (words, shifted) in enumerate(some):
            columns = place.take(shifted, mode="clip")
            table[row] = np.bincount(columns, minlength=width)
            if table[row, -1]:
                left[first + row] = words[columns == len(used)]
        rows, places = np.nonzero(table[:, :-1] != 0)  # of truths it is fast
        parts.append((rows + first, places, table[rows, places]))
    if not parts:
        parts.append((np.zeros(0, np.intp),) * 3)
    rows, places, counts = (np.concatenate(each) for each in zip(*parts, strict=True))
    return Tally(used, rows, places, counts.astype(np.uint32), left)


def _decoded(
    image: memoryview, spans: NDArray[np.int64], decoder: TableDecoder
) -> Iterator[tuple[word.Words, NDArray[np.int32]]]:
    """Words and ids of each section; those that lie side by side are looked up in one call."""
    starts, counts = spans[:, 0], spans[:, 1]
    held = spans[counts != 0]
    first = int(held[:, 0].min(initial=len(image)))
    last = int((held[:, 0] + held[:, 1] * word.WORD_BYTES).max(initial=first))
    lost = last - first - int(counts.sum()) * word.WORD_BYTES
    if lost > _FAR or ((held[:, 0] - first) % word.WORD_BYTES).any():
        for start, count in spans.tolist():
            words = _words(image, start, count)
            yield words, decoder.decode(words)
        return
    words = word.section_words(image[first:last])
    ids = decoder.decode(words)
    rows = np.where(counts != 0, (starts - first) // word.WORD_BYTES, 0)
    for row, stop in zip(rows.tolist(), (rows + counts).tolist(), strict=True):
        yield words[row:stop], ids[row:stop]
