"""`cp.reduce.async.bulk`: bulk and tensor copies out of shared memory that add to what they meet.

Each element is updated by itself. Floats add in the order in which copies are issued, as the
machine runs them; integers do not depend on it. Source: PTX ISA, "cp.reduce.async.bulk",
"cp.reduce.async.bulk.tensor".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.async_copy.box_stores import box_stores
from sassay.machine.async_copy.contents import CHUNK
from sassay.machine.async_copy.mbarrier import each_thread, in_shared
from sassay.machine.async_copy.regions import (
    shared_chunks,
    stretch,
)
from sassay.machine.atomics import update_of
from sassay.machine.errors import MissingForm
from sassay.machine.lowered import Lowered
from sassay.machine.memory import TrapError
from sassay.machine.types import TYPES

if TYPE_CHECKING:
    from sassay.machine.async_copy.contents import Window
    from sassay.machine.atomics import Update
    from sassay.machine.binding import Binder
    from sassay.machine.lanes import Lanes
    from sassay.machine.memory import Memory
    from sassay.machine.operands import Operand
    from sassay.machine.types import Array

_OPERATIONS = r"(add|min|max|inc|dec|and|or|xor)"
_HINT = r"(?:\.L2::cache_hint)?"
_PLAIN = re.compile(
    r"cp\.reduce\.async\.bulk\.global\.shared::cta\.bulk_group"
    rf"{_HINT}\.{_OPERATIONS}(?:\.noftz)?\.(f16|bf16|f32|f64|[bsu](?:32|64))",
    re.ASCII,
)
_TENSOR = re.compile(
    rf"cp\.reduce\.async\.bulk\.tensor\.([1-5])d\.global\.shared::cta\.{_OPERATIONS}"
    rf"(?:\.tile)?\.bulk_group{_HINT}",
    re.ASCII,
)
_KINDS = {2: "u32", 3: "s32", 4: "u64", 5: "s64", 6: "f16", 7: "f32", 9: "f64", 10: "bf16"}
"""Types that are reduced, by the number of a tensor map."""


def reduction(opcode: str, binder: Binder, operands: list[Operand]) -> Lowered:
    """All instructions that start with `cp.reduce`."""
    if (match := _PLAIN.fullmatch(opcode)) and len(operands) in {3, 4}:
        update = _update(match[1], match[2])
        if update is None:
            raise MissingForm(opcode)
        return _plain(binder, operands, match[2], update)
    if (match := _TENSOR.fullmatch(opcode)) and len(operands) in {2, 3}:
        return _tensor(binder, operands, int(match[1]), match[2])
    raise MissingForm(opcode)


def _update(how: str, kind: str) -> Update | None:
    if TYPES[kind].kind == "f" and how not in {"add", "min", "max"}:
        return None
    if how in {"inc", "dec"} and kind not in {"u32", "b32"}:
        return None
    return update_of(how, kind, flush=False)


def _plain(binder: Binder, operands: list[Operand], kind: str, update: Update) -> Lowered:
    to, _ = binder.address(operands[0])
    source, _ = binder.address(operands[1])
    size = binder.fetch(operands[2], "u32")

    def run(lanes: Lanes, memory: Memory, where: Array | None) -> None:
        active = lanes.running(where)
        values = (to(lanes), in_shared(source(lanes)), size(lanes))
        threads = memory.flights.threads(lanes, memory, active).tolist()
        each = each_thread(lanes, active, *values)
        for thread, (block, place, start, count) in zip(threads, each, strict=True):
            window = stretch(lanes, memory, place, count)
            data = shared_chunks(lanes, memory, (block, start), (count // CHUNK, 16), thread)
            _combine(window, data, kind, update)

    return Lowered(run, "modelled" if TYPES[kind].kind == "f" else "exact")


def _tensor(binder: Binder, operands: list[Operand], rank: int, how: str) -> Lowered:
    boxes = box_stores(binder, operands, rank)

    def run(lanes: Lanes, memory: Memory, where: Array | None) -> None:
        active = lanes.running(where)
        for found, data, window in boxes(lanes, memory, active):
            kind = _KINDS.get(found.kind, "")
            update = _update(how, kind) if kind else None
            if update is None:
                message = f"{how} over a tensor map of type {kind or found.kind}"
                raise TrapError("tensor-map", message, active, lanes)
            if window is not None:
                _combine(window, data, kind, update)

    return Lowered(run, "modelled")


def _combine(window: Window, chunks: Array, kind: str, update: Update) -> None:
    dtype = TYPES[kind].dtype
    held = window.bytes()
    box = np.ascontiguousarray(chunks).view(np.uint8).reshape(*window.shape, window.element)
    old, new = (np.ascontiguousarray(each).view(dtype) for each in (held, box[window.inside]))
    result = np.ascontiguousarray(update(old, new, None).astype(dtype, copy=False))
    held[...] = result.view(np.uint8).reshape(held.shape)
