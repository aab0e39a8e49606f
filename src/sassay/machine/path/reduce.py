"""Finds reductions in an expression, and how each is staged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sassay.model.numeric_path import Level

if TYPE_CHECKING:
    from sassay.machine.symbolic import Expression
    from sassay.model.numeric_path import LevelKind

FEWEST = 4
"""Terms from which on a sum counts as a reduction."""

_NEUTRAL = {
    "add": {"0", "0x80000000"},
    "max": {"-inf", "0xff7fffff"},
    "min": {"inf", "0x7f7fffff"},
}
"""Constants that stand for nothing in what they are joined with: what a mask leaves."""

_WHAT = {"add": "sum", "max": "maximum", "min": "minimum", "atom": "sum", "red": "sum"}


def joins(operation: str) -> str | None:
    """What an operation joins, as a name that all operations of one reduction share."""
    base, *rest = operation.split(".")
    if base in {"atom", "red"}:
        kind = rest[-1] if rest else ""
        if "add" not in rest:
            return None
        return f"add.rn.{kind}" if kind.startswith(("f", "bf")) else f"add.{kind}"
    if base == "fma":
        return ".".join(["add", *rest])
    return operation if base in {"add", "max", "min"} else None


@dataclass(frozen=True)
class Tree:
    """A reduction.

    Attributes:
        what: `sum`, `maximum` or `minimum`.
        joined: The joining operation.
        terms: Its leaves: the value, or the node of a fused multiply-add whose product it is;
            those that several threads have alike once.
        count: Of its leaves.
        levels: From the terms to the result.
        first: Terms that the first stage joins, in order.
        factor: By what a sum is multiplied before the next tile is added; None if by nothing.
    """

    what: str
    joined: str
    terms: tuple[tuple[Expression, bool], ...]
    count: int
    levels: tuple[Level, ...]
    first: tuple[tuple[Expression, bool], ...]
    factor: Expression | None = None


@dataclass(frozen=True)
class _Part:
    count: int
    levels: tuple[Level, ...]
    first: tuple[tuple[Expression, bool], ...]


def reduction(root: Expression) -> Tree | None:
    """The reduction that a node ends, None if it ends none."""
    joined = joins(root.operation)
    if joined is None:
        return None
    return _running(root, joined) or _plain(root, joined)


def _running(root: Expression, joined: str) -> Tree | None:
    """A sum over tiles, what was summed before each of them multiplied by a factor."""
    sums: list[Expression] = []
    factor: Expression | None = None
    node = root
    while (found := _rescaled(node, joined)) is not None:
        own, each, node = found
        sums.append(own)
        factor = factor or each
    if factor is None:
        return None
    if joins(node.operation) == joined:
        sums.append(node)
    trees = [tree for each in sums if (tree := _plain(each, joined)) is not None]
    if len(trees) != len(sums):
        return None
    terms = tuple(term for tree in trees for term in tree.terms)
    last = trees[0]
    if len(trees) == 1:
        return last
    levels = (*last.levels, Level("rescaled", len(trees)))
    count = sum(tree.count for tree in trees)
    return Tree(last.what, joined, terms, count, levels, last.first, factor)


def _rescaled(node: Expression, joined: str) -> tuple[Expression, Expression, Expression] | None:
    """The sum of a tile, the factor, and what was summed before it."""
    ways: list[tuple[Expression, Expression, Expression]] = []
    if node.operation.startswith("fma") and len(node.operands) == 3:
        first, second, own = node.operands
        ways = [(own, first, second), (own, second, first)]
    elif joined.startswith("add.") and len(node.operands) == 2:
        for own, scaled in (node.operands, node.operands[::-1]):
            if scaled.operation.startswith("mul.") and len(scaled.operands) == 2:
                first, second = scaled.operands
                ways += [(own, first, second), (own, second, first)]
    for own, factor, before in ways:
        begins = before.operation == "constant" and before.name in _NEUTRAL["add"]
        if joins(own.operation) == joined and (begins or joins(before.operation) == joined):
            return own, factor, before
    return None


def _plain(root: Expression, joined: str) -> Tree | None:
    parts: dict[int, _Part] = {}
    terms: dict[int, tuple[Expression, bool]] = {}
    stack = [root]
    while stack:
        node = stack[-1]
        if id(node) in parts:
            stack.pop()
            continue
        inner = [each for each in _addends(node) if joins(each.operation) == joined]
        missing = [each for each in inner if id(each) not in parts]
        if missing:
            stack += missing
            continue
        parts[id(node)] = _join(node, joined, parts, terms)
        stack.pop()
    whole = parts[id(root)]
    if whole.count < FEWEST:
        return None
    what = _WHAT[joined.split(".", 1)[0]]
    found = tuple(terms.values())
    return Tree(what, joined, found, whole.count, whole.levels, whole.first)


def _addends(node: Expression) -> tuple[Expression, ...]:
    return node.operands[2:] if node.operation.startswith("fma") else node.operands


def _join(
    node: Expression,
    joined: str,
    parts: dict[int, _Part],
    terms: dict[int, tuple[Expression, bool]],
) -> _Part:
    """The part of a tree that ends at a node."""

    def part(each: Expression) -> _Part:
        if joins(each.operation) == joined:
            return parts[id(each)]
        if each.operation == "constant" and each.name in _NEUTRAL[joined.split(".", 1)[0]]:
            return _Part(0, (), ())
        terms[id(each)] = (each, False)
        return _Part(1, (), ((each, False),))

    if node.operation.startswith("fma"):
        terms[id(node)] = (node, True)
        left, right = part(node.operands[2]), _Part(1, (), ((node, True),))
        via = (node.via[2] if len(node.via) > 2 else "", "")
    else:
        left, right = (part(each) for each in node.operands[:2])
        via = (node.via[0], node.via[1]) if len(node.via) > 1 else ("", "")
        if node.operation.startswith(("atom", "red")):
            return _Part(left.count + right.count, _more(left, right, "atomics"), left.first)
    if not left.count or not right.count:
        return right if not left.count else left
    if left.count < right.count or (
        left.count == right.count and len(left.levels) < len(right.levels)
    ):
        left, right, via = right, left, (via[1], via[0])
    count = left.count + right.count
    return _Part(count, _levels(left, right, via), _first(left, right))


def _first(left: _Part, right: _Part) -> tuple[tuple[Expression, bool], ...]:
    serial = len(left.levels) <= 1 and not right.levels and right.count == 1
    if serial and (not left.levels or left.levels[0].kind == "serial"):
        return (*left.first, *right.first)
    return left.first


def _levels(left: _Part, right: _Part, via: tuple[str, str]) -> tuple[Level, ...]:
    steps = [each.strip() for way in via for each in way.split(",") if each.strip()]
    shuffles = [each for each in steps if each.startswith("shfl")]
    shared = any(each == "ld.shared" for each in steps)
    before = left.levels
    if shuffles:
        number = shuffles[-1].rsplit(" ", 1)[-1]
        offset = int(number) if number.isdigit() else 0
        if shared and left.count == right.count:
            before = (*before, Level("shared", 1))
        if before and before[-1].kind == "shuffle":
            last = before[-1]
            return (*before[:-1], Level("shuffle", last.width * 2, (*last.offsets, offset)))
        return (*before, Level("shuffle", 2, (offset,)))
    if shared:
        return _more(left, right, "shared")
    if right.count == 1:
        return _more(left, right, "serial")
    if left.count == right.count and left.levels == right.levels:
        if before and before[-1].kind == "pairwise":
            return (*before[:-1], Level("pairwise", before[-1].width * 2))
        return (*before, Level("pairwise", 2))
    if before and before[-1].kind in {"serial", "pairwise"} and before[:-1] == right.levels:
        # Tiles, one after the other; of two nothing says in which order they are joined.
        return (*right.levels, Level("serial", before[-1].width + 1))
    return _more(left, right, "uneven")


def _more(left: _Part, right: _Part, kind: LevelKind) -> tuple[Level, ...]:
    """The levels of one more value joined to others one after the other."""
    before = left.levels
    if before and before[-1].kind == kind and before[:-1] == right.levels:
        return (*before[:-1], Level(kind, before[-1].width + 1))
    if before == right.levels:
        return (*before, Level(kind, 2))
    if kind == "uneven":
        return (*before, Level("uneven", 2))
    if before and before[-1].kind == kind:
        return (*before[:-1], Level(kind, before[-1].width + 1))
    return (*before, Level(kind, 2))
