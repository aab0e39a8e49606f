"""What asynchronous copies move: bytes. The symbolic mode has another that moves expressions.

A copy computes where to read and where to write; what lies there goes from one to the other as an
array of *elements*, one for each place, that only the contents look into.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.owned import UNITS

if TYPE_CHECKING:
    from collections.abc import Callable

    from sassay.machine.memory import Allocation, Part
    from sassay.machine.owned import Owned
    from sassay.machine.types import Array

    Read = Callable[[Part, int, int], list[Array]]

CHUNK = 16
"""Bytes of an element of a bulk copy."""


@dataclass(frozen=True)
class Window:
    """A rectangle of an allocation in global memory, and where it lies in a box.

    Attributes:
        held: The allocation.
        first: Where the rectangle starts in it, in bytes.
        strides: Bytes between neighbours, of each dimension, the fastest last.
        element: Bytes that lie together.
        inside: The part of the box that the rectangle fills.
        shape: Of the box, in elements.
    """

    held: Allocation
    first: int
    strides: tuple[int, ...]
    element: int
    inside: tuple[slice, ...]
    shape: tuple[int, ...]

    @property
    def lengths(self) -> tuple[int, ...]:
        """Of the rectangle."""
        return tuple(each.stop - each.start for each in self.inside)

    def offsets(self) -> Array:
        """Where each element of the rectangle starts in the allocation."""
        found = np.full((1,) * len(self.strides), self.first, np.int64)
        for axis, (length, stride) in enumerate(zip(self.lengths, self.strides, strict=True)):
            steps = np.arange(length, dtype=np.int64) * stride
            found = found + steps.reshape((-1,) + (1,) * (len(self.strides) - axis - 1))
        return found

    def bytes(self) -> Array:
        """The rectangle, writable, with a last dimension for the bytes of an element."""
        lengths = self.lengths
        last = sum((n - 1) * stride for n, stride in zip(lengths, self.strides, strict=True))
        flat = self.held.data[self.first : self.first + last + self.element]
        return np.lib.stride_tricks.as_strided(
            flat, (*lengths, self.element), (*self.strides, 1), writeable=True
        )


class Contents:
    """Contents of memory as bytes."""

    def __init__(self, read: Read) -> None:
        """Takes how memory is read.

        Args:
            read: Gives words at the places of a part; it looks for races too.
        """
        self._read = read

    def blank(self, shape: tuple[int, ...], size: int) -> Array:
        """Elements of zeros, of so many bytes each."""
        return np.zeros(shape, UNITS[size])

    def take(self, part: Part, size: int) -> Array:
        """The element at each place of a part."""
        return self._read(part, size, 1)[0]

    def merge(self, where: Array | None, new: Array, old: Array) -> Array:
        """New elements where a mask holds, old ones elsewhere; of the shape of the old ones."""
        if where is None:
            return np.broadcast_to(new, old.shape)
        return np.where(where, new, old)

    def insert(self, elements: Array, at: int, part: Array, where: Array) -> Array:
        """Elements with one byte replaced where a mask holds.

        Args:
            elements: Of some bytes.
            at: Which byte.
            part: Elements of one byte.
            where: The mask.
        """
        found = np.ascontiguousarray(elements)
        pieces = found.view(np.uint8).reshape(*found.shape, found.dtype.itemsize)
        pieces[..., at] = np.where(where, part, pieces[..., at])
        return found

    def land(self, owned: Owned, places: Array, elements: Array, size: int) -> None:
        """Writes elements of so many bytes to places, counted in units of them."""
        owned.data.view(UNITS[size])[places] = elements

    def chunks(self, owned: Owned, places: Array) -> Array:
        """The elements at places, counted in chunks."""
        return np.take(owned.data.view(UNITS[CHUNK]), places)

    def gather(
        self, box: tuple[int, ...], element: int, window: Window | None, fill: bytes
    ) -> Array:
        """Reads a box, as chunks.

        Args:
            box: Its shape, in elements of the tensor.
            element: Bytes of one.
            window: What of it lies in the tensor; None for nothing.
            fill: What the rest repeats.
        """
        size = prod(box) * element
        data = np.frombuffer(fill * -(-size // len(fill)), np.uint8)[:size].copy()
        data = data.reshape(*box, element)
        if window is not None:
            data[window.inside] = window.bytes()
        return data.reshape(-1).view(UNITS[CHUNK])

    def scatter(self, window: Window, chunks: Array) -> None:
        """Writes what lies in the tensor of a box that is given as chunks."""
        box = np.ascontiguousarray(chunks).view(np.uint8).reshape(*window.shape, window.element)
        window.bytes()[...] = box[window.inside]
