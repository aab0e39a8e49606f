"""Keeps what was hashed in one block of a grid, so that an expression can be told from its hash."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.symbolic import hashing
from sassay.machine.symbolic.expression import Expression

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.machine.program import Op
    from sassay.machine.symbolic.lanes import SymbolicLanes
    from sassay.machine.types import Array

MAX_NODES = 1 << 24


@dataclass(frozen=True)
class _Batch:
    """What one instruction hashed: a result and operands for each thread."""

    name: str
    op: Op | None
    results: Array
    operands: tuple[Array, ...]
    via: tuple[str, ...]
    words: Array | None = None
    index: Array | None = None


class Recorder:
    """Records some blocks, or all of them.

    Attributes:
        chosen: Numbers of the blocks in the slice that runs; None for all.
        via: How the operands of what is hashed next came here.
        blocks: See `Tape`.
    """

    def __init__(self) -> None:
        self.chosen: Array | None = None
        self.via: tuple[str, ...] = ()
        self.blocks: Array | None = None
        self._op: Op | None = None
        self._batches: list[_Batch] = []
        self._lanes: SymbolicLanes | None = None
        self._count = 0
        self._index: tuple[Array, Array, Array] | None = None
        self._made: dict[int, Expression] = {}

    def enter(self, op: Op, lanes: SymbolicLanes) -> None:
        """An operation starts."""
        self._op = op
        self._lanes = lanes
        self.via = ()

    @property
    def _idle(self) -> bool:
        return self.chosen is not None and not self.chosen.size

    def _picked(self, value: Array, shape: tuple[int, ...]) -> Array:
        full = np.broadcast_to(value, shape)
        lanes = self._lanes
        if self.chosen is not None and self.blocks is not None:
            return full[np.isin(self.blocks, self.chosen)].reshape(-1)
        if self.chosen is None or lanes is None or full.size == 1 or full.ndim != 2:
            return full.reshape(-1)
        if full.shape[0] == lanes.shape[0] and full.shape[0] > 1:
            blocks = np.broadcast_to(lanes.block, (lanes.shape[0], 1))[:, 0]
            return full[np.isin(blocks, self.chosen)].reshape(-1)
        return full.reshape(-1)

    def _keep(self, batch: _Batch) -> None:
        if self._count < MAX_NODES and batch.results.size:
            self._count += batch.results.size
            self._batches.append(batch)
            self._index = None

    def operation(self, name: np.uint64, result: Array, operands: Sequence[Array]) -> None:
        """An operation was hashed."""
        if self._idle:
            return
        picked = self._picked(result, result.shape)
        unique, first = np.unique(picked, return_index=True)
        columns = tuple(self._picked(each, result.shape)[first] for each in operands)
        via, self.via = self.via, ()
        self._keep(_Batch(hashing.NAMES[int(name)], self._op, unique, columns, via))

    def leaf(self, name: np.uint64, result: Array, index: Array) -> None:
        """Elements of a buffer were."""
        if self._idle:
            return
        picked = self._picked(result, result.shape)
        unique, first = np.unique(picked, return_index=True)
        numbers = self._picked(index, result.shape)[first]
        self._keep(_Batch(hashing.NAMES[int(name)], None, unique, (), (), index=numbers))

    def constant(self, result: Array, words: Array) -> None:
        """Numbers were."""
        if self._idle and result.size != 1:
            return
        picked = self._picked(result, result.shape)
        unique, first = np.unique(picked, return_index=True)
        kept = self._picked(words, result.shape)[first]
        self._keep(_Batch("constant", None, unique, (), (), words=kept))

    def _find(self, hashes: Array) -> tuple[Array, Array]:
        """Where each hash was made first: batch, -1 if nowhere, and row."""
        if self._index is None:
            sizes = [each.results.size for each in self._batches]
            results = np.concatenate([each.results for each in self._batches] or [hashes[:0]])
            order = np.argsort(results, kind="stable")
            self._index = results[order], order, np.cumsum([0, *sizes])
        known, order, starts = self._index
        at = np.searchsorted(known, hashes)
        there = at < known.size
        there[there] = known[at[there]] == hashes[there]
        place = np.where(there, order[np.minimum(at, max(known.size - 1, 0))], 0)
        batch = np.searchsorted(starts, place, side="right") - 1
        return np.where(there, batch, -1), place - starts[batch]

    def expression(self, root: int) -> Expression:
        """The expression of a hash."""
        made, places = self._made, self._reached(root)
        stack = [root]
        while stack:
            hash_ = stack[-1]
            if hash_ in made:
                stack.pop()
                continue
            number, row, operands = places[hash_]
            if number < 0:
                made[hash_] = Expression("unknown", (), hash_, name="?")
                stack.pop()
                continue
            missing = [each for each in operands if each not in made]
            if missing:
                stack += missing
                continue
            inner = tuple(made[each] for each in operands)
            made[hash_] = _node(self._batches[number], row, hash_, inner)
            stack.pop()
        return made[root]

    def _reached(self, root: int) -> dict[int, tuple[int, int, tuple[int, ...]]]:
        """Batch, row and operands of each hash that an expression is made of, level by level."""
        found: dict[int, tuple[int, int, tuple[int, ...]]] = {}
        level = [root]
        while level:
            numbers, rows = self._find(np.array(level, np.uint64))
            following: dict[int, None] = {}
            for hash_, number, row in zip(level, numbers.tolist(), rows.tolist(), strict=True):
                operands: tuple[int, ...] = ()
                if number >= 0:
                    operands = tuple(int(each[row]) for each in self._batches[number].operands)
                found[hash_] = number, row, operands
                following |= dict.fromkeys(operands)
            level = [each for each in following if each not in found and each not in self._made]
        return found


def _node(batch: _Batch, row: int, hash_: int, operands: tuple[Expression, ...]) -> Expression:
    if batch.index is not None:
        name = batch.name.removeprefix("leaf ")
        scalar = name.startswith("scalar ")
        index = None if scalar else int(batch.index[row])
        return Expression("input", (), hash_, name.removeprefix("scalar "), index)
    if batch.words is not None:
        return Expression("constant", (), hash_, number(batch.words, row))
    place = batch.op.place if batch.op is not None else None
    return Expression(
        batch.name,
        operands,
        hash_,
        text=place.text if place else "",
        line=place.line if place else 0,
        location=place.location if place else None,
        via=batch.via if any(batch.via) else (),
    )


def number(words: Array, row: int) -> str:
    """A constant in words: its bits, and the float that a word of 32 or 64 bits is."""
    if words.dtype == np.bool_:
        return "true" if words[row] else "false"
    bits = int(words[row])
    size = words.dtype.itemsize
    if size in (4, 8) and bits >> (8 * size - 9):
        value = float(words[row : row + 1].view(f"f{size}")[0])
        if math.isinf(value):
            return str(value)
        if 1e-30 < abs(value) < 1e30:
            return f"{value:.9g}"
    return str(bits) if bits < 1 << 16 else f"{bits:#x}"
