"""Hashes beside bytes: what is known of a stretch of memory in the symbolic mode."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.symbolic import hashing
from sassay.machine.symbolic.symbol import Piece, Symbol, mixed
from sassay.machine.types import WORDS

if TYPE_CHECKING:
    from sassay.machine.symbolic.result import Leaf
    from sassay.machine.types import Array

_PAD = 16
"""Threads that do not access point at the start, even of nothing."""

_INITIAL, _HASHED, _KNOWN = 0, 1, 2
"""A unit is as it was, holds a hash, or holds known bytes."""


class Leaves:
    """What the initial content of an array is.

    Attributes:
        itemsize: Bytes of an element.
    """

    def __init__(self, leaf: Leaf, itemsize: int) -> None:
        self._name = hashing.name_hash(f"leaf {leaf.name}")
        self._index = leaf.index
        self.itemsize = itemsize

    def key(self) -> bytes:
        """Equal for the same leaves."""
        index = self._index
        numbers = index.tobytes() if isinstance(index, np.ndarray) else str(index).encode()
        return b"%d %d " % (int(self._name), self.itemsize) + numbers

    def hashes(self, units: Array, unit: int) -> Array:
        """The hashes of units of so many bytes, not more than an element has."""
        parts = self.itemsize // unit
        if parts == 1:
            return self._element(units)
        found = self._element(units // parts)
        side, bits = units % parts, self.itemsize * 8
        while parts > 1:
            parts //= 2
            low, high = hashing.split(found, bits)
            found = np.where(side // parts % 2 == 0, low, high)
            bits //= 2
        return found

    def _element(self, number: Array) -> Array:
        if isinstance(self._index, np.ndarray):
            flat = self._index.reshape(-1)
            if flat.dtype == np.uint64:
                return flat[np.minimum(number, flat.size - 1)]
            return hashing.leaf(self._name, flat[np.minimum(number, flat.size - 1)])
        return hashing.leaf(self._name, number + self._index)


class Overlay:
    """Hashes of the units of some bytes.

    Attributes:
        unit: Bytes of a unit; it becomes smaller as smaller accesses come.
        taint: Of everything that is or was in it.
    """

    def __init__(self, size: int, unit: int, leaves: Leaves | None, taint: int) -> None:
        """Nothing is written yet.

        Args:
            size: Bytes.
            unit: Bytes of a unit.
            leaves: What the initial content is; None if it is known.
            taint: Of the initial content.
        """
        self.unit = unit
        self.taint = taint
        self._leaves = leaves
        self._size = size
        self._hashes: Array | None = None
        self._state: Array | None = None
        self._digest: bytes | None = None

    def digest(self, data: Array) -> bytes:
        """Equal for equal content, known or not.

        Args:
            data: The bytes that it lies over.
        """
        if self._digest is None:
            found = blake2b(digest_size=8)
            if self._leaves is not None:
                found.update(self._leaves.key())
            if self._hashes is not None and self._state is not None:
                found.update(self.unit.to_bytes(1, "little"))
                found.update(self._hashes.tobytes() + self._state.tobytes())
            if self._leaves is None or self._hashes is not None:
                found.update(data.tobytes())
            self._digest = found.digest()
        return self._digest

    def _own(self) -> tuple[Array, Array]:
        if self._hashes is None or self._state is None:
            units = (self._size + _PAD) // self.unit
            self._hashes = np.zeros(units, np.uint64)
            self._state = np.zeros(units, np.uint8)
        return self._hashes, self._state

    def refine(self, unit: int) -> None:
        """Cuts units until they have no more bytes than asked."""
        while self.unit > unit:
            if self._hashes is not None and self._state is not None:
                low, high = hashing.split(self._hashes, self.unit * 8)
                self._hashes = np.stack([low, high], axis=1).reshape(-1)
                self._state = np.repeat(self._state, 2)
            self.unit //= 2

    def piece(self, data: Array, units: Array) -> Piece:
        """What some units hold."""
        bits = self.unit * 8
        if self._hashes is None or self._state is None:
            if self._leaves is None:
                return Piece(bits, value=data.view(WORDS[bits])[units])
            return Piece(bits, self._leaves.hashes(units, self.unit))
        state = self._state[units]
        lowest, highest = int(state.min()), int(state.max())
        if lowest == highest == _HASHED:
            return Piece(bits, self._hashes[units])
        if lowest == highest == _KNOWN:
            return Piece(bits, value=data.view(WORDS[bits])[units])
        found = self._hashes[units]
        if self._leaves is not None:
            if lowest == _INITIAL:
                found = np.where(state == _INITIAL, self._leaves.hashes(units, self.unit), found)
            held = state == _KNOWN
        else:
            held = state != _HASHED
        return mixed(bits, found, data.view(WORDS[bits])[units], held)

    def read(self, data: Array, offsets: Array, width: int, count: int) -> list[Symbol]:
        """Words of `width` bytes at offsets."""
        self.refine(width)
        each = width // self.unit
        first = offsets // self.unit
        pieces = [self.piece(data, first + at if at else first) for at in range(each * count)]
        return [
            Symbol(tuple(pieces[at * each : (at + 1) * each]), self.taint) for at in range(count)
        ]

    def write(self, data: Array, offsets: Array, words: list[Symbol], where: Array | None) -> None:
        """Writes words at offsets; the last thread wins, and known bytes go to `data` too.

        Args:
            data: The bytes.
            offsets: Of each thread.
            words: One after the other, all of one width.
            where: Threads that write.
        """
        narrowest = min(each.unit for each in words) // 8
        self.refine(narrowest)
        pieces = [piece for each in words for piece in each.cut(self.unit * 8).pieces]
        hashes, state = self._own()
        first = offsets // self.unit
        for each in words:
            self.taint |= each.taint
        for at, piece in enumerate(pieces):
            self._put(data, first + at, piece, where, (hashes, state))

    def put(self, data: Array, units: Array, piece: Piece) -> None:
        """Writes units, counted in their size, which is the piece's."""
        self._put(data, units, piece, None, self._own())

    def _put(
        self, data: Array, units: Array, piece: Piece, where: Array | None, to: tuple[Array, Array]
    ) -> None:
        hashes, state = to
        self._digest = None
        shapes = [
            each.shape for each in (units, piece.hash, piece.value, where) if each is not None
        ]
        shape = np.broadcast_shapes(*shapes)

        def spread(array: Array) -> Array:
            full = np.broadcast_to(array, shape)
            return full if where is None else full[np.broadcast_to(where, shape)]

        index = spread(units)
        if piece.hash is not None:
            hashes[index] = spread(piece.hash)
        if piece.value is None:
            state[index] = _HASHED
            return
        data.view(WORDS[piece.bits])[index] = spread(piece.value)
        if piece.known is None:
            state[index] = _KNOWN
        else:
            state[index] = spread(np.where(piece.known, np.uint8(_KNOWN), np.uint8(_HASHED)))

    def mark_known(self, offsets: Array, size: int, where: Array | None) -> None:
        """Bytes were written that are known."""
        self.refine(size if size in (1, 2, 4, 8) else self.unit)
        self._digest = None
        _, state = self._own()
        first = offsets // self.unit
        for at in range(size // self.unit):
            units = first + at
            if where is not None:
                shape = np.broadcast_shapes(units.shape, where.shape)
                units = np.broadcast_to(units, shape)[np.broadcast_to(where, shape)]
            state[units] = _KNOWN

    def elements(
        self, data: Array, itemsize: int, *, only: int | None = None
    ) -> tuple[Array, Array]:
        """For each element, or for one, its hash, and whether it was written."""
        count = self._size // itemsize
        numbers = np.arange(count, dtype=np.int64)
        if only is not None:
            count, numbers = 1, numbers[only : only + 1]
        hashes = np.empty(count, np.uint64)
        written = np.zeros(count, np.bool_)
        step = 1 << 14
        for start in range(0, count, step):
            part = numbers[start : start + step]
            unit = min(self.unit, itemsize)
            if unit < self.unit:
                self.refine(unit)
            each = itemsize // self.unit
            first = part * each
            pieces = [self.piece(data, first + at) for at in range(each)]
            hashes[start : start + step] = Symbol(tuple(pieces)).one().hashed()
            if self._state is not None:
                for at in range(each):
                    written[start : start + step] |= self._state[first + at] != _INITIAL
        return hashes, written
