"""Atomics of the symbolic mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.access import split_access
from sassay.machine.atomics import chosen, turns
from sassay.machine.program import SINK_SLOT
from sassay.machine.symbolic import hashing
from sassay.machine.symbolic.lanes import DependsOnDataError
from sassay.machine.symbolic.names import canonical
from sassay.machine.symbolic.symbol import Piece, Symbol
from sassay.machine.types import TYPES

if TYPE_CHECKING:
    from collections.abc import Callable

    from sassay.machine.memory import Part
    from sassay.machine.program import Op
    from sassay.machine.symbolic.lanes import SymbolicLanes
    from sassay.machine.symbolic.memory import SymbolicMemory
    from sassay.machine.symbolic.notes import Notes
    from sassay.machine.types import Array

    Handler = Callable[[SymbolicLanes, SymbolicMemory, Array | None], None]


def bind_atomic(op: Op, notes: Notes, widths: tuple[int, ...]) -> Handler:
    """`atom` and `red` on symbols; the order of threads is noted where it counts."""
    space, left, kind = split_access(op.form)
    how = next(each for each in left if each != "noftz")
    width = TYPES[kind].dtype.itemsize
    returns = op.base == "atom" and op.targets[0] != SINK_SLOT
    name = hashing.name_hash(canonical(op.form))

    def run(lanes: SymbolicLanes, memory: SymbolicMemory, where: Array | None) -> None:
        if lanes.condition is not None:
            raise DependsOnDataError(lanes.condition.taint, "an atomic")
        active = lanes.running(where)
        address = lanes.address(op.sources[0])
        parts = memory.locate(lanes, space, address, width, active)
        notes.stored(lanes, memory, parts, width)
        values = [lanes.seen(each, width * 8) for each in op.sources[1:]]
        cells = memory.read(lanes, parts, width, 1)[0]
        if all(each.fixed for each in (*values, cells)):
            op.run(lanes, memory.bytes, where)
            for part in parts:
                over = memory.overlay(part)
                if over is not None:
                    over.mark_known(part.offsets, width, part.where)
            return
        taint = cells.taint
        for each in values:
            taint |= each.taint
        if how in {"exch", "cas"}:
            raise DependsOnDataError(taint, "an atomic exchange")
        ordered = TYPES[kind].kind == "f" and how == "add"
        if ordered or returns or how in {"inc", "dec"}:
            notes.order(op)
        found: Array | None = None
        for part in parts:
            new = _fold(lanes, memory, (part, width), values[0], name, ordered=ordered)
            if found is not None and part.where is not None:
                new = np.where(part.where, new, found)
            found = new
        if returns and found is not None:
            slot = op.targets[0]
            value = Symbol((Piece(width * 8, found),), taint).low(widths[slot])
            lanes.put_symbol(slot, value, where)

    return run


def _fold(
    lanes: SymbolicLanes,
    memory: SymbolicMemory,
    where: tuple[Part, int],
    value: Symbol,
    name: np.uint64,
    *,
    ordered: bool,
) -> Array:
    """Adds what threads bring to their cells, in turns; gives what each found."""
    part, width = where
    mask = None if part.where is None else np.broadcast_to(part.where, lanes.shape)
    offsets = chosen(part.offsets, lanes.shape, mask)
    brought = chosen(value.one().hashed(), lanes.shape, mask)
    got = np.empty(offsets.size, np.uint64)
    for turn in turns(offsets):
        at = offsets[turn][:, None]
        here = type(part)(part.data, at, part.written, None)
        (cell,) = memory.read(lanes, [here], width, 1)
        old, new = cell.one().hashed(), brought[turn][:, None]
        got[turn] = old[:, 0]
        if ordered:
            total = hashing.operation(name, [old, new], commutes=True)
        else:
            total = hashing.gathered(name, old, new)
        symbol = Symbol((Piece(width * 8, total),), value.taint)
        memory.write(lanes, [here], [symbol], width)
    found = np.zeros(lanes.shape, np.uint64)
    if mask is None:
        found[...] = got.reshape(lanes.shape)
    else:
        found[mask] = got
    return found
