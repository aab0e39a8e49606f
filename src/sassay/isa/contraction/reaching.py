"""Which writes of a register an instruction may read: reaching definitions, found on demand.

Instructions and registers are numbers, and the same code serves PTX and SASS. A guard is a number
too, even where the predicate must hold and odd where it must not: `guard >> 1` is the predicate's
register, and 0 means that the instruction always runs.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ENTRY = -1
"""The write that stands for what a register held when the kernel started."""

MAX_STEPS = 50_000
"""Blocks that one kernel's searches may pass."""
_WAYS = 3
_NOTHING: frozenset[int] = frozenset()


class TooLargeError(Exception):
    """The control flow of a kernel is too large to be searched."""


class Blocks:
    """Instructions between which control always goes straight on.

    Args:
        heads: First instructions of blocks, ascending, from 0.
        edges: Pairs of an instruction that ends a block and one that may follow.
    """

    def __init__(self, heads: Sequence[int], edges: Sequence[tuple[int, int]]) -> None:
        self.heads = heads
        self.sources: list[list[int]] = [[] for _ in heads]
        for last, first in edges:
            block = self.of(first)
            if heads[block] == first:
                self.sources[block].append(self.of(last))

    def of(self, place: int) -> int:
        """The block of an instruction."""
        return bisect_right(self.heads, place) - 1


class Reaching:
    """Answers which writes reach an instruction.

    Args:
        blocks: Of the code.
        writes: For each register the instructions that write it, ascending.
        guards: The guard of each instruction.
        count: How many instructions there are.
    """

    def __init__(
        self,
        blocks: Blocks,
        writes: Mapping[int, Sequence[int]],
        guards: Sequence[int],
        count: int,
    ) -> None:
        self._blocks = blocks
        self._writes = writes
        self._guards = guards
        self._ends = [*blocks.heads[1:], count]
        self._steps = 0

    def before(self, place: int, register: int) -> tuple[int, ...]:
        """The writes of a register that may reach an instruction, ascending.

        Raises:
            TooLargeError: The control flow is too large.
        """
        writes = self._writes.get(register)
        if not writes:
            return (ENTRY,)
        at = bisect_left(writes, place) - 1
        block = self._blocks.of(place)
        if at >= 0 and writes[at] >= self._blocks.heads[block]:
            last = writes[at]
            guard = self._guards[last]
            if not guard or (
                guard == self._guards[place] and not self._changed(guard, last, place)
            ):
                return (last,)
        return self._search(block, place, writes)

    def _search(self, block: int, place: int, writes: Sequence[int]) -> tuple[int, ...]:
        found: set[int] = set()
        guard = self._guards[place]
        todo = [(block, place, frozenset({guard} if guard else ()))]
        seen: dict[int, set[frozenset[int]]] = {}
        while todo:
            block, stop, held = todo.pop()
            self._steps += 1
            if self._steps > MAX_STEPS:
                raise TooLargeError
            left = self._walk(block, stop, held, writes, found)
            if left is None:
                continue
            if block == 0:
                found.add(ENTRY)
            for source in self._blocks.sources[block]:
                ways = seen.setdefault(source, set())
                # What holds only narrows the search; one without passes a block once.
                known = left if len(ways) < _WAYS else _NOTHING
                if known not in ways and _NOTHING not in ways:
                    ways.add(known)
                    todo.append((source, self._ends[source], known))
        return tuple(sorted(found))

    def _walk(
        self,
        block: int,
        stop: int,
        held: frozenset[int],
        writes: Sequence[int],
        found: set[int],
    ) -> frozenset[int] | None:
        """Collects the writes of one block, last first.

        Args:
            block: Which one.
            stop: Where the search in it starts, backwards.
            held: Guards that are known to hold there.
            writes: Of the register that is looked for.
            found: Takes what is found.

        Returns:
            The guards that are known to hold at the block's start; None where no earlier write
            can reach.
        """
        first = self._blocks.heads[block]
        known = dict.fromkeys(held, stop)
        at = bisect_left(writes, stop) - 1
        while at >= 0 and writes[at] >= first:
            place = writes[at]
            guard = self._guards[place]
            at -= 1
            if not guard:
                found.add(place)
                return None
            since = known.get(guard)
            if since is not None and not self._changed(guard, place, since):
                found.add(place)
                return None
            since = known.get(guard ^ 1)
            if since is not None and not self._changed(guard, place, since):
                continue
            found.add(place)
            known[guard ^ 1] = place
        return frozenset(g for g, since in known.items() if not self._changed(g, first - 1, since))

    def _changed(self, guard: int, after: int, before: int) -> bool:
        """Whether a guard's predicate is written between two instructions."""
        writes = self._writes.get(guard >> 1, ())
        at = bisect_left(writes, after)
        return at < len(writes) and writes[at] < before
