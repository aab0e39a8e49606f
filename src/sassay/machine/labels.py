"""How far each array of a run can be trusted: labels, followed from instructions to arrays.

A conservative flow over the code that ran: a register has the weakest label of all that is ever
written to it, so do shared memory and local memory as a whole, and each array, for which the run
tells which instructions touched it. What is done under a guard, or in a part of the code that a
branch decides about, has the label of that decision too, and an access that of its address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sassay.machine.numeric.kernel import Label
    from sassay.machine.program import Block, Op, Program

RANK: dict[str, int] = {"exact": 0, "modelled": 1, "approximate": 2}
LABELS: tuple[Label, ...] = ("exact", "modelled", "approximate")


def worse(one: Label, other: Label) -> Label:
    """The weaker of two labels."""
    return one if RANK[one] > RANK[other] else other


def worst(labels: Iterable[Label]) -> Label:
    """The weakest of some labels; `exact` without any."""
    return max(labels, key=RANK.__getitem__, default="exact")


_READS = frozenset(
    ["ld", "ldu", "atom", "red", "ldmatrix", "cp", "wgmma", "wmma", "mbarrier", "tensormap"]
)
_WRITES = frozenset(["st", "atom", "red", "stmatrix", "wmma", "cp", "mbarrier", "tensormap"])


def array_labels(
    program: Program, visited: Iterable[int], touched: Mapping[int, frozenset[int]], arrays: int
) -> list[Label]:
    """The label of each array.

    Args:
        program: That ran.
        visited: Blocks of code that ran.
        touched: By identity of an operation, the arrays that it read or wrote.
        arrays: How many there are.
    """
    chosen = sorted(visited)
    if all(op.label == "exact" for at in chosen for op in program.blocks[at].ops):
        return ["exact"] * arrays
    return _Flow(program, chosen, touched, arrays).run()


class _Flow:
    def __init__(
        self,
        program: Program,
        visited: Sequence[int],
        touched: Mapping[int, frozenset[int]],
        arrays: int,
    ) -> None:
        self._blocks = program.blocks
        self._visited = visited
        self._touched = touched
        self._everything = frozenset(range(arrays))
        self._slots = [0] * len(program.widths)
        self._spaces = {"shared": 0, "local": 0}
        self._arrays = [0] * arrays
        self._decided = [0] * len(program.blocks)
        meets = program.meets
        self._under = {
            at: _between(program.blocks, at, meets[at])
            for at in visited
            if len(set(program.blocks[at].targets)) > 1
        }

    def run(self) -> list[Label]:
        before: object = None
        while before != (now := self._state()):
            before = now
            for at in self._visited:
                block = self._blocks[at]
                for op in block.ops:
                    self._pass(op, self._decided[at])
                self._decide(at, block)
        return [LABELS[each] for each in self._arrays]

    def _state(self) -> object:
        spaces = tuple(self._spaces.values())
        return tuple(self._slots), tuple(self._arrays), spaces, tuple(self._decided)

    def _decide(self, at: int, block: Block) -> None:
        slots = [*block.index_slots, *([] if block.guard is None else [block.guard])]
        worst = max((self._slots[each] for each in slots), default=0)
        if worst:
            for each in self._under.get(at, ()):
                self._decided[each] = max(self._decided[each], worst)

    def _pass(self, op: Op, decided: int) -> None:
        rank = max(RANK[op.label], decided)
        for slot in op.reads:
            rank = max(rank, self._slots[slot])
        if op.guard is not None:
            rank = max(rank, self._slots[op.guard])
        spaces, arrays = self._places(op)
        if op.base in _READS:
            rank = max([rank, *(self._spaces[each] for each in spaces)])
            rank = max([rank, *(self._arrays[each] for each in arrays)])
        for slot in op.writes:
            self._slots[slot] = max(self._slots[slot], rank)
        if op.base in _WRITES:
            for space in spaces:
                self._spaces[space] = max(self._spaces[space], rank)
            for array in arrays:
                self._arrays[array] = max(self._arrays[array], rank)

    def _places(self, op: Op) -> tuple[tuple[str, ...], frozenset[int]]:
        if op.base not in _READS | _WRITES:
            return (), frozenset()
        words = op.form.split(".")
        if op.base in {"cp", "tensormap"}:
            # Bulk copies do not tell which arrays they touch.
            named = self._touched.get(id(op), frozenset()) if "bulk" not in words else None
            return ("shared",), self._everything if named is None else named
        arrays = self._touched.get(id(op), frozenset())
        if "global" in words or "param" in words or "const" in words:
            return (), arrays
        if "local" in words:
            return ("local",), arrays
        if any(each.startswith("shared") for each in words) or op.base not in {"ld", "st", "atom"}:
            return ("shared",), arrays
        return ("shared", "local"), arrays


def _between(blocks: Sequence[Block], start: int, end: int) -> frozenset[int]:
    """Blocks on the ways from a branch to where they meet again."""
    found: set[int] = set()
    todo = list(blocks[start].targets)
    while todo:
        at = todo.pop()
        if at != end and at not in found:
            found.add(at)
            todo += blocks[at].targets
    return frozenset(found)
