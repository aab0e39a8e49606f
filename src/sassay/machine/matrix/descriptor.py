"""Matrices in shared memory as `wgmma` finds them: descriptors, majors and swizzles.

A descriptor holds the start address, the leading and the stride byte offset, each in units of
16 bytes, a base offset and a swizzle. Sources: PTX ISA, "Asynchronous Warpgroup Level Matrix
Shared Memory Layout", "Matrix Descriptor"; CUTLASS, `cute/arch/mma_sm90_desc.hpp`, for the
canonical layouts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.async_copy.proxies import check_fenced
from sassay.machine.memory import Part, TrapError, unread, unwritten
from sassay.machine.owned import ANY_SWIZZLE, SWIZZLED

if TYPE_CHECKING:
    from sassay.machine.lanes import Lanes
    from sassay.machine.memory import Memory
    from sassay.machine.types import Array

CHUNK = 16
"""Bytes that every layout keeps together."""

_ROWS = 8
_SPANS = {0: 16, 1: 128, 2: 64, 3: 32}
"""Bytes of a swizzled row by the descriptor's field."""


@dataclass(frozen=True)
class Tile:
    """The operand of one instruction.

    Attributes:
        rows: Its extent along M or N.
        k: Its extent along K, in elements.
        bits: Of an element.
        turned: M or N runs fastest, not K.
    """

    rows: int
    k: int
    bits: int
    turned: bool

    def read(self, lanes: Lanes, memory: Memory, blocks: Array, descriptors: Array) -> Array:
        """Reads tiles.

        Args:
            lanes: In traps.
            memory: Its shared memory.
            blocks: Block in the slice of each tile.
            descriptors: Of each tile: 64-bit words.

        Returns:
            Words as (k, tiles, rows).

        Raises:
            TrapError: A tile is out of bounds, or nobody wrote a part of it.
        """
        offsets = self.chunks(lanes, memory, blocks, descriptors)
        words = np.take(memory.shared.data.view("c16"), offsets // CHUNK)
        return self.ordered(words.view(f"u{self.bits // 8}"))

    def ordered(self, elements: Array) -> Array:
        """Elements of the chunks, as (tiles, rows, k) or turned, as (k, tiles, rows)."""
        axes = (1, 0, 2) if self.turned else (2, 0, 1)
        return np.ascontiguousarray(elements.transpose(axes))

    def chunks(self, lanes: Lanes, memory: Memory, blocks: Array, descriptors: Array) -> Array:
        """Where the chunks of tiles lie in the shared memory of a slice, in bytes.

        Args:
            lanes: In traps.
            memory: Its shared memory.
            blocks: Block in the slice of each tile.
            descriptors: Of each tile: 64-bit words.

        Returns:
            (tiles, rows, chunks), or turned (tiles, k, chunks).

        Raises:
            TrapError: A tile is out of bounds, or nobody wrote a part of it.
        """
        shared = memory.shared
        places = self._places(descriptors)
        wrong = (places < 0) | (places > shared.size - CHUNK)
        if wrong.any():
            message = (
                f"byte {int(places[wrong][0])} of shared memory, which has {shared.size} bytes, "
                "by the descriptor of a matrix"
            )
            raise TrapError("out-of-bounds", message, None, lanes)
        offsets = places + blocks[:, None, None] * shared.stride
        part = Part(shared.data, offsets, shared.written, None)
        if unwritten(part, CHUNK) is not None:
            _refuse(part, lanes)
        check_fenced(memory, lanes, offsets, CHUNK, "a matrix product reads")
        _compare_swizzles(lanes, shared.written[offsets], descriptors)
        return offsets

    def _places(self, descriptors: Array) -> Array:
        """Bytes in shared memory of each chunk: (tiles, rows, chunks), or turned."""
        words = descriptors.astype(np.uint64)[:, None, None]
        start = _field(words, 0, 14) << 4
        leading = _field(words, 16, 14) << 4
        stride = _field(words, 32, 14) << 4
        base = _field(words, 49, 3) << 7
        span = np.zeros(words.shape, np.int64)
        for field, size in _SPANS.items():
            span[_field(words, 62, 2) == field] = size
        per_chunk = CHUNK * 8 // self.bits
        if self.turned:
            k = np.arange(self.k)[None, :, None]
            chunk = np.arange(self.rows // per_chunk)[None, None, :]
            wide = span // CHUNK
            plain = chunk * stride + k % _ROWS * CHUNK + k // _ROWS * leading
            swizzled = chunk % wide * CHUNK + chunk // wide * leading
            swizzled = swizzled + k % _ROWS * span + k // _ROWS * stride
        else:
            row = np.arange(self.rows)[None, :, None]
            chunk = np.arange(self.k // per_chunk)[None, None, :]
            plain = row % _ROWS * CHUNK + row // _ROWS * stride + chunk * leading
            swizzled = row % _ROWS * span + row // _ROWS * stride + chunk * CHUNK
        address = start + np.where(span == CHUNK, plain, swizzled)
        return address ^ ((address - base) >> 3 & (span - CHUNK))


def _field(words: Array, low: int, bits: int) -> Array:
    return ((words >> np.uint64(low)) & np.uint64((1 << bits) - 1)).astype(np.int64)


def _compare_swizzles(lanes: Lanes, marks: Array, descriptors: Array) -> None:
    """Whether tensor copies wrote their part as the descriptors read it."""
    left = marks & np.uint8(ANY_SWIZZLE)
    if not left.any():
        return
    spans = [_SPANS[each] for each in _field(descriptors.astype(np.uint64), 62, 2).tolist()]
    wanted = np.array([SWIZZLED[span] for span in spans], np.uint8)[:, None, None]
    wrong = (left != 0) & (left != wanted)
    if wrong.any():
        tile = int(np.argwhere(wrong)[0][0])
        written = next(span for span, each in SWIZZLED.items() if each == int(left[wrong][0]))
        message = (
            f"a matrix product reads rows of {spans[tile]} swizzled bytes where a tensor copy "
            f"wrote rows of {written}"
        )
        raise TrapError("swizzle", message, None, lanes)


def _refuse(part: Part, lanes: Lanes) -> None:
    wrong = unwritten(part, CHUNK)
    if wrong is None:
        return
    first = part.offsets[wrong][:1]
    one = Part(part.data, first, part.written, None)
    trap = unread(one, np.ones(1, np.bool_), lanes, "a matrix product reads")
    raise TrapError(trap.kind, trap.message, None, lanes)
