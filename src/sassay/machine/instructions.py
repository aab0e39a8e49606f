"""What single instructions become, other than loads, stores and control flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from sassay.machine import warp
from sassay.machine.errors import MissingForm
from sassay.machine.memory import WINDOWS, TrapError
from sassay.machine.numeric import resolve
from sassay.machine.operands import Name, Operand, Pair, Vector
from sassay.machine.program import Barrier
from sassay.machine.types import TYPES, WORDS, Array, constant

if TYPE_CHECKING:
    from sassay.machine.binding import Binder, Store
    from sassay.machine.lanes import Lanes
    from sassay.machine.memory import Memory
    from sassay.machine.numeric import Kernel
    from sassay.machine.numeric.kernel import Function, Single
    from sassay.machine.program import Fetch, Run

IGNORED = frozenset(
    [
        "membar",
        "fence",
        "griddepcontrol",
        "nanosleep",
        "prefetch",
        "prefetchu",
        "discard",
        "applypriority",
        "pmevent",
        "brkpt",
        "setmaxnreg",
    ]
)
"""Instructions that change no value: orders and hints."""

CARRY = "%carry"


def compute(
    opcode: str, binder: Binder, operands: list[Operand], *, loose: bool
) -> tuple[Run, Kernel]:
    """An instruction that only computes on registers."""
    first = operands[0] if operands else None
    targets: list[Operand] = (
        [first.first, first.second] if isinstance(first, Pair) else operands[:1]
    )
    kernel = resolve(opcode, len(targets))
    function = kernel.loose if loose and kernel.loose else kernel.run
    sources = operands[1:]
    if len(sources) != len(kernel.sources) or len(targets) > len(kernel.results):
        raise MissingForm(f"{opcode} with {len(operands)} operands")
    fetches = [binder.fetch(each, kind) for each, kind in zip(sources, kernel.sources, strict=True)]
    if "in" in kernel.carries:
        slot = binder.names.slots.special(CARRY, 1)
        fetches.append(binder.read_slot(slot, TYPES["pred"]))
    stores = [binder.store(each) for each in targets]
    if "out" in kernel.carries:
        stores.append(binder.write_slot(binder.names.slots.special(CARRY, 1)))
    if kernel.carries or len(kernel.results) > 1:
        return _several(function, fetches, stores), kernel
    return _single(cast("Single", function), fetches, stores[0]), kernel


def _single(function: Single, fetches: list[Fetch], store: Store) -> Run:
    # Written out by the number of sources, since this is what runs most.
    if len(fetches) == 1:
        (one,) = fetches
        return lambda lanes, _m, where: store(lanes, function(one(lanes)), where)
    if len(fetches) == 2:
        one, two = fetches
        return lambda lanes, _m, where: store(lanes, function(one(lanes), two(lanes)), where)

    def run(lanes: Lanes, _memory: Memory, where: Array | None) -> None:
        store(lanes, function(*(fetch(lanes) for fetch in fetches)), where)

    return run


def _several(function: Function, fetches: list[Fetch], stores: list[Store]) -> Run:
    def run(lanes: Lanes, _memory: Memory, where: Array | None) -> None:
        results = function(*(fetch(lanes) for fetch in fetches))
        for store, value in zip(stores, results, strict=False):
            store(lanes, value, where)

    return run


def move(opcode: str, binder: Binder, operands: list[Operand]) -> Run:
    """`mov`: a copy, a pack or an unpack."""
    kind = opcode.rsplit(".", 1)[-1]
    if opcode.count(".") != 1 or kind not in TYPES or len(operands) != 2:
        raise MissingForm(opcode)
    target, source = operands
    bits = TYPES[kind].bits
    if isinstance(source, Vector):
        return _pack(binder, target, source.items, bits)
    if isinstance(target, Vector):
        return _unpack(binder, target.items, source, bits)
    fetch, store = binder.fetch(source, kind), binder.store(target)
    return lambda lanes, _memory, where: store(lanes, fetch(lanes), where)


def _pack(binder: Binder, target: Operand, items: tuple[Operand, ...], bits: int) -> Run:
    width = bits // len(items)
    if width not in {8, 16, 32} or width * len(items) != bits:
        raise MissingForm(f"mov of {len(items)} parts into {bits} bits")
    fetches = [binder.fetch(each, f"b{width}") for each in items]
    store, dtype = binder.store(target), WORDS[bits]

    def run(lanes: Lanes, _memory: Memory, where: Array | None) -> None:
        joined: Array = fetches[0](lanes).astype(dtype)
        for at, fetch in enumerate(fetches[1:], 1):
            joined = joined | (fetch(lanes).astype(dtype) << dtype.type(at * width))
        store(lanes, joined, where)

    return run


def _unpack(binder: Binder, items: tuple[Operand, ...], source: Operand, bits: int) -> Run:
    width = bits // len(items)
    if width not in {8, 16, 32} or width * len(items) != bits:
        raise MissingForm(f"mov of {bits} bits into {len(items)} parts")
    fetch = binder.fetch(source, f"b{bits}")
    stores = [binder.store(each) for each in items]
    whole, part = WORDS[bits], WORDS[width]

    def run(lanes: Lanes, _memory: Memory, where: Array | None) -> None:
        value = fetch(lanes)
        if value.flags.c_contiguous:
            pieces = value.view(part)
            found = [pieces[:, at :: len(stores)] for at in range(len(stores))]
        else:
            found = [(value >> whole.type(at * width)).astype(part) for at in range(len(stores))]
        for store, piece in zip(stores, found, strict=True):
            store(lanes, piece, where)

    return run


def address_space(opcode: str, binder: Binder, operands: list[Operand]) -> Run:
    """`cvta` and `isspacep`: generic addresses."""
    parts = opcode.split(".")
    base, parts = parts[0], parts[1:]
    if base == "isspacep":
        space = parts[0].split("::")[0]
        fetch, store = binder.fetch(operands[1], "u64"), binder.store(operands[0])
        if space not in {*WINDOWS, "global"} or len(parts) != 1:
            raise MissingForm(opcode)
        window = np.uint64(WINDOWS.get(space, 0) >> 48)
        return lambda lanes, _memory, where: store(
            lanes, (fetch(lanes) >> np.uint64(48)) == window, where
        )
    kind = parts.pop()
    back = parts[0] == "to"
    space = parts[-1].split("::")[0]
    if kind not in {"u64", "u32"} or space not in {*WINDOWS, "global"}:
        raise MissingForm(opcode)
    if kind == "u32" and space != "global":
        raise MissingForm(opcode)
    fetch, store = binder.fetch(operands[1], kind), binder.store(operands[0])
    start = WINDOWS.get(space, 0)
    step = constant(-start if back else start, WORDS[TYPES[kind].bits])
    return lambda lanes, _memory, where: store(lanes, fetch(lanes) + step, where)


# Instructions of warps.


def shuffle(opcode: str, binder: Binder, operands: list[Operand]) -> tuple[Run, Fetch]:
    """`shfl.sync`."""
    parts = opcode.split(".")
    if len(parts) != 4 or parts[1] != "sync" or parts[3] != "b32" or len(operands) != 5:
        raise MissingForm(opcode)
    mode, first = parts[2], operands[0]
    targets: list[Operand] = [first.first, first.second] if isinstance(first, Pair) else [first]
    fetches = [binder.fetch(each, "b32") for each in operands[1:4]]
    members = binder.fetch(operands[4], "b32")
    stores = [binder.store(each) for each in targets]
    if mode not in {"up", "down", "bfly", "idx"}:
        raise MissingForm(opcode)

    def run(lanes: Lanes, _memory: Memory, where: Array | None) -> None:
        found = warp.shuffle(lanes, mode, *(fetch(lanes) for fetch in fetches))
        for store, value in zip(stores, found, strict=False):
            store(lanes, value, where)

    return run, members


def vote(opcode: str, binder: Binder, operands: list[Operand]) -> tuple[Run, Fetch]:
    """`vote.sync`."""
    parts = opcode.split(".")
    if len(parts) != 4 or parts[1] != "sync" or len(operands) != 3:
        raise MissingForm(opcode)
    mode = parts[2]
    source, members = binder.fetch(operands[1], "pred"), binder.fetch(operands[2], "b32")
    store = binder.store(operands[0])
    if mode not in {"all", "any", "uni", "ballot"}:
        raise MissingForm(opcode)

    def run(lanes: Lanes, _memory: Memory, where: Array | None) -> None:
        running = lanes.running(where)
        held = source(lanes)
        words = warp.ballot(lanes, held, running)
        if mode == "ballot":
            store(lanes, words, where)
        elif mode == "any":
            store(lanes, words != 0, where)
        else:
            everyone = warp.ballot(lanes, np.ones((1, 1), np.bool_), running)
            found = words == everyone
            store(lanes, found | (words == 0) if mode == "uni" else found, where)

    return run, members


def match(opcode: str, binder: Binder, operands: list[Operand]) -> tuple[Run, Fetch]:
    """`match.sync`."""
    parts = opcode.split(".")
    if len(parts) != 4 or parts[2] != "sync" or parts[3] not in {"b32", "b64"}:
        raise MissingForm(opcode)
    first = operands[0]
    targets: list[Operand] = [first.first, first.second] if isinstance(first, Pair) else [first]
    source, members = binder.fetch(operands[1], parts[3]), binder.fetch(operands[2], "b32")
    stores = [binder.store(each) for each in targets]
    everyone = parts[1] == "all"

    def run(lanes: Lanes, _memory: Memory, where: Array | None) -> None:
        same, alike = warp.match(lanes, source(lanes), lanes.running(where))
        results = (alike.astype(np.uint32), alike != 0) if everyone else (same,)
        for store, value in zip(stores, results, strict=False):
            store(lanes, value, where)

    return run, members


def reduce(opcode: str, binder: Binder, operands: list[Operand]) -> tuple[Run, Fetch]:
    """`redux.sync` of integers."""
    parts = opcode.split(".")
    if len(parts) != 4 or parts[1] != "sync" or parts[3] not in {"u32", "s32", "b32"}:
        raise MissingForm(opcode)
    how = parts[2]
    source, members = binder.fetch(operands[1], parts[3]), binder.fetch(operands[2], "b32")
    store = binder.store(operands[0])
    if how not in {"add", "min", "max", "and", "or", "xor"}:
        raise MissingForm(opcode)
    return (
        lambda lanes, _memory, where: store(
            lanes, warp.reduce(lanes, how, source(lanes), lanes.running(where)), where
        )
    ), members


def active_mask(opcode: str, binder: Binder, operands: list[Operand]) -> Run:
    """`activemask`."""
    store = binder.store(operands[0])
    if opcode != "activemask.b32":
        raise MissingForm(opcode)
    ones = np.ones((1, 1), np.bool_)
    return lambda lanes, _memory, where: store(
        lanes, warp.ballot(lanes, ones, lanes.running(where)), where
    )


def elect(opcode: str, binder: Binder, operands: list[Operand]) -> tuple[Run, Fetch]:
    """`elect.sync`: the lowest lane that takes part."""
    first = operands[0]
    if opcode != "elect.sync" or not isinstance(first, Pair):
        raise MissingForm(opcode)
    number, chosen = binder.store(first.first), binder.store(first.second)
    members = binder.fetch(operands[1], "b32")
    lane_slot = binder.names.slots.special("%laneid")
    lane = binder.read_slot(lane_slot, TYPES["u32"])

    def run(lanes: Lanes, _memory: Memory, where: Array | None) -> None:
        words = warp.ballot(lanes, np.ones((1, 1), np.bool_), lanes.running(where))
        lowest = np.bitwise_count((words & (~words + np.uint32(1))) - np.uint32(1))
        lowest = lowest.astype(np.uint32)
        number(lanes, lowest, where)
        chosen(lanes, lane(lanes) == lowest, where)

    return run, members


def nothing(_lanes: Lanes, _memory: Memory, _where: Array | None) -> None:
    """Runs an instruction that changes no value."""


def trap(kind: str, message: str) -> Run:
    """`trap`, or a call that never returns."""

    def run(lanes: Lanes, _memory: Memory, where: Array | None) -> None:
        running = lanes.running(where)
        wrong = np.ones((1, 1), np.bool_) if running is None else running
        raise TrapError("assert" if kind == "assert" else "trap", message, wrong, lanes)

    return run


def zero(binder: Binder, target: Operand, kind: str) -> Run:
    """An instruction whose result means nothing here, such as a cache policy."""
    store, value = binder.store(target), constant(0, TYPES[kind].dtype)
    return lambda lanes, _memory, where: store(lanes, value, where)


def barrier(opcode: str, binder: Binder, operands: list[Operand]) -> Barrier:
    """`bar` and `barrier`, with all that they may do."""
    parts = [each for each in opcode.split(".") if each != "cta"]
    base, parts = parts[0], parts[1:]
    aligned = base == "bar"
    if "aligned" in parts:
        parts.remove("aligned")
        aligned = True
    action = parts.pop(0) if parts else ""
    if action in {"sync", "arrive"} and not parts:
        if not 1 <= len(operands) <= 2:
            raise MissingForm(opcode)
        count = binder.fetch(operands[1], "u32") if len(operands) == 2 else None
        number = binder.fetch(operands[0], "u32")
        return Barrier(number, count, action == "sync", aligned)
    if action == "red" and len(parts) == 2 and 3 <= len(operands) <= 4:
        target, number_operand, *rest = operands
        count = binder.fetch(rest[0], "u32") if len(rest) == 2 else None
        source = binder.fetch(rest[-1], "pred")
        if not isinstance(target, Name):
            raise MissingForm(opcode)
        slot = binder.slot(target.text)
        binder.write_slot(slot)
        binder.reads.append(slot)
        number = binder.fetch(number_operand, "u32")
        return Barrier(
            number, count, waits=True, aligned=aligned, reduce=parts[0], source=source, target=slot
        )
    raise MissingForm(opcode)


def all_lanes() -> Fetch:
    """The mask of a whole warp."""
    value = constant(0xFFFFFFFF, WORDS[32])
    return lambda _lanes: value
