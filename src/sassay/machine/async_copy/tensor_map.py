"""Tensor maps: what a bulk tensor copy knows of the tensor in global memory.

Hardware keeps a map in 128 bytes whose layout is not published. The machine has one of its own:
whether a launch or a kernel makes the map, only the machine reads it. Source: PTX ISA,
"Tensor-map", "tensormap.replace"; CUDA Driver API, "Tensor Map Object Management".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sassay.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAP_BYTES = 128
MAX_RANK = 5
_LAYOUT = struct.Struct("<QBBBBB3x5I5I5Q5I")
ELEMENT_BYTES = (1, 2, 4, 4, 8, 8, 2, 4, 4, 8, 2, 4, 4)
"""Bytes of an element by its number in `tensormap.replace`."""
SWIZZLES = (16, 32, 64, 128)
"""Bytes of a swizzled row by the number of the mode."""

_PLACES = {
    "global_address": (0, 8),
    "rank": (8, 1),
    "elemtype": (9, 1),
    "interleave_layout": (10, 1),
    "swizzle_mode": (11, 1),
    "fill_mode": (12, 1),
    "box_dim": (16, 4),
    "global_dim": (36, 4),
    "global_stride": (56, 8),
    "element_stride": (96, 4),
}


def field_place(name: str, index: int) -> tuple[int, int] | None:
    """Offset and bytes of a field, None if there is no such field."""
    found = _PLACES.get(name)
    if found is None or not 0 <= index < MAX_RANK:
        return None
    offset, size = found
    if offset < _PLACES["box_dim"][0]:
        return found if index == 0 else None
    return offset + index * size, size


@dataclass(frozen=True)
class Map:
    """A tensor map, read. Dimensions go from the fastest to the slowest.

    Attributes:
        address: Of the tensor.
        kind: Number of the elements' type in `tensormap.replace`.
        element: Bytes of an element.
        swizzle: Bytes of a swizzled row.
        box: Elements of a copy in each dimension.
        shape: Of the tensor.
        strides: In bytes.
        fills: What lies outside reads as NaN, not as zero.
    """

    address: int
    kind: int
    element: int
    swizzle: int
    box: tuple[int, ...]
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    fills: bool


def read_map(content: bytes) -> Map | str:
    """Reads a map; a text says what of it the machine does not run."""
    address, rank, kind, interleave, swizzle, fill, *rest = _LAYOUT.unpack(content[: _LAYOUT.size])
    count = rank + 1
    box, shape, strides, steps = rest[:5], rest[5:10], rest[10:15], rest[15:20]
    if count > MAX_RANK or kind >= len(ELEMENT_BYTES) or swizzle >= len(SWIZZLES):
        return "a tensor map whose fields are out of range"
    if interleave or any(step != 1 for step in steps[:count]):
        return "a tensor map with an interleaved layout or with steps between elements"
    if not all(0 < each <= 256 for each in box[:count]):
        return f"a tensor map with a box of {tuple(box[:count])}"
    element = ELEMENT_BYTES[kind]
    return Map(
        address,
        kind,
        element,
        SWIZZLES[swizzle],
        tuple(box[:count]),
        tuple(shape[:count]),
        (element, *strides[: count - 1]),
        bool(fill),
    )


_NUMBERS = {"u1": 0, "u2": 1, "u4": 2, "i4": 3, "u8": 4, "i8": 5, "f2": 6, "f4": 7, "f8": 9}


@dataclass(frozen=True)
class TensorMap:
    """An argument: a map of an array that the host made.

    Attributes:
        array: Its last dimension is the fastest and has no gaps; numpy has no bfloat16: uint16.
        box: Elements of a copy in each dimension of the array.
        swizzle: Bytes of a swizzled row: 128, 64, 32, or 16 for none.
        nan_fill: What lies outside reads as NaN, not as zero; uint16 is then bfloat16.
    """

    array: NDArray[Any]
    box: tuple[int, ...]
    swizzle: int = 16
    nan_fill: bool = False

    def encode(self, address: int) -> bytes:
        """The map's bytes as the machine reads them.

        Args:
            address: Of the array.

        Raises:
            UsageError: No map describes such an array.
        """
        array = self.array
        kind = _NUMBERS.get(array.dtype.str[1:])
        rank = array.ndim
        if kind is None or not 1 <= rank <= MAX_RANK or len(self.box) != rank:
            raise UsageError(
                f"no tensor map of {array.dtype} with {rank} dimensions and a box of {self.box}"
            )
        if array.strides[-1] != array.itemsize or self.swizzle not in SWIZZLES:
            raise UsageError("the last dimension of a tensor map has no gaps; swizzle 16 to 128")
        row = self.box[-1] * array.itemsize
        if row % 16 or any(each % 16 for each in array.strides[:-1]):
            raise UsageError("rows and strides of a tensor map have multiples of 16 bytes")
        if not all(1 <= each <= 256 for each in self.box) or (
            self.swizzle > 16 and row > self.swizzle
        ):
            raise UsageError(
                f"a tensor map with a box of {self.box}, swizzled by {self.swizzle} bytes",
                hint="1 to 256 elements each, and rows no longer than what is swizzled",
            )
        gap = [0] * (MAX_RANK - rank)
        strides = [int(each) for each in array.strides[-2::-1]]
        return _LAYOUT.pack(
            address,
            rank - 1,
            kind,
            0,
            SWIZZLES.index(self.swizzle),
            int(self.nan_fill),
            *self.box[::-1],
            *gap,
            *array.shape[::-1],
            *gap,
            *strides,
            *[0] * (MAX_RANK - len(strides)),
            *[1] * MAX_RANK,
        ).ljust(MAP_BYTES, b"\0")


def swizzled(places: NDArray[np.int64], span: int) -> NDArray[np.int64]:
    """Bytes of shared memory as a swizzle permutes them."""
    return places ^ (places >> 3 & (span - 16))
