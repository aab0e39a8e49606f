"""The instructions of many code sections by opcode, as a few arrays."""

from __future__ import annotations

from array import array
from itertools import chain
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from sassay.capture.counting import SassFacts, by_category
from sassay.isa.categories import CATEGORIES
from sassay.isa.counted import CountedCensus, flatten

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_U32 = 4


class PackedCounts(msgspec.Struct, frozen=True, array_like=True):
    """Numbers are native u32, but for `spills`.

    Attributes:
        names: All opcodes, sorted.
        places: Places in `names`, of one section after the other.
        counts: So many of each.
        ends: Where each section ends in both.
        categories: Instructions of each section by category.
        spills: Bytes of spill loads and stores of each, native i64.
    """

    names: tuple[str, ...]
    places: bytes
    counts: bytes
    ends: bytes
    categories: bytes
    spills: bytes

    def facts(self, sections: Sequence[int]) -> Iterator[SassFacts]:
        """What some of the sections hold."""
        groups = np.frombuffer(self.categories, np.uint32).reshape(-1, len(CATEGORIES))
        spills = array("q", self.spills)
        ends = [0, *(end * _U32 for end in array("I", self.ends))]
        for section, group in zip(sections, groups[list(sections)].tolist(), strict=True):
            part = slice(ends[section], ends[section + 1])
            yield SassFacts(
                CountedCensus(self.names, self.places[part], self.counts[part]),
                {name: count for name, count in zip(CATEGORIES, group, strict=True) if count},
                (spills[2 * section], spills[2 * section + 1]),
            )


def pack_counts(sections: Sequence[SassFacts]) -> PackedCounts:
    """The counts of sections, by places in the opcodes of all of them."""
    names, places, counts, lengths = flatten([section.census for section in sections])
    return PackedCounts(
        names,
        places.astype(np.uint32).tobytes(),
        counts.astype(np.uint32).tobytes(),
        lengths.cumsum().astype(np.uint32).tobytes(),
        b"".join(map(by_category, sections)),
        array("q", chain.from_iterable(section.spills for section in sections)).tobytes(),
    )
