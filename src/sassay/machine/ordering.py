"""What threads know of each other: which accesses are ordered before which.

Each warp knows up to which time every warp of its block is ordered before it. Barriers make warps
know of each other; warp instructions with `.sync` order the lanes of a warp (the ISA asks for
`bar.warp.sync`; the others count too, and count for all lanes of the warp, since compilers rely on
them); fences, mbarriers and accesses that acquire or release order whatever threads of the block
did the same before.

Blocks meet by atomics and other strong accesses to global memory. What a block did before a fence
that comes before such an access is ordered before what another block does after a fence that comes
after a later one of its own; an access that acquires or releases beyond the block is both. Which
addresses they meet at is not asked. So what is not ordered here is not ordered at all, and not all
that lacks an order is seen.

Source: PTX ISA, "Memory Consistency Model".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.lanes import WARP

if TYPE_CHECKING:
    from sassay.machine.lanes import Lanes
    from sassay.machine.program import Op
    from sassay.machine.types import Array

_ORDERS = frozenset(["acquire", "release", "acq_rel"])
_WHOLE_FENCES = frozenset(["membar", "fence", "mbarrier"])
_BLOCK_SCOPE = frozenset(["cta", "shared", "shared::cta"])
_STRONG = frozenset(["volatile", "relaxed", "acquire", "release", "acq_rel", "mmio"])
_OWN_SPACES = frozenset(["shared", "shared::cta", "local", "param", "const"])

MAX_MEETINGS = 1 << 22
"""Fences and strong accesses of all blocks together."""

_TIME_BITS = 32
_TIMES = (1 << _TIME_BITS) - 1


def is_strong(op: Op | None) -> bool:
    """Whether an access is one by which threads may meet on purpose."""
    return op is not None and not _STRONG.isdisjoint(op.form.split("."))


def orders_of(op: Op) -> str:
    """What an operation orders.

    Returns:
        `warp` or `block`; `grid` for a fence beyond the block, `meets` for an access by which
        blocks meet, `both` for one that is a fence as well; empty if it orders nothing.
    """
    base, *modifiers = op.form.split(".")
    if op.members is not None:
        return "warp"
    if op.form.startswith("barrier.cluster"):
        return "block"
    fences = base in _WHOLE_FENCES
    if fences and "proxy" in modifiers:
        return ""
    meets = not fences and _OWN_SPACES.isdisjoint(modifiers)
    meets = meets and (base in {"atom", "red"} or (base in {"ld", "st"} and is_strong(op)))
    if not fences and _ORDERS.isdisjoint(modifiers):
        return "meets" if meets else ""
    if base == "mbarrier" or not _BLOCK_SCOPE.isdisjoint(modifiers):
        return "block"
    return "grid" if fences else "both"


class _Moments:
    """Times at which blocks did something, sorted by block."""

    def __init__(self) -> None:
        self._new: list[Array] = []
        self._keys = np.array([-1, np.iinfo(np.int64).max], np.int64)

    def add(self, blocks: Array, time: int) -> int:
        """Adds a moment of each block; says how many that is."""
        self._new.append((blocks << _TIME_BITS) | time)
        return len(blocks)

    def after(self, block: Array, time: Array) -> Array:
        """The first moment of each block from a time on; -1 without any."""
        keys = self._sorted()
        found = keys[np.searchsorted(keys, (block << _TIME_BITS) | time)]
        return np.where(found >> _TIME_BITS == block, found & _TIMES, -1)

    def before(self, block: Array, time: Array | int) -> Array:
        """The last moment of each block up to a time; -1 without any."""
        keys = self._sorted()
        at = np.searchsorted(keys, (block << _TIME_BITS) | time, side="right") - 1
        found = keys[at]
        return np.where(found >> _TIME_BITS == block, found & _TIMES, -1)

    def _sorted(self) -> Array:
        if self._new:
            self._keys = np.sort(np.concatenate([self._keys, *self._new]))
            self._new = []
        return self._keys


class Meetings:
    """When blocks of a grid ran fences, and accesses by which they meet.

    Attributes:
        time: When the next slice starts.
        count: How many moments are kept.
    """

    def __init__(self) -> None:
        """None did yet."""
        self.time = 1
        self.count = 0
        self._fences, self._meets = _Moments(), _Moments()

    def add(self, blocks: Array, time: int, how: str) -> None:
        """Blocks run an operation.

        Args:
            blocks: Their numbers in the grid.
            time: When.
            how: `grid`, `meets` or `both`, as `orders_of` says.
        """
        numbers = np.unique(blocks).astype(np.int64)
        if how != "meets":
            self.count += self._fences.add(numbers, time)
        if how != "grid":
            self.count += self._meets.add(numbers, time)

    def ordered(self, other: Array, since: Array, mine: Array, *, strong: bool) -> Array:
        """Whether what blocks did is ordered before what others do now.

        Args:
            other: Numbers of the blocks that did something.
            since: When.
            mine: Number of the block that does something now, for each of them.
            strong: What they did is a strong access itself, which orders for who sees it.
        """
        given = since
        if not strong:
            fence = self._fences.after(other, since + 1)
            given = np.where(fence < 0, -1, self._meets.after(other, np.maximum(fence, 0)))
        fence = self._fences.before(mine, _TIMES)
        taken = np.where(fence < 0, -1, self._meets.before(mine, np.maximum(fence, 0)))
        # Blocks that meet at one time take turns in the order of their numbers.
        in_turn = (given < taken) | ((given == taken) & (other < mine))
        found: Array = (given >= 0) & (taken >= 0) & in_turn
        return found


class Order:
    """What the threads of a slice know of each other.

    Attributes:
        op: The operation that runs.
        time: Grows with whatever orders.
        floor: Everything before it is ordered before everything now, inside of each block.
        known: By block, warp and warp: until when the second is ordered before the first.
        first: Number of the slice's first block in the grid.
        threads: Of a block, padded to whole warps.
    """

    def __init__(
        self, blocks: int, threads: int, *, first: int = 0, meetings: Meetings | None = None
    ) -> None:
        """Nobody did anything yet.

        Args:
            blocks: Of the slice.
            threads: Of a block, padded to whole warps.
            first: Number of the slice's first block in the grid.
            meetings: Of all blocks of the grid; None where those do not matter.
        """
        self.op: Op | None = None
        self.first = first
        self.threads = threads
        self.time = self.floor = 1 if meetings is None else meetings.time
        self._meetings = meetings
        self._warps = threads // WARP
        self.known = np.full((blocks, self._warps, self._warps), self.time, np.int64)
        self._open = np.zeros((blocks, self._warps), np.int64)
        self._arrived = np.zeros((blocks, 0, self._warps), np.int64)

    def everyone(self) -> None:
        """All threads of every block passed a barrier."""
        self.time += 1
        self.floor = self.time
        self.known[...] = self.time

    def order(self, how: str, lanes: Lanes, where: Array | None) -> None:
        """Threads ran an operation that orders.

        Args:
            how: As `orders_of` says.
            lanes: The threads.
            where: Those whose guard holds.
        """
        if how == "meets" and self._meetings is None:
            return
        block, warp = self._running(lanes, lanes.running(where))
        if self._meetings is not None and how in {"grid", "meets", "both"}:
            self._meetings.add(block + self.first, self.time + (how != "meets"), how)
        if how == "meets":
            return
        if how == "warp":
            self.time += 1
            self.known[block, warp, warp] = self.time
            return
        self._release(block, warp, self._open)
        self.time += 1
        self._acquire(block, warp, self._open[block])

    def arrive(self, block: Array, thread: Array, number: Array, count: int) -> None:
        """Threads arrive at a barrier of their block.

        Args:
            block: Of each thread.
            thread: In the block.
            number: Of the barrier.
            count: Barriers of a block.
        """
        if self._arrived.shape[1] != count:
            self._arrived = np.zeros((len(self.known), count, self._warps), np.int64)
        flat = self._arrived.reshape(-1, self._warps)
        self._release(block * count + number, thread // WARP, flat, block)

    def pass_barrier(self, freed: Array, number: Array, done: Array) -> None:
        """Barriers are complete.

        Args:
            freed: Threads that waited at them.
            number: Of the barrier of each thread.
            done: Which barriers of which blocks.
        """
        self.time += 1
        block, thread = np.nonzero(freed)
        self._acquire(block, thread // WARP, self._arrived[block, number[block, thread]])
        self._arrived[done] = 0

    def thread_of(self, lanes: Lanes) -> Array:
        """Index of each thread in its block, of the shape of the lanes."""
        thread = lanes.take(np.arange(self.threads)[None, :])
        return np.broadcast_to(thread, lanes.shape)

    def _running(self, lanes: Lanes, active: Array | None) -> tuple[Array, Array]:
        warp = lanes.take(np.arange(self.threads)[None, :]) // WARP
        index = np.broadcast_to(lanes.block * self._warps + warp, lanes.shape)
        if active is None:
            index = index[:, ::WARP].reshape(-1)
        else:
            index = np.unique(index[np.broadcast_to(active, lanes.shape)])
        return index // self._warps, index % self._warps

    def _release(self, row: Array, warp: Array, into: Array, block: Array | None = None) -> None:
        known = self.known[row if block is None else block, warp].copy()
        known[np.arange(len(warp)), warp] = self.time + 1
        np.maximum.at(into, row, known)

    def _acquire(self, block: Array, warp: Array, given: Array) -> None:
        np.maximum.at(self.known, (block, warp), given)
        self.known[block, warp, warp] = self.time
