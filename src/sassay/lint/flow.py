"""The control-flow graph of a function: blocks, dominators, loops, and where paths meet again."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from sassay.isa.ptx.labels import Labels
from sassay.lint import graph
from sassay.lint.limits import MAX_REGION_WORK, TooLargeError

if TYPE_CHECKING:
    from sassay.lint.program import Op, Program

ENDS = frozenset({"ret", "exit", "trap"})


class Loop:
    """A natural loop.

    Attributes:
        header: The block that every way in passes.
        blocks: All of its blocks, the header among them, inner loops' too.
        latches: Blocks that lead back to the header.
    """

    def __init__(self, header: int, blocks: frozenset[int], latches: tuple[int, ...]) -> None:
        self.header = header
        self.blocks = blocks
        self.latches = latches


class Flow:
    """The control-flow graph of a program.

    The block behind the last one is the exit: it is empty, and everything that ends leads to it.

    Attributes:
        starts: First instruction of each block, the exit's included.
        targets: Blocks that may follow each block, each once.
        sources: Blocks that may precede each block.
        block_of: Block of each instruction.
        exit: Number of the exit.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        labels = Labels(program.function.statements)
        ops = program.ops
        heads = {0, len(ops)}
        jumps: dict[int, list[int]] = {}
        for op in ops:
            head = op.opcode.head
            if head in {"bra", "brx"}:
                jumps[op.index] = [
                    min(place, len(ops)) for place in self._places(op, labels, program)
                ]
                heads.update(jumps[op.index])
                heads.add(op.index + 1)
            elif head in ENDS:
                heads.add(op.index + 1)
        self.starts = sorted(heads)
        self.exit = len(self.starts) - 1
        at = {start: block for block, start in enumerate(self.starts)}
        self.block_of: list[int] = []
        for block, (start, stop) in enumerate(zip(self.starts, self.starts[1:], strict=False)):
            self.block_of += [block] * (stop - start)
        self.targets: list[tuple[int, ...]] = []
        for block in range(self.exit):
            last = ops[self.starts[block + 1] - 1]
            following = [at[place] for place in jumps.get(last.index, ())]
            ends = last.opcode.head in ENDS
            if ends:
                following.append(self.exit)
            falls = last.index not in jumps and not ends
            if falls or last.guard:
                following.append(block + 1)
            if not following:
                following.append(self.exit)  # a label that nothing defines
            self.targets.append(tuple(dict.fromkeys(following)))
        self.targets.append(())
        self.sources = graph.reversed_edges(self.targets)

    @staticmethod
    def _places(op: Op, labels: Labels, program: Program) -> list[int]:
        scope = op.instruction.scope
        names = op.instruction.operands.replace(",", " ").split()
        if op.opcode.head == "brx":
            names = [label for name in names for label in program.tables.get(name, ())]
        numbers = (labels.find(scope, name) for name in names)
        return [labels.targets[number] for number in numbers if number is not None]

    def last(self, block: int) -> Op | None:
        """The last instruction of a block, None for the exit."""
        if block == self.exit or self.starts[block] == self.starts[block + 1]:
            return None
        return self.program.ops[self.starts[block + 1] - 1]

    def ops(self, block: int) -> list[Op]:
        """The instructions of a block."""
        if block == self.exit:
            return []
        return self.program.ops[self.starts[block] : self.starts[block + 1]]

    @cached_property
    def order(self) -> list[int]:
        """Blocks that are reached, in reverse postorder."""
        return graph.postorder(self.targets, 0)[::-1]

    @cached_property
    def reached(self) -> bytearray:
        """Whether each block is reached from the entry."""
        found = bytearray(len(self.targets))
        for block in self.order:
            found[block] = 1
        return found

    @cached_property
    def above(self) -> list[int]:
        """Immediate dominators."""
        return graph.dominators(self.targets, 0)

    @cached_property
    def tree(self) -> graph.Tree:
        """The dominator tree."""
        return graph.Tree(self.above, 0)

    @cached_property
    def after(self) -> list[int]:
        """Immediate post-dominators: where all ways out of a block meet again.

        Blocks that never come to the exit, as in an endless loop, are led there.
        """
        sources = [list(each) for each in self.sources]
        seen = bytearray(len(sources))

        def spread(start: int) -> None:
            stack = [start]
            while stack:
                block = stack.pop()
                if seen[block]:
                    continue
                seen[block] = 1
                stack.extend(each for each in sources[block] if not seen[each])

        spread(self.exit)
        for block in reversed(self.order):
            if not seen[block]:
                spread(block)
                sources[self.exit].append(block)
        return graph.dominators(sources, self.exit)

    @cached_property
    def loops(self) -> list[Loop]:
        """The natural loops, one for each header, in the order of their headers."""
        latches: dict[int, list[int]] = {}
        for block in self.order:
            for target in self.targets[block]:
                if self.tree.dominates(target, block):
                    latches.setdefault(target, []).append(block)
        found = []
        work = 0
        for header in sorted(latches):
            body = {header}
            todo = [block for block in latches[header] if block != header]
            while todo:
                block = todo.pop()
                if block in body or not self.reached[block]:
                    continue
                body.add(block)
                todo.extend(self.sources[block])
            work += len(body)
            if work > MAX_REGION_WORK:
                raise TooLargeError("loops are nested too deeply")
            found.append(Loop(header, frozenset(body), tuple(latches[header])))
        return found

    @cached_property
    def in_loop(self) -> bytearray:
        """Whether each block is part of a loop."""
        found = bytearray(len(self.targets))
        for loop in self.loops:
            for block in loop.blocks:
                found[block] = 1
        return found

    def region(self, block: int, limit: int) -> list[int] | None:
        """Blocks between a branch and where its ways meet again, both left out.

        Args:
            block: The block that ends in the branch.
            limit: Most blocks.

        Returns:
            The blocks, None where there are more.
        """
        meet = self.after[block]
        seen = {meet}
        found = []
        stack = [each for each in self.targets[block] if each != meet]
        while stack:
            here = stack.pop()
            if here in seen:
                continue
            seen.add(here)
            found.append(here)
            if len(found) > limit:
                return None
            stack.extend(each for each in self.targets[here] if each not in seen)
        return found
