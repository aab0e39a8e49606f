"""Bulk copies and bulk tensor copies, lowered.

Source: PTX ISA, "cp.async.bulk", "cp.async.bulk.tensor", "tensormap.replace",
"tensormap.cp_fenceproxy".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sassay.machine.async_copy.box_stores import box_stores
from sassay.machine.async_copy.contents import CHUNK
from sassay.machine.async_copy.mbarrier import each_thread, in_shared, trap_of
from sassay.machine.async_copy.phases import WrongBarrierError
from sassay.machine.async_copy.regions import (
    coordinates,
    map_at,
    places,
    shared_chunks,
    stretch,
    window_of,
)
from sassay.machine.async_copy.tensor_map import MAP_BYTES, Map, field_place
from sassay.machine.errors import MissingForm
from sassay.machine.lowered import Lowered
from sassay.machine.memory import TrapError, write
from sassay.machine.operands import Address, Number
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
            window = stretch(lanes, memory, place, count)
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
            window = stretch(lanes, memory, place, count)
            data = shared_chunks(lanes, memory, (block, start), (count // CHUNK, 16), thread)
            memory.contents.scatter(window, data)

    return Lowered(run)


# Tensor copies.


def _tensor_load(opcode: str, binder: Binder, operands: list[Operand], rank: int) -> Lowered:
    if len(operands) < 3:
        raise MissingForm(opcode)
    to, _ = binder.address(operands[0])
    map_operand, items = coordinates(binder, operands[1], rank)
    map_place, _ = binder.address(map_operand)
    index = [binder.fetch(each, "s32") for each in items]
    barrier, _ = binder.address(operands[2])

    def run(lanes: Lanes, memory: Memory, where: Array | None) -> None:
        active = lanes.running(where)
        values = [in_shared(to(lanes)), in_shared(barrier(lanes)), map_place(lanes)]
        values += [each(lanes) for each in index]
        maps: dict[int, Map] = {}
        for block, start, at, place, *where_from in each_thread(lanes, active, *values):
            found = maps.get(place) or map_at(lanes, memory, place, active, rank)
            maps[place] = found
            data = _gather(lanes, memory, found, where_from)
            _launch(lanes, memory, (block, at), (start, found.swizzle), data)

    return Lowered(run)


def _tensor_store(opcode: str, binder: Binder, operands: list[Operand], rank: int) -> Lowered:
    if len(operands) < 2:
        raise MissingForm(opcode)
    boxes = box_stores(binder, operands, rank)

    def run(lanes: Lanes, memory: Memory, where: Array | None) -> None:
        for _, data, window in boxes(lanes, memory, lanes.running(where)):
            if window is not None:
                memory.contents.scatter(window, data)

    return Lowered(run)


def _gather(lanes: Lanes, memory: Memory, found: Map, start: list[int]) -> Array:
    if found.box[0] * found.element % CHUNK:
        message = f"a box whose rows have {found.box[0] * found.element} bytes"
        raise TrapError("tensor-map", message, None, lanes)
    fill = _NAN if found.fills else b"\0"
    window = window_of(lanes, memory, found, start)
    return memory.contents.gather(found.box[::-1], found.element, window, fill)


def _launch(
    lanes: Lanes,
    memory: Memory,
    barrier: tuple[int, int],
    target: tuple[int, int | None],
    data: Array,
) -> None:
    start, span = target
    where = places(lanes, memory, (barrier[0], start), data.size, span or CHUNK)
    try:
        memory.phases.launch(*barrier, (where, data, 1 | SWIZZLED.get(span or 0, 0)))
    except WrongBarrierError as error:
        raise trap_of(error, lanes, None) from None


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
            window = stretch(lanes, memory, place, MAP_BYTES)
            window.bytes()[...] = data.reshape(-1, CHUNK)

    return Lowered(run)
