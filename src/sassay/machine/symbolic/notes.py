"""What a symbolic run notes beside its values: caveats, and who wrote an element."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.symbolic.result import Caveat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.machine.memory import Part
    from sassay.machine.program import Op
    from sassay.machine.symbolic.lanes import SymbolicLanes
    from sassay.machine.symbolic.memory import SymbolicMemory
    from sassay.machine.symbolic.result import CaveatKind
    from sassay.machine.types import Array


class Notes:
    """Notes of one run.

    Attributes:
        caveats: What the claim does not cover, by kind and line.
        watched: Identity of the bytes and offsets in them of which the writers are wanted.
        writers: Numbers of the blocks that wrote there.
        first: Number of the first block of the slice that runs.
    """

    def __init__(self, watched: tuple[int, Sequence[int]] | None = None) -> None:
        self.caveats: dict[tuple[str, int], Caveat] = {}
        self.watched = watched
        self.writers: set[int] = set()
        self.first = 0

    def add(self, kind: CaveatKind, message: str, op: Op, arguments: tuple[int, ...] = ()) -> None:
        """Notes a caveat, once for each kind and line."""
        place = op.place
        where = f", {place.location.file}:{place.location.line}" if place.location else ""
        self.caveats.setdefault(
            (kind, place.line),
            Caveat(
                kind,
                f"{message}: line {place.line}{where}: {place.text}",
                arguments,
                place.text,
                place.line,
                place.location,
            ),
        )

    def order(self, op: Op) -> None:
        """An atomic whose result depends on the order of threads."""
        self.add("order", "the order of atomics was taken to be that of threads", op)

    def copied(self, data: Array, offsets: Array, size: int, block: int) -> None:
        """A block copied something to global memory."""
        if self.watched is None or id(data) != self.watched[0]:
            return
        for offset in self.watched[1]:
            if ((offsets <= offset) & (offset < offsets + size)).any():
                self.writers.add(self.first + block)

    def stored(
        self, lanes: SymbolicLanes, memory: SymbolicMemory, parts: list[Part], size: int
    ) -> None:
        """Something was stored; notes the block if it is where the writer is wanted."""
        if self.watched is None:
            return
        del memory
        data, offsets = self.watched
        for part in parts:
            if id(part.data) != data:
                continue
            for offset in offsets:
                hit = (part.offsets <= offset) & (offset < part.offsets + size)
                if part.where is not None:
                    hit = hit & part.where
                if hit.any():
                    blocks = np.broadcast_to(lanes.block, lanes.shape)
                    found = blocks[np.broadcast_to(hit, lanes.shape)]
                    self.writers.update((self.first + found).tolist())
