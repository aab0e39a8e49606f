"""Memory of the symbolic mode: bytes, with hashes beside those that data reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.memory import Memory, TrapError, unwritten, write
from sassay.machine.symbolic.overlay import Overlay
from sassay.machine.symbolic.symbol import Symbol, choose, known
from sassay.machine.types import WORDS

if TYPE_CHECKING:
    from sassay.machine.async_copy.stores import Stores
    from sassay.machine.memory import Part
    from sassay.machine.symbolic.lanes import SymbolicLanes
    from sassay.machine.types import Array


class SymbolicMemory:
    """Memory that a slice sees.

    Attributes:
        bytes: The same without hashes.
        overlays: By the identity of the bytes that they lie over.
    """

    def __init__(self, plain: Memory, overlays: dict[int, Overlay]) -> None:
        self.bytes = plain
        self.overlays = dict(overlays)

    @property
    def order(self) -> None:
        """Races are looked for in the numeric mode only."""
        return

    @property
    def stores(self) -> Stores:
        """Copies out of shared memory under way; the symbolic mode starts none."""
        return self.bytes.stores

    def overlay(self, part: Part) -> Overlay | None:
        """The hashes beside some bytes, None if all of them are known."""
        return self.overlays.get(id(part.data))

    def locate(
        self, lanes: SymbolicLanes, space: str, address: Array, size: int, where: Array | None
    ) -> list[Part]:
        """Where an access lies; threads that go on under a condition may miss.

        Raises:
            TrapError: A thread accesses what it may not.
        """
        while True:
            try:
                return self.bytes.locate(lanes, space, address, size, where)
            except TrapError as error:
                # What holds only under a condition does not happen where it fails.
                if lanes.condition is None or error.where is None:
                    raise
                spread = np.ones(lanes.shape, np.bool_) if where is None else where
                where = spread & ~error.where
                if not where.any():
                    return []

    def read(self, lanes: SymbolicLanes, parts: list[Part], width: int, count: int) -> list[Symbol]:
        """Words of each thread.

        Raises:
            TrapError: Nobody wrote them.
        """
        found: list[Symbol] = []
        for part in parts:
            wrong = unwritten(part, width * count)
            if wrong is not None and lanes.condition is None:
                raise TrapError("uninitialised", "a read of memory that nobody wrote", wrong, lanes)
            over = self.overlay(part)
            if over is None:
                over = Overlay(part.data.size, min(width, 8), None, 0)
            words = over.read(part.data, part.offsets, width, count)
            if found and part.where is not None:
                words = [
                    _either(part.where, new, old) for new, old in zip(words, found, strict=True)
                ]
            found = words
        return found or [Symbol((known(np.zeros((1, 1), WORDS[width * 8])),))] * count

    def write(
        self, lanes: SymbolicLanes, parts: list[Part], words: list[Symbol], width: int
    ) -> None:
        """Writes words of each thread."""
        for part in parts:
            over = self.overlay(part)
            if over is None:
                unit = min(each.unit for each in words) // 8
                over = Overlay(part.data.size, unit, None, 0)
                self.overlays[id(part.data)] = over
            if part.written is not None:
                zeros = [np.zeros((1, 1), WORDS[width * 8])] * len(words)
                write(part, zeros, width, lanes.shape)
            over.write(part.data, part.offsets, words, part.where)


def _either(where: Array, new: Symbol, old: Symbol) -> Symbol:
    unit = min(new.unit, old.unit)
    new, old = new.cut(unit), old.cut(unit)
    pieces = (choose(where, a, b) for a, b in zip(new.pieces, old.pieces, strict=True))
    return Symbol(tuple(pieces), new.taint | old.taint)
