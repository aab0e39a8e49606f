"""Copies into shared memory that are under way, and the groups that threads wait for.

A copy reads when it is issued, and its bytes count as unwritten until its thread waits for its
group: so a read before the wait is a trap. Source: PTX ISA, "Data Movement and Conversion
Instructions: Asynchronous copy", "cp.async.commit_group", "cp.async.wait_group".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.owned import FENCED, IN_FLIGHT, mark

if TYPE_CHECKING:
    from sassay.machine.async_copy.contents import Contents
    from sassay.machine.lanes import Lanes
    from sassay.machine.memory import Memory
    from sassay.machine.owned import Owned
    from sassay.machine.types import Array


@dataclass
class _Copy:
    """What some threads copy.

    Attributes:
        threads: Their indices in the slice.
        places: Where each writes, in units of the size.
        data: What each writes.
        size: Bytes that each writes.
        group: Number of each thread's group.
        number: Of the copy.
    """

    threads: Array
    places: Array
    data: Array
    size: int
    group: Array
    number: int

    def part(self, chosen: Array) -> _Copy:
        return _Copy(
            self.threads[chosen],
            self.places[chosen],
            self.data[chosen],
            self.size,
            self.group[chosen],
            self.number,
        )


class Flights:
    """The copies of a slice, by thread.

    Attributes:
        issued: How many were issued.
    """

    def __init__(self, shared: Owned, threads: int, contents: Contents) -> None:
        """Nothing is under way.

        Args:
            shared: Shared memory of the slice.
            threads: Of the slice, padded to whole warps.
            contents: Of memory.
        """
        self._shared = shared
        self._contents = contents
        self._commits = np.zeros(threads, np.int32)
        self._copies: list[_Copy] = []
        self.issued = 0
        self._everyone = np.arange(threads, dtype=np.int64)

    def threads(self, lanes: Lanes, memory: Memory, active: Array | None) -> Array:
        """Indices of threads in the slice, in the order of the lanes."""
        if lanes.rows is None and active is None:
            return self._everyone
        index = lanes.block * memory.threads + memory.thread_index(lanes)
        spread = np.broadcast_to(index, lanes.shape)
        if active is None:
            return spread.reshape(-1)
        return spread[np.broadcast_to(active, lanes.shape)]

    def start(self, threads: Array, offsets: Array, data: Array, size: int) -> None:
        """Issues a copy: what lies at its target counts as unwritten from now on.

        Args:
            threads: Who copies.
            offsets: Where to, in bytes of all shared memory of the slice.
            data: What, one element of `size` bytes each.
            size: Bytes.
        """
        places = offsets // size
        mark(self._shared, places, size, IN_FLIGHT)
        self.issued += 1
        self._copies.append(_Copy(threads, places, data, size, self._commits[threads], self.issued))

    def commit(self, threads: Array) -> None:
        """Closes the group of each thread."""
        self._commits[threads] += 1

    def wait(self, threads: Array, latest: int) -> None:
        """Ends the groups of threads, but for the latest ones that were committed."""
        waits = np.zeros(self._commits.size, np.bool_)
        waits[threads] = True
        self._land(waits, self._commits - latest)

    def wait_all(self, threads: Array) -> None:
        """Ends all copies of threads, committed or not."""
        waits = np.zeros(self._commits.size, np.bool_)
        waits[threads] = True
        self._land(waits, self._commits + 1)

    def land(self, threads: Array, number: int) -> None:
        """Ends all copies of threads up to one of some number: an mbarrier was waited for."""
        waits = np.zeros(self._commits.size, np.bool_)
        waits[threads] = True
        self._land(waits, self._commits + 1, number)

    def _land(self, waits: Array, ended: Array, number: int | None = None) -> None:
        left = []
        for copy in self._copies:
            done = waits[copy.threads] & (copy.group < ended[copy.threads])
            if number is not None and copy.number > number:
                done = np.zeros_like(done)
            if done.all():
                self._write(copy)
            elif done.any():
                self._write(copy.part(done))
                left.append(copy.part(~done))
            else:
                left.append(copy)
        self._copies = left

    def _write(self, copy: _Copy) -> None:
        self._contents.land(self._shared, copy.places, copy.data, copy.size)
        # Triton 3.6 has no proxy fence between these and a matrix product, and gets along.
        mark(self._shared, copy.places, copy.size, 1 | FENCED)
