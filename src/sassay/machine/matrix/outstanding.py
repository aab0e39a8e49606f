"""Matrix products that run beside the threads, and the groups that threads wait for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sassay.machine.types import Array


class Outstanding:
    """Which threads have products that they have not waited for."""

    def __init__(self, threads: int) -> None:
        """Nothing is under way.

        Args:
            threads: Of the slice.
        """
        self._open = np.zeros(threads, np.bool_)
        self._commits = np.zeros(threads, np.int32)
        self._done = np.zeros(threads, np.int32)

    def issue(self, threads: Array) -> None:
        """Threads issue a product."""
        self._open[threads] = True

    def commit(self, threads: Array) -> None:
        """Closes the group of each thread."""
        self._open[threads] = False
        self._commits[threads] += 1

    def wait(self, threads: Array, latest: int) -> None:
        """Ends the groups of threads, but for the latest ones."""
        done = self._commits[threads] - latest
        self._done[threads] = np.maximum(self._done[threads], done)

    def any(self, threads: Array) -> bool:
        """Whether any of the threads has a product under way."""
        busy = self._open[threads] | (self._commits[threads] > self._done[threads])
        return bool(busy.any())
