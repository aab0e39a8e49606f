"""Runs blocks of a launch in compiled code, over the memory that the interpreter has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.barriers import BARRIERS
from sassay.machine.compiled.layout import (
    ALLOCATION_WORDS,
    BARRIER_BYTES,
    FIXED,
    MAY_READ,
    MAY_WRITE,
    SITE_WORDS,
    Word,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sassay.machine.compiled.translate import Translation
    from sassay.machine.launch import Launch
    from sassay.machine.memory import GlobalMemory
    from sassay.machine.program import Program
    from sassay.machine.types import Array

_WARP = 32


class Execution:
    """Compiled code with the memory of one launch.

    Attributes:
        instructions: Thread-instructions so far.
    """

    def __init__(
        self,
        program: Program,
        launch: Launch,
        memory: GlobalMemory,
        translation: Translation,
        *,
        param: Array,
        shared_bytes: int,
        ones: frozenset[int],
    ) -> None:
        """Makes the table that compiled code is given.

        Args:
            program: The entry.
            launch: Of it.
            memory: Its allocations.
            translation: Its code.
            param: Parameter space.
            shared_bytes: Shared memory of a block.
            ones: Registers that hold ones where nobody wrote them.
        """
        self._program, self._memory, self._translation = program, memory, translation
        warps = -(-launch.threads // _WARP)
        stride = -(-program.local_bytes // 16) * 16
        allocations = memory.allocations
        starts = np.zeros(max(len(program.widths), 1), np.uint64)
        starts[list(ones)] = np.uint64(2**64 - 1)
        self._arrays: dict[Word, Array] = {
            Word.PARAM: np.ascontiguousarray(param),
            Word.CONST: np.frombuffer(program.const + b"\0" * 16, np.uint8).copy(),
            Word.SHARED: np.zeros(shared_bytes + 64, np.uint8),
            Word.LOCAL: np.zeros(stride * warps * _WARP + 64, np.uint8),
            Word.ALLOCATIONS: np.zeros((len(allocations) + 1, ALLOCATION_WORDS), np.uint64),
            Word.FRAMES: np.zeros(translation.frame_bytes * warps + 64, np.uint8),
            Word.VISITED: np.zeros(len(program.blocks), np.uint8),
            Word.TOUCHED: np.zeros(
                (max(len(translation.sites), 1), max(len(allocations), 1)), np.uint8
            ),
            Word.FIRST_VALUES: starts,
            Word.SITES: np.zeros((max(len(translation.sites), 1), SITE_WORDS), np.uint64),
            Word.BARRIERS: np.zeros(BARRIER_BYTES * BARRIERS, np.uint8),
        }
        for row, each in zip(self._arrays[Word.ALLOCATIONS], allocations, strict=False):
            # What holds nothing yet may not be read: the interpreter tells who does.
            may = MAY_WRITE if each.written is not None else MAY_READ | MAY_WRITE
            row[:] = each.start, each.size, each.data.ctypes.data, may
        self._fixed_sites(program, stride * warps * _WARP, shared_bytes)
        numbers = {
            Word.ALLOCATION_COUNT: len(allocations),
            Word.STEPS: min(launch.step_limit, 1 << 62),
            Word.GRID_X: max(launch.grid[0], 1),
            Word.GRID_Y: max(launch.grid[1], 1),
            Word.GRID_Z: max(launch.grid[2], 1),
            Word.SHARED_BYTES: shared_bytes,
            Word.DYNAMIC_SHARED: launch.shared,
        }
        self._table = np.zeros(len(Word), np.uint64)
        for word, array in self._arrays.items():
            self._table[word] = array.ctypes.data
        for word, value in numbers.items():
            self._table[word] = value

    def _fixed_sites(self, program: Program, local_bytes: int, shared_bytes: int) -> None:
        spaces = {
            "shared": (shared_bytes, Word.SHARED),
            "local": (local_bytes, Word.LOCAL),
            "const": (len(program.const), Word.CONST),
            "param": (program.param_bytes, Word.PARAM),
        }
        for number, site in enumerate(self._translation.sites):
            row = self._arrays[Word.SITES][number]
            row[3], row[4] = site.kind, number
            if site.kind & FIXED:
                size, word = spaces[site.space]
                row[1], row[2] = size, self._arrays[word].ctypes.data

    @property
    def instructions(self) -> int:
        """Thread-instructions so far."""
        return int(self._table[Word.INSTRUCTIONS])

    def run(self, first: int, last: int) -> bool:
        """Runs blocks of the grid; whether they came to their end.

        Args:
            first: Number of the first one.
            last: Number of the one after the last.
        """
        with np.errstate(all="ignore"):
            return not self._translation.entry(int(self._table.ctypes.data), first, last)

    def visited(self) -> set[int]:
        """Blocks of code that ran."""
        return set(np.flatnonzero(self._arrays[Word.VISITED]).tolist())

    def touched(self) -> Iterator[tuple[int, int]]:
        """Operations and the allocations that they touched, both by identity."""
        for site, place in np.argwhere(self._arrays[Word.TOUCHED]).tolist():
            yield self._translation.sites[site].op, id(self._memory.allocations[place])
