"""Finds products that no `wgmma.fence` orders behind what wrote their registers.

`wgmma` reads and writes registers beside its threads: accumulators and fragments that other
instructions wrote need a `wgmma.fence` in between, and so does the first product. Which products
may lack it follows from the flow of control; only where one may, instructions remember at run time
which threads wrote what since their last fence. A `mov` is no use of its own: compilers place them
anywhere, and ptxas keeps them. Source: PTX ISA, "wgmma.fence".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import ref

import numpy as np

from sassay.machine.memory import TrapError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sassay.machine.lanes import Lanes
    from sassay.machine.memory import Memory
    from sassay.machine.program import Block, Op, Run
    from sassay.machine.types import Array

_PRODUCT = "wgmma.mma_async"
_FENCE = "wgmma.fence"
_FIRST = -2
"""Stands for all registers: written before there was any fence."""


def guard_fences(blocks: Sequence[Block]) -> None:
    """Makes products look that may lack a fence."""
    if not any(op.form.startswith(_PRODUCT) for block in blocks for op in block.ops):
        return
    before = _reaching(blocks)
    loose: dict[int, frozenset[int]] = {}
    for block, state in zip(blocks, before, strict=True):
        fresh = set(state or ())
        for op in block.ops:
            if op.form.startswith(_PRODUCT):
                found = frozenset(fresh & {_FIRST, *_registers(op)})
                if found:
                    loose[id(op)] = found
            _step(fresh, op)
    if loose:
        _instrument(blocks, loose)


def _reaching(blocks: Sequence[Block]) -> list[set[int] | None]:
    """By block: what may have been written since the last fence when it starts."""
    before: list[set[int] | None] = [None] * len(blocks)
    before[0] = {_FIRST}
    todo = [0]
    while todo:
        at = todo.pop()
        state = set(before[at] or ())
        for op in blocks[at].ops:
            _step(state, op)
        for target in blocks[at].targets:
            known = before[target]
            if known is None or not state <= known:
                before[target] = state | (known or set())
                todo.append(target)
    return before


def _step(state: set[int], op: Op) -> None:
    if op.form.startswith(_FENCE):
        state.clear()
    elif _copies(op):
        moved = not state.isdisjoint(op.reads)
        (state.update if moved else state.difference_update)(op.writes)
    elif not op.form.startswith(_PRODUCT):
        state.update(op.writes)


def _copies(op: Op) -> bool:
    return op.base in {"mov", "moves"}


def _registers(op: Op) -> Iterable[int]:
    """Accumulators, and a fragment in registers: not descriptors, nor the predicate."""
    words = (each.slot for each in op.sources if each.kind == "b32")
    return {*op.writes, *(slot for slot in words if slot is not None)}


@dataclass
class _Seen:
    """Which threads of a slice wrote which registers since their last fence, as flags."""

    memory: ref[Memory] | None = None
    slots: dict[int, Array] = field(default_factory=dict)

    def of(self, memory: Memory, slot: int) -> Array:
        if self.memory is None or self.memory() is not memory:
            self.memory, self.slots = ref(memory), {}
        if slot not in self.slots:
            count = memory.shared.count * memory.threads
            self.slots[slot] = np.full(count, slot == _FIRST, np.bool_)
        return self.slots[slot]


def _instrument(blocks: Sequence[Block], loose: dict[int, frozenset[int]]) -> None:
    """Follows the registers of products that may lack a fence, and what is copied to them."""
    followed = set[int]().union(*loose.values())
    ops = [op for block in blocks for op in block.ops]
    grown = True
    while grown:
        size = len(followed)
        for op in ops:
            if _copies(op) and not followed.isdisjoint(op.writes):
                followed.update(op.reads)
        grown = len(followed) > size
    seen = _Seen()
    for op in ops:
        if op.form.startswith(_FENCE):
            op.run = _fencing(op.run, seen, followed)
        elif id(op) in loose:
            op.run = _looking(op.run, seen, loose[id(op)])
        elif not op.form.startswith(_PRODUCT) and not followed.isdisjoint(op.writes):
            op.run = _writing(op, seen, followed)


def _threads(lanes: Lanes, memory: Memory, where: Array | None) -> Array:
    return memory.flights.threads(lanes, memory, lanes.running(where))


def _fencing(run: Run, seen: _Seen, followed: set[int]) -> Run:
    def fenced(lanes: Lanes, memory: Memory, where: Array | None) -> None:
        run(lanes, memory, where)
        threads = _threads(lanes, memory, where)
        for slot in (_FIRST, *followed):
            seen.of(memory, slot)[threads] = False

    return fenced


def _writing(op: Op, seen: _Seen, followed: set[int]) -> Run:
    run = op.run
    targets = [slot for slot in op.writes if slot in followed]
    sources = [slot for slot in op.reads if slot in followed] if _copies(op) else []

    def wrote(lanes: Lanes, memory: Memory, where: Array | None) -> None:
        threads = _threads(lanes, memory, where)
        fresh: Array | bool = not _copies(op)
        for slot in sources:
            fresh = fresh | seen.of(memory, slot)[threads]
        for slot in targets:
            seen.of(memory, slot)[threads] = fresh
        run(lanes, memory, where)

    return wrote


def _looking(run: Run, seen: _Seen, slots: frozenset[int]) -> Run:
    def looked(lanes: Lanes, memory: Memory, where: Array | None) -> None:
        threads = _threads(lanes, memory, where)
        for slot in sorted(slots):
            if seen.of(memory, slot)[threads].any():
                what = (
                    "the first product"
                    if slot == _FIRST
                    else "a product whose register was written"
                )
                message = f"no wgmma.fence comes before {what}"
                raise TrapError("fence", message, lanes.running(where), lanes)
        run(lanes, memory, where)

    return looked
