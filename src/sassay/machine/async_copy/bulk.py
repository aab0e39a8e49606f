"""Bulk copies and bulk tensor copies, lowered.

Source: PTX ISA, "cp.async.bulk", "cp.async.bulk.tensor", "tensormap.replace",
"tensormap.cp_fenceproxy".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.async_copy.contents import CHUNK, Window
from sassay.machine.async_copy.mbarrier import each_thread, in_shared, trap_of
from sassay.machine.async_copy.phases import WrongBarrierError
from sassay.machine.async_copy.proxies import check_fenced
from sassay.machine.async_copy.tensor_map import (
    MAP_BYTES,
    Map,
    field_place,
    read_map,
    swizzled,
)
from sassay.machine.errors import MissingForm
from sassay.machine.lowered import Lowered
from sassay.machine.memory import Part, TrapError, unread, unwritten, write
from sassay.machine.operands import Address, Number, TensorPlace, Vector
from sassay.machine.owned import SWIZZLED
from sassay.machine.types import TYPES

if TYPE_CHECKING:
    from sassay.machine.binding import Binder
    from sassay.machine.lanes import Lanes
    from sassay.machine.matrix.rules import Gpu
    from sassay.machine.memory import Memory
    from sassay.machine.operands import Operand
    from sassay.machine.types import Array

_NAN = (0x7FF7).to_bytes(2, "little")
"""What an H100 fills with, for every type of floats."""
_LOAD = re.compile(
    r"cp\.async\.bulk\.tensor\.([1-5])d\.shared::(?:cta|cluster)\.global(?:\.tile)?"
    r"\.mbarrier::complete_tx::bytes(?:\.L2::cache_hint)?",
    re.ASCII,
)
_STORE = re.compile(
    r"cp\.async\.bulk\.tensor\.([1-5])d\.global\.shared::cta(?:\.tile)?\.bulk_group"
    r"(?:\.L2::cache_hint)?",
    re.ASCII,
)
_PLAIN_LOAD = re.compile(
    r"cp\.async\.bulk\.shared::(?:cta|cluster)\.global\.mbarrier::complete_tx::bytes"
    r"(?:\.L2::cache_hint)?",
    re.ASCII,
)
_PLAIN_STORE = re.compile(
    r"cp\.async\.bulk\.global\.shared::cta\.bulk_group(?:\.L2::cache_hint)?", re.ASCII
)
_REPLACE = re.compile(
    r"tensormap\.replace\.tile\.(\w+)\.(shared::cta|global)\.b1024\.(b32|b64)", re.ASCII
)
_COPY_MAP = re.compile(
    r"tensormap\.cp_fenceproxy\.global\.shared::cta\.tensormap::generic"
    r"\.release\.(?:cta|cluster|gpu|sys)\.sync\.aligned",
    re.ASCII,
)


def bulk(opcode: str, binder: Binder, operands: list[Operand]) -> Lowered:
    """All instructions that start with `cp.async.bulk`."""
    if opcode == "cp.async.bulk.commit_group":
        return Lowered(_commit)
    if opcode in {"cp.async.bulk.wait_group", "cp.async.bulk.wait_group.read"}:
        return _wait_group(opcode, operands)
    if opcode.startswith("cp.async.bulk.prefetch"):
        return Lowered(lambda _lanes, _memory, _where: None)
    if match := _LOAD.fullmatch(opcode):
        return _tensor_load(opcode, binder, operands, int(match[1]))
    if match := _STORE.fullmatch(opcode):
        return _tensor_store(opcode, binder, operands, int(match[1]))
    if _PLAIN_LOAD.fullmatch(opcode):
        return _load(binder, operands)
    if _PLAIN_STORE.fullmatch(opcode):
        return _store(binder, operands)
    raise MissingForm(opcode)


# Groups of stores.


def _commit(lanes: Lanes, memory: Memory, where: Array | None) -> None:
    memory.stores.commit(memory.flights.threads(lanes, memory, lanes.running(where)))


def _wait_group(opcode: str, operands: list[Operand]) -> Lowered:
    if len(operands) != 1 or not isinstance(operands[0], Number):
        raise MissingForm(opcode)
    latest = int(operands[0].value)

    def run(lanes: Lanes, memory: Memory, where: Array | None) -> None:
        active = lanes.running(where)
        threads = memory.flights.threads(lanes, memory, active)
        wrong = memory.stores.wait(threads, latest)
        if wrong is not None:
            raise TrapError("in-flight", wrong, active, lanes)

    return Lowered(run)


# Plain bulk copies.


def _load(binder: Binder, operands: list[Operand]) -> Lowered:
    to, _ = binder.address(operands[0])
    source, _ = binder.address(operands[1])
    size = binder.fetch(operands[2], "u32")
    barrier, _ = binder.address(operands[3])

    def run(lanes: Lanes, memory: Memory, where: Array | None) -> None:
        active = lanes.running(where)
        values = (in_shared(to(lanes)), source(lanes), size(lanes), in_shared(barrier(lanes)))
        for block, start, place, count, at in each_thread(lanes, active, *values):
            window = _stretch(lanes, memory, place, count)
            data = memory.contents.gather(window.shape, window.element, window, b"\0")
            _launch(lanes, memory, (block, at), (start, None), data)

    return Lowered(run)


def _store(binder: Binder, operands: list[Operand]) -> Lowered:
    to, _ = binder.address(operands[0])
    source, _ = binder.address(operands[1])
    size = binder.fetch(operands[2], "u32")

    def run(lanes: Lanes, memory: Memory, where: Array | None) -> None:
        active = lanes.running(where)
        values = (to(lanes), in_shared(source(lanes)), size(lanes))
        threads = memory.flights.threads(lanes, memory, active).tolist()
        each = each_thread(lanes, active, *values)
        for thread, (block, place, start, count) in zip(threads, each, strict=True):
            window = _stretch(lanes, memory, place, count)
            data = _shared_chunks(lanes, memory, (block, start), (count // CHUNK, 16), thread)
            memory.contents.scatter(window, data)

    return Lowered(run)


def _stretch(lanes: Lanes, memory: Memory, place: int, count: int) -> Window:
    if count % CHUNK or place % CHUNK:
        message = f"a bulk copy of {count} bytes at address {place:#x}: not multiples of {CHUNK}"
        raise TrapError("misaligned", message, None, lanes)
    found = memory.globals.find(place)
    if found is None or place + count > found.start + found.size:
        message = f"a bulk copy of {count} bytes at {memory.globals.describe(place)}"
        raise TrapError("out-of-bounds", message, None, lanes)
    chunks = count // CHUNK
    return Window(found, place - found.start, (CHUNK,), CHUNK, (slice(0, chunks),), (chunks,))


# Tensor copies.


def _coordinates(binder: Binder, operand: Operand, rank: int) -> tuple[Operand, list[Operand]]:
    if not isinstance(operand, TensorPlace) or not isinstance(operand.coordinates, Vector):
        raise MissingForm(f"tensor coordinates {operand}")
    items = list(binder.items(operand.coordinates))
    if len(items) != rank:
        raise MissingForm(f"{len(items)} coordinates of a tensor of rank {rank}")
    return operand.address, items


def _tensor_load(opcode: str, binder: Binder, operands: list[Operand], rank: int) -> Lowered:
    if len(operands) < 3:
        raise MissingForm(opcode)
    to, _ = binder.address(operands[0])
    map_operand, items = _coordinates(binder, operands[1], rank)
    map_place, _ = binder.address(map_operand)
    index = [binder.fetch(each, "s32") for each in items]
    barrier, _ = binder.address(operands[2])

    def run(lanes: Lanes, memory: Memory, where: Array | None) -> None:
        active = lanes.running(where)
        values = [in_shared(to(lanes)), in_shared(barrier(lanes)), map_place(lanes)]
        values += [each(lanes) for each in index]
        maps: dict[int, Map] = {}
        for block, start, at, place, *where_from in each_thread(lanes, active, *values):
            found = maps.get(place) or _map_at(lanes, memory, place, active, rank)
            maps[place] = found
            data = _gather(lanes, memory, found, where_from)
            _launch(lanes, memory, (block, at), (start, found.swizzle), data)

    return Lowered(run)


def _tensor_store(opcode: str, binder: Binder, operands: list[Operand], rank: int) -> Lowered:
    if len(operands) < 2:
        raise MissingForm(opcode)
    map_operand, items = _coordinates(binder, operands[0], rank)
    map_place, _ = binder.address(map_operand)
    index = [binder.fetch(each, "s32") for each in items]
    source, _ = binder.address(operands[1])

    def run(lanes: Lanes, memory: Memory, where: Array | None) -> None:
        active = lanes.running(where)
        values = [in_shared(source(lanes)), map_place(lanes)]
        values += [each(lanes) for each in index]
        threads = memory.flights.threads(lanes, memory, active).tolist()
        each_one = each_thread(lanes, active, *values)
        for thread, (block, start, place, *where_to) in zip(threads, each_one, strict=True):
            found = _map_at(lanes, memory, place, active, rank)
            chunks = _box_bytes(found) // CHUNK
            data = _shared_chunks(lanes, memory, (block, start), (chunks, found.swizzle), thread)
            window = _window(lanes, memory, found, where_to)
            if window is not None:
                memory.contents.scatter(window, data)

    return Lowered(run)


def _map_at(lanes: Lanes, memory: Memory, place: int, active: Array | None, rank: int) -> Map:
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


def _box_bytes(found: Map) -> int:
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


def _window(lanes: Lanes, memory: Memory, found: Map, start: list[int]) -> Window | None:
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


def _gather(lanes: Lanes, memory: Memory, found: Map, start: list[int]) -> Array:
    if found.box[0] * found.element % CHUNK:
        message = f"a box whose rows have {found.box[0] * found.element} bytes"
        raise TrapError("tensor-map", message, None, lanes)
    fill = _NAN if found.fills else b"\0"
    window = _window(lanes, memory, found, start)
    return memory.contents.gather(found.box[::-1], found.element, window, fill)


# Shared memory.


def _places(lanes: Lanes, memory: Memory, source: tuple[int, int], chunks: int, span: int) -> Array:
    (block, start), shared = source, memory.shared
    if start % CHUNK:
        message = f"byte {start} of shared memory: bulk copies want multiples of {CHUNK}"
        raise TrapError("misaligned", message, None, lanes)
    places = swizzled(start + np.arange(chunks, dtype=np.int64) * CHUNK, span)
    if chunks and int(places.max()) + CHUNK > shared.size:
        message = (
            f"a bulk copy up to byte {int(places.max()) + CHUNK} of shared memory, which has "
            f"{shared.size} bytes"
        )
        raise TrapError("out-of-bounds", message, None, lanes)
    return (places + block * shared.stride) // CHUNK


def _launch(
    lanes: Lanes,
    memory: Memory,
    barrier: tuple[int, int],
    target: tuple[int, int | None],
    data: Array,
) -> None:
    start, span = target
    places = _places(lanes, memory, (barrier[0], start), data.size, span or CHUNK)
    try:
        memory.phases.launch(*barrier, (places, data, 1 | SWIZZLED.get(span or 0, 0)))
    except WrongBarrierError as error:
        raise trap_of(error, lanes, None) from None


def _shared_chunks(
    lanes: Lanes, memory: Memory, source: tuple[int, int], layout: tuple[int, int], thread: int
) -> Array:
    places = _places(lanes, memory, source, *layout)
    part = Part(memory.shared.data, places * CHUNK, memory.shared.written, None)
    wrong = unwritten(part, CHUNK)
    if wrong is not None:
        one = Part(part.data, part.offsets[wrong][:1], part.written, None)
        trap = unread(one, np.ones(1, np.bool_), lanes, "a bulk copy reads")
        raise TrapError(trap.kind, trap.message, None, lanes)
    check_fenced(memory, lanes, places * CHUNK, CHUNK, "a bulk copy reads")
    found = memory.contents.chunks(memory.shared, places)
    memory.stores.start(thread, places, found)
    return found


# Tensor maps that a kernel makes.


def tensormap(opcode: str, binder: Binder, operands: list[Operand], _gpu: Gpu) -> Lowered:
    """`tensormap.replace` and `tensormap.cp_fenceproxy`."""
    if match := _REPLACE.fullmatch(opcode):
        space = "" if match[2] == "global" else "shared"
        return _replace(opcode, binder, operands, match[1], space)
    if _COPY_MAP.fullmatch(opcode) and len(operands) == 3:
        return _copy_map(binder, operands)
    raise MissingForm(opcode)


def _replace(
    opcode: str, binder: Binder, operands: list[Operand], name: str, space: str
) -> Lowered:
    place, *rest = operands
    index = 0
    if len(rest) == 2:
        first = rest.pop(0)
        if not isinstance(first, Number):
            raise MissingForm(opcode)
        index = int(first.value)
    found = field_place(name, index)
    if found is None or len(rest) != 1 or not isinstance(place, Address):
        raise MissingForm(opcode)
    offset, size = found
    address, _ = binder.address(place)
    kind = TYPES[f"u{size * 8}"]
    value = binder.fetch(rest[0], "u32" if size < 8 else "u64")

    def run(lanes: Lanes, memory: Memory, where: Array | None) -> None:
        start = address(lanes)
        if space:
            start = in_shared(start)
        words = value(lanes).astype(kind.dtype)
        for part in memory.locate(lanes, space, start + offset, size, lanes.running(where)):
            write(part, [words], size, lanes.shape)

    return Lowered(run)


def _copy_map(binder: Binder, operands: list[Operand]) -> Lowered:
    to, _ = binder.address(operands[0])
    source, _ = binder.address(operands[1])

    def run(lanes: Lanes, memory: Memory, where: Array | None) -> None:
        active = lanes.running(where)
        values = (to(lanes), in_shared(source(lanes)))
        for block, place, start in set(each_thread(lanes, active, *values)):
            first = block * memory.shared.stride + start
            data = memory.shared.data[first : first + MAP_BYTES]
            window = _stretch(lanes, memory, place, MAP_BYTES)
            window.bytes()[...] = data.reshape(-1, CHUNK)

    return Lowered(run)
