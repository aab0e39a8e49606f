"""Instructions by opcode of all code sections of a cubin, decoded and counted together."""

from __future__ import annotations

from array import array
from functools import lru_cache
from typing import TYPE_CHECKING, Self

import msgspec
import numpy as np

from sassay.isa.categories import CATEGORIES, category
from sassay.isa.sass import spill_bytes
from sassay.isa.sass.tables import tally
from sassay.model.layers import Layer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from sassay.isa.sass.tables import TableDecoder, Tally

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
    return _packed(tally(image, sections, decoder), len(sections), decoder)


def _packed(
    found: Tally, sections: int, decoder: TableDecoder
) -> tuple[tuple[str, ...], list[Counts]]:
    """The names that occur, sorted, and the counts of so many sections."""
    spelled = [decoder.names[number] for number in found.used.tolist()]
    order = sorted(range(len(spelled)), key=spelled.__getitem__)
    names = tuple(map(spelled.__getitem__, order))
    rows, place, numbers = found.sections, found.places, found.counts
    if names != tuple(spelled):
        # A table whose names are not sorted: those of the shipped ones are.
        place = np.argsort(order).take(place)
        side_by_side = np.lexsort((place, rows))
        place, numbers = place.take(side_by_side), numbers.take(side_by_side)
    kinds, loads, stores = np.array([_meaning(name) for name in names], np.intp).reshape(-1, 3).T

    def sums(by: NDArray[np.intp], weights: NDArray[np.generic], size: int) -> NDArray[np.int64]:
        # Of doubles, which are exact: no section has 2**53 bytes.
        return np.bincount(by, weights, minlength=size).astype(np.int64)

    groups = len(CATEGORIES)
    by_kind = sums(rows * groups + kinds.take(place), numbers, sections * groups)
    grouped = by_kind.astype(np.uint32).tobytes()
    spills = zip(
        sums(rows, loads.take(place) * numbers, sections).tolist(),
        sums(rows, stores.take(place) * numbers, sections).tolist(),
        strict=True,
    )
    opcodes, counts = place.astype(np.uint32).tobytes(), numbers.tobytes()
    ends = (rows.searchsorted(np.arange(sections), side="right") * _U32).tolist()
    starts = [0, *ends]
    width = groups * _U32
    return names, [
        Counts(
            opcodes[starts[row] : end],
            counts[starts[row] : end],
            found.left[row].tobytes() if row in found.left else b"",
            grouped[row * width : (row + 1) * width],
            spilled,
        )
        for row, (end, spilled) in enumerate(zip(ends, spills, strict=True))
    ]


@lru_cache(maxsize=1 << 16)
def _meaning(opcode: str) -> tuple[int, int, int]:
    """The place of its category, and the bytes that one spill load or store moves.

    Asked for the opcodes that occur: a table knows fifty thousand.
    """
    loads, stores = spill_bytes({opcode: 1})
    return _PLACES[category(Layer.SASS, opcode)], loads, stores
