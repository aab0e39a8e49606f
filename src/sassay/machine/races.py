"""Finds races: two threads of a block touch the same shared bytes, and nothing orders them.

Every cell of shared memory remembers its last write, its last atomic and two of its reads: who,
when and by which instruction. Each warp knows up to which time every warp of its block is ordered
before it. Barriers make warps know of each other; warp instructions with `.sync` order the lanes
of a warp (the ISA asks for `bar.warp.sync`; the others count too, and count for all lanes of the
warp, since compilers rely on them); fences, mbarriers and accesses that acquire or release order
whatever threads of the block did the same before. So what is reported is a race, and not every
race is found.

Source: PTX ISA, "Memory Consistency Model".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.lanes import WARP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.machine.lanes import Lanes
    from sassay.machine.program import Block, Op
    from sassay.machine.types import Array

_THREAD_BITS, _OP_BITS = 10, 21
_TIME = _THREAD_BITS + _OP_BITS
_STRONG = frozenset(["volatile", "relaxed", "acquire", "release", "acq_rel", "mmio"])
_ORDERS = frozenset(["acquire", "release", "acq_rel"])
_WHOLE_FENCES = frozenset(["membar", "fence", "mbarrier"])


def orders_of(op: Op) -> str:
    """What an operation orders: `warp`, `block`, or nothing (empty)."""
    base, *modifiers = op.form.split(".")
    if op.members is not None:
        return "warp"
    if base in _WHOLE_FENCES and "proxy" not in modifiers:
        return "block"
    return "block" if not _ORDERS.isdisjoint(modifiers) else ""


def finest_access(blocks: Sequence[Block]) -> int:
    """Bytes of the narrowest element that any instruction may touch in shared memory."""
    found = 16
    for block in blocks:
        for op in block.ops:
            base, *modifiers = op.form.split(".")
            if base in {"ldmatrix", "stmatrix"}:
                found = min(found, 2)
            elif base in {"ld", "st", "atom", "red"} and not {
                "global",
                "local",
                "param",
                "const",
            }.intersection(modifiers):
                bits = modifiers[-1].lstrip("bsufx") if modifiers else ""
                found = min(found, max(int(bits) // 8, 1) if bits.isdecimal() else 2)
            elif base in {"cp", "mbarrier"}:
                found = min(found, 4)
    return found


@dataclass(frozen=True)
class _Touch:
    """An access.

    Attributes:
        cells: Threads by cells of each.
        thread: Index in its block of each thread that runs, as a column.
        stamp: The mark that each leaves.
        lanes: The threads.
        where: Those that run.
    """

    cells: Array
    thread: Array
    stamp: Array
    lanes: Lanes
    where: Array | None


class Race(Exception):  # noqa: N818 - internal: the access makes a trap of it
    """Two accesses that nothing orders; the message tells the earlier one."""

    def __init__(self, message: str, where: Array) -> None:
        super().__init__(message)
        self.where = where


class Races:
    """What the threads of a slice did to shared memory, and what they know of each other.

    Attributes:
        op: The operation that runs.
    """

    def __init__(self, size: int, blocks: int, threads: int, cell: int) -> None:
        """Nobody did anything yet.

        Args:
            size: Bytes of shared memory of the slice.
            blocks: Of the slice.
            threads: Of a block, padded to whole warps.
            cell: Bytes that are told apart.
        """
        self.op: Op | None = None
        self._cell = cell
        self._threads = threads
        self._warps = threads // WARP
        cells = size // cell
        self._wrote = np.zeros(cells, np.int64)
        self._atomic: Array | None = None
        self._first = np.zeros(cells, np.int64)
        self._last = np.zeros(cells, np.int64)
        self._time = 1
        # Everything before it is ordered before everything now.
        self._floor = 1
        self._known = np.ones((blocks, self._warps, self._warps), np.int64)
        self._open = np.zeros((blocks, self._warps), np.int64)
        self._arrived = np.zeros((blocks, 0, self._warps), np.int64)
        self._ops: list[Op] = []
        self._numbers: dict[int, int] = {}

    # What orders.

    def everyone(self) -> None:
        """All threads of every block passed a barrier."""
        self._time += 1
        self._floor = self._time
        self._known[...] = self._time

    def order(self, how: str, lanes: Lanes, where: Array | None) -> None:
        """Threads ran an operation that orders.

        Args:
            how: As `orders_of` says.
            lanes: The threads.
            where: Those whose guard holds.
        """
        block, warp = self._running(lanes, lanes.running(where))
        if how == "block":
            self._release(block, warp, self._open)
            self._time += 1
            self._acquire(block, warp, self._open[block])
        else:
            self._time += 1
            self._known[block, warp, warp] = self._time

    def arrive(self, block: Array, thread: Array, number: Array, count: int) -> None:
        """Threads arrive at a barrier of their block.

        Args:
            block: Of each thread.
            thread: In the block.
            number: Of the barrier.
            count: Barriers of a block.
        """
        if self._arrived.shape[1] != count:
            self._arrived = np.zeros((len(self._known), count, self._warps), np.int64)
        flat = self._arrived.reshape(-1, self._warps)
        self._release(block * count + number, thread // WARP, flat, block)

    def pass_barrier(self, freed: Array, number: Array, done: Array) -> None:
        """Barriers are complete.

        Args:
            freed: Threads that waited at them.
            number: Of the barrier of each thread.
            done: Which barriers of which blocks.
        """
        self._time += 1
        block, thread = np.nonzero(freed)
        self._acquire(block, thread // WARP, self._arrived[block, number[block, thread]])
        self._arrived[done] = 0

    def _running(self, lanes: Lanes, active: Array | None) -> tuple[Array, Array]:
        warp = lanes.take(np.arange(self._threads)[None, :]) // WARP
        index = np.broadcast_to(lanes.block * self._warps + warp, lanes.shape)
        if active is None:
            index = index[:, ::WARP].reshape(-1)
        else:
            index = np.unique(index[np.broadcast_to(active, lanes.shape)])
        return index // self._warps, index % self._warps

    def _release(self, row: Array, warp: Array, into: Array, block: Array | None = None) -> None:
        known = self._known[row if block is None else block, warp].copy()
        known[np.arange(len(warp)), warp] = self._time + 1
        np.maximum.at(into, row, known)

    def _acquire(self, block: Array, warp: Array, given: Array) -> None:
        np.maximum.at(self._known, (block, warp), given)
        self._known[block, warp, warp] = self._time

    # What is touched.

    def read(self, offsets: Array, size: int, lanes: Lanes, where: Array | None) -> None:
        """Threads read.

        Raises:
            Race: What another thread writes.
        """
        touch = self._touch(offsets, size, lanes, where)
        cells, stamp = touch.cells, touch.stamp
        if not self._strong():
            self._check(self._wrote, touch, "wrote")
            if self._atomic is not None:
                self._check(self._atomic, touch, "updated")
        self._last[cells] = stamp
        old = self._first[cells] < self._floor << _TIME
        if old.all():
            self._first[cells[::-1]] = stamp[::-1]
        elif old.any():
            self._first[cells[old][::-1]] = np.broadcast_to(stamp, cells.shape)[old][::-1]

    def write(
        self, offsets: Array, size: int, lanes: Lanes, where: Array | None, changes: Array | None
    ) -> None:
        """Threads write.

        Args:
            offsets: Of each thread.
            size: Bytes.
            lanes: The threads.
            where: Those that write.
            changes: For each of them whether the bytes there differ from what it writes.

        Raises:
            Race: What another thread reads or writes.
        """
        touch = self._touch(offsets, size, lanes, where)
        cells, stamp = touch.cells, touch.stamp
        if not self._strong():
            for earlier, verb in ((self._first, "read"), (self._last, "read")):
                self._check(earlier, touch, verb)
            self._check(self._wrote, touch, "wrote", changes)
            if self._atomic is not None:
                self._check(self._atomic, touch, "updated")
            self._wrote[cells] = stamp
            return
        if self._atomic is None:
            self._atomic = np.zeros_like(self._wrote)
        self._atomic[cells] = stamp

    def atomic(self, offsets: Array, size: int, lanes: Lanes, where: Array | None) -> None:
        """Threads run an atomic.

        Raises:
            Race: What another thread reads or writes without one.
        """
        touch = self._touch(offsets, size, lanes, where)
        cells, stamp = touch.cells, touch.stamp
        for earlier, verb in ((self._wrote, "wrote"), (self._first, "read"), (self._last, "read")):
            self._check(earlier, touch, verb)
        if self._atomic is None:
            self._atomic = np.zeros_like(self._wrote)
        self._atomic[cells] = stamp

    def collide(self, number: int, lanes: Lanes, where: Array | None) -> None:
        """Threads write different values to the same bytes with one instruction.

        Args:
            number: Of the first one whose value is lost, among those that run.
            lanes: The threads.
            where: Those that run.

        Raises:
            Race: Always, but for accesses that may meet.
        """
        if not self._strong():
            message = "another thread writes another value to the same bytes of shared memory with"
            raise Race(f"{message} the same instruction", _only(number, lanes, where))

    def forget(self, offsets: Array, size: int) -> None:
        """Copies that run beside the threads write; their own rules find what comes too early."""
        cells = (offsets[:, None] + np.arange(0, size, self._cell)) // self._cell
        for each in (self._wrote, self._first, self._last, self._atomic):
            if each is not None:
                each[cells] = 0

    def _strong(self) -> bool:
        return self.op is not None and not _STRONG.isdisjoint(self.op.form.split("."))

    def _touch(self, offsets: Array, size: int, lanes: Lanes, where: Array | None) -> _Touch:
        thread = lanes.take(np.arange(self._threads)[None, :])
        thread = np.broadcast_to(thread, lanes.shape)
        places = np.broadcast_to(offsets, lanes.shape)
        if where is None:
            thread, places = thread.reshape(-1), places.reshape(-1)
        else:
            chosen = np.broadcast_to(where, lanes.shape)
            thread, places = thread[chosen], places[chosen]
        first = places // self._cell
        count = max(size // self._cell, 1)
        cells = first[:, None] if count == 1 else first[:, None] + np.arange(count)
        stamp = thread | (self._number() << _THREAD_BITS) | (self._time << _TIME)
        return _Touch(cells, thread[:, None], stamp[:, None], lanes, where)

    def _number(self) -> int:
        assert self.op is not None  # noqa: S101 - set before anything runs
        found = self._numbers.get(id(self.op))
        if found is None:
            found = self._numbers[id(self.op)] = len(self._ops)
            self._ops.append(self.op)
        return found

    def _check(
        self, earlier: Array, touch: _Touch, verb: str, matters: Array | None = None
    ) -> None:
        before, thread, lanes, where = earlier[touch.cells], touch.thread, touch.lanes, touch.where
        near = before >= self._floor << _TIME
        if not near.any():
            return
        who = before & ((1 << _THREAD_BITS) - 1)
        near &= who != thread
        if matters is not None:
            near &= matters[:, None]
        if not near.any():
            return
        at, cell = np.nonzero(near)
        block = np.broadcast_to(lanes.block, lanes.shape)
        block = block.reshape(-1) if where is None else block[np.broadcast_to(where, lanes.shape)]
        other, mine = who[at, cell], np.broadcast_to(thread, near.shape)[at, cell]
        wrong = (before[at, cell] >> _TIME) >= self._known[block[at], mine // WARP, other // WARP]
        if not wrong.any():
            return
        first = int(np.argmax(wrong))
        mark = int(before[at[first], cell[first]])
        op = self._ops[(mark >> _THREAD_BITS) & ((1 << _OP_BITS) - 1)]
        source = f", {op.place.location.file}:{op.place.location.line}" if op.place.location else ""
        raise Race(
            f"thread {int(other[first])} of the block {verb} the same bytes of shared memory and "
            f"nothing orders the two: line {op.place.line}{source}: {op.place.text}",
            _only(int(at[first]), lanes, where),
        )


def _only(number: int, lanes: Lanes, where: Array | None) -> Array:
    """The mask of one thread, by its number among those that run."""
    found = np.zeros(lanes.shape, np.bool_)
    if where is not None:
        number = int(np.flatnonzero(np.broadcast_to(where, lanes.shape))[number])
    found.flat[number] = True
    return found
