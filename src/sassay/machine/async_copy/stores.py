"""Bulk copies out of shared memory that are under way, and the groups that threads wait for.

A copy reads when it is issued; until its thread waits for its group nobody may change what it
reads, which is looked at there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.owned import UNITS

if TYPE_CHECKING:
    from sassay.machine.owned import Owned
    from sassay.machine.types import Array

_CHUNK = 16


@dataclass(frozen=True)
class _Store:
    thread: int
    group: int
    places: Array
    data: Array


class Stores:
    """The copies of a slice."""

    def __init__(self, shared: Owned, threads: int) -> None:
        self._shared = shared
        self._commits = np.zeros(threads, np.int32)
        self._stores: list[_Store] = []

    def start(self, thread: int, places: Array, data: Array) -> None:
        """Issues a copy.

        Args:
            thread: Index in the slice.
            places: What it reads, in 16-byte units of the slice's shared memory.
            data: What it read.
        """
        self._stores.append(_Store(thread, int(self._commits[thread]), places, data))

    def commit(self, threads: Array) -> None:
        """Closes the group of each thread."""
        self._commits[threads] += 1

    def wait(self, threads: Array, latest: int) -> str | None:
        """Ends the groups of threads, but for the latest ones; says what was wrong with one."""
        if not self._stores:
            return None
        waits = set(threads.tolist())
        left, wrong = [], None
        for each in self._stores:
            if each.thread in waits and each.group < self._commits[each.thread] - latest:
                wrong = wrong or self._changed(each)
            else:
                left.append(each)
        self._stores = left
        return wrong

    def end(self) -> str | None:
        """The kernel ends: says what was wrong with a copy that nobody waited for."""
        found = [self._changed(each) for each in self._stores]
        return next((each for each in found if each), None)

    def _changed(self, each: _Store) -> str | None:
        now = self._shared.data.view(UNITS[_CHUNK])[each.places]
        if (now.view(np.uint64) == each.data.view(np.uint64)).all():
            return None
        return "a bulk copy may still have been reading shared memory that was written since"
