"""Memory of the symbolic mode: bytes, with hashes beside those that data reached."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.async_copy.flights import Flights
from sassay.machine.async_copy.phases import Phases
from sassay.machine.memory import Memory, TrapError, unread, unwritten, write
from sassay.machine.symbolic import hashing
from sassay.machine.symbolic.contents import SymbolicContents, UnwatchedStores
from sassay.machine.symbolic.overlay import Overlay
from sassay.machine.symbolic.symbol import Symbol, choose, known
from sassay.machine.types import WORDS

if TYPE_CHECKING:
    from sassay.machine.async_copy.stores import Stores
    from sassay.machine.matrix.outstanding import Outstanding
    from sassay.machine.memory import Part
    from sassay.machine.symbolic.lanes import SymbolicLanes
    from sassay.machine.symbolic.notes import Notes
    from sassay.machine.types import Array


class SymbolicMemory:
    """Memory that a slice sees.

    Attributes:
        bytes: The same without hashes.
        overlays: By the identity of the bytes that they lie over.
    """

    def __init__(self, plain: Memory, overlays: dict[int, Overlay], notes: Notes) -> None:
        """Puts hashes beside bytes.

        Args:
            plain: The bytes.
            overlays: By the identity of the bytes that they lie over.
            notes: Takes who wrote what.
        """
        self.bytes = plain
        self.overlays = dict(overlays)
        shared = plain.shared
        threads = shared.count * plain.threads
        stores = UnwatchedStores(shared, threads)
        plain.stores = stores

        def stored(data: Array, offsets: Array, size: int) -> None:
            notes.copied(data, offsets, size, stores.latest // plain.threads)

        def overlay_of(data: Array) -> Overlay | None:
            return self.overlays.get(id(data))

        plain.contents = SymbolicContents(overlay_of, self._made, stored)
        plain.flights = Flights(shared, threads, plain.contents)
        plain.phases = Phases(shared, plain.contents)

    @property
    def order(self) -> None:
        """Races are looked for in the numeric mode only."""
        return

    @property
    def stores(self) -> Stores:
        """Copies out of shared memory under way."""
        return self.bytes.stores

    @property
    def phases(self) -> Phases:
        """The `mbarrier` objects."""
        return self.bytes.phases

    @property
    def products(self) -> Outstanding:
        """Matrix products under way."""
        return self.bytes.products

    def _made(self, data: Array, unit: int) -> Overlay:
        found = self.overlays.get(id(data))
        if found is None:
            found = self.overlays[id(data)] = Overlay(data.size, unit, None, 0)
        return found

    def read_shared(self, offsets: Array, width: int) -> Symbol:
        """Words at offsets in the shared memory of the slice, which are known to be written."""
        data = self.bytes.shared.data
        over = self.overlays.get(id(data)) or Overlay(data.size, width, None, 0)
        return over.read(data, offsets, width, 1)[0]

    def overlay(self, part: Part) -> Overlay | None:
        """The hashes beside some bytes, None if all of them are known."""
        return self.overlays.get(id(part.data))

    def global_state(self) -> Array:
        """The hash of all global memory as it is now: equal if equal arrays lie alike in it."""
        found = blake2b(digest_size=8)
        for each in self.bytes.globals.allocations:
            over = self.overlays.get(id(each.data))
            content = each.data.tobytes() if over is None else over.digest(each.data)
            found.update(b"%d %d " % (each.start, each.size) + content)
        name = hashing.name_hash(f"leaf scalar global memory {found.hexdigest()}")
        return hashing.leaf(name, np.zeros((1, 1), np.int64))

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
                raise unread(part, wrong, lanes)
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
            over = self._made(part.data, min(each.unit for each in words) // 8)
            if part.written is not None:
                zeros = [np.zeros((1, 1), WORDS[width * 8])] * len(words)
                write(part, zeros, width, lanes.shape)
            over.write(part.data, part.offsets, words, part.where)


def _either(where: Array, new: Symbol, old: Symbol) -> Symbol:
    unit = min(new.unit, old.unit)
    new, old = new.cut(unit), old.cut(unit)
    pieces = (choose(where, a, b) for a, b in zip(new.pieces, old.pieces, strict=True))
    return Symbol(tuple(pieces), new.taint | old.taint)
