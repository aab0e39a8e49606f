"""Blocks of a program: cut at labels and jumps, put in order, spinning loops marked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sassay.machine import access
from sassay.machine.flow import loops, schedule
from sassay.machine.program import Block, Op

if TYPE_CHECKING:
    from sassay.machine.program import Fetch

Key = tuple[int, int, str]
"""A label: expansion of a body, scope, name."""

EXIT: Key = (0, 0, "exit")
"""Where an entry ends."""


@dataclass
class Go:
    """The end of a block: where it may go on."""

    targets: list[Key] = field(default_factory=list)
    falls: bool = False
    guard: int | None = None
    negated: bool = False
    index: Fetch | None = None
    index_slots: tuple[int, ...] = ()


Item = Key | Op | Go


def cut_blocks(items: list[Item]) -> list[Block]:
    """Cuts items into blocks; the last block is the exit."""
    blocks: list[Block] = [Block()]
    ends: list[Go | None] = [None]
    starts: dict[Key, int] = {}

    def fresh() -> None:
        blocks.append(Block())
        ends.append(None)

    for item in items:
        if isinstance(item, tuple):
            if blocks[-1].ops or ends[-1] is not None:
                fresh()
            starts[item] = len(blocks) - 1
        elif isinstance(item, Go):
            ends[-1] = item
            fresh()
        else:
            waits = item.members is not None or item.barrier is not None
            waits |= item.ready is not None
            if waits and blocks[-1].ops:
                fresh()
            blocks[-1].ops.append(item)
            if item.barrier is not None:
                fresh()
    fresh()
    last = len(blocks) - 1
    starts[EXIT] = last
    for at, (block, end) in enumerate(zip(blocks, ends, strict=True)):
        if at == last:
            continue
        if end is None:
            block.targets = (at + 1,)
            continue
        targets = [starts.get(key, last) for key in end.targets]
        block.targets = tuple([*targets, at + 1] if end.falls else targets)
        block.guard, block.negated = end.guard, end.negated
        block.index, block.index_slots = end.index, end.index_slots
    return blocks


def in_order(blocks: list[Block]) -> list[Block]:
    """The blocks in an order in which threads meet again early; the exit stays last."""
    last = len(blocks) - 1
    order = [at for at in schedule([block.targets for block in blocks]) if at != last] + [last]
    rank = {block: at for at, block in enumerate(order)}
    kept = [blocks[at] for at in order]
    for block in kept:
        block.targets = tuple(rank[target] for target in block.targets)
    return kept


def _watches(op: Op) -> bool:
    base, *modifiers = op.form.split(".")
    if base == "mbarrier":
        return "test_wait" in modifiers
    return base == "atom" or (base == "ld" and not access.WATCHING.isdisjoint(modifiers))


def mark_spins(blocks: list[Block]) -> bool:
    """Marks loops whose end depends on what they read of others; whether any leaves its block."""
    leaves = False
    for body in loops([block.targets for block in blocks]):
        ops = [op for at in sorted(body) for op in blocks[at].ops]
        watching = [op for op in ops if _watches(op)]
        if not watching:
            continue
        seen = {slot for op in watching for slot in op.writes}
        changed = True
        while changed:
            before = len(seen)
            for op in ops:
                if not seen.isdisjoint(op.reads):
                    seen.update(op.writes)
            changed = len(seen) != before
        exits = [
            at for at in body if not set(blocks[at].targets) <= body and blocks[at].guard in seen
        ]
        if exits:
            for at in body:
                blocks[at].spins = True
            leaves |= any(".shared" not in op.form for op in watching)
    return leaves
