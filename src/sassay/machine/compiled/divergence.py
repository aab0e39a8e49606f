"""What is the same for all lanes of a warp, and where its lanes may part.

A register varies if any instruction may give lanes different values. A block of code is parted if
it lies between a branch that varies and the place where all ways from there meet; there a warp runs
with a mask. The rest runs with all lanes of the warp.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sassay.machine.errors import MissingForm
from sassay.machine.flow import bits_of, ends_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.machine.program import Block, Op, Program

_BY_LANE = ("%tid.", "%laneid", "%lanemask")
_WHOLE_WARP = frozenset({"vote", "redux", "activemask"})


@dataclass(frozen=True)
class Divergence:
    """What an analysis found.

    Attributes:
        varying: Slots.
        parted: Blocks.
        exits: For each parted block, the block at which its lanes are together again.
        regions: For each parted block, the lowest block of the parted code that it belongs to.
        kept: Slots that carry a value from one block to another.
    """

    varying: frozenset[int]
    parted: frozenset[int]
    exits: dict[int, int]
    regions: dict[int, int]
    kept: frozenset[int]


def analyse(program: Program) -> Divergence:
    """Finds what varies.

    Raises:
        MissingForm: Parted code leaves at several places.
    """
    blocks = program.blocks
    meets = program.meets
    varying = {slot for name, slot in program.specials.items() if name.startswith(_BY_LANE)}
    parted: set[int] = set()
    branches: set[int] = set()
    while True:
        before = len(varying), len(parted)
        for at, block in enumerate(blocks):
            for op in block.ops:
                varying.update(_varied(op, varying, parted=at in parted))
            ends = {block.guard, *block.index_slots} - {None}
            if len(set(block.targets)) > 1 and ends & varying:
                branches.add(at)
                parted |= _between(blocks, at, meets[at])
        if before == (len(varying), len(parted)):
            break
    regions = _regions(blocks, parted, branches)
    exits = _exits(blocks, regions)
    return Divergence(frozenset(varying), frozenset(parted), exits, regions, _kept(blocks))


def _varied(op: Op, varying: set[int], *, parted: bool) -> set[int]:
    writes = set(op.writes)
    if parted or (op.guard is not None and op.guard in varying):
        return writes
    first = op.form.split(".", 1)[0]
    if first in {"atom", "match"} or (first == "ld" and ".local." in op.form):
        return writes
    if first == "elect":
        return set(op.targets[1:]) & writes
    if first == "shfl":
        value = op.sources[0].slot in varying
        return (writes if value else set(op.targets[1:])) & writes
    if first in _WHOLE_WARP or op.barrier is not None:
        return set()
    return writes if any(slot in varying for slot in op.reads) else set()


def _between(blocks: Sequence[Block], start: int, end: int) -> set[int]:
    found: set[int] = set()
    todo = list(blocks[start].targets)
    while todo:
        at = todo.pop()
        if at != end and at not in found and at != len(blocks) - 1:
            found.add(at)
            todo += blocks[at].targets
    return found


def _regions(blocks: Sequence[Block], parted: set[int], branches: set[int]) -> dict[int, int]:
    """Parted code that hangs together, by its lowest block."""
    neighbours: dict[int, set[int]] = {at: set() for at in parted}
    for at in parted | branches:
        group = parted.intersection(blocks[at].targets) | ({at} & parted)
        for each in group:
            neighbours[each] |= group
    found: dict[int, int] = {}
    for start in sorted(parted):
        todo = [] if start in found else [start]
        while todo:
            at = todo.pop()
            if at not in found:
                found[at] = start
                todo += neighbours[at]
    return found


def _exits(blocks: Sequence[Block], regions: dict[int, int]) -> dict[int, int]:
    last = len(blocks) - 1
    ends: dict[int, set[int]] = {}
    for at, region in regions.items():
        ends.setdefault(region, set()).update(set(blocks[at].targets) - regions.keys())
    if any(len(each - {last}) > 1 for each in ends.values()):
        raise MissingForm("lanes that part and meet at several places")
    return {at: min(ends[region], default=last) for at, region in regions.items()}


def _kept(blocks: Sequence[Block]) -> frozenset[int]:
    """Slots that some block reads before it has written them for all of its lanes."""
    kept = 0
    for block in blocks:
        written = 0
        for op in block.ops:
            read = bits_of(op.reads)
            if op.guard is not None:
                read |= 1 << op.guard | bits_of(op.writes)
            if op.barrier is not None and op.barrier.target is not None:
                read |= bits_of(op.writes)
            kept |= read & ~written
            if op.guard is None:
                written |= bits_of(op.writes)
        kept |= ends_of(block) & ~written
    return frozenset(at for at in range(kept.bit_length()) if kept >> at & 1)


def alive_before(blocks: Sequence[Block]) -> list[int]:
    """For each block the slots that may be read from its start on, as sets of bits."""
    alive = [0] * len(blocks)
    changed = True
    while changed:
        changed = False
        for at in range(len(blocks) - 1, -1, -1):
            now = _through(blocks[at], alive_after(blocks[at], alive))
            if now != alive[at]:
                alive[at], changed = now, True
    return alive


def alive_after(block: Block, alive: Sequence[int]) -> int:
    """Slots that may be read after the operations of a block; `alive` is what they are before."""
    found = ends_of(block)
    for target in block.targets:
        found |= alive[target]
    return found


def _through(block: Block, alive: int) -> int:
    for op in reversed(block.ops):
        if op.guard is None:
            alive &= ~bits_of(op.writes)
        else:
            alive |= 1 << op.guard | bits_of(op.writes)
        alive |= bits_of(op.reads)
    return alive
