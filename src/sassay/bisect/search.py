"""Binary search for the first place where a value differs from that of the first place.

It asks as few places as it can, since each may be a build. A history that turns back is not hidden:
what was asked and contradicts a single turn is told, and so is what was not asked.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable
from typing import TypeVar

import msgspec

V = TypeVar("V", bound=Hashable)


class Turn(msgspec.Struct, frozen=True):
    """Where a value turned.

    Attributes:
        place: First place known to differ from the first; None if the last is as the first.
        before: Last place before it that is known to be as the first.
        skipped: Places between the two that could not be asked: it may be any of them.
        turns: Places known to differ from the place asked before them; more than one says that
            the history turned more than once.
        asked: Places that answered, sorted.
        again: Whether the value went back to what it was before, as far as was asked.
    """

    place: int | None
    before: int | None
    skipped: tuple[int, ...]
    turns: tuple[int, ...]
    asked: tuple[int, ...]
    again: bool

    @property
    def is_single(self) -> bool:
        """Whether nothing that was asked speaks against one turn."""
        return len(self.turns) <= 1


def find_turn(count: int, ask: Callable[[int], V | None], *, every: bool = False) -> Turn:
    """Find the first place whose value is not that of place 0.

    Args:
        count: Number of places, two or more.
        ask: The value at a place; None where it cannot be had. Asked once a place.
        every: Ask every place, for a history that may turn back.

    Raises:
        ValueError: The first or the last place has no value: there is nothing to search between.
    """
    known: dict[int, V | None] = {}

    def at(place: int) -> V | None:
        if place not in known:
            known[place] = ask(place)
        return known[place]

    first, last = at(0), at(count - 1)
    if first is None or last is None:
        raise ValueError(0 if first is None else count - 1)
    if every:
        for place in range(count):
            at(place)
    differing = [p for p, value in sorted(known.items()) if value not in {None, first}]
    if not differing:
        return _told(known, None, None, ())
    high = differing[0]
    low = _last_alike(known, first, high)
    while (middle := _nearest(low, high, at)) is not None:
        if at(middle) == first:
            low = middle
        else:
            high = middle
    skipped = tuple(p for p in range(low + 1, high) if known.get(p, first) is None)
    return _told(known, high, low, skipped)


def _last_alike(known: dict[int, V | None], first: V, high: int) -> int:
    return max(p for p, value in known.items() if value == first and p < high)


def _nearest(low: int, high: int, at: Callable[[int], V | None]) -> int | None:
    """The place nearest to the middle that answers; None where none between does."""
    middle = (low + high) // 2
    for place in sorted(range(low + 1, high), key=lambda p: (abs(p - middle), p)):
        if at(place) is not None:
            return place
    return None


def _told(
    known: dict[int, V | None], place: int | None, before: int | None, skipped: tuple[int, ...]
) -> Turn:
    asked = sorted(p for p, value in known.items() if value is not None)
    turns = tuple(after for one, after in itertools.pairwise(asked) if known[one] != known[after])
    seen: set[V | None] = set()
    again = False
    for one in asked:
        again = again or (known[one] in seen and one in turns)
        seen.add(known[one])
    return Turn(place, before, skipped, turns, tuple(asked), again)
