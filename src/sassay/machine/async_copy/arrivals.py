"""Arrivals at the barriers of clusters of one block."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sassay.machine.types import Array


class Arrivals:
    """How often each thread of a slice arrived at its cluster's barrier, and waited there."""

    def __init__(self, shape: tuple[int, int], alive: int) -> None:
        """Nobody did yet.

        Args:
            shape: Blocks, and threads of each, padded to whole warps.
            alive: Threads of each that there are.
        """
        self.arrived = np.zeros(shape, np.int32)
        self.waited = np.zeros(shape, np.int32)
        self._alive = alive

    def over(self) -> Array:
        """Whether each thread's phase is over: all threads of its block have arrived in it."""
        least = self.arrived[:, : self._alive].min(axis=1, keepdims=True)
        return least > self.waited
