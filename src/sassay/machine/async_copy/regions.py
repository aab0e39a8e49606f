"""What bulk and tensor copies touch: stretches and boxes of global memory, chunks of shared memory.

Source: PTX ISA, "cp.async.bulk.tensor", "Tensors".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.async_copy.contents import CHUNK, Window
from sassay.machine.async_copy.proxies import check_fenced
from sassay.machine.async_copy.tensor_map import MAP_BYTES, Map, read_map, swizzled
from sassay.machine.errors import MissingForm
from sassay.machine.memory import Part, TrapError, unread, unwritten
from sassay.machine.operands import TensorPlace, Vector

if TYPE_CHECKING:
    from sassay.machine.binding import Binder
    from sassay.machine.lanes import Lanes
    from sassay.machine.memory import Memory
    from sassay.machine.operands import Operand
    from sassay.machine.types import Array


def stretch(lanes: Lanes, memory: Memory, place: int, count: int) -> Window:
    """Bytes of global memory one after the other, as chunks.

    Raises:
        TrapError: They are misaligned, or out of bounds.
    """
    if count % CHUNK or place % CHUNK:
        message = f"a bulk copy of {count} bytes at address {place:#x}: not multiples of {CHUNK}"
        raise TrapError("misaligned", message, None, lanes)
    found = memory.globals.find(place)
    if found is None or place + count > found.start + found.size:
        message = f"a bulk copy of {count} bytes at {memory.globals.describe(place)}"
        raise TrapError("out-of-bounds", message, None, lanes)
    chunks = count // CHUNK
    return Window(found, place - found.start, (CHUNK,), CHUNK, (slice(0, chunks),), (chunks,))


def coordinates(binder: Binder, operand: Operand, rank: int) -> tuple[Operand, list[Operand]]:
    """The address of a tensor map, and the coordinates beside it.

    Raises:
        MissingForm: The operand is none, or of another rank.
    """
    if not isinstance(operand, TensorPlace) or not isinstance(operand.coordinates, Vector):
        raise MissingForm(f"tensor coordinates {operand}")
    items = list(binder.items(operand.coordinates))
    if len(items) != rank:
        raise MissingForm(f"{len(items)} coordinates of a tensor of rank {rank}")
    return operand.address, items


def map_at(lanes: Lanes, memory: Memory, place: int, active: Array | None, rank: int) -> Map:
    """The tensor map at an address.

    Raises:
        TrapError: There is none that the machine runs, or one of another rank.
    """
    address = np.full((1, 1), place, np.uint64)
    # Maps are aligned to half their size.
    half = MAP_BYTES // 2
    memory.locate(lanes, "", address + np.uint64(half), half, None)
    parts = memory.locate(lanes, "", address, half, None)
    start = int(np.broadcast_to(parts[0].offsets, (1, 1))[0, 0])
    found = read_map(parts[0].data[start : start + MAP_BYTES].tobytes())
    if isinstance(found, Map) and len(found.box) == rank:
        return found
    message = found if isinstance(found, str) else f"a tensor map of rank {len(found.box)}"
    raise TrapError("tensor-map", message, active, lanes)


def box_bytes(found: Map) -> int:
    """Bytes of a copy by a map."""
    return int(np.prod(found.box)) * found.element


def _overlap(lanes: Lanes, found: Map, start: list[int]) -> tuple[list[slice], list[slice]] | None:
    """What of the box lies in the tensor: slices of the box, and of the tensor; slowest first.

    Raises:
        TrapError: The box starts where none may: an H100 calls that an illegal instruction.
    """
    if start[0] * found.element % CHUNK:
        message = f"a tensor copy from byte {start[0] * found.element} of its rows on, not a "
        raise TrapError("misaligned", f"{message}multiple of {CHUNK}", None, lanes)
    box, tensor = [], []
    for at, length, size in zip(start, found.box, found.shape, strict=True):
        low, high = max(at, 0), min(at + length, size)
        if low >= high:
            return None
        box.append(slice(low - at, high - at))
        tensor.append(slice(low, high))
    return box[::-1], tensor[::-1]


def window_to(lanes: Lanes, memory: Memory, found: Map, start: list[int]) -> Window | None:
    """As `window_of`, for a copy into a tensor.

    Raises:
        TrapError: It starts below zero: an H100 calls that an illegal instruction.
    """
    if min(start) < 0:
        message = f"a tensor copy out of shared memory to coordinate {min(start)}"
        raise TrapError("out-of-bounds", message, None, lanes)
    return window_of(lanes, memory, found, start)


def window_of(lanes: Lanes, memory: Memory, found: Map, start: list[int]) -> Window | None:
    """The part of a box that lies in the tensor, None if none does."""
    overlap = _overlap(lanes, found, start)
    if overlap is None:
        return None
    box, tensor = overlap
    lengths = [each.stop - each.start for each in tensor]
    strides = found.strides[::-1]
    first = found.address + sum(
        each.start * stride for each, stride in zip(tensor, strides, strict=True)
    )
    last = first + sum((n - 1) * stride for n, stride in zip(lengths, strides, strict=True))
    held = memory.globals.find(first)
    if held is None or last + found.element > held.start + held.size:
        message = f"a tensor copy up to {memory.globals.describe(last)}"
        raise TrapError("out-of-bounds", message, None, lanes)
    shape = found.box[::-1]
    return Window(held, first - held.start, strides, found.element, tuple(box), shape)


def places(lanes: Lanes, memory: Memory, source: tuple[int, int], chunks: int, span: int) -> Array:
    """Where chunks lie in shared memory of the slice, counted in chunks.

    Raises:
        TrapError: They are misaligned, or out of bounds.
    """
    (block, start), shared = source, memory.shared
    if start % CHUNK:
        message = f"byte {start} of shared memory: bulk copies want multiples of {CHUNK}"
        raise TrapError("misaligned", message, None, lanes)
    found = swizzled(start + np.arange(chunks, dtype=np.int64) * CHUNK, span)
    if chunks and int(found.max()) + CHUNK > shared.size:
        message = (
            f"a bulk copy up to byte {int(found.max()) + CHUNK} of shared memory, which has "
            f"{shared.size} bytes"
        )
        raise TrapError("out-of-bounds", message, None, lanes)
    return (found + block * shared.stride) // CHUNK


def shared_chunks(
    lanes: Lanes, memory: Memory, source: tuple[int, int], layout: tuple[int, int], thread: int
) -> Array:
    """Reads what a copy takes out of shared memory.

    Args:
        lanes: In traps.
        memory: Of the slice.
        source: Block, and byte in its shared memory.
        layout: How many chunks, and bytes of a swizzled row.
        thread: That copies: it has to wait before anyone changes what is read.

    Raises:
        TrapError: It is misaligned or out of bounds, or the asynchronous proxy does not find it.
    """
    where = places(lanes, memory, source, *layout)
    part = Part(memory.shared.data, where * CHUNK, memory.shared.written, None)
    wrong = unwritten(part, CHUNK)
    if wrong is not None:
        one = Part(part.data, part.offsets[wrong][:1], part.written, None)
        trap = unread(one, np.ones(1, np.bool_), lanes, "a bulk copy reads")
        raise TrapError(trap.kind, trap.message, None, lanes)
    check_fenced(memory, lanes, where * CHUNK, CHUNK, "a bulk copy reads")
    found = memory.contents.chunks(memory.shared, where)
    memory.stores.start(thread, where, found)
    return found
