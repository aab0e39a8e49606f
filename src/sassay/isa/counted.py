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
    places: NDArray[np.int64]
    counts: NDArray[np.int64]
    lengths: NDArray[np.int64]


def flatten(censuses: Sequence[Census]) -> Flat:
    """Many censuses as a few arrays, those that were never spelled out without doing so."""
    sets: list[tuple[str, ...]] = []
    firsts: dict[int, int] = {}
    length = 0
    starts: list[int] = []
    places: list[bytes] = []
    for census in censuses:
        if isinstance(census, CountedCensus):
            names = census.names  # sections of one cubin share them
            places.append(census.places)
        else:
            names = tuple(census)
            places.append(array("I", range(len(names))).tobytes())
        start = firsts.setdefault(id(names), length)
        if start == length:
            sets.append(names)
            length += len(names)
        starts.append(start)
    lengths = np.fromiter(map(len, censuses), np.int64, len(censuses))
    found = np.frombuffer(b"".join(places), np.uint32) + np.repeat(
        np.array(starts, np.int64), lengths
    )
    held = np.zeros(length, np.bool_)
    held[found] = True
    listed = list(chain.from_iterable(sets))
    names = tuple(sorted({listed[place] for place in np.flatnonzero(held).tolist()}))
    numbers = {name: number for number, name in enumerate(names)}
    moved = np.fromiter((numbers.get(name, -1) for name in listed), np.int64, length)
    return Flat(names, moved[found], _counts(censuses, lengths), lengths)


def _counts(censuses: Sequence[Census], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    packed = b"".join(each.counts for each in censuses if isinstance(each, CountedCensus))
    plain = [not isinstance(each, CountedCensus) for each in censuses]
    spelled = np.repeat(np.array(plain, np.bool_), lengths)
    counts = np.empty(len(spelled), np.int64)
    counts[~spelled] = np.frombuffer(packed, np.uint32)
    counts[spelled] = np.fromiter(
        chain.from_iterable(
            each.values() for each in censuses if not isinstance(each, CountedCensus)
        ),
        np.int64,
    )
    return counts
