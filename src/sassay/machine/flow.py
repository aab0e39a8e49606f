"""Control flow: the order of blocks, and where registers die."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.machine.program import Block, Op


def _reachable(targets: Sequence[tuple[int, ...]]) -> list[int]:
    """Blocks in reverse postorder of a plain search."""
    order: list[int] = []
    seen = {0}
    stack = [(0, iter(targets[0]))]
    while stack:
        block, rest = stack[-1]
        following = next((each for each in rest if each not in seen), None)
        if following is None:
            order.append(block)
            stack.pop()
        else:
            seen.add(following)
            stack.append((following, iter(targets[following])))
    return order[::-1]


def _dominators(targets: Sequence[tuple[int, ...]], order: list[int]) -> dict[int, int]:
    """Immediate dominators (Cooper, Harvey and Kennedy)."""
    rank = {block: at for at, block in enumerate(order)}
    sources: dict[int, list[int]] = {block: [] for block in order}
    for block in order:
        for target in targets[block]:
            sources[target].append(block)
    found = {order[0]: order[0]}
    changed = True
    while changed:
        changed = False
        for block in order[1:]:
            known = [each for each in sources[block] if each in found]
            best = known[0]
            for other in known[1:]:
                a, b = best, other
                while a != b:
                    while rank[a] > rank[b]:
                        a = found[a]
                    while rank[b] > rank[a]:
                        b = found[b]
                best = a
            if found.get(block) != best:
                found[block] = best
                changed = True
    return found


def loops(targets: Sequence[tuple[int, ...]]) -> list[frozenset[int]]:
    """The natural loops: for each loop header the blocks of its loops, joined."""
    order = _reachable(targets)
    above = _dominators(targets, order)
    sources: dict[int, list[int]] = {block: [] for block in order}
    for block in order:
        for target in targets[block]:
            sources[target].append(block)
    bodies: dict[int, set[int]] = {}
    for block in order:
        for header in targets[block]:
            at = block
            while at not in {header, order[0]}:
                at = above[at]
            if at != header:
                continue
            body = bodies.setdefault(header, {header})
            todo = [block]
            while todo:
                each = todo.pop()
                if each not in body:
                    body.add(each)
                    todo += sources[each]
    return [frozenset(bodies[header]) for header in sorted(bodies)]


def schedule(targets: Sequence[tuple[int, ...]]) -> list[int]:
    """An order of the reachable blocks, in which threads that lag behind should run first.

    It is a reverse postorder in which all of a loop comes before what follows the loop. So when
    the threads of the lowest block always run first, threads that parted at a branch are
    together again at its immediate post-dominator, at the latest.
    """
    within: dict[int, list[frozenset[int]]] = {}
    for body in loops(targets):
        for block in body:
            within.setdefault(block, []).append(body)

    def outer_first(block: int) -> list[int]:
        # What is visited first ends up last.
        own = within.get(block, [])
        return sorted(targets[block], key=lambda each: sum(each in body for body in own))

    order: list[int] = []
    seen = {0}
    stack = [(0, iter(outer_first(0)))]
    while stack:
        block, rest = stack[-1]
        following = next((each for each in rest if each not in seen), None)
        if following is None:
            order.append(block)
            stack.pop()
        else:
            seen.add(following)
            stack.append((following, iter(outer_first(following))))
    return order[::-1]


def meeting_points(blocks: Sequence[Block]) -> tuple[int, ...]:
    """For each block its immediate post-dominator; the exit for those that never come back."""
    last = len(blocks) - 1
    everything = (1 << len(blocks)) - 1
    after = [everything] * len(blocks)
    after[last] = 1 << last
    changed = True
    while changed:
        changed = False
        for at in range(last - 1, -1, -1):
            common = everything if blocks[at].targets else 1 << last
            for target in blocks[at].targets:
                common &= after[target]
            found = common | 1 << at
            if found != after[at]:
                after[at], changed = found, True
    meets = []
    for at in range(len(blocks)):
        others = after[at] & ~(1 << at)
        # The nearest one is passed by all the others' ways: it has the most of them after it.
        best = last
        size = -1
        while others:
            low = others & -others
            others ^= low
            each = low.bit_length() - 1
            if after[each].bit_count() > size:
                best, size = each, after[each].bit_count()
        meets.append(best)
    return tuple(meets)


def mark_deaths(blocks: Sequence[Block]) -> None:
    """Notes for each operation the slots that nobody reads after it."""
    gen, kill = [], []
    for block in blocks:
        read, written = ends_of(block), 0
        for op in reversed(block.ops):
            whole = 0 if op.guard is not None else bits_of(op.writes)
            read = (read & ~whole) | _uses(op)
            written |= whole
        gen.append(read)
        kill.append(written)
    alive_in = [0] * len(blocks)
    changed = True
    while changed:
        changed = False
        for at in range(len(blocks) - 1, -1, -1):
            out = 0
            for target in blocks[at].targets:
                out |= alive_in[target]
            now = gen[at] | (out & ~kill[at])
            if now != alive_in[at]:
                alive_in[at], changed = now, True
    for block in blocks:
        alive = 0
        for target in block.targets:
            alive |= alive_in[target]
        alive |= ends_of(block)
        for op in reversed(block.ops):
            touched = _uses(op) | bits_of(op.writes)
            op.dead = tuple(slots_of(touched & ~alive))
            whole = 0 if op.guard is not None else bits_of(op.writes)
            alive = (alive & ~whole) | _uses(op)


def ends_of(block: Block) -> int:
    """Slots that decide where a block goes on, as a set of bits."""
    read = bits_of(block.index_slots)
    return read | (1 << block.guard) if block.guard is not None else read


def _uses(op: Op) -> int:
    read = bits_of(op.reads)
    if op.guard is not None:
        # Threads whose guard fails keep the old value.
        read |= 1 << op.guard | bits_of(op.writes)
    return read


def bits_of(slots: Sequence[int]) -> int:
    """A set of slots as bits."""
    found = 0
    for slot in slots:
        found |= 1 << slot
    return found


def slots_of(bits: int) -> list[int]:
    """The slots in a set of bits, in order."""
    found = []
    while bits:
        low = bits & -bits
        found.append(low.bit_length() - 1)
        bits ^= low
    return found
