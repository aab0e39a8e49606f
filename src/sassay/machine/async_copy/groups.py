"""`cp.async` and its groups, lowered. Source as in `flights`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.errors import MissingForm
from sassay.machine.lowered import Lowered
from sassay.machine.operands import Number

if TYPE_CHECKING:
    from sassay.machine.binding import Binder
    from sassay.machine.lanes import Lanes
    from sassay.machine.memory import Memory
    from sassay.machine.operands import Operand
    from sassay.machine.types import Array

_SIZES = {"ca": (4, 8, 16), "cg": (16,)}


def copy_async(opcode: str, binder: Binder, operands: list[Operand]) -> Lowered:
    """`cp.async` from global to shared memory, with or without a size of the source."""
    words = opcode.split(".")
    hint = "L2::cache_hint" in words
    plain = [each for each in words if not each.startswith("L2::")]
    if len(plain) != 5 or plain[2] not in _SIZES or plain[4] != "global":
        raise MissingForm(opcode)
    if plain[3] not in {"shared", "shared::cta"} or not 3 <= len(operands) - hint <= 4:
        raise MissingForm(opcode)
    target, source, size_operand, *more = operands
    size = size_operand.value if isinstance(size_operand, Number) else 0
    if size not in _SIZES[plain[2]]:
        raise MissingForm(f"{opcode} of {size_operand}")
    to, _ = binder.address(target)
    place, _ = binder.address(source)
    given = binder.fetch(more[0], "u32") if len(more) > hint else None

    def run(lanes: Lanes, memory: Memory, where: Array | None) -> None:
        active = lanes.running(where)
        (part,) = memory.locate(lanes, "shared", to(lanes), int(size), active)
        count = None if given is None else given(lanes)
        data = _source(lanes, memory, place(lanes), (int(size), count), active)
        offsets = np.broadcast_to(part.offsets, lanes.shape)
        if active is None:
            offsets, data = offsets.reshape(-1), data.reshape(-1)
        else:
            chosen = np.broadcast_to(active, lanes.shape)
            offsets, data = offsets[chosen], data[chosen]
        flights = memory.flights
        flights.start(flights.threads(lanes, memory, active), offsets, data, int(size))

    return Lowered(run)


def _source(
    lanes: Lanes,
    memory: Memory,
    place: Array,
    sizes: tuple[int, Array | None],
    active: Array | None,
) -> Array:
    """What is copied: the bytes of the source, then zeros."""
    size, count = sizes
    if count is None or (count == size).all():
        return _read(lanes, memory, place, active, size)
    whole = count == size
    data = _read(lanes, memory, place, whole if active is None else active & whole, size)
    parts = (count > 0) & (count < size)
    if active is not None:
        parts = parts & active
    if parts.any():
        for at in range(size - 1):
            there = parts & (count > at)
            byte = _read(lanes, memory, place + place.dtype.type(at), there, 1)
            data = memory.contents.insert(data, at, byte, there)
    return data


def _read(lanes: Lanes, memory: Memory, place: Array, active: Array | None, size: int) -> Array:
    """What lies in global memory for the threads that read, zeros for the others."""
    contents = memory.contents
    data = contents.blank(lanes.shape, size)
    if active is not None and not active.any():
        return data
    for part in memory.locate(lanes, "global", place, size, active):
        data = contents.merge(part.where, contents.take(part, size), data)
    return data


def commit_group(_opcode: str, _binder: Binder, _operands: list[Operand]) -> Lowered:
    """`cp.async.commit_group`."""

    def run(lanes: Lanes, memory: Memory, where: Array | None) -> None:
        flights = memory.flights
        flights.commit(flights.threads(lanes, memory, lanes.running(where)))

    return Lowered(run)


def wait_group(opcode: str, _binder: Binder, operands: list[Operand]) -> Lowered:
    """`cp.async.wait_group` and `cp.async.wait_all`."""
    latest: int | None = None
    if operands:
        if not isinstance(operands[0], Number):
            raise MissingForm(opcode)
        latest = int(operands[0].value)

    def run(lanes: Lanes, memory: Memory, where: Array | None) -> None:
        flights = memory.flights
        threads = flights.threads(lanes, memory, lanes.running(where))
        if latest is None:
            flights.wait_all(threads)
        else:
            flights.wait(threads, latest)

    return Lowered(run)
