"""Finds races in global memory: two threads touch the same bytes, and nothing orders them.

Cells of arrays remember their last write, their last atomic and two of their reads, as cells of
shared memory do (`races`), over all blocks of a grid. `ordering` tells what is ordered, so what is
reported is a race, and not every race is found. Accesses that leave the bytes as they are cannot
change a result: those pairs are of the kind `same-value`. Nor can a read whose value nobody uses,
as that of a thread which repeats another's work and stores nothing: `watched` lets such reads lie,
and where nothing comes of it the pair is of the kind `unused`.

A mark takes eight bytes, so memory is looked at in windows; `watched` runs a launch for each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from sassay.machine.lanes import WARP
from sassay.machine.ordering import MAX_MEETINGS, is_strong

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sassay.machine.lanes import Lanes
    from sassay.machine.ordering import Meetings, Order
    from sassay.machine.program import Op
    from sassay.machine.types import Array

_WHO_BITS, _OP_BITS, _TIME_BITS = 27, 13, 22
_OP = _WHO_BITS
_CHANGED = _OP + _OP_BITS
_TIME = _CHANGED + 1
_CELL_BITS = 36
MAX_THREADS = 1 << _WHO_BITS
"""Threads of a grid in which races are looked for."""

MARK_BYTES = 32
"""Bytes of marks beside a cell."""

_MAX_FOUND = 64
_MAX_READS = 1 << 20

RaceKind = Literal["race", "same-value", "unused"]
Does = Literal["reads", "writes", "updates"]


class SearchEndsError(Exception):
    """Races cannot be looked for any further; the text says why."""


@dataclass(frozen=True)
class Access:
    """One of two accesses.

    Attributes:
        does: What it does.
        block: Number of the thread's block in the grid.
        thread: Number of the thread in its block.
        op: The instruction.
    """

    does: Does
    block: int
    thread: int
    op: Op


@dataclass
class GlobalRace:
    """Two instructions that touch the same bytes from threads that nothing orders.

    Attributes:
        kind: `same-value` where one of them leaves the bytes as they are, `unused` where nothing
            comes of what is read.
        array: What is touched, by its name in the memory.
        byte: The first place, in bytes.
        first: The access that came first in the machine.
        second: The other.
        count: Accesses that met another like this.
        reads: Where one of them reads: by its instruction, which threads read which cells; None
            where there are too many to keep.
    """

    kind: RaceKind
    array: str
    byte: int
    first: Access
    second: Access
    count: int
    reads: dict[int, list[Array]] | None = field(default_factory=dict)


class Search:
    """What is found in all windows and slices of a launch.

    Attributes:
        order: Of the slice that runs.
        meetings: Of the blocks of the grid.
        found: By kind, instructions, and whether one block or two take part.
        forgotten: Pairs of instructions beyond those that are kept.
        lies: By array and instruction: which threads get wrong values from which cells; None while
            races are looked for.
    """

    def __init__(self, meetings: Meetings) -> None:
        """Nothing yet."""
        self.order: Order | None = None
        self.meetings = meetings
        self.found: dict[tuple[object, ...], GlobalRace] = {}
        self.forgotten = 0
        self.lies: dict[tuple[str, int], Array] | None = None
        self._kept = 0
        self._ops: list[Op] = []
        self._numbers: dict[int, int] = {}

    def stamp(self) -> int:
        """The mark of the instruction that runs now, without its thread.

        Raises:
            SearchEndsError: Marks do not go that far.
        """
        order = self.order
        if order is None or order.op is None:
            raise SearchEndsError("no thread runs")
        number = self._numbers.get(id(order.op))
        if number is None:
            number = self._numbers[id(order.op)] = len(self._ops)
            self._ops.append(order.op)
        if number >= 1 << _OP_BITS or order.time >= 1 << _TIME_BITS:
            raise SearchEndsError("too many instructions or points of synchronization")
        if self.meetings.count > MAX_MEETINGS:
            raise SearchEndsError("blocks meet too often")
        return (number << _OP) | (order.time << _TIME)

    def op_of(self, mark: int) -> Op:
        """The instruction that left a mark."""
        return self._ops[(mark >> _OP) & ((1 << _OP_BITS) - 1)]

    def ordered(self, before: Array, mine: Array, *, strong: bool) -> Array:
        """Whether accesses that left marks are ordered before what threads do now.

        Args:
            before: Marks.
            mine: Threads, numbered in the grid.
            strong: What left the marks orders by itself, as an atomic does for who sees it.
        """
        order = self.order
        assert order is not None  # noqa: S101 - a stamp was asked for before
        other, since = before & ((1 << _WHO_BITS) - 1), before >> _TIME
        block, other_block = mine // order.threads, other // order.threads
        same = block == other_block
        found = np.zeros(before.shape, np.bool_)
        if same.any():
            warps = (mine[same] % order.threads // WARP, other[same] % order.threads // WARP)
            found[same] = since[same] < order.known[block[same] - order.first, *warps]
        apart = ~same
        if apart.any():
            found[apart] = self.meetings.ordered(
                other_block[apart], since[apart], block[apart], strong=strong
            )
        return found

    def note(self, found: GlobalRace, op: Op | None, reads: Array) -> None:
        """Keeps a pair of accesses, or counts it.

        Args:
            found: The pair.
            op: The instruction that reads; None if both write.
            reads: What it reads: threads and cells.
        """
        first, second = found.first, found.second
        near = first.block == second.block
        sides = (_line(first.op), first.does, _line(second.op), second.does)
        key = (found.kind, found.array, sides, near)
        known = self.found.get(key)
        if known is not None:
            known.count += found.count
        elif len(self.found) < _MAX_FOUND:
            known = self.found[key] = found
        else:
            self.forgotten += 1
            return
        if op is None or known.reads is None:
            return
        self._kept += len(reads)
        if self._kept > _MAX_READS:
            known.reads = None
        else:
            known.reads.setdefault(id(op), []).append(reads)


def _line(op: Op) -> object:
    """What tells an access from others: the line of the source, or of the module."""
    return op.place.location or op.place.line


@dataclass(frozen=True)
class _Touch:
    """Cells of a window that threads touch.

    Attributes:
        cells: One for each cell that any thread touches.
        who: The thread, numbered in the grid.
        item: Which of the threads that run it is.
        marks: What each leaves.
    """

    cells: Array
    who: Array
    item: Array
    marks: Array


class Cells:
    """A window of one allocation, and who touched it."""

    def __init__(self, search: Search, name: str, cell: int, low: int, high: int) -> None:
        """Nobody did anything yet.

        Args:
            search: Where it is told what is found.
            name: Of the allocation.
            cell: Bytes that are told apart.
            low: First byte that is looked at.
            high: One more than the last.
        """
        self._search = search
        self._name = name
        self._cell = cell
        self._low, self._high = low // cell, -(-high // cell)
        count = self._high - self._low
        self._wrote, self._first, self._last = (np.zeros(count, np.int64) for _ in range(3))
        self._atomic: Array | None = None
        self._written: _Touch | None = None

    def read(
        self, offsets: Array, size: int, lanes: Lanes, where: Array | None
    ) -> NDArray[np.bool_] | None:
        """Threads read; gives those that shall get wrong values, None if none shall."""
        touch = self._touch(offsets, size, lanes, where)
        if touch is None:
            return None
        if self._search.lies is not None:
            return self._lies(self._search.lies, touch, lanes, where)
        if not is_strong(self._op()):
            self._check(self._wrote, touch, "writes", "reads", None)
            if self._atomic is not None:
                self._check(self._atomic, touch, "updates", "reads", None)
        self._last[touch.cells] = touch.marks
        order = self._search.order
        floor = order.floor if order is not None else 0
        threads = order.threads if order is not None else 1
        before = self._first[touch.cells]
        mine = (before & ((1 << _WHO_BITS) - 1)) // threads == touch.who // threads
        old = (before == 0) | (mine & ((before >> _TIME) < floor))
        self._first[touch.cells[old][::-1]] = touch.marks[old][::-1]
        return None

    def _lies(
        self,
        known: dict[tuple[str, int], Array],
        touch: _Touch,
        lanes: Lanes,
        where: Array | None,
    ) -> NDArray[np.bool_] | None:
        wanted = known.get((self._name, id(self._op())))
        if wanted is None:
            return None
        keys = _reads(touch.who, touch.cells + self._low)
        at = np.minimum(np.searchsorted(wanted, keys), len(wanted) - 1)
        running = np.ones(lanes.shape, np.bool_) if where is None else where
        places = np.flatnonzero(np.broadcast_to(running, lanes.shape))
        found = np.zeros(lanes.shape, np.bool_)
        found.flat[places[touch.item[wanted[at] == keys]]] = True
        return found

    def write(
        self, offsets: Array, size: int, lanes: Lanes, where: Array | None, changes: Array
    ) -> None:
        """Threads write.

        Args:
            offsets: Of each thread.
            size: Bytes.
            lanes: The threads.
            where: Those that write.
            changes: For each of them whether the bytes there differ from what it writes.
        """
        touch = None if self._search.lies is not None else self._touch(offsets, size, lanes, where)
        self._written = touch
        if touch is None:
            return
        if is_strong(self._op()):
            self._update(touch)
            self._written = None
            return
        changed = changes.reshape(-1)[touch.item]
        for earlier in (self._first, self._last):
            self._check(earlier, touch, "reads", "writes", changed)
        self._check(self._wrote, touch, "writes", "writes", changed)
        if self._atomic is not None:
            self._check(self._atomic, touch, "updates", "writes", changed)
        self._wrote[touch.cells] = touch.marks | (changed.astype(np.int64) << _CHANGED)

    def settle(
        self, offsets: Array, size: int, lanes: Lanes, where: Array | None, lost: Array
    ) -> None:
        """Threads wrote: those whose mark is gone met another in the same instruction.

        Args:
            offsets: Of each thread.
            size: Bytes.
            lanes: The threads.
            where: Those that wrote.
            lost: For each of them whether another's value stands there now.
        """
        del offsets, size, lanes, where
        touch, self._written = self._written, None
        if touch is None:
            return
        left = self._wrote[touch.cells]
        who = (1 << _WHO_BITS) - 1
        met = (left & who) != touch.who
        if met.any():
            at = np.flatnonzero(met)
            other = lost.reshape(-1)[touch.item[at]]
            self._note_all(left[at], touch, at, ("writes", "writes"), ~other)

    def atomic(self, offsets: Array, size: int, lanes: Lanes, where: Array | None) -> None:
        """Threads run an atomic."""
        touch = None if self._search.lies is not None else self._touch(offsets, size, lanes, where)
        if touch is None:
            return
        self._check(self._wrote, touch, "writes", "updates", None)
        for earlier in (self._first, self._last):
            self._check(earlier, touch, "reads", "updates", None)
        self._update(touch)

    def _update(self, touch: _Touch) -> None:
        if self._atomic is None:
            self._atomic = np.zeros_like(self._wrote)
        self._atomic[touch.cells] = touch.marks

    def _op(self) -> Op | None:
        return self._search.order.op if self._search.order is not None else None

    def _touch(self, offsets: Array, size: int, lanes: Lanes, where: Array | None) -> _Touch | None:
        mark = self._search.stamp()
        order = self._search.order
        assert order is not None  # noqa: S101 - the stamp needs it
        thread = (lanes.block + order.first) * order.threads + order.thread_of(lanes)
        places = np.broadcast_to(offsets, lanes.shape)
        if where is None:
            who, places = thread.reshape(-1), places.reshape(-1)
        else:
            chosen = np.broadcast_to(where, lanes.shape)
            who, places = thread[chosen], places[chosen]
        count = max(size // self._cell, 1)
        item = np.arange(who.size)
        cells = places // self._cell - self._low
        if count > 1:
            cells = (cells[:, None] + np.arange(count)).reshape(-1)
            who, item = np.repeat(who, count), np.repeat(item, count)
        inside = (cells >= 0) & (cells < self._high - self._low)
        if not inside.all():
            cells, who, item = cells[inside], who[inside], item[inside]
        return _Touch(cells, who, item, who | mark) if cells.size else None

    def _check(
        self, earlier: Array, touch: _Touch, did: Does, does: Does, changes: Array | None
    ) -> None:
        """Looks for what others did before that is not ordered before what threads do now.

        Args:
            earlier: Marks of cells.
            touch: What threads touch now.
            did: What left the marks.
            does: What threads do now.
            changes: Whether what is written now changes the bytes; None if nothing is.
        """
        before = earlier[touch.cells]
        near = before != 0
        near &= (before & ((1 << _WHO_BITS) - 1)) != touch.who
        if not near.any():
            return
        at = np.flatnonzero(near)
        before = before[at]
        wrong = ~self._search.ordered(before, touch.who[at], strong=did == "updates")
        if not wrong.any():
            return
        at, before = at[wrong], before[wrong]
        quiet = np.zeros(at.shape, np.bool_)
        if changes is not None and did != "updates":
            quiet = ~changes[at]
        elif did == "writes" and does == "reads":
            quiet = (before >> _CHANGED & 1) == 0
        self._note_all(before, touch, at, (did, does), quiet)

    def _note_all(
        self, before: Array, touch: _Touch, at: Array, verbs: tuple[Does, Does], quiet: Array
    ) -> None:
        """Keeps one example of each pair of instructions, and counts the others."""
        search, order = self._search, self._search.order
        assert order is not None  # noqa: S101 - a stamp was asked for before
        who = (1 << _WHO_BITS) - 1
        apart = (before & who) // order.threads != touch.who[at] // order.threads
        number = (before >> _OP) & ((1 << _OP_BITS) - 1)
        now = search.op_of(int(touch.marks[at[0]]))
        cells = touch.cells[at] + self._low
        keys = _reads(before & who if verbs[0] == "reads" else touch.who[at], cells)
        held = (number << 2) | (apart << 1) | quiet
        groups, first, counts = np.unique(held, return_index=True, return_counts=True)
        for group, place, count in zip(groups.tolist(), first, counts.tolist(), strict=True):
            mark, mine = int(before[place]), int(touch.who[at[place]])
            other = mark & who
            sides = (
                Access(verbs[0], *divmod(other, order.threads), search.op_of(mark)),
                Access(verbs[1], *divmod(mine, order.threads), now),
            )
            byte = (int(touch.cells[at[place]]) + self._low) * self._cell
            kind: RaceKind = "same-value" if group & 1 else "race"
            reading = next((one.op for one in sides if one.does == "reads"), None)
            found = GlobalRace(kind, self._name, byte, *sides, count)
            search.note(found, reading, keys[held == group] if reading is not None else keys[:0])


def _reads(who: Array, cells: Array) -> Array:
    """Threads and cells as one number each."""
    return (who << _CELL_BITS) | cells
