"""Censuses of very many code sections: counted once, spelled out when somebody looks.

A wheel holds tens of thousands of sections with some ninety opcodes each. A `dict` for each takes a
second and 150 MB, and hardly any of them is looked at by a person.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sassay.model.later import Later

if TYPE_CHECKING:
    from collections.abc import ItemsView, Iterator, KeysView, Sequence, ValuesView

    from numpy.typing import NDArray

    from sassay.model.kernel import Census

_U32 = 4


class CountedCensus(Mapping[str, int]):
    """A census as places in a tuple of names, which sections share, and the counts beside them.

    Args:
        names: Opcodes, sorted.
        places: Those that occur, ascending, as native u32.
        counts: So many of each, as native u32.
    """

    __slots__ = ("_plain", "counts", "names", "places")

    def __init__(self, names: tuple[str, ...], places: bytes, counts: bytes) -> None:
        self.names = names
        self.places = places
        self.counts = counts
        self._plain: dict[str, int] | None = None

    @property
    def plain(self) -> dict[str, int]:
        """The census spelled out."""
        if self._plain is None:
            opcodes = map(self.names.__getitem__, array("I", self.places))
            self._plain = dict(zip(opcodes, array("I", self.counts), strict=True))
        return self._plain

    def __getitem__(self, opcode: str) -> int:
        return self.plain[opcode]

    def __iter__(self) -> Iterator[str]:
        return iter(self.plain)

    def __len__(self) -> int:
        return len(self.places) // _U32

    def __contains__(self, opcode: object) -> bool:
        return opcode in self.plain

    def __eq__(self, other: object) -> bool:
        if isinstance(other, CountedCensus):
            alike = self.names is other.names and self.places == other.places
            return (alike and self.counts == other.counts) or self.plain == other.plain
        return self.plain == other

    def __hash__(self) -> int:
        raise TypeError("a census is no key")

    def __repr__(self) -> str:
        return repr(self.plain)

    def keys(self) -> KeysView[str]:
        """The opcodes."""
        return self.plain.keys()

    def values(self) -> ValuesView[int]:
        """The counts."""
        return self.plain.values()

    def items(self) -> ItemsView[str, int]:
        """Opcodes with their counts."""
        return self.plain.items()


def spelled_out(item: object) -> object:
    """What msgspec asks of a type that it does not know, as its `enc_hook`.

    Raises:
        NotImplementedError: It is neither a census nor a sequence that is made later.
    """
    if isinstance(item, CountedCensus):
        return item.plain
    if isinstance(item, Later):
        return item.made
    raise NotImplementedError(f"{type(item).__name__} cannot be written")


class Flat(NamedTuple):
    """Censuses one after the other.

    Attributes:
        names: All opcodes, sorted.
        places: Places in `names`.
        counts: So many of each.
        lengths: How many opcodes each census has.
    """

    names: tuple[str, ...]
    places: NDArray[np.intp]
    counts: NDArray[np.integer]
    lengths: NDArray[np.intp]


def flatten(censuses: Sequence[Census]) -> Flat:
    """Many censuses as a few arrays, those that were never spelled out without doing so."""
    firsts: dict[int, int] = {}
    sets: list[tuple[str, ...]] = []
    length = 0
    starts: list[int] = []
    places: list[bytes] = []
    counts: list[bytes] = []
    spelled: list[int] = []
    for number, census in enumerate(censuses):
        if isinstance(census, CountedCensus):
            names = census.names  # sections of one cubin share them
            places.append(census.places)
            counts.append(census.counts)
        else:
            names = tuple(census)
            places.append(array("I", range(len(names))).tobytes())
            counts.append(bytes(_U32 * len(names)))
            spelled.append(number)
        start = firsts.setdefault(id(names), length)
        if start == length:
            sets.append(names)
            length += len(names)
        starts.append(start)
    lengths = np.fromiter(map(len, places), np.intp, len(places)) // _U32
    found = np.repeat(np.array(starts, np.uint32), lengths)
    found += np.frombuffer(b"".join(places), np.uint32)
    held = np.zeros(length, np.bool_)
    held[found] = True
    listed = list(chain.from_iterable(sets))
    names = tuple(sorted({listed[place] for place in held.nonzero()[0].tolist()}))
    numbers = {name: number for number, name in enumerate(names)}
    moved = np.fromiter((numbers.get(name, -1) for name in listed), np.intp, length)
    flat = np.frombuffer(b"".join(counts), np.uint32)
    if not spelled:
        return Flat(names, moved.take(found), flat, lengths)
    # What was spelled out may count further than 32 bits reach.
    wide = flat.astype(np.int64)
    ends = lengths.cumsum()
    for number in spelled:
        end = ends[number]
        values = censuses[number].values()
        wide[end - lengths[number] : end] = np.fromiter(values, np.int64, len(values))
    return Flat(names, moved.take(found), wide, lengths)
