"""Reaching definitions: every operand tied to the value that reaches it.

Registers become values that are defined once (static single assignment, Cytron et al. 1991, with
phis for registers that live across blocks only). A predicated instruction gives the new value or
the old one, so its result is a merge of both.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from sassay.lint.limits import MAX_OPS, MAX_PHIS, TooLargeError
from sassay.lint.program import integer

if TYPE_CHECKING:
    from sassay.lint.flow import Flow
    from sassay.lint.program import Op, Program


class Kind(IntEnum):
    """What defines a value."""

    OP = 0
    PHI = 1
    MERGE = 2
    NUMBER = 3
    NAME = 4
    UNDEFINED = 5


NO_OP = -1


class Values:
    """The values of a program, by number.

    Attributes:
        kinds: What defines each value.
        ops: Instruction that defines it; a phi's is the first of its block; else `NO_OP`.
        parts: Which of the instruction's results it is.
        inputs: Values that it is made of: the sources of its instruction, what meets in a phi,
            or guard, new and old value of a merge.
        names: Register, special register, symbol or number as spelled.
        read: For each instruction its sources, as `Op.sources` has them; None where control
            never comes.
        guards: For each instruction the value of its predicate, -1 without one.
        written: For each instruction the values of its results, merges left out.
        order: Every value after what it is made of, loops aside.
        users: For each value those that are made of it.
    """

    def __init__(self, program: Program, flow: Flow) -> None:
        if len(program.ops) > MAX_OPS:
            raise TooLargeError(f"more than {MAX_OPS} instructions")
        self.program = program
        self.flow = flow
        self.kinds: list[Kind] = []
        self.ops: list[int] = []
        self.parts: list[int] = []
        self.inputs: list[tuple[int, ...]] = []
        self.names: list[str] = []
        self.read: list[tuple[int, ...] | None] = [None] * len(program.ops)
        self.guards: list[int] = [-1] * len(program.ops)
        self.written: list[tuple[int, ...]] = [()] * len(program.ops)
        self._fixed: dict[str, int] = {}
        self._single: dict[str, int] = {}
        self._now: dict[str, int] = {}
        self.order: list[int] = []
        self._build()
        self.users = self._users()

    def __len__(self) -> int:
        return len(self.kinds)

    def op(self, value: int) -> Op | None:
        """The instruction that defines a value, None for what no instruction does."""
        return self.program.ops[self.ops[value]] if self.kinds[value] is Kind.OP else None

    def number(self, value: int) -> int | None:
        """The integer that a value is, None where it is no integer constant."""
        if self.kinds[value] is not Kind.NUMBER:
            return None
        return integer(self.names[value])

    def address(self, op: Op, which: int = 0) -> int:
        """The value of an address' base; -1 where it has none."""
        read = self.read[op.index]
        if read is None or len(op.addresses) <= which or not op.addresses[which].base:
            return -1
        base = op.addresses[which].base
        return read[op.sources.index(base, len(op.data))]

    def data(self, op: Op) -> tuple[int, ...]:
        """The values that an instruction reads outside of addresses."""
        read = self.read[op.index]
        return read[: len(op.data)] if read is not None else ()

    def _new(
        self, kind: Kind, inputs: tuple[int, ...], name: str, op: int = NO_OP, part: int = 0
    ) -> int:
        self.kinds.append(kind)
        self.ops.append(op)
        self.parts.append(part)
        self.inputs.append(inputs)
        self.names.append(name)
        return len(self.kinds) - 1

    def _constant(self, name: str) -> int:
        value = self._fixed.get(name)
        if value is None:
            kind = Kind.NUMBER if name[:1].isdigit() or name[:1] in "+-" else Kind.NAME
            value = self._fixed[name] = self._new(kind, (), name)
        return value

    def _build(self) -> None:
        several = self._several()
        phis = self._place_phis(several)
        # One walk down the dominator tree; what a block changes is undone when it is left.
        tree, now = self.flow.tree, self._now
        waiting: dict[int, list[tuple[str, int]]] = {}
        for block, names in phis.items():
            start = self.flow.starts[block]
            waiting[block] = [(name, self._new(Kind.PHI, (), name, start)) for name in names]
        meets: dict[int, list[int]] = {}
        made: dict[int, list[int]] = {}
        stack: list[tuple[int, list[tuple[str, int | None]] | None]] = [(0, None)]
        while stack:
            block, undo = stack.pop()
            if undo is not None:
                for name, old in reversed(undo):
                    if old is None:
                        del now[name]
                    else:
                        now[name] = old
                continue
            undo = []
            new = made[block] = []
            for name, phi in waiting.get(block, ()):
                undo.append((name, now.get(name)))
                now[name] = phi
                new.append(phi)
            for op in self.flow.ops(block):
                self._op(op, several, undo, new)
            for target in self.flow.targets[block]:
                for name, phi in waiting.get(target, ()):
                    meets.setdefault(phi, []).append(self._lookup(name))
            stack.append((block, undo))
            stack.extend((child, None) for child in tree.children[block])
        for phi, inputs in meets.items():
            self.inputs[phi] = tuple(dict.fromkeys(inputs))
        self.order = [each for block in self.flow.order for each in made.get(block, ())]
        placed = set(self.order)
        self.order = [each for each in range(len(self)) if each not in placed] + self.order

    def _several(self) -> set[str]:
        """Registers that more than one instruction writes."""
        once: dict[str, None] = {}
        more: set[str] = set()
        for op in self.program.ops:
            for name in op.results:
                if name in once:
                    more.add(name)
                else:
                    once[name] = None
        for name in once:
            if name not in more:
                self._single[name] = self._new(Kind.UNDEFINED, (), name)
        return more

    def _place_phis(self, several: set[str]) -> dict[int, list[str]]:
        """Blocks where definitions of a register meet that is read across blocks."""
        if not several:
            return {}
        flow = self.flow
        where: dict[str, set[int]] = {}
        across: set[str] = set()
        for block in flow.order:
            killed: set[str] = set()
            for op in flow.ops(block):
                reads = (*op.sources, op.guard, *(op.results if op.guard else ()))
                across.update(n for n in reads if n in several and n not in killed)
                for name in op.results:
                    if name in several:
                        killed.add(name)
                        where.setdefault(name, set()).add(block)
        frontier = self._frontiers()
        phis: dict[int, list[str]] = {}
        count = 0
        for name in sorted(across):
            placed: set[int] = set()
            todo = list(where.get(name, ()))
            while todo:
                for block in frontier.get(todo.pop(), ()):
                    if block not in placed:
                        placed.add(block)
                        phis.setdefault(block, []).append(name)
                        todo.append(block)
            count += len(placed)
            if count > MAX_PHIS:
                raise TooLargeError("registers live across too many branches")
        return phis

    def _frontiers(self) -> dict[int, set[int]]:
        flow = self.flow
        found: dict[int, set[int]] = {}
        work = 0
        for block in flow.order:
            sources = [each for each in flow.sources[block] if flow.reached[each]]
            if len(sources) < 2 and block != 0:
                continue
            for source in sources:
                here = source
                while here != flow.above[block] or (block == 0 and here == 0):
                    found.setdefault(here, set()).add(block)
                    work += 1
                    if here == flow.above[here]:
                        break
                    here = flow.above[here]
            if work > MAX_PHIS:
                raise TooLargeError("branches are nested too deeply")
        return found

    def _lookup(self, name: str) -> int:
        value = self._now.get(name)
        if value is None:
            value = self._single.get(name)
        return self._constant(name) if value is None else value

    def _op(
        self, op: Op, several: set[str], undo: list[tuple[str, int | None]], new: list[int]
    ) -> None:
        now = self._now
        read = self.read[op.index] = tuple(map(self._lookup, op.sources))
        guard = -1
        if op.guard:
            guard = self.guards[op.index] = self._lookup(op.guard)
        written = []
        for part, name in enumerate(op.results):
            if name not in several:
                value = self._single[name]
                self.kinds[value] = Kind.OP
                self.ops[value], self.parts[value], self.inputs[value] = op.index, part, read
                written.append(value)
                new.append(value)
                continue
            value = self._new(Kind.OP, read, name, op.index, part)
            written.append(value)
            new.append(value)
            old = now.get(name)
            if op.guard and old is not None:
                value = self._new(Kind.MERGE, (guard, value, old), name, op.index, part)
                new.append(value)
            undo.append((name, old))
            now[name] = value
        self.written[op.index] = tuple(written)

    def _users(self) -> list[list[int]]:
        found: list[list[int]] = [[] for _ in self.kinds]
        for value, inputs in enumerate(self.inputs):
            for each in inputs:
                found[each].append(value)
        return found
