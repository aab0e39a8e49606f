"""Atomics: threads that meet at one address take turns in the order of their index.

Integers do not depend on the order but for what each thread gets back; sums of floats do, so
those forms are labelled `modelled`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.numeric.resolve import resolve
from sassay.machine.races import Race
from sassay.machine.types import TYPES, Array

if TYPE_CHECKING:
    from collections.abc import Callable

    from sassay.machine.memory import Part

    Update = Callable[[Array, Array, Array | None], Array]

_BITWISE: dict[str, Callable[[Array, Array], Array]] = {
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
}


def update_of(how: str, kind: str, *, flush: bool) -> Update | None:
    """What an atomic makes of the old value; None if it is not implemented.

    Args:
        how: `add`, `min`, `exch` ...
        kind: The type.
        flush: Subnormal float32 count as zero, as in global memory.
    """
    if how == "exch":
        return lambda _old, new, _other: new
    if how == "cas":
        return lambda old, new, other: old if other is None else np.where(old == new, other, old)
    if how in _BITWISE:
        run = _BITWISE[how]
        return lambda old, new, _other: run(old, new)
    if how == "inc":
        return lambda old, new, _other: np.where(old >= new, 0, old + np.uint32(1)).astype("u4")
    if how == "dec":
        return lambda old, new, _other: np.where((old == 0) | (old > new), new, old - np.uint32(1))
    if TYPES[kind].kind in "us":
        plain = {"add": np.add, "min": np.minimum, "max": np.maximum}.get(how)
        return None if plain is None else lambda old, new, _other: plain(old, new)
    if TYPES[kind].kind != "f" or how not in {"add", "min", "max"}:
        return None
    if how != "add" and kind in {"f32", "f64"}:
        return None
    rounding = ".rn" if how == "add" else ""
    ftz = ".ftz" if flush and kind == "f32" else ""
    run_float = resolve(f"{how}{rounding}{ftz}.{kind}", 1).single
    return lambda old, new, _other: run_float(old, new)


def apply(
    part: Part,
    kind: str,
    update: Update,
    sources: tuple[Array, Array | None],
    *,
    shape: tuple[int, int],
    adds: bool,
) -> Array:
    """Runs an atomic for the threads of a part.

    Args:
        part: Where each thread's word lies.
        kind: The type.
        update: See `update_of`.
        sources: Second source, typed (the value to compare with for `cas`), and third of `cas`.
        shape: Of the lanes.
        adds: It is a sum of integers, which needs no turns.

    Returns:
        What each thread got back, of the shape of the lanes.
    """
    dtype = TYPES[kind].dtype
    if part.watch is not None:
        try:
            part.watch.races.atomic(part.offsets, dtype.itemsize, part.watch.lanes, part.where)
        except Race as error:
            raise part.watch.trap(error) from None
    cells = part.data.view(dtype)
    where = None if part.where is None else np.broadcast_to(part.where, shape)
    index = chosen(part.offsets // dtype.itemsize, shape, where)
    new = chosen(sources[0], shape, where)
    third = None if sources[1] is None else chosen(sources[1], shape, where)
    order = np.argsort(index, kind="stable")
    ordered = index[order]
    first = np.ones(ordered.size, np.bool_)
    first[1:] = ordered[1:] != ordered[:-1]
    old = np.empty(index.size, dtype)
    if first.all():
        old[:] = cells[index]
        cells[index] = update(old, new, third)
    elif adds:
        old[order] = _sums(cells, ordered, new[order], first)
    else:
        _in_turns(cells, index, (order, first), (new, third), update=update, old=old)
    if part.written is not None:
        marks = part.written.reshape(-1, dtype.itemsize)
        marks[index] = 1
    result = np.zeros(shape, dtype)
    if where is None:
        result[...] = old.reshape(shape)
    else:
        result[where] = old
    return result


def chosen(value: Array, shape: tuple[int, int], where: Array | None) -> Array:
    """A value of the threads of a mask, in their order."""
    spread = np.broadcast_to(value, shape)
    return spread.reshape(-1) if where is None else spread[where]


def _sums(cells: Array, index: Array, values: Array, first: Array) -> Array:
    total = np.cumsum(values, dtype=values.dtype)
    before = total - values
    starts = np.flatnonzero(first)
    group = np.cumsum(first) - 1
    got: Array = cells[index] + (before - before[starts][group])
    ends = np.append(starts[1:], index.size) - 1
    cells[index[ends]] = got[ends] + values[ends]
    return got


def _in_turns(
    cells: Array,
    index: Array,
    runs: tuple[Array, Array],
    sources: tuple[Array, Array | None],
    *,
    update: Update,
    old: Array,
) -> None:
    order, first = runs
    starts = np.flatnonzero(first)
    turn = np.arange(index.size) - starts[np.cumsum(first) - 1]
    by_turn = order[np.argsort(turn, kind="stable")]
    counts = np.bincount(turn)
    start = 0
    for count in counts.tolist():
        chosen = by_turn[start : start + count]
        start += count
        at = index[chosen]
        before = cells[at]
        old[chosen] = before
        third = sources[1]
        cells[at] = update(before, sources[0][chosen], None if third is None else third[chosen])


def flushes(space: str) -> bool:
    """Whether float32 atomics of a space flush subnormals (PTX ISA, "atom")."""
    return space in {"", "global"}


def turns(index: Array) -> list[Array]:
    """Which threads take which turn, so that no two of one turn have the same index."""
    order = np.argsort(index, kind="stable")
    ordered = index[order]
    first = np.ones(ordered.size, np.bool_)
    first[1:] = ordered[1:] != ordered[:-1]
    if first.all():
        return [order]
    starts = np.flatnonzero(first)
    turn = np.arange(index.size) - starts[np.cumsum(first) - 1]
    by_turn = order[np.argsort(turn, kind="stable")]
    return np.split(by_turn, np.cumsum(np.bincount(turn))[:-1])
