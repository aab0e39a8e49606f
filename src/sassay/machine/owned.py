"""Memory that every block or every thread has a piece of, and what of it was written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from sassay.machine.races import Races
    from sassay.machine.types import Array

UNITS: dict[int, np.dtype[Any]] = {
    1: np.dtype("u1"),
    2: np.dtype("u2"),
    4: np.dtype("u4"),
    8: np.dtype("u8"),
    # Numpy copies these sixteen bytes as they are.
    16: np.dtype("c16"),
}
"""What is moved at once, by its bytes."""

IN_FLIGHT = 2
"""The mark of a byte that an asynchronous copy may still be writing; 1 is written, 0 is not."""

SWIZZLED = {32: 4, 64: 8, 128: 16, 16: 32}
"""What a tensor copy adds to the mark of what it wrote, by the bytes of a swizzled row."""

FENCED = 64
"""What is added to the mark of a byte that the asynchronous proxy may read."""

ANY_SWIZZLE = 4 | 8 | 16 | 32

_PAD = 16


class Owned:
    """A space that every block, or every thread, has one of.

    Attributes:
        size: Bytes of each.
        count: How many there are.
        data: All of them.
        written: A mark for each byte.
        races: Where races are looked for: what threads did to it.
    """

    def __init__(self, size: int, count: int) -> None:
        self.size = size
        self.count = count
        self.stride = -(-size // _PAD) * _PAD
        self.data = np.zeros(max(self.stride * count, _PAD), np.uint8)
        self.written = np.zeros_like(self.data)
        self.races: Races | None = None


def mark(owned: Owned, places: Array, size: int, value: int) -> None:
    """Sets the marks of bytes.

    Args:
        owned: The space.
        places: In units of the size.
        size: Bytes of each place.
        value: 1 for written, 0 or `IN_FLIGHT` for not.
    """
    unit = min(size, 8)
    marks = owned.written.view(UNITS[unit])
    full = UNITS[unit].type(int.from_bytes(bytes([value]) * unit, "little"))
    start = places * (size // unit)
    for step in range(size // unit):
        marks[start + step] = full
    if owned.races is not None:
        owned.races.forget(places.reshape(-1) * size, size)
