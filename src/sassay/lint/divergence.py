"""Which values differ among the threads of a block, and what code not all of them enter.

A value is divergent where it depends on the thread's index, where the threads that meet came by
different ways, or where it is an atomic's answer. What all threads load from one address is the
same for all of them. Reductions are taken to end with one result for all, so what a butterfly
of shuffles, a vote or a `redux` gives is no reason to call anything divergent. Sampaio et al.,
"Divergence analysis" (2013), for whole blocks of threads instead of warps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.lint.flow import ENDS
from sassay.lint.limits import MAX_REGION_WORK, TooLargeError
from sassay.lint.values import Kind

if TYPE_CHECKING:
    from sassay.lint.flow import Flow
    from sassay.lint.program import Op
    from sassay.lint.values import Values

_SPECIALS = ("%tid", "%laneid", "%warpid", "%lanemask")
_HEADS = frozenset({"atom", "activemask", "elect", "ldmatrix", "wmma", "mma", "wgmma"})
_OPERANDS = 4
_AGREED = frozenset({"bar", "barrier", "redux", "vote", "match"})


class Divergence:
    """Divergent values and branches of a function.

    Attributes:
        values: Whether each value differs among the threads of a block.
        branches: Blocks whose last branch not all threads take alike.
    """

    def __init__(self, values: Values, flow: Flow) -> None:
        self._values = values
        self._flow = flow
        self.values = bytearray(len(values))
        self.branches: list[int] = []
        self._decides: dict[int, list[int]] = {}
        self._phis: dict[int, list[int]] = {}
        self._work = 0
        self._regions: dict[int, frozenset[int]] = {}
        self._local_loads: list[int] = []
        self._run()

    def entered_by_some(self, block: int) -> int | None:
        """A divergent branch that leads only some threads into a block; None if all come to it.

        Threads that only leave the kernel do not count: barriers wait for those that stay.

        Args:
            block: The block of code.
        """
        for branch in self.deciding(block):
            if self._is_end(self._flow.after[branch]):
                ways = [each for each in self._flow.targets[branch] if self._comes_to(each, block)]
                if len(ways) < 2:
                    continue
            return branch
        return None

    def deciding(self, block: int) -> list[int]:
        """Divergent branches between which and where their ways meet again a block stands.

        Args:
            block: The block of code.
        """
        return [branch for branch in self.branches if block in self._region(branch)]

    def _is_end(self, block: int) -> bool:
        """Whether nothing happens in a block but that threads leave."""
        return all(op.opcode.head in ENDS for op in self._flow.ops(block))

    def _comes_to(self, start: int, block: int) -> bool:
        seen = {start}
        stack = [start]
        while stack:
            here = stack.pop()
            if here == block:
                return True
            fresh = [each for each in self._flow.targets[here] if each not in seen]
            seen.update(fresh)
            stack.extend(fresh)
            self._spend(1)
        return False

    def _spend(self, work: int) -> None:
        self._work += work
        if self._work > MAX_REGION_WORK:
            raise TooLargeError("too many branches depend on the thread")

    def _region(self, branch: int) -> frozenset[int]:
        known = self._regions.get(branch)
        if known is None:
            found = self._flow.region(branch, MAX_REGION_WORK)
            self._spend(len(found) if found is not None else MAX_REGION_WORK + 1)
            known = self._regions[branch] = frozenset(found or ())
        return known

    def _run(self) -> None:
        values = self._values
        self._collect_branches()
        todo = self._seeds()
        stored = self._stored_locally()
        while todo:
            value = todo.pop()
            if self.values[value]:
                continue
            self.values[value] = 1
            todo += [
                user
                for user in values.users[value]
                if not self.values[user] and self._spreads(user)
            ]
            if value in stored:
                todo.extend(self._local_loads)
            for block in self._decides.get(value, ()):
                todo.extend(self._diverge(block))

    def _collect_branches(self) -> None:
        """By value the blocks whose last branch it decides, unless that is said to be uniform."""
        flow, values = self._flow, self._values
        for block in flow.order:
            last = flow.last(block)
            if last is None or len(flow.targets[block]) < 2 or "uni" in last.opcode.words:
                continue
            guard = values.guards[last.index]
            for each in [guard] if guard >= 0 else list(values.read[last.index] or ()):
                self._decides.setdefault(each, []).append(block)

    def _seeds(self) -> list[int]:
        """Values that differ by themselves."""
        values = self._values
        found = []
        for value, kind in enumerate(values.kinds):
            if kind is Kind.PHI:
                block = self._flow.block_of[values.ops[value]]
                self._phis.setdefault(block, []).append(value)
            elif kind is Kind.NAME and values.names[value].startswith(_SPECIALS):
                found.append(value)
        for op in values.program.ops:
            opcode = op.opcode
            if opcode.head in _HEADS or opcode.category == "tensor_core":
                found += values.written[op.index]
            elif opcode.space == "local" and opcode.is_load:
                self._local_loads += values.written[op.index]
        return found

    def _stored_locally(self) -> set[int]:
        found: set[int] = set()
        for op in self._values.program.ops:
            if op.opcode.is_store and op.opcode.space == "local":
                found.update(self._values.read[op.index] or ())
        return found

    def _diverge(self, block: int) -> list[int]:
        """Phis that give different threads different values once a branch is divergent."""
        if block in self._regions:
            return []
        self.branches.append(block)
        meet = self._flow.after[block]
        found = [phi for each in self._region(block) for phi in self._phis.get(each, ())]
        return found + [
            phi for phi in self._phis.get(meet, ()) if len(self._values.inputs[phi]) > 1
        ]

    def _spreads(self, value: int) -> bool:
        """Whether a value is divergent because something that it is made of is."""
        op: Op | None = self._values.op(value)
        if op is None:
            return True
        # What a matrix instruction gives is divergent from the start.
        if op.opcode.head in _AGREED or op.opcode.category == "tensor_core":
            return False
        inputs = self._values.inputs[value]
        return not 2 <= len(inputs) <= _OPERANDS or not self._exchanges(inputs)

    def _exchanges(self, inputs: tuple[int, ...]) -> bool:
        """Whether a value joins a lane's own with another lane's: a step of a reduction."""
        values = self._values
        for each in inputs:
            op = values.op(each)
            if op is not None and op.opcode.head == "shfl" and "bfly" in op.opcode.words:
                source = values.inputs[each][0]
                if source in inputs:
                    return True
        return False
