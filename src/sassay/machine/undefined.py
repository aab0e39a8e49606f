"""Registers that may be read before they are written: what PTX leaves undefined."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.machine.flow import bits_of, ends_of, slots_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sassay.machine.program import Block, Op


def find_undefined(
    blocks: Sequence[Block], given: Sequence[int], ignores: Callable[[Op], bool]
) -> tuple[tuple[int, Op], ...]:
    """Registers that some way through the code reads before it writes them.

    Args:
        blocks: In order, the exit last.
        given: Slots that have a value at the start.
        ignores: Whether an operation leaves the old values of its results unused although it
            names them as sources.

    Returns:
        Each slot with the first operation that reads it, in the order of the slots. A write under
        a guard does not count, so threads may well have written all of them.
    """
    before: list[int | None] = [None] * len(blocks)
    before[0] = bits_of(given)
    todo = [0]
    while todo:
        at = todo.pop()
        state = before[at] or 0
        for op in blocks[at].ops:
            state |= _defines(op)
        for target in blocks[at].targets:
            known = before[target]
            merged = state if known is None else known & state
            if merged != known:
                before[target] = merged
                todo.append(target)
    found: dict[int, Op] = {}
    for block, known in zip(blocks, before, strict=True):
        if known is not None and block.ops:
            _note(block, known, ignores, found)
    return tuple(sorted(found.items(), key=lambda item: item[0]))


def _defines(op: Op) -> int:
    return bits_of(op.writes) if op.guard is None else 0


def _note(block: Block, state: int, ignores: Callable[[Op], bool], found: dict[int, Op]) -> None:
    for op in block.ops:
        read = bits_of(op.reads)
        if op.barrier is not None or ignores(op):
            read &= ~bits_of(op.writes)
        if op.guard is not None:
            read |= 1 << op.guard
        for slot in slots_of(read & ~state):
            found.setdefault(slot, op)
        state |= _defines(op)
    for slot in slots_of(ends_of(block) & ~state):
        found.setdefault(slot, block.ops[-1])
