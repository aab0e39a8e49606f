"""Loads, stores and atomics, lowered.

Source: PTX ISA, "Data Movement and Conversion Instructions", "Parallel Synchronization and
Communication Instructions".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.machine import atomics
from sassay.machine.errors import MissingForm
from sassay.machine.memory import read, unread, unwritten, write
from sassay.machine.types import TYPES, WORDS, Array

if TYPE_CHECKING:
    from sassay.machine.binding import Binder, Store
    from sassay.machine.lanes import Lanes
    from sassay.machine.memory import Memory
    from sassay.machine.names import Passed
    from sassay.machine.numeric import Label
    from sassay.machine.operands import Operand
    from sassay.machine.program import Fetch, Run

_SPACES = {
    "global": "global",
    "shared": "shared",
    "shared::cta": "shared",
    "local": "local",
    "const": "const",
    "param": "param",
    "param::entry": "param",
    "param::func": "param",
}
_NO_MATTER = frozenset(
    [
        "volatile",
        "relaxed",
        "acquire",
        "release",
        "acq_rel",
        "weak",
        "cta",
        "cluster",
        "gpu",
        "sys",
        "ca",
        "cg",
        "cs",
        "lu",
        "cv",
        "wb",
        "wt",
        "nc",
        "unified",
        "mmio",
    ]
)
WATCHING = frozenset({"volatile", "acquire", "relaxed"})
"""Modifiers of loads that wait for what another thread writes."""


def split_access(opcode: str) -> tuple[str, list[str], str]:
    """Space (empty for generic), what else is left of the modifiers, and the type."""
    _, *modifiers = opcode.split(".")
    kind = modifiers.pop()
    space, left = "", []
    for each in modifiers:
        if each in _SPACES:
            space = _SPACES[each]
        elif each not in _NO_MATTER and not each.startswith(("L1::", "L2::", "level::")):
            left.append(each)
    if kind not in TYPES or TYPES[kind].bits < 8:
        raise MissingForm(opcode)
    return space, left, kind


def _vector(opcode: str, left: list[str], kind: str) -> int:
    count = {"": 1, "v2": 2, "v4": 4, "v8": 8}.get(".".join(left))
    if count is None or count * TYPES[kind].bits > 256:
        raise MissingForm(opcode)
    return count


def load(opcode: str, binder: Binder, operands: list[Operand]) -> Run:
    """`ld` of any space, width and vector."""
    space, left, kind = split_access(opcode)
    count = _vector(opcode, left, kind)
    targets = binder.items(operands[0])
    if len(targets) != count:
        raise MissingForm(f"{opcode} into {len(targets)} registers")
    passed = binder.passed(operands[1])
    if passed is not None:
        return _from_passed(binder, passed, kind, targets)
    address, _ = binder.address(operands[1])
    stores = [binder.store(each) for each in targets]
    dtype = TYPES[kind].dtype
    width = dtype.itemsize

    def run(lanes: Lanes, memory: Memory, where: Array | None) -> None:
        active = lanes.running(where)
        parts = memory.locate(lanes, space, address(lanes), width * count, active)
        found: list[Array] = []
        for part in parts:
            wrong = unwritten(part, width * count)
            if wrong is not None:
                raise unread(part, wrong, lanes)
            values = read(part, width, count)
            if found and part.where is not None:
                mask = part.where
                found = [np.where(mask, new, old) for new, old in zip(values, found, strict=True)]
            else:
                found = values
        for store, value in zip(stores, found, strict=True):
            store(lanes, value.view(dtype), where)

    return run


def _from_passed(
    binder: Binder, passed: tuple[Passed, int], kind: str, targets: tuple[Operand, ...]
) -> Run:
    variable, offset = passed
    width = TYPES[kind].bits // 8
    moves: list[tuple[Fetch, Store]] = []
    for index, target in enumerate(targets):
        slot = binder.piece(variable, offset + index * width, width * 8)
        moves.append((binder.read_slot(slot, TYPES[kind]), binder.store(target)))
    return _move_all(moves)


def _move_all(moves: list[tuple[Fetch, Store]]) -> Run:
    def run(lanes: Lanes, _memory: Memory, where: Array | None) -> None:
        for fetch, store in moves:
            store(lanes, fetch(lanes), where)

    return run


def store(opcode: str, binder: Binder, operands: list[Operand]) -> Run:
    """`st` of any space, width and vector."""
    space, left, kind = split_access(opcode)
    count = _vector(opcode, left, kind)
    sources = binder.items(operands[1])
    if len(sources) != count:
        raise MissingForm(f"{opcode} of {len(sources)} registers")
    width = TYPES[kind].bits // 8
    plain = f"b{width * 8}"
    passed = binder.passed(operands[0])
    if passed is not None:
        moves = []
        for index, source in enumerate(sources):
            fetched = binder.fetch(source, kind)
            slot = binder.piece(passed[0], passed[1] + index * width, width * 8)
            moves.append((fetched, binder.write_slot(slot)))
        return _move_all(moves)
    if space in {"const", "param"}:
        raise MissingForm(opcode)
    address, _ = binder.address(operands[0])
    fetches = [binder.fetch(each, kind) for each in sources]
    word = TYPES[plain].dtype

    def run(lanes: Lanes, memory: Memory, where: Array | None) -> None:
        active = lanes.running(where)
        place = address(lanes)
        values = [fetch(lanes).view(word) for fetch in fetches]
        shape = np.broadcast_shapes(place.shape, *(value.shape for value in values))
        parts = memory.locate(lanes, space, place, width * count, active)
        for part in parts:
            shapes = [shape, part.offsets.shape]
            if part.where is not None:
                shapes.append(part.where.shape)
            write(part, values, width, np.broadcast_shapes(*shapes))

    return run


_ORDERED = frozenset({"f16", "f16x2", "bf16", "bf16x2", "f32", "f64"})


def atomic(opcode: str, binder: Binder, operands: list[Operand]) -> tuple[Run, Label]:
    """`atom` and `red`; sums of floats depend on the order, which is that of threads."""
    base = opcode.split(".", 1)[0]
    space, left, kind = split_access(opcode)
    left = [each for each in left if each != "noftz"]
    if space in {"local", "const", "param"} or len(left) != 1:
        raise MissingForm(opcode)
    how = left[0]
    update = atomics.update_of(how, kind, flush=atomics.flushes(space))
    if update is None:
        raise MissingForm(opcode)
    returns = base == "atom"
    target = binder.store(operands[0]) if returns else None
    place, *sources = operands[1:] if returns else operands
    address, _ = binder.address(place)
    wanted = 2 if how == "cas" else 1
    if len(sources) < wanted:
        raise MissingForm(f"{opcode} with {len(sources)} sources")
    fetches = [binder.fetch(each, kind) for each in sources[:wanted]]
    width = TYPES[kind].dtype.itemsize
    adds = how == "add" and TYPES[kind].kind in "us"

    def run(lanes: Lanes, memory: Memory, where: Array | None) -> None:
        active = lanes.running(where)
        parts = memory.locate(lanes, space, address(lanes), width, active)
        values = [fetch(lanes) for fetch in fetches]
        other = values[1] if wanted == 2 else None
        found: Array | None = None
        for part in parts:
            wrong = unwritten(part, width)
            if wrong is not None:
                raise unread(part, wrong, lanes, "an atomic")
            old = atomics.apply(
                part, kind, update, (values[0], other), shape=lanes.shape, adds=adds
            )
            found = old if found is None or part.where is None else np.where(part.where, old, found)
        if target is not None and found is not None:
            target(lanes, found.view(WORDS[width * 8]), where)

    return run, "modelled" if kind in _ORDERED and how == "add" else "exact"
