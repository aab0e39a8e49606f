"""Finds the instruction of a launch that reads a byte of an array first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sassay.machine.memory import GlobalMemory, Memory, TrapError
from sassay.machine.run import (
    SLICE_THREADS,
    place_arguments,
    place_variables,
    slice_blocks,
    slice_memory,
)
from sassay.machine.slices import Slice

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sassay.machine.lanes import Lanes
    from sassay.machine.launch import Launch
    from sassay.machine.program import Op, Program

    Array = NDArray[Any]


class _Found(Exception):  # noqa: N818 - internal: ends the run
    """Somebody reads the byte."""


class _Reader:
    """Waits beside an array for a read of one byte."""

    def __init__(self, byte: int) -> None:
        self._byte = byte
        self.memory: Memory | None = None
        self.op: Op | None = None

    def read(self, offsets: Array, size: int, lanes: Lanes, where: Array | None) -> None:
        """Threads read."""
        del lanes
        hit = (offsets <= self._byte) & (self._byte < offsets + size)
        if where is not None:
            hit = hit & where
        if hit.any() and self.memory is not None:
            self.op = self.memory.op
            raise _Found

    def write(
        self, offsets: Array, size: int, lanes: Lanes, where: Array | None, changes: Array
    ) -> None:
        """Threads write: not asked for."""

    def settle(
        self, offsets: Array, size: int, lanes: Lanes, where: Array | None, lost: Array
    ) -> None:
        """Threads wrote: not asked for."""

    def atomic(self, offsets: Array, size: int, lanes: Lanes, where: Array | None) -> None:
        """Threads run an atomic: not asked for."""


def first_read(program: Program, launch: Launch, position: int, byte: int) -> Op | None:
    """The instruction that reads a byte of an array first, None if none does.

    Args:
        program: The entry.
        launch: Of it.
        position: Of the argument.
        byte: Its place in the array.

    Raises:
        SassayError: The launch does not fit the entry.
    """
    memory = GlobalMemory()
    arguments, kept = place_arguments(program, launch, memory)
    place_variables(program, memory)
    allocation = kept[position][1]
    if allocation is None:
        return None
    reader = _Reader(byte)
    allocation.races = reader
    with np.errstate(all="ignore"):
        size = slice_blocks(program, launch, SLICE_THREADS)
        for first in range(0, launch.blocks, size):
            count = min(size, launch.blocks - first)
            reader.memory = slice_memory(program, launch, memory, arguments, count)
            try:
                Slice(program, launch, reader.memory, first, count).run()
            except (_Found, TrapError):
                break
    return reader.op
