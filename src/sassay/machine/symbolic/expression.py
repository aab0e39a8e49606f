"""Expressions: what made a value, as a tree whose equal parts are one object."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sassay.model.artifact import SourceLocation


@dataclass(frozen=True, eq=False)
class Expression:
    """One node.

    Attributes:
        operation: The opcode without operands, such as `add.rn.f32`; `input`, `constant`,
            or a name of the machine for what several instructions do alike: `low` and `high`
            halves of a word, `join` of two, `if` (condition, then, else).
        operands: In order; for what is commutative the order of the instruction.
        hash: Of the expression.
        name: Of an input: which buffer; of a constant: its value, in words.
        index: Of an input: the element, None for a scalar.
        text: The instruction, empty for leaves.
        line: In the module, from 1; 0 for leaves.
        location: In the source.
        via: How each operand came to the instruction: empty, or the instructions that carried
            it there from another thread or through memory, such as `shfl.bfly 16` or `ld.shared`.
    """

    operation: str
    operands: tuple[Expression, ...]
    hash: int
    name: str = ""
    index: int | None = None
    text: str = ""
    line: int = 0
    location: SourceLocation | None = None
    via: tuple[str, ...] = field(default=())

    @property
    def label(self) -> str:
        """The node without its operands."""
        if self.operation == "input":
            return self.name if self.index is None else f"{self.name}[{self.index}]"
        if self.operation == "constant":
            return self.name
        return self.operation

    @property
    def place(self) -> str:
        """Where it was computed: source line, else line of the module; empty for leaves."""
        if self.location is not None:
            return f"{self.location.file}:{self.location.line}"
        return f"line {self.line}" if self.line else ""

    def walk(self) -> Iterator[Expression]:
        """Every node once, operands before what uses them."""
        seen: set[int] = set()
        stack: list[tuple[Expression, bool]] = [(self, False)]
        while stack:
            node, done = stack.pop()
            if done:
                yield node
            elif id(node) not in seen:
                seen.add(id(node))
                stack.append((node, True))
                stack += [(each, False) for each in reversed(node.operands)]

    def render(self, depth: int = 4) -> str:
        """The tree as nested calls; `...` below a depth."""
        if not self.operands:
            return self.label
        if depth <= 0:
            return "..."
        inner = ", ".join(each.render(depth - 1) for each in self.operands)
        return f"{self.label}({inner})"


@dataclass(frozen=True)
class Difference:
    """Where two expressions part.

    Attributes:
        before: The first node of one that differs from the other's, from the root down.
        after: Its counterpart.
        path: Labels of the nodes that both have above it, the root first.
    """

    before: Expression
    after: Expression
    path: tuple[str, ...]


def first_difference(before: Expression, after: Expression) -> Difference | None:
    """Follows two expressions from the root to where they part; None if they are equal.

    It goes down while both nodes are of one operation and exactly one operand differs.
    """
    if before.hash == after.hash:
        return None
    path: list[str] = []
    while before.operation == after.operation and len(before.operands) == len(after.operands):
        pairs = _unlike(before, after)
        if len(pairs) != 1:
            break
        path.append(before.label)
        before, after = pairs[0]
    return Difference(before, after, tuple(path))


def _unlike(before: Expression, after: Expression) -> list[tuple[Expression, Expression]]:
    pairs = [
        (a, b) for a, b in zip(before.operands, after.operands, strict=True) if a.hash != b.hash
    ]
    if len(pairs) < 2:
        return pairs
    # Operands of commutative operations may stand in another order.
    left, right = [a for a, _ in pairs], [b for _, b in pairs]
    common = {each.hash for each in left} & {each.hash for each in right}
    left = [each for each in left if each.hash not in common]
    right = [each for each in right if each.hash not in common]
    return list(zip(left, right, strict=False)) if len(left) == len(right) == 1 else pairs
