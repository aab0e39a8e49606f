"""Instructions by opcode of all code sections of a cubin, decoded and counted together."""

from __future__ import annotations

from array import array
from functools import lru_cache
from typing import TYPE_CHECKING, Self

import msgspec
import numpy as np

from sassay.isa.categories import CATEGORIES, category
from sassay.isa.sass import spill_bytes
from sassay.isa.sass import words as word
from sassay.isa.sass.tables import UNKNOWN
from sassay.model.layers import Layer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from sassay.isa.sass.tables import TableDecoder

_FAR = 1 << 20
"""Code sections are decoded together where no more than so many bytes between them are lost."""
_U32 = 4
_PLACES = {name: number for number, name in enumerate(CATEGORIES)}


class Counts(msgspec.Struct, frozen=True, array_like=True):
    """Instructions of one code section by opcode.

    Attributes:
        opcodes: Places in `CubinFacts.names`, ascending, as native u32.
        counts: So many of each, as native u32.
        left: The words that no table knows, 16 bytes each, in order.
        categories: So many of each of `CATEGORIES`, as native u32, of what is not left.
        spills: Bytes of spill loads and stores, likewise.
        asked: Words that no table knows and a disassembler has answered for; `counts` has them.
    """

    opcodes: bytes
    counts: bytes
    left: bytes = b""
    categories: bytes = b""
    spills: tuple[int, int] = (0, 0)
    asked: int = 0

    @classmethod
    def of(cls, census: Mapping[str, int], places: Mapping[str, int]) -> Self:
        """The counts of a sorted census, by the place of each opcode among all sorted names."""
        return cls(
            array("I", map(places.__getitem__, census)).tobytes(),
            array("I", census.values()).tobytes(),
        )

    def census(self, names: Sequence[str]) -> dict[str, int]:
        """The opcodes that are known, sorted."""
        return dict(
            zip(
                map(names.__getitem__, array("I", self.opcodes)),
                array("I", self.counts),
                strict=True,
            )
        )

    def grouped(self) -> dict[str, int]:
        """Instructions by category, in the order of the categories, zeros left out."""
        totals = zip(CATEGORIES, array("I", self.categories), strict=True)
        return {name: count for name, count in totals if count}


def count_sections(
    image: memoryview, sections: Sequence[tuple[int, int]], decoder: TableDecoder | None
) -> tuple[tuple[str, ...], list[Counts]]:
    """The opcodes that occur, sorted, and the counts of each section.

    Args:
        image: The cubin.
        sections: Offset and bytes of each; bytes behind the last whole word are left out.
        decoder: Knows the words; None: all of them are left.
    """
    if decoder is None:
        return (), [
            Counts(b"", b"", bytes(image[start : start + size])) for start, size in sections
        ]
    decoded = list(_decoded(image, sections, decoder))
    shifted = np.concatenate([ids for _, ids in decoded]) if decoded else np.zeros(0, np.int32)
    shifted += 1  # what is unknown is 0
    order, place = _used(shifted, decoder)
    table = np.zeros((len(sections), len(order) + 1), np.intp)
    left: dict[int, bytes] = {}
    stop = 0
    for row, (words, ids) in enumerate(decoded):
        start, stop = stop, stop + len(ids)
        columns = place.take(shifted[start:stop], mode="clip")
        table[row] = np.bincount(columns, minlength=len(order) + 1)
        if table[row, -1]:
            left[row] = words[ids == UNKNOWN].tobytes()
    counts = list(_packed(table[:, :-1], order, decoder))
    for row, words_left in left.items():
        counts[row] = msgspec.structs.replace(counts[row], left=words_left)
    return tuple(map(decoder.names.__getitem__, order.tolist())), counts


def _used(
    shifted: NDArray[np.int32], decoder: TableDecoder
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The ids that occur, in the order of their names, and the place among them of each plus one.

    A table knows some forty thousand names, a cubin holds a hundred of them: sections are counted
    by those places. What is unknown stands behind all others.
    """
    used = np.bincount(shifted, minlength=len(decoder.names) + 1)[1:] != 0
    order = _name_order(decoder)
    order = order[used[order]]
    place = np.full(len(used) + 1, len(order), np.intp)
    place[order + 1] = np.arange(len(order))
    return order, place


def _packed(
    table: NDArray[np.intp], order: NDArray[np.intp], decoder: TableDecoder
) -> Iterator[Counts]:
    """The counts of each row; its columns are those of `order`."""
    meanings = [_meaning(decoder.names[number]) for number in order.tolist()]
    kinds, loads, stores = np.array(meanings, np.intp).reshape(-1, 3).T
    rows, places = np.nonzero(table != 0)  # of truths it is fast
    opcodes = places.astype(np.uint32).tobytes()
    counts = table[rows, places].astype(np.uint32).tobytes()
    groups = _grouped(table, kinds)
    width = groups.shape[1] * _U32
    grouped = groups.tobytes()
    ends = (rows.searchsorted(np.arange(len(table)), side="right") * _U32).tolist()
    spills = zip((table @ loads).tolist(), (table @ stores).tolist(), strict=True)
    start = 0
    for row, (end, spilled) in enumerate(zip(ends, spills, strict=True)):
        yield Counts(
            opcodes[start:end],
            counts[start:end],
            b"",
            grouped[row * width : (row + 1) * width],
            spilled,
        )
        start = end


def _grouped(table: NDArray[np.intp], kinds: NDArray[np.intp]) -> NDArray[np.uint32]:
    """The sums of each row by category; `kinds` are those of the columns."""
    grouped = np.zeros((len(table), len(CATEGORIES)), np.uint32)
    if len(kinds):
        side_by_side = kinds.argsort(kind="stable")
        present, starts = np.unique(kinds[side_by_side], return_index=True)
        grouped[:, present] = np.add.reduceat(table[:, side_by_side], starts, axis=1)
    return grouped


@lru_cache(maxsize=32)
def _name_order(decoder: TableDecoder) -> NDArray[np.intp]:
    """Ids in the order of their names."""
    return np.array(sorted(range(len(decoder.names)), key=decoder.names.__getitem__), np.intp)


@lru_cache(maxsize=1 << 16)
def _meaning(opcode: str) -> tuple[int, int, int]:
    """The place of its category, and the bytes that one spill load or store moves.

    Asked for the opcodes that occur: a table knows fifty thousand.
    """
    loads, stores = spill_bytes({opcode: 1})
    return _PLACES[category(Layer.SASS, opcode)], loads, stores


def _decoded(
    image: memoryview, sections: Sequence[tuple[int, int]], decoder: TableDecoder
) -> Iterator[tuple[word.Words, NDArray[np.int32]]]:
    """Words and opcode ids of each section; those that lie side by side are decoded in one call."""
    held = [(start, size - size % word.WORD_BYTES) for start, size in sections]
    spans = [(start, start + size) for start, size in held if size]
    first = min((start for start, _ in spans), default=0)
    last = max((stop for _, stop in spans), default=0)
    lost = last - first - sum(size for _, size in held)
    if lost > _FAR or any((start - first) % word.WORD_BYTES for start, _ in spans):
        for start, size in held:
            words = word.section_words(image[start : start + size])
            yield words, decoder.decode(words)
        return
    words = word.section_words(image[first:last])
    ids = decoder.decode(words)
    for start, size in held:
        row = (start - first) // word.WORD_BYTES if size else 0
        stop = row + size // word.WORD_BYTES
        yield words[row:stop], ids[row:stop]
