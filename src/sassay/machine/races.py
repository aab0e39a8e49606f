"""Finds races: two threads of a block touch the same shared bytes, and nothing orders them.

Every cell of shared memory remembers its last write, its last atomic and two of its reads: who,
when and by which instruction; `ordering` tells what is ordered. So what is reported is a race, and
not every race is found. `global_races` does the same for global memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.lanes import WARP
from sassay.machine.ordering import is_strong

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.machine.lanes import Lanes
    from sassay.machine.ordering import Order
    from sassay.machine.program import Block, Op
    from sassay.machine.types import Array

_THREAD_BITS, _OP_BITS = 10, 21
_TIME = _THREAD_BITS + _OP_BITS
_ACCESSES = frozenset(["ld", "ldu", "st", "atom", "red"])
_OTHERS = {
    "shared": frozenset(["global", "local", "param", "const"]),
    "global": frozenset(["shared", "shared::cta", "local", "param", "const"]),
}
"""Spaces that are not the one in question; an access that names none may go anywhere."""


def finest_access(blocks: Sequence[Block], space: str = "shared") -> int:
    """Bytes of the narrowest element that any instruction may touch in a space.

    Args:
        blocks: The code.
        space: `shared` or `global`.
    """
    found = 16
    for block in blocks:
        for op in block.ops:
            base, *modifiers = op.form.split(".")
            if base in {"ldmatrix", "stmatrix"} and space == "shared":
                found = min(found, 2)
            elif base == "wmma":
                found = 1
            elif base in _ACCESSES and _OTHERS[space].isdisjoint(modifiers):
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
    """What the threads of a slice did to shared memory."""

    def __init__(self, size: int, cell: int, order: Order) -> None:
        """Nobody did anything yet.

        Args:
            size: Bytes of shared memory of the slice.
            cell: Bytes that are told apart.
            order: What its threads know of each other.
        """
        self._order = order
        self._cell = cell
        cells = size // cell
        self._wrote = np.zeros(cells, np.int64)
        self._atomic: Array | None = None
        self._first = np.zeros(cells, np.int64)
        self._last = np.zeros(cells, np.int64)
        self._ops: list[Op] = []
        self._numbers: dict[int, int] = {}

    def read(self, offsets: Array, size: int, lanes: Lanes, where: Array | None) -> Array | None:
        """Threads read; none of them shall get wrong values.

        Raises:
            Race: What another thread writes.
        """
        touch = self._touch(offsets, size, lanes, where)
        cells, stamp = touch.cells, touch.stamp
        if not is_strong(self._order.op):
            self._check(self._wrote, touch, "wrote")
            if self._atomic is not None:
                self._check(self._atomic, touch, "updated")
        self._last[cells] = stamp
        old = self._first[cells] < self._order.floor << _TIME
        if old.all():
            self._first[cells[::-1]] = stamp[::-1]
        elif old.any():
            self._first[cells[old][::-1]] = np.broadcast_to(stamp, cells.shape)[old][::-1]
        return None

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
        if not is_strong(self._order.op):
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

    def settle(
        self, offsets: Array, size: int, lanes: Lanes, where: Array | None, lost: Array
    ) -> None:
        """Threads wrote; those that met in one instruction may have written different values.

        Args:
            offsets: Of each thread.
            size: Bytes.
            lanes: The threads.
            where: Those that wrote.
            lost: For each of them whether another's value stands there now.

        Raises:
            Race: One is, but for accesses that may meet.
        """
        del offsets, size
        if lost.any() and not is_strong(self._order.op):
            message = "another thread writes another value to the same bytes of shared memory with"
            raise Race(f"{message} the same instruction", _only(int(np.argmax(lost)), lanes, where))

    def forget(self, offsets: Array, size: int) -> None:
        """Copies that run beside the threads write; their own rules find what comes too early."""
        cells = (offsets[:, None] + np.arange(0, size, self._cell)) // self._cell
        for each in (self._wrote, self._first, self._last, self._atomic):
            if each is not None:
                each[cells] = 0

    def behind(self, block: int, threads: Array, start: int, size: int) -> Array:
        """Which bytes of a block threads have behind them: theirs, or ordered before them.

        Args:
            block: Number in the slice.
            threads: Of the block.
            start: First byte, in all shared memory of the slice.
            size: How many.
        """
        wrote = self._wrote[start // self._cell : (start + size) // self._cell]
        who, time = wrote & ((1 << _THREAD_BITS) - 1), wrote >> _TIME
        own = np.zeros(1 << _THREAD_BITS, np.bool_)
        own[threads] = True
        known = self._order.known[block][np.unique(threads // WARP)].max(axis=0)
        # What copies wrote has no writer here, and counts as behind everyone.
        found = own[who] | (time < known[np.minimum(who // WARP, known.size - 1)])
        return np.repeat(found, self._cell)

    def _touch(self, offsets: Array, size: int, lanes: Lanes, where: Array | None) -> _Touch:
        thread = self._order.thread_of(lanes)
        places = np.broadcast_to(offsets, lanes.shape)
        if where is None:
            thread, places = thread.reshape(-1), places.reshape(-1)
        else:
            chosen = np.broadcast_to(where, lanes.shape)
            thread, places = thread[chosen], places[chosen]
        first = places // self._cell
        count = max(size // self._cell, 1)
        cells = first[:, None] if count == 1 else first[:, None] + np.arange(count)
        stamp = thread | (self._number() << _THREAD_BITS) | (self._order.time << _TIME)
        return _Touch(cells, thread[:, None], stamp[:, None], lanes, where)

    def _number(self) -> int:
        op = self._order.op
        assert op is not None  # noqa: S101 - set before anything runs
        found = self._numbers.get(id(op))
        if found is None:
            found = self._numbers[id(op)] = len(self._ops)
            self._ops.append(op)
        return found

    def _check(
        self, earlier: Array, touch: _Touch, verb: str, matters: Array | None = None
    ) -> None:
        before, thread, lanes, where = earlier[touch.cells], touch.thread, touch.lanes, touch.where
        near = before >= self._order.floor << _TIME
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
        known = self._order.known[block[at], mine // WARP, other // WARP]
        wrong = (before[at, cell] >> _TIME) >= known
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
