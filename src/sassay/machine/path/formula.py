"""Writes an expression as a formula, reductions folded, elements of a buffer all alike."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sassay.machine.path.products import Dot, dot_product
from sassay.machine.path.reduce import Tree, joins, reduction
from sassay.machine.symbolic.names import commutes

if TYPE_CHECKING:
    from sassay.machine.symbolic import Expression

_INFIX = {"add": ("+", 1), "sub": ("-", 1), "mul": ("*", 2), "div": ("/", 2)}
_COMPARE = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
_NAMED = {"ex2": "exp2", "lg2": "log2", "select-from": "gathered"}
_SIZES = {"f64": 53, "f32": 24, "tf32": 11, "f16": 11, "bf16": 8, "e4m3": 4, "e5m2": 3}
_HALF_ARITHMETIC = frozenset({"add", "sub", "mul", "fma"})
_ATOM = 9
_BIG = re.compile("\0(\\d+)\0")
"""Stands for what is too long to be written out, until it is known what is shown."""


LONGEST = 400
"""Characters above which a formula is summed up by the instructions in it."""


def rounds(operation: str) -> str | None:
    """The type that an instruction rounds to where others would not.

    That is a conversion that is not exact, or arithmetic in a half format; None for all others.
    """
    base, *rest = operation.split(".")
    if base in _HALF_ARITHMETIC and rest and rest[-1] in {"f16", "bf16"}:
        return rest[-1]
    if base != "cvt" or len(rest) < 2:
        return None
    target, source = rest[-2], rest[-1]
    if source not in _SIZES:
        return target if source[0] in "us" and target in _SIZES and "rn" in rest else None
    if (
        target in _SIZES
        and _SIZES[target] >= _SIZES[source]
        and {target, source}
        != {
            "f16",
            "bf16",
        }
    ):
        return None
    return target


class Formulas:
    """Formulas of the nodes of one output."""

    def __init__(self) -> None:
        self._shapes: dict[int, int] = {}
        self._trees: dict[int, Tree | None] = {}
        self._dots: dict[int, Dot | None] = {}
        self._texts: dict[int, tuple[str, int]] = {}
        self._kept: list[Expression] = []
        self._big: list[Expression] = []

    def shape(self, root: Expression) -> int:
        """Equal for expressions that differ only in which elements they take."""
        stack = [root]
        while stack:
            node = stack[-1]
            if id(node) in self._shapes:
                stack.pop()
                continue
            missing = [each for each in node.operands if id(each) not in self._shapes]
            if missing:
                stack += missing
                continue
            self._kept.append(node)
            inner = tuple(self._shapes[id(each)] for each in node.operands)
            if len(inner) > 1 and commutes(node.operation):
                inner = (*sorted(inner[:2]), *inner[2:])
            self._shapes[id(node)] = hash((node.operation, node.name, inner))
            stack.pop()
        return self._shapes[id(root)]

    def tree(self, node: Expression) -> Tree | None:
        """The reduction that a node ends, if its terms are alike."""
        if id(node) not in self._trees:
            found = reduction(node) if joins(node.operation) else None
            if found is not None and not self._alike(found):
                found = None
            self._trees[id(node)] = found
            self._kept.append(node)
        return self._trees[id(node)]

    def dot(self, node: Expression) -> Dot | None:
        """The dot product of matrix instructions that a node ends."""
        if id(node) not in self._dots:
            self._dots[id(node)] = dot_product(node)
            self._kept.append(node)
        return self._dots[id(node)]

    def _alike(self, tree: Tree) -> bool:
        found: dict[bool, list[tuple[Expression, ...]]] = {}
        shapes = set[tuple[bool, tuple[int, ...]]]()
        for term, fused in tree.terms:
            parts = term.operands[:2] if fused else (term,)
            shape = fused, tuple(self.shape(each) for each in parts)
            if shape not in shapes:
                shapes.add(shape)
                found.setdefault(fused, []).append(parts)
        # The first product of a sum may stand alone where the others are fused.
        if len(found) > 1 and len(found[False]) > 1:
            return False
        return all(
            self._same_form(one, other)
            for first, *others in found.values()
            for each in others
            for one, other in zip(first, each, strict=True)
        )

    def _same_form(self, one: Expression, other: Expression) -> bool:
        """Whether two terms differ in constants only, as what a mask hides differs from the rest.

        A term that is no more than a constant is unlike any other.
        """
        if not one.operands or not other.operands:
            return self.shape(one) == self.shape(other)
        pairs, seen = [(one, other)], set[tuple[int, int]]()
        while pairs:
            a, b = pairs.pop()
            if (id(a), id(b)) in seen or self.shape(a) == self.shape(b):
                continue
            seen.add((id(a), id(b)))
            if "constant" in {a.operation, b.operation}:
                continue
            if (a.operation, a.name, len(a.operands)) != (b.operation, b.name, len(b.operands)):
                return False
            pairs += zip(a.operands, self._aligned(a, b), strict=True)
        return True

    def _aligned(self, one: Expression, other: Expression) -> tuple[Expression, ...]:
        """The operands of the other, the first two exchanged if they fit better so."""
        operands = other.operands
        if len(operands) < 2 or not commutes(other.operation):
            return operands

        def fits(a: Expression, b: Expression) -> bool:
            return a.operation == b.operation and len(a.operands) == len(b.operands)

        first, second, *rest = operands
        straight = fits(one.operands[0], first) + fits(one.operands[1], second)
        turned = fits(one.operands[0], second) + fits(one.operands[1], first)
        return (second, first, *rest) if turned > straight else operands

    def term(self, tree: Tree) -> str:
        """What a reduction reduces."""
        node, fused = next(((node, fused) for node, fused in tree.terms if fused), tree.terms[0])
        if not fused:
            return self._text(node)[0]
        left, right = node.operands[:2]
        if self._swapped(left, right):
            left, right = right, left
        return self._infix("*", 2, left, right)

    def title(self, tree: Tree) -> str:
        """What a reduction reduces, written out."""
        return _BIG.sub(lambda match: self._summed_up(self._big[int(match[1])]), self.term(tree))

    def parts(self, node: Expression) -> tuple[Expression, ...]:
        """What a formula shows of a node's operands: of a reduction, those of one term."""
        dot = self.dot(node)
        if dot is not None:
            start = () if dot.start is None else (dot.start,)
            return (dot.factor(0), dot.factor(1), *start, *dot.factors[-1:])
        tree = self.tree(node)
        if tree is None:
            return node.operands
        term, fused = next(((node, fused) for node, fused in tree.terms if fused), tree.terms[0])
        shown = term.operands[:2] if fused else (term,)
        return shown if tree.factor is None else (*shown, tree.factor)

    def text(self, node: Expression) -> str:
        """The formula of a node."""
        text = self._text(node)[0]
        full = _BIG.sub(lambda match: self._summed_up(self._big[int(match[1])]), text)
        if len(full) > LONGEST and len(node.operands) == 1:
            return f"{rounds(node.operation) or node.operation}({self.text(node.operands[0])})"
        return self._summed_up(node) if len(full) > LONGEST else full

    def factor_text(self, node: Expression) -> str:
        """The formula of what a sum is multiplied by before the next tile."""
        if len(node.operands) == 1 and node.operands[0].operation.startswith("sub."):
            trees = [self.tree(each) for each in node.operands[0].operands]
            what = {tree.what for tree in trees if tree is not None}
            if len(what) == 1:
                text = self.text(node).split("(", 1)[0]
                (name,) = what
                return f"{text}({name} before - {name} now)"
        return self.text(node)

    def _text(self, root: Expression) -> tuple[str, int]:
        stack = [root]
        while stack:
            node = stack[-1]
            if id(node) in self._texts:
                stack.pop()
                continue
            missing = [each for each in self.parts(node) if id(each) not in self._texts]
            if missing:
                stack += missing
                continue
            text, rank = self._write(node)
            if len(text) > LONGEST:
                self._big.append(node)
                text, rank = f"\0{len(self._big) - 1}\0", _ATOM
            self._texts[id(node)] = text, rank
            self._kept.append(node)
            stack.pop()
        return self._texts[id(root)]

    def _write(self, node: Expression) -> tuple[str, int]:
        dot = self.dot(node)
        if dot is not None:
            text = self._dot_text(dot)
            if dot.start is None:
                return text, _ATOM
            return f"{self._inside(dot.start, 1)} + {text}", 1
        tree = self.tree(node)
        if tree is not None:
            return f"{_SHORT[tree.what]}({self.term(tree)})", _ATOM
        if not node.operands:
            return (node.name or node.label).removesuffix("_ptr"), _ATOM
        base, *rest = node.operation.split(".")
        operands = node.operands
        mark = "~" if "approx" in rest or "full" in rest else ""
        if base in _INFIX and len(operands) == 2:
            sign, rank = _INFIX[base]
            left, right = operands
            if base in {"add", "mul"} and self._swapped(left, right):
                left, right = right, left
            text = self._infix(sign + mark, rank, left, right)
            half = rounds(node.operation)
            return (f"{half}({text})", _ATOM) if half else (text, rank)
        if base in {"fma", "mad"} and len(operands) == 3:
            return f"fma({', '.join(self._texts[id(each)][0] for each in operands)})", _ATOM
        if base == "neg":
            return f"-{self._inside(operands[0], 3)}", 3
        if base == "cvt" and len(operands) == 1:
            to = rounds(node.operation)
            if to is None and rest[-2] in _SIZES:
                return self._texts[id(operands[0])]
            return f"{to or rest[-2]}({self._texts[id(operands[0])][0]})", _ATOM
        if base == "setp" and rest[0] in _COMPARE and len(operands) == 2:
            return self._infix(_COMPARE[rest[0]], 0, *operands), 0
        # Of a gather that floats decide only the address tells something.
        shown = operands[:1] if base == "select-from" else operands
        inner = ", ".join(self._texts[id(each)][0] for each in shown)
        return f"{_NAMED.get(base, base)}{mark}({inner})", _ATOM

    def _dot_text(self, dot: Dot) -> str:
        inner = f"dot({', '.join(self._texts[id(dot.factor(side))][0] for side in (0, 1))})"
        if dot.joined != "scaled":
            return inner
        return f"sum({inner} * {self._inside(dot.factors[-1], 3)})"

    def _swapped(self, left: Expression, right: Expression) -> bool:
        """Whether two inputs that commute are better told in the order of their names."""
        plain = str.isidentifier
        first, second = self._texts[id(left)][0], self._texts[id(right)][0]
        if self.dot(left) is not None or self.dot(right) is not None:
            return self.dot(right) is None
        return plain(first) and plain(second) and second < first

    def _infix(self, sign: str, rank: int, left: Expression, right: Expression) -> str:
        return f"{self._inside(left, rank)} {sign} {self._inside(right, rank + 1)}"

    def _inside(self, node: Expression, rank: int) -> str:
        text, own = self._texts[id(node)]
        return f"({text})" if own < rank else text

    def _summed_up(self, root: Expression) -> str:
        """What is too long to be written out: its inputs, and how many of which instructions."""
        names: dict[str, None] = {}
        counts: dict[str, int] = {}
        seen, stack = set[int](), [root]
        while stack:
            node = stack.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            if node.operation == "input":
                names[node.name.removesuffix("_ptr")] = None
            elif node.operands:
                base = node.operation.split(".", 1)[0]
                counts[base] = counts.get(base, 0) + 1
            stack += node.operands
        most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:4]
        listed = ", ".join(f"{count} {base}" for base, count in most)
        return f"[{', '.join(sorted(names))}: {listed}]"


_SHORT = {"sum": "sum", "maximum": "max", "minimum": "min"}
