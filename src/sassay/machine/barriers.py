"""Named barriers of the blocks of a slice, for threads that arrive at different times."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sassay.machine.lanes import Lanes
    from sassay.machine.ordering import Order
    from sassay.machine.program import Barrier
    from sassay.machine.types import Array

BARRIERS = 16
"""Barriers of a block (PTX ISA, "bar")."""


class Barriers:
    """How many threads arrived at each barrier, and who waits at which."""

    def __init__(self, shape: tuple[int, int], order: Order | None) -> None:
        blocks = shape[0]
        self._arrived = np.zeros((blocks, BARRIERS), np.int64)
        # 0 stands for all threads of the block that have not exited.
        self._expected = np.zeros((blocks, BARRIERS), np.int64)
        self._number = np.zeros(shape, np.int64)
        self._value = np.zeros(shape, np.bool_)
        self._shape = shape
        self._order = order

    @property
    def idle(self) -> bool:
        """Whether nobody has arrived anywhere."""
        return not self._arrived.any()

    def arrive(self, lanes: Lanes, barrier: Barrier, where: Array) -> None:
        """Counts threads in.

        Args:
            lanes: All threads of the slice.
            barrier: That they arrive at.
            where: Those that do.
        """
        number = np.broadcast_to(barrier.number(lanes), self._shape).astype(np.int64) % BARRIERS
        self._number = np.where(where, number, self._number)
        blocks, threads = np.nonzero(where)
        at = number[blocks, threads]
        np.add.at(self._arrived, (blocks, at), 1)
        if self._order is not None:
            self._order.arrive(blocks, threads, at, BARRIERS)
        if barrier.count is None:
            self._expected[blocks, at] = 0
        else:
            count = np.broadcast_to(barrier.count(lanes), self._shape)
            self._expected[blocks, at] = count[blocks, threads]
        if barrier.source is not None:
            held = np.broadcast_to(barrier.source(lanes), self._shape)
            self._value = np.where(where, held, self._value)

    def release(self, waiting: Array, alive: Array) -> Array:
        """Threads that may go on, whose barriers are then empty again.

        Args:
            waiting: Threads that wait at a barrier.
            alive: Threads that have not exited.
        """
        expected = np.where(self._expected == 0, alive.sum(axis=1)[:, None], self._expected)
        done = (self._arrived > 0) & (self._arrived >= expected)
        if not done.any():
            return np.zeros(self._shape, np.bool_)
        self._arrived[done] = 0
        freed: Array = waiting & np.take_along_axis(done, self._number, axis=1)
        if self._order is not None:
            self._order.pass_barrier(freed, self._number, done)
        return freed

    def reduced(self, how: str, freed: Array) -> Array:
        """The reduction over the threads that are freed together, by block, as words."""
        result = np.zeros(self._shape, np.uint32)
        for number in range(BARRIERS):
            group = freed & (self._number == number)
            if group.any():
                result = np.where(group, reduce_block(how, self._value, group), result)
        return result


def reduce_block(how: str, value: Array, group: Array | None) -> Array:
    """`popc`, `and` or `or` of a predicate over the threads of each block, as words."""
    held = value if group is None else value & group
    if how == "popc":
        return np.asarray(np.sum(held, axis=1, keepdims=True, dtype=np.uint32))
    if how == "or":
        some: Array = np.any(held, axis=1, keepdims=True)
        return some.astype(np.uint32)
    every: Array = np.all(value if group is None else value | ~group, axis=1, keepdims=True)
    return every.astype(np.uint32)
