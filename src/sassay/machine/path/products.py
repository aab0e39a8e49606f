"""Finds dot products in an expression: steps of matrix instructions, and how they are joined.

A matrix unit adds some products to an accumulator; steps follow one another through it. Between
stretches of steps other instructions may come: what was summed so far is multiplied (the online
softmax of attention), or partial sums are added up outside of the unit, which is more exact (fp8),
with or without a scale for each, or by atomics of several blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sassay.machine.symbolic import Expression
    from sassay.model.numeric_path import Joined

_ZEROS = frozenset({"0", "0x80000000"})


@dataclass(frozen=True)
class Dot:
    """A dot product.

    Attributes:
        tiles: Stretches of steps, each one after the other through the accumulator; the last
            stretch last.
        joined: How stretches are joined.
        factors: By what the sum before a stretch is multiplied (`rescaled`), or a stretch's own
            sum is (`scaled`).
        start: What the first stretch adds to; None for zero.
    """

    tiles: tuple[tuple[Expression, ...], ...]
    joined: Joined
    factors: tuple[Expression, ...]
    start: Expression | None

    @property
    def last(self) -> Expression:
        """The last step."""
        return self.tiles[-1][-1]

    def factor(self, side: int) -> Expression:
        """An element of a row of A (0) or of a column of B (1), of the last step that has one."""
        for tile in reversed(self.tiles):
            for step in reversed(tile):
                for each in step.operands[side].operands:
                    if each.operation != "constant":
                        return each
        return self.last.operands[side].operands[0]

    def order(self) -> tuple[int, ...]:
        """The rank of each step by the elements that it takes; empty if they ascend or mix."""
        steps = [step for tile in self.tiles for step in tile]
        for side in (0, 1):
            firsts = [_first(step.operands[side]) for step in steps]
            places = [each for each in firsts if each is not None]
            if len(places) == len(steps) and len({name for name, _ in places}) == 1:
                ranks = {index: rank for rank, (_, index) in enumerate(sorted(places))}
                found = tuple(ranks[index] for _, index in places)
                return () if found == tuple(sorted(found)) else found
        return ()


def _first(vector: Expression) -> tuple[str, int] | None:
    """The first element of a row or column, if it is one of an input."""
    node = vector.operands[0]
    while len(node.operands) == 1:
        node = node.operands[0]
    return None if node.index is None else (node.name, node.index)


def is_step(node: Expression) -> bool:
    """Whether a node is a step of a matrix unit."""
    return node.operation.startswith(("mma.", "wgmma.")) and len(node.operands) == 3


def is_zero(node: Expression) -> bool:
    """Whether a node is the constant zero."""
    return node.operation == "constant" and node.name in _ZEROS


def dot_product(root: Expression) -> Dot | None:
    """The dot product that a node ends, None if it ends none."""
    tiles: list[tuple[Expression, ...]] = []
    factors: list[Expression] = []
    joined: Joined = ""
    node = root
    while not (tiles and is_zero(node)):
        stretch = _stretch(node, tiles[-1][-1].operation if tiles else None)
        if stretch is None or (stretch.joined and joined and stretch.joined != joined):
            break
        tiles.append(stretch.steps)
        joined = joined or stretch.joined
        if stretch.factor is not None:
            factors.append(stretch.factor)
        node = stretch.before
    if not tiles:
        return None
    if len(tiles) == 1 and joined != "scaled":
        joined, factors = "", []
    start = None if is_zero(node) else node
    return Dot(tuple(reversed(tiles)), joined, tuple(reversed(factors)), start)


@dataclass(frozen=True)
class _Stretch:
    """Steps that follow one another through the accumulator.

    Attributes:
        steps: In order.
        joined: How they are joined to what is before them.
        factor: See `Dot`.
        before: What that is.
    """

    steps: tuple[Expression, ...]
    joined: Joined
    factor: Expression | None
    before: Expression


def _stretch(node: Expression, name: str | None) -> _Stretch | None:
    """The stretch that a node ends with, None if it ends with none.

    Args:
        node: A step, or what joins stretches.
        name: Of the steps after it, None if there are none.
    """
    if is_step(node):
        if name not in {None, node.operation}:
            return None
        steps, start = _chain(node)
        rescaled = _rescaled(start, node.operation)
        if rescaled is None:
            return _Stretch(steps, "", None, start)
        return _Stretch(steps, "rescaled", rescaled[1], rescaled[0])
    for how, partial, factor, before in _sums(node):
        if not is_step(partial) or name not in {None, partial.operation}:
            continue
        steps, start = _chain(partial)
        atomics = how == "atomics"
        if is_zero(start) and (atomics or is_zero(before) or _leads(before, partial.operation)):
            return _Stretch(steps, how, factor, before)
    return None


def _sums(
    node: Expression,
) -> Iterator[tuple[Joined, Expression, Expression | None, Expression]]:
    """Ways in which a node may add a partial sum: how, the sum, its factor, the rest."""
    base, *rest = node.operation.split(".")
    if base in {"red", "atom"} and "add" in rest:
        yield "atomics", node.operands[1], None, node.operands[0]
    elif base == "add" and len(node.operands) == 2:
        for partial, before in (node.operands[::-1], node.operands):
            yield "added", partial, None, before
            if partial.operation.startswith("mul.") and len(partial.operands) == 2:
                first, second = partial.operands
                yield "scaled", first, second, before
                yield "scaled", second, first, before
    elif base == "fma" and len(node.operands) == 3:
        first, second, before = node.operands
        yield "scaled", first, second, before
        yield "scaled", second, first, before


def _leads(node: Expression, name: str) -> bool:
    """Whether a node may be a sum of such steps too."""
    if node.operation == name:
        return True
    return any(partial.operation == name for _, partial, _, _ in _sums(node))


def _chain(node: Expression) -> tuple[tuple[Expression, ...], Expression]:
    """Steps that follow one another through the accumulator, and what the first one adds to."""
    steps = [node]
    while steps[-1].operands[2].operation == node.operation:
        steps.append(steps[-1].operands[2])
    return tuple(reversed(steps)), steps[-1].operands[2]


def _rescaled(base: Expression, name: str) -> tuple[Expression, Expression] | None:
    """A sum that was multiplied, and its factor; None if it is no such thing."""
    if not base.operation.startswith("mul.") or len(base.operands) != 2:
        return None
    for inner, factor in (base.operands, base.operands[::-1]):
        if inner.operation == name or is_zero(inner):
            return inner, factor
    return None
