"""What becomes of families from the first state of a history to each later one."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import msgspec

from sassay.diff import DiffOptions, compare
from sassay.model.change import FamilyRow, FamilyStatus
from sassay.model.layers import TIER_ORDER, Tier

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sassay.isa.sass import Disassembler
    from sassay.model.change import Diff
    from sassay.model.code import CodeStore
    from sassay.model.state import State

FIRST, LATER = "first", "later"
FamilyKey = tuple[str, str]
"""Family and architecture."""


class Watched(msgspec.Struct, frozen=True):
    """What became of one family since the first state.

    Attributes:
        status: Against the first state; None if neither holds it.
        tier: Deepest tier of its compared kernels.
    """

    status: FamilyStatus | None
    tier: Tier | None = None


NOT_THERE = Watched(None)


def family_key(row: FamilyRow) -> FamilyKey:
    """Family and architecture of a row."""
    return (row.family, row.arch)


class FamilyWatch:
    """Compares states with the first one, each once.

    Args:
        open_state: Opens a state by its place in the history; None where there is none.
        store: Holds their code.
        disassembler: Reads it.
        options: How to compare.
        families: Globs of the families that are looked for; empty takes all.
        tier: The shallowest tier that counts as a change; None takes the usual one, beyond
            scheduling.
    """

    def __init__(
        self,
        open_state: Callable[[int], State | None],
        store: CodeStore,
        disassembler: Disassembler,
        options: DiffOptions,
        *,
        families: Sequence[str] = (),
        tier: Tier | None = None,
    ) -> None:
        self._open = open_state
        self._store = store
        self._disassembler = disassembler
        self._options = options
        self._families = tuple(families)
        self._tier = tier
        self._states: dict[int, State | None] = {}
        self._diffs: dict[int, Diff] = {}

    def state(self, place: int) -> State | None:
        """The state at a place, labelled apart from the first."""
        if place not in self._states:
            state = self._open(place)
            if state is not None:
                state = msgspec.structs.replace(state, label=FIRST if place == 0 else LATER)
            self._states[place] = state
        return self._states[place]

    @property
    def opened(self) -> int:
        """How many states were opened."""
        return sum(state is not None for state in self._states.values())

    def diff(self, place: int) -> Diff | None:
        """The first state compared with the one at a place; None where either is missing."""
        first, other = self.state(0), self.state(place)
        if first is None or other is None:
            return None
        if place not in self._diffs:
            if place == 0:
                other = msgspec.structs.replace(other, label=LATER)
            self._diffs[place] = compare(
                (first, other), self._store, self._disassembler, self._options
            )
        return self._diffs[place]

    def watched(self, key: FamilyKey, place: int) -> Watched | None:
        """What became of a family at a place; None where there is no state."""
        diff = self.diff(place)
        if diff is None:
            return None
        row = next((row for row in diff.families if family_key(row) == key), None)
        if row is None:
            return NOT_THERE
        tier = row.pairs[-1].tier if row.pairs else None
        return Watched(row.status, tier)

    def is_moved(self, watched: Watched) -> bool:
        """Whether a family counts as other than in the first state.

        Args:
            watched: What became of it.
        """
        if watched.status in {None, FamilyStatus.UNCHANGED}:
            # An unchanged family can hold relocated and rescheduled kernels: those count on
            # request.
            return self._reaches(watched) and watched.status is not None
        if watched.status is FamilyStatus.CHANGED and self._tier is not None:
            return self._reaches(watched)
        return True

    def moved(self, place: int) -> Sequence[FamilyRow]:
        """Families that count as moved from the first state to a place."""
        return [
            row
            for row in self.rows(place)
            if self.is_moved(Watched(row.status, row.pairs[-1].tier if row.pairs else None))
        ]

    def rows(self, place: int) -> Sequence[FamilyRow]:
        """The families that are looked for, of the first state and the one at a place."""
        diff = self.diff(place)
        if diff is None:
            return ()
        return [
            row
            for row in diff.families
            if not self._families or any(fnmatchcase(row.family, glob) for glob in self._families)
        ]

    def _reaches(self, watched: Watched) -> bool:
        if self._tier is None or watched.tier is None:
            return False
        return TIER_ORDER.index(watched.tier) >= TIER_ORDER.index(self._tier)
