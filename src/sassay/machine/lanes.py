"""The threads that run an instruction together, and their registers.

A slice of the grid has B blocks of T threads, T padded to whole warps. Registers are arrays that
broadcast to (B, T): what is the same for all threads has shape (1, 1), what depends on the block
alone (B, 1), on the thread's index in its block alone (1, T). So addresses cost little.

When only a few warps run, they are *rows*: registers are read as (K, 32) for K warps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.types import WORDS, Array, constant

if TYPE_CHECKING:
    from collections.abc import Callable

WARP = 32


class Registers:
    """Registers of a slice.

    Attributes:
        values: Word array by slot.
        widths: Bits by slot.
        shape: (B, T).
    """

    def __init__(self, widths: tuple[int, ...], shape: tuple[int, int]) -> None:
        self.widths = widths
        self.shape = shape
        self.zeros = [constant(0, WORDS[width]) for width in widths]
        self.values: list[Array] = list(self.zeros)
        self._owned: set[int] = set()

    def set(self, slot: int, value: Array) -> None:
        """Replaces a register of all threads."""
        self.values[slot] = value
        self._owned.discard(slot)

    def clear(self, slot: int) -> None:
        """Forgets a register that nobody reads any more."""
        self.values[slot] = self.zeros[slot]
        self._owned.discard(slot)

    def writable(self, slot: int) -> Array:
        """The register as an array of its own, of the whole shape, to write rows into."""
        if slot not in self._owned:
            full = np.empty(self.shape, WORDS[self.widths[slot]])
            full[...] = self.values[slot]
            self.values[slot] = full
            self._owned.add(slot)
        return self.values[slot]


def merge(a: Array | None, b: Array | None) -> Array | None:
    """Both masks, where None stands for all threads."""
    if a is None:
        return b
    return a if b is None else a & b


class Lanes:
    """The threads that run together.

    Attributes:
        get: Reads a register by slot.
        active: Mask of threads that really run, None if all of the shape do.
        block: Index of the block in the slice, broadcast to the shape.
        shape: Of full values: (B, T) or (K, 32).
        rows: Indices of the warps in the slice, None for all.
    """

    get: Callable[[int], Array]

    def __init__(
        self,
        registers: Registers,
        active: Array | None,
        *,
        rows: Array | None = None,
        together: bool = False,
    ) -> None:
        """Chooses threads.

        Args:
            registers: Of the slice.
            active: Threads that run; of the shape (K, 32) if rows are given.
            rows: Warps that run.
            together: No live thread is elsewhere, so registers of others need not be kept.
        """
        self._registers = registers
        self.active = active
        self.rows = rows
        blocks, threads = registers.shape
        self._kept = None if together else active
        if rows is None:
            self.get = registers.values.__getitem__
            self.shape = registers.shape
            self.block: Array = np.arange(blocks, dtype=np.int64)[:, None]
            return
        self.shape = (len(rows), WARP)
        warps = threads // WARP
        self._at = rows // warps
        self._warp = rows % warps
        self._kept = active
        self.block = self._at[:, None].astype(np.int64)
        self.get = self._gather

    def _gather(self, slot: int) -> Array:
        return self.take(self._registers.values[slot])

    def take(self, value: Array) -> Array:
        """A value of the slice as these lanes see it."""
        if self.rows is None:
            return value
        at: Array | int = self._at if value.shape[0] > 1 else 0
        if value.shape[1] == 1:
            return value[at].reshape(-1, 1)
        folded = value.reshape(value.shape[0], -1, WARP)
        found: Array = folded[at, self._warp]
        return found

    def put(self, slot: int, value: Array, where: Array | None) -> None:
        """Writes a register.

        Args:
            slot: Of the register.
            value: Words that broadcast to the shape.
            where: Threads whose guard holds, None for all.
        """
        kept = merge(self._kept, where)
        if self.rows is None:
            if kept is not None:
                value = np.where(kept, value, self._registers.values[slot])
            self._registers.set(slot, value)
            return
        full = self._registers.writable(slot)
        folded = full.reshape(full.shape[0], -1, WARP)
        if kept is not None:
            value = np.where(kept, value, folded[self._at, self._warp])
        folded[self._at, self._warp] = value

    def running(self, where: Array | None) -> Array | None:
        """Threads that run and whose guard holds; None for all."""
        return merge(self.active, where)

    def first(self, where: Array) -> tuple[int, int]:
        """Block in the slice and thread of the first thread in a mask."""
        flat = int(np.argmax(np.broadcast_to(where, self.shape)))
        row, lane = divmod(flat, self.shape[1])
        if self.rows is None:
            return row, lane
        return int(self._at[row]), int(self._warp[row]) * WARP + lane

    def by_warp(self, value: Array) -> Array:
        """A value as (..., warps, 32), or (..., 1, 1) where all lanes of a warp have the same."""
        if value.shape[-1] == 1:
            return value[..., None]
        return value.reshape(*value.shape[:-1], -1, WARP)

    def by_thread(self, value: Array) -> Array:
        """The reverse of `by_warp`."""
        if value.shape[-1] == 1 and value.shape[-2] == 1:
            return value[..., 0]
        if value.shape[-1] == 1:
            value = np.broadcast_to(value, (*value.shape[:-1], WARP))
        return value.reshape(*value.shape[:-2], -1)
