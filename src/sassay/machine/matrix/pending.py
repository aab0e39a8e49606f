"""Finds reads of accumulators that `wgmma` may still be writing.

From a `wgmma` to the wait for its group its registers are in flight. Which instructions may touch
them there follows from the flow of control alone; only those look, when they run, whether their
threads really have a product under way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.machine.memory import TrapError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.machine.lanes import Lanes
    from sassay.machine.memory import Memory
    from sassay.machine.program import Block, Op, Run
    from sassay.machine.types import Array

_PRODUCT = "wgmma.mma_async"
_COMMIT = "wgmma.commit_group"
_WAIT = "wgmma.wait_group"

_State = dict[int, int]
"""Registers in flight, with how many groups were committed since."""


def guard_accumulators(blocks: Sequence[Block]) -> None:
    """Makes every instruction look that may come too early for its registers."""
    if not any(op.form.startswith(_PRODUCT) for block in blocks for op in block.ops):
        return
    before: list[_State | None] = [None] * len(blocks)
    before[0] = {}
    todo = [0]
    while todo:
        at = todo.pop()
        state = dict(before[at] or {})
        for op in blocks[at].ops:
            _step(state, op)
        for target in blocks[at].targets:
            known = before[target]
            merged = _merge(known, state)
            if merged != known:
                before[target] = merged
                todo.append(target)
    for block, found in zip(blocks, before, strict=True):
        state = dict(found or {})
        for op in block.ops:
            if _early(state, op):
                op.run = _looking(op.run)
            _step(state, op)


def _merge(known: _State | None, new: _State) -> _State:
    if known is None:
        return dict(new)
    return {
        slot: min(known.get(slot, 1 << 30), new.get(slot, 1 << 30))
        for slot in known.keys() | new.keys()
    }


def _early(state: _State, op: Op) -> bool:
    if not state or op.form.startswith(_PRODUCT) or op.base in {"mov", "moves"}:
        return False
    return not state.keys().isdisjoint(op.reads) or not state.keys().isdisjoint(op.writes)


def _step(state: _State, op: Op) -> None:
    if op.form.startswith(_PRODUCT):
        state.update(dict.fromkeys(op.writes, 0))
    elif op.form.startswith(_COMMIT):
        for slot in state:
            state[slot] += 1
    elif op.form.startswith(_WAIT):
        latest = int(op.place.text.split()[-1], 0)
        for slot in [slot for slot, count in state.items() if count > latest]:
            del state[slot]
    elif op.base in {"mov", "moves"}:
        # A compiler's copy of what is in flight is in flight too.
        counts = [state[slot] for slot in op.reads if slot in state]
        for slot in op.writes:
            if counts:
                state[slot] = min(counts)
            else:
                state.pop(slot, None)


def _looking(run: Run) -> Run:
    def looked(lanes: Lanes, memory: Memory, where: Array | None) -> None:
        running = lanes.running(where)
        if memory.products.any(memory.flights.threads(lanes, memory, running)):
            message = "a register that wgmma may still be writing: no wgmma.wait_group before it"
            raise TrapError("in-flight", message, running, lanes)
        run(lanes, memory, where)

    return looked
