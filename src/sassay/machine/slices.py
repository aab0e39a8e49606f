"""Runs some blocks of a grid together.

While all threads are at the same place they run as one; when they part, each thread has a
program counter, and the threads of the lowest block of code run next. The order of the blocks
(`flow.schedule`) makes them meet again at the post-dominator. Loops that wait for other threads
take turns with those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.barriers import Barriers, reduce_block
from sassay.machine.lanes import WARP, Lanes, Registers
from sassay.machine.memory import Memory, TrapError
from sassay.machine.types import WORDS, Array, constant
from sassay.machine.warp import ballot

if TYPE_CHECKING:
    from sassay.machine.launch import Launch
    from sassay.machine.program import Block, Op, Program

_FAR = np.int32(2**31 - 1)
_RUNS, _MEETS, _WAITS, _POLLS = 0, 1, 2, 3
"""A thread runs, or waits: for lanes of its warp, at a barrier, for something in memory."""

_PATIENCE, _SPIN_PATIENCE = 4096, 2


class Slice:
    """Some consecutive blocks of a grid.

    Attributes:
        instructions: Thread-instructions that ran.
        visited: Blocks of code that ran.
        op: The operation that runs, for traps.
    """

    def __init__(
        self, program: Program, launch: Launch, memory: Memory, first: int, count: int
    ) -> None:
        """Sets up registers.

        Args:
            program: The entry.
            launch: Of it.
            memory: That the slice sees.
            first: Number of its first block in the grid.
            count: How many blocks it has.
        """
        self.program = program
        self.launch = launch
        self.memory = memory
        self.instructions = 0
        self.visited: set[int] = set()
        self.op: Op | None = None
        threads = launch.threads
        self.shape = (count, -(-threads // WARP) * WARP)
        self.registers = self._new_registers()
        self._exit = len(program.blocks) - 1
        self._next = np.array(
            [block.targets[0] if block.targets else 0 for block in program.blocks], np.int32
        )
        self._alive: Array | None = None
        if threads != self.shape[1]:
            self._alive = (np.arange(self.shape[1]) < threads)[None, :]
        self._count = threads * count
        self._order = memory.order
        self._barriers = Barriers(self.shape, self._order)
        self._special(first)

    def _new_registers(self) -> Registers:
        return Registers(self.program.widths, self.shape)

    def _special(self, first: int) -> None:
        launch, registers = self.launch, self.registers
        block = np.arange(first, first + self.shape[0], dtype=np.uint32)[:, None]
        thread = np.arange(self.shape[1], dtype=np.uint32)[None, :]
        lane = thread % np.uint32(WARP)
        one = np.uint32(1)
        bit = one << lane
        found: dict[str, Array | int] = {
            "%laneid": lane,
            "%warpid": thread // np.uint32(WARP),
            "%nwarpid": self.shape[1] // WARP,
            "%nsmid": 1,
            "%lanemask_eq": bit,
            "%lanemask_lt": bit - one,
            "%lanemask_le": (bit - one) | bit,
            "%lanemask_gt": ~((bit - one) | bit),
            "%lanemask_ge": ~(bit - one),
            "%dynamic_smem_size": launch.shared,
            "%total_smem_size": self.program.shared_bytes + launch.shared,
            "%aggr_smem_size": self.program.shared_bytes + launch.shared,
            "%cluster_nctarank": 1,
        }
        for name, index, size in (("ctaid", block, launch.grid), ("tid", thread, launch.block)):
            x, y, _ = (np.uint32(max(each, 1)) for each in size)
            parts = (index % x, index // x % y, index // (x * y))
            for axis, part, length in zip("xyz", parts, size, strict=True):
                found[f"%{name}.{axis}"] = part
                found[f"%n{name}.{axis}"] = length
        for axis in "xyz":
            found[f"%clusterid.{axis}"] = found[f"%ctaid.{axis}"]
            found[f"%nclusterid.{axis}"] = found[f"%nctaid.{axis}"]
            found[f"%cluster_nctaid.{axis}"] = 1
        for name, slot in self.program.specials.items():
            value = found.get(name, 0)
            bits = self.program.widths[slot]
            registers.values[slot] = (
                constant(value, WORDS[bits]) if isinstance(value, int) else value
            )

    def run(self) -> None:
        """Runs all threads to their end.

        Raises:
            TrapError: A thread did what it may not; `op` is where.
        """
        at: int | None = 0
        while at is not None:
            self._together(at)
            at = self._apart()
        wrong = self.memory.stores.end()
        if wrong is not None:
            raise TrapError("in-flight", wrong, None, self._lanes(None))

    def _enter(self, at: int, count: int) -> Block:
        block = self.program.blocks[at]
        self.visited.add(at)
        self.instructions += block.size * count
        if self.instructions > self.launch.step_limit:
            self.op = block.ops[0] if block.ops else self.op
            message = f"more than {self.launch.step_limit} thread-instructions"
            lanes = self._lanes(None)
            raise TrapError("step-limit", message, np.ones((1, 1), np.bool_), lanes)
        return block

    # All threads at one place.

    def _together(self, at: int) -> None:
        """Runs until threads part or end; then `_counters` say where they are."""
        lanes = self._lanes(self._alive, together=True)
        registers = self.registers
        while at != self._exit:
            block = self._enter(at, self._count)
            for op in block.ops:
                self.op = op
                if op.ready is not None and not self._ready(op, lanes).all():
                    self._part(np.full(self.shape, at, np.int32))
                    return
                if op.barrier is not None:
                    if op.guard is not None and not self._holds(op, lanes).all():
                        if not self._holds(op, lanes).any():
                            continue
                        self._part(np.full(self.shape, at, np.int32))
                        return
                    if not self._pass_barrier(lanes, op):
                        self._part(np.full(self.shape, at, np.int32))
                        return
                    continue
                self._do(op, lanes)
                for slot in op.dead:
                    registers.clear(slot)
            following = self._following(block, lanes)
            if not isinstance(following, int):
                self._part(np.broadcast_to(following, self.shape).astype(np.int32))
                return
            at = following
        self._part(np.full(self.shape, self._exit, np.int32))

    def _lanes(
        self, active: Array | None, *, rows: Array | None = None, together: bool = False
    ) -> Lanes:
        return Lanes(self.registers, active, rows=rows, together=together)

    @staticmethod
    def _holds(op: Op, lanes: Lanes) -> Array:
        held = lanes.get(op.guard)  # type: ignore[arg-type] # only asked of guarded operations
        return ~held if op.negated else held

    def _ready(self, op: Op, lanes: Lanes) -> Array:
        """Who may go on at an operation that waits for something in memory."""
        if op.ready is None:
            return np.ones((1, 1), np.bool_)
        if op.guard is None:
            return op.ready(lanes, self.memory)
        held = np.broadcast_to(self._holds(op, lanes), lanes.shape)
        running = lanes.running(held)
        if running is None or not running.any():
            return ~held
        return op.ready(self._lanes(running), self.memory) | ~held

    def _do(self, op: Op, lanes: Lanes) -> None:
        """Runs an operation for the lanes whose guard holds."""
        where = None
        if op.guard is not None:
            held = self._holds(op, lanes)
            if not held.all():
                running = lanes.running(held)
                if running is None or not running.any():
                    return
                where = held
        self.memory.op = op
        if self._order is None:
            op.run(lanes, self.memory, where)
            return
        self._order.op = op
        op.run(lanes, self.memory, where)
        if op.orders:
            self._order.order(op.orders, lanes, where)

    def _part(self, counters: Array) -> None:
        if self._alive is not None:
            counters = np.where(self._alive, counters, np.int32(self._exit))
        self._counters = np.ascontiguousarray(counters)
        self._state = np.zeros(self.shape, np.uint8)

    def _following(self, block: Block, lanes: Lanes) -> int | Array:
        """The next block, or the next block of each thread if they part."""
        if block.index is not None:
            number = block.index(lanes).astype(np.int64)
            chosen = np.array(block.targets, np.int32)[np.minimum(number, len(block.targets) - 1)]
        elif block.guard is None:
            return block.targets[0]
        else:
            held = lanes.get(block.guard)
            first, second = block.targets
            if block.negated:
                first, second = second, first
            if lanes.active is None:
                if held.all():
                    return first
                if not held.any():
                    return second
            chosen = np.where(held, np.int32(first), np.int32(second))
        running = np.broadcast_to(
            np.ones((1, 1), np.bool_) if lanes.active is None else lanes.active, lanes.shape
        )
        kept = np.broadcast_to(chosen, lanes.shape)[running]
        if (kept == kept[0]).all():
            return int(kept[0])
        return chosen

    def _pass_barrier(self, lanes: Lanes, op: Op) -> bool:
        """Whether all threads are at a barrier of all threads."""
        barrier = op.barrier
        if barrier is None or not (barrier.waits and self._barriers.idle):
            return False
        if barrier.number(lanes).size != 1:
            return False
        if barrier.count is not None:
            count = barrier.count(lanes)
            everyone = self._count == self.launch.threads * self.shape[0]
            if count.size != 1 or int(count.flat[0]) != self.launch.threads or not everyone:
                return False
        if barrier.reduce is not None and barrier.source is not None:
            held = np.broadcast_to(barrier.source(lanes), self.shape)
            value = reduce_block(barrier.reduce, held, self._alive)
            self._put_reduced(lanes, barrier.target, barrier.reduce, value)
        if self._order is not None:
            self._order.everyone()
        return True

    def _put_reduced(
        self, lanes: Lanes, slot: int | None, how: str, value: Array, where: Array | None = None
    ) -> None:
        if slot is not None:
            lanes.put(slot, value if how == "popc" else value != 0, where)

    # Threads at several places.

    def _apart(self) -> int | None:
        """Runs until all live threads are together again, or have ended."""
        streak, last = 0, -1
        while True:
            waiting = self._state.any()
            key = (
                np.where(self._state == _RUNS, self._counters, _FAR) if waiting else self._counters
            )
            at = int(key.min())
            if at >= self._exit:
                if not waiting:
                    return None
                self._unblock()
                continue
            spins = self.program.blocks[at].spins
            streak += 1
            if streak > (_SPIN_PATIENCE if spins else _PATIENCE):
                at = self._turn(key, last, at)
                self._state[self._state == _POLLS] = _RUNS
            last = at
            op = self.program.blocks[at].ops[0] if self.program.blocks[at].ops else None
            mask = key == at
            if op is not None and op.barrier is not None:
                self._arrive(at, op)
                continue
            if op is not None and op.members is not None:
                mask = self._meet(at, op)
                if mask is None:
                    continue
            if op is not None and op.ready is not None:
                mask = self._poll(at, op, mask)
                if mask is None:
                    continue
            count = int(np.count_nonzero(mask))
            if count == self._living():
                return at
            self._step(at, mask, count)

    def _living(self) -> int:
        alive = self._counters != self._exit
        self._count = int(np.count_nonzero(alive))
        self._alive = None if self._count == alive.size else alive
        return self._count

    def _turn(self, key: Array, last: int, lowest: int) -> int:
        later = key[(key > last) & (key < self._exit)]
        return int(later.min()) if later.size else lowest

    def _step(self, at: int, mask: Array, count: int) -> None:
        block = self._enter(at, count)
        by_warp = mask.reshape(-1, WARP)
        rows = np.flatnonzero(by_warp.any(axis=1))
        few = len(rows) * 4 <= by_warp.shape[0] * 3
        if few:
            active = by_warp[rows]
            lanes = self._lanes(None if active.all() else active, rows=rows)
        else:
            lanes = self._lanes(mask)
        for op in block.ops:
            self.op = op
            self._do(op, lanes)
        following = self._following(block, lanes)
        self._counters = np.where(mask, self._spread(lanes, following), self._counters)
        if self._exit in block.targets:
            # Who waits for a lane that has left looks again.
            self._state[self._state == _MEETS] = _RUNS
            if (self._state == _WAITS).any():
                self._release()

    def _spread(self, lanes: Lanes, following: int | Array) -> Array:
        if isinstance(following, int):
            return np.full((1, 1), following, np.int32)
        if lanes.rows is None:
            return following
        full = np.zeros(self.shape, np.int32)
        full.reshape(-1, WARP)[lanes.rows] = following
        return full

    def _meet(self, at: int, op: Op) -> Array | None:
        """Threads whose lanes have all come, of those at an operation of warps; None if none."""
        here = (self._counters == at) & (self._state != _WAITS)
        lanes = self._lanes(None)
        asked = op.members(lanes) if op.members else np.zeros((1, 1), np.uint32)
        if op.guard is not None:
            asked = np.where(self._holds(op, lanes), asked, np.uint32(0))
        alive = ballot(lanes, self._counters != self._exit, None)
        absent = asked & alive & ~ballot(lanes, here, None)
        ready: Array = here & (absent == 0)
        self._state[here] = _MEETS
        self._state[ready] = _RUNS
        return ready if ready.any() else None

    def _poll(self, at: int, op: Op, mask: Array) -> Array | None:
        """Threads that may go on, of those at an operation that waits for memory; None if none."""
        self._enter(at, 0)
        self.op = op
        lanes = self._lanes(mask)
        ready: Array = mask & self._ready(op, lanes)
        self._state[mask & ~ready] = _POLLS
        return ready if ready.any() else None

    def _arrive(self, at: int, op: Op) -> None:
        barrier = op.barrier
        if barrier is None:
            return
        block = self._enter(at, 0)
        self.op = op
        here = (self._counters == at) & (self._state != _WAITS)
        lanes = self._lanes(None)
        if op.guard is not None:
            held = np.broadcast_to(self._holds(op, lanes), self.shape)
            self._counters[here & ~held] = block.targets[0]
            here = here & held
        if barrier.aligned:
            alive = ballot(lanes, self._counters != self._exit, None)
            together = alive == ballot(lanes, here, None)
            self._state[here & ~together] = _MEETS
            here = here & together
        if not here.any():
            return
        self.instructions += int(np.count_nonzero(here))
        self._barriers.arrive(lanes, barrier, here)
        if barrier.waits:
            self._state[here] = _WAITS
        else:
            self._state[here] = _RUNS
            self._counters[here] = block.targets[0]
        self._release(barrier.target, barrier.reduce)

    def _release(self, target: int | None = None, how: str | None = None) -> bool:
        freed = self._barriers.release(self._state == _WAITS, self._counters != self._exit)
        if not freed.any():
            return False
        if how is not None:
            value = self._barriers.reduced(how, freed)
            self._put_reduced(self._lanes(freed), target, how, value)
        self._state[freed] = _RUNS
        self._counters[freed] = self._next[self._counters[freed]]
        return True

    def _unblock(self) -> None:
        """All threads wait: lets those go on who may, or tells why none may.

        Raises:
            TrapError: None may.
        """
        if self._release() or self._polled():
            return
        meets, polls = self._state == _MEETS, self._state == _POLLS
        where, what = self._state == _WAITS, "threads at a barrier"
        if meets.any():
            where, what = meets, "lanes of its warp"
        elif polls.any():
            where, what = polls, "arrivals at an mbarrier or a cluster's barrier, or bytes,"
        op = self.program.blocks[int(self._counters.flat[int(np.argmax(where))])].ops[0]
        self.op = op
        lanes = self._lanes(None)
        if meets.any() and op.barrier is not None:
            raise TrapError(
                "divergent-barrier",
                "lanes of this warp wait at a barrier that others of them never reach",
                meets,
                lanes,
            )
        raise TrapError("deadlock", f"it waits for {what} that never come", where, lanes)

    def _polled(self) -> bool:
        """Lets those go on for whom memory now holds what they wait for."""
        freed = False
        for at in np.unique(self._counters[self._state == _POLLS]).tolist():
            mask = (self._counters == at) & (self._state == _POLLS)
            ready = mask & self._ready(self.program.blocks[at].ops[0], self._lanes(mask))
            self._state[ready] = _RUNS
            freed |= bool(ready.any())
        return freed
