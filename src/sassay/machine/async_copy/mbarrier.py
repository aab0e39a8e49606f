"""`mbarrier`, lowered. Source as in `phases`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.async_copy.phases import WrongBarrierError
from sassay.machine.errors import MissingForm
from sassay.machine.lowered import Lowered
from sassay.machine.memory import WINDOWS, TrapError, write
from sassay.machine.operands import SINK, Name

if TYPE_CHECKING:
    from collections.abc import Callable

    from sassay.machine.binding import Binder
    from sassay.machine.lanes import Lanes
    from sassay.machine.matrix.rules import Gpu
    from sassay.machine.memory import Memory
    from sassay.machine.operands import Operand
    from sassay.machine.program import Fetch
    from sassay.machine.types import Array

_NO_MATTER = frozenset(
    ["mbarrier", "shared", "shared::cta", "b64", "release", "acquire", "relaxed", "cta", "cluster"]
)


def mbarrier(opcode: str, binder: Binder, operands: list[Operand], _gpu: Gpu) -> Lowered:
    """All instructions that start with `mbarrier`."""
    words = [each for each in opcode.split(".") if each not in _NO_MATTER]
    what = ".".join(words)
    if what in {"init", "inval"}:
        return _life(what, binder, operands)
    if what in {"arrive", "arrive.expect_tx", "arrive_drop", "expect_tx"}:
        return _arrive(what, binder, operands)
    if what in {"test_wait", "try_wait", "test_wait.parity", "try_wait.parity"}:
        return _wait(what, binder, operands)
    raise MissingForm(opcode)


def each_thread(lanes: Lanes, active: Array | None, *values: Array) -> list[tuple[int, ...]]:
    """Block and values of each thread that runs, in order."""
    block = np.broadcast_to(lanes.block, lanes.shape)
    spread = [block, *(np.broadcast_to(each, lanes.shape) for each in values)]
    alive = active
    if alive is None:
        columns = [each.reshape(-1).tolist() for each in spread]
    else:
        chosen = np.broadcast_to(alive, lanes.shape)
        columns = [each[chosen].tolist() for each in spread]
    return list(zip(*columns, strict=True))


def in_shared(address: Array) -> Array:
    """An address in shared memory, generic or not, as a byte of it."""
    wide = address.astype(np.int64)
    return np.where(wide >> 48 == WINDOWS["shared"] >> 48, wide - WINDOWS["shared"], wide)


def trap_of(error: WrongBarrierError, lanes: Lanes, where: Array | None) -> TrapError:
    """The trap of a barrier that is used as it may not be."""
    return TrapError("barrier", str(error), where, lanes)


def _life(what: str, binder: Binder, operands: list[Operand]) -> Lowered:
    address, _ = binder.address(operands[0])
    count = binder.fetch(operands[1], "u32") if what == "init" else address

    def run(lanes: Lanes, memory: Memory, where: Array | None) -> None:
        active = lanes.running(where)
        place = in_shared(address(lanes))
        (part,) = memory.locate(lanes, "shared", place, 8, active)
        try:
            for block, at, number in each_thread(lanes, active, place, count(lanes)):
                if what == "init":
                    memory.phases.init(block, at, number)
                else:
                    memory.phases.drop(block, at)
        except WrongBarrierError as error:
            raise trap_of(error, lanes, active) from None
        write(part, [np.zeros((1, 1), np.uint64)], 8, lanes.shape)

    return Lowered(run)


def _arrive(what: str, binder: Binder, operands: list[Operand]) -> Lowered:
    returns = what != "expect_tx"
    first, *more = operands if returns else [Name(SINK), *operands]
    state = binder.store(first)
    address, _ = binder.address(more[0])
    number: Fetch | None = binder.fetch(more[1], "u32") if len(more) > 1 else None
    drops = what == "arrive_drop"
    expects = what.endswith("expect_tx")

    def run(lanes: Lanes, memory: Memory, where: Array | None) -> None:
        active = lanes.running(where)
        place = in_shared(address(lanes))
        memory.locate(lanes, "shared", place, 8, active)
        given = np.ones((1, 1), np.uint32) if number is None else number(lanes)
        phases = memory.phases
        found: list[int] = []
        try:
            for block, at, value in each_thread(lanes, active, place, given):
                if expects:
                    phases.expect(block, at, value)
                if returns:
                    found.append(phases.arrive(block, at, 1 if expects else value, drops=drops))
        except WrongBarrierError as error:
            raise trap_of(error, lanes, active) from None
        if returns:
            words = np.zeros(lanes.shape, np.uint64)
            chosen = np.ones((1, 1), np.bool_) if active is None else active
            words[np.broadcast_to(chosen, lanes.shape)] = found
            state(lanes, words, where)

    return Lowered(run)


def copies_arrive(opcode: str, binder: Binder, operands: list[Operand]) -> Lowered:
    """`cp.async.mbarrier.arrive`: the copies of each thread arrive once they are done."""
    if len(operands) != 1:
        raise MissingForm(opcode)
    address, _ = binder.address(operands[0])
    counts = ".noinc" in opcode

    def run(lanes: Lanes, memory: Memory, where: Array | None) -> None:
        active = lanes.running(where)
        place = in_shared(address(lanes))
        memory.locate(lanes, "shared", place, 8, active)
        flights, number = memory.flights, memory.flights.issued
        threads = flights.threads(lanes, memory, active).tolist()
        try:
            for thread, (block, at) in zip(threads, each_thread(lanes, active, place), strict=True):
                land = partial(flights.land, np.array([thread]), number)
                memory.phases.follow(block, at, land, counts=counts)
        except WrongBarrierError as error:
            raise trap_of(error, lanes, active) from None

    return Lowered(run)


def _wait(what: str, binder: Binder, operands: list[Operand]) -> Lowered:
    target, place_operand, phase_operand, *_ = operands
    parity = what.endswith("parity")
    address, _ = binder.address(place_operand)
    phase = binder.fetch(phase_operand, "u32" if parity else "u64")
    store = binder.store(target)
    test = _test(address, phase, parity=parity)

    def run(lanes: Lanes, memory: Memory, where: Array | None) -> None:
        store(lanes, test(lanes, memory, lanes.running(where)), where)

    def ready(lanes: Lanes, memory: Memory) -> Array:
        return test(lanes, memory, lanes.active)

    return Lowered(run, ready=ready if what.startswith("try_wait") else None)


def _test(
    address: Fetch, phase: Fetch, *, parity: bool
) -> Callable[[Lanes, Memory, Array | None], Array]:
    def test(lanes: Lanes, memory: Memory, active: Array | None) -> Array:
        place = in_shared(address(lanes))
        memory.locate(lanes, "shared", place, 8, active)
        known: dict[tuple[int, ...], bool] = {}
        threads = each_thread(lanes, active, place, phase(lanes))
        try:
            for key in threads:
                if key not in known:
                    block, at, number = key
                    known[key] = memory.phases.complete(block, at, number, parity=parity)
        except WrongBarrierError as error:
            raise trap_of(error, lanes, active) from None
        found = np.ones(lanes.shape, np.bool_)
        chosen = np.ones((1, 1), np.bool_) if active is None else active
        found[np.broadcast_to(chosen, lanes.shape)] = [known[key] for key in threads]
        return found

    return test
