"""`wgmma`, lowered: each warp computes its sixteen rows of the warpgroup's product.

The product is computed when it is issued; registers count as in flight until the thread waits for
its group. Source: PTX ISA, "Asynchronous Warpgroup Level Matrix Multiply-Accumulate Instructions".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.errors import MissingForm
from sassay.machine.lanes import WARP
from sassay.machine.lowered import Lowered, whole_warp
from sassay.machine.matrix.descriptor import Tile
from sassay.machine.matrix.rules import Product
from sassay.machine.operands import Number, Vector

if TYPE_CHECKING:
    from sassay.machine.binding import Binder
    from sassay.machine.lanes import Lanes
    from sassay.machine.matrix.rules import Gpu, Rule
    from sassay.machine.memory import Memory
    from sassay.machine.numeric import Label
    from sassay.machine.operands import Operand
    from sassay.machine.program import Fetch, Run
    from sassay.machine.types import Array

_FORM = re.compile(
    r"wgmma\.mma_async\.sync\.aligned\.m64n(\d+)k(\d+)(\.satfinite)?\.(f16|f32|s32)\.(\w+)\.(\w+)",
    re.ASCII,
)
_BITS = {"f16": 16, "bf16": 16, "tf32": 32, "e4m3": 8, "e5m2": 8, "s8": 8, "u8": 8}
_RESULTS = {
    "f16": {"f16", "f32"}, "bf16": {"f32"}, "tf32": {"f32"}, "e4m3": {"f16", "f32"},
    "e5m2": {"f16", "f32"}, "s8": {"s32"}, "u8": {"s32"},
}  # fmt: skip
_ALIKE = ({"e4m3", "e5m2"}, {"s8", "u8"})
_ROWS, _WARPS = 64, 4
_SUMS = 1 << 15
"""Sums that are computed together: what keeps them in the cache."""


@dataclass(frozen=True)
class WgmmaForm:
    """What an opcode says.

    Attributes:
        columns: Of B and D.
        product: What is computed.
        bits: Of an element of A and B.
        result_bits: Of an element of C and D.
        saturates: Integer sums are clamped.
    """

    columns: int
    product: Product
    bits: int
    result_bits: int
    saturates: bool


def wgmma_form(opcode: str) -> WgmmaForm:
    """Reads the opcode of a product.

    Raises:
        MissingForm: It is none of the machine.
    """
    match = _FORM.fullmatch(opcode)
    if match is None:
        raise MissingForm(opcode)
    columns, k, (result, a, b) = int(match[1]), int(match[2]), match.groups()[3:]
    bits = _BITS.get(a, 0)
    alike = a == b or any({a, b} <= kinds for kinds in _ALIKE)
    if not bits or k * bits != 256 or result not in _RESULTS[a] or not alike:
        raise MissingForm(opcode)
    if columns % 8 or not 8 <= columns <= 256:
        raise MissingForm(opcode)
    product = Product(k, result, a, b, warpgroup=True, saturates=match[3] is not None)
    return WgmmaForm(columns, product, bits, 16 if result == "f16" else 32, match[3] is not None)


def wgmma(opcode: str, binder: Binder, operands: list[Operand], gpu: Gpu) -> Lowered:
    """All instructions that start with `wgmma`."""
    if opcode == "wgmma.fence.sync.aligned" and not operands:
        return Lowered(lambda _lanes, _memory, _where: None, members=whole_warp())
    if opcode == "wgmma.commit_group.sync.aligned" and not operands:
        return Lowered(_commit, members=whole_warp())
    if opcode == "wgmma.wait_group.sync.aligned" and len(operands) == 1:
        return Lowered(_wait(opcode, operands[0]), members=whole_warp())
    return _product(opcode, binder, operands, gpu)


def _commit(lanes: Lanes, memory: Memory, where: Array | None) -> None:
    threads = memory.flights.threads(lanes, memory, lanes.running(where))
    memory.products.commit(threads)


def _wait(opcode: str, operand: Operand) -> Run:
    if not isinstance(operand, Number):
        raise MissingForm(opcode)
    latest = int(operand.value)

    def run(lanes: Lanes, memory: Memory, where: Array | None) -> None:
        threads = memory.flights.threads(lanes, memory, lanes.running(where))
        memory.products.wait(threads, latest)

    return run


def _product(opcode: str, binder: Binder, operands: list[Operand], gpu: Gpu) -> Lowered:
    form = wgmma_form(opcode)
    target, first, second, *more = operands
    registers = binder.items(target)
    if len(registers) != _ROWS * form.columns * form.result_bits // (_WARPS * WARP * 32):
        raise MissingForm(f"{opcode} into {len(registers)} registers")
    addends = [binder.fetch(each, "b32") for each in registers]
    in_registers = isinstance(first, Vector)
    fragment: list[Fetch] = []
    if isinstance(first, Vector):
        if len(first.items) != 4:
            raise MissingForm(f"{opcode} of {len(first.items)} registers")
        fragment = [binder.fetch(each, "b32") for each in first.items]
    else:
        fragment = [binder.fetch(first, "u64")]
    descriptor = binder.fetch(second, "u64")
    adds = binder.fetch(more[0], "pred") if more else None
    signs, turns = immediates(opcode, form, more[1:], in_registers=in_registers)
    stores = [binder.store(each) for each in registers]
    tiles = tiles_of(form, turns, in_registers=in_registers)
    multiply = _Multiply(form, form.product.prepare(gpu), tiles, signs)

    def run(lanes: Lanes, memory: Memory, where: Array | None) -> None:
        warps = [_by_warp(fetch, lanes) for fetch in (*addends, *fragment, descriptor)]
        given = warps[: len(addends)]
        if adds is not None:
            held = _by_warp(adds, lanes)
            if not held.all():
                given = [np.where(held, each, np.uint32(0)) for each in given]
        places = Places(lanes, memory)
        found = multiply(places, given, warps[len(addends) : -1], warps[-1][:, 0])
        for store, value in zip(stores, found, strict=True):
            store(lanes, value.reshape(lanes.shape), where)
        threads = memory.flights.threads(lanes, memory, lanes.running(where))
        memory.products.issue(threads)

    label: Label = "exact" if form.product.result == "s32" else "modelled"
    return Lowered(run, label, whole_warp())


def _by_warp(fetch: Fetch, lanes: Lanes) -> Array:
    return np.broadcast_to(fetch(lanes), lanes.shape).reshape(-1, WARP)


def tiles_of(
    form: WgmmaForm, turns: tuple[bool, bool], *, in_registers: bool
) -> tuple[Tile | None, Tile]:
    """A, if it is in shared memory, and B there."""
    return (
        None if in_registers else Tile(_ROWS, form.product.k, form.bits, turns[0]),
        Tile(form.columns, form.product.k, form.bits, turns[1]),
    )


def immediates(
    opcode: str, form: WgmmaForm, more: list[Operand], *, in_registers: bool
) -> tuple[tuple[int, int], tuple[bool, bool]]:
    """Signs of A and B, and whether they are turned.

    Args:
        opcode: Of a product.
        form: The same, read.
        more: What follows the predicate that says whether D is added to.
        in_registers: A is.

    Raises:
        MissingForm: Others are wanted.
    """
    values = []
    for each in more:
        if not isinstance(each, Number):
            raise MissingForm(f"{opcode} with {each}")
        values.append(int(each.value))
    integers = form.product.result == "s32"
    turnable = form.bits == 16
    wanted = 0 if integers else 2 + (turnable and (1 if in_registers else 2))
    if len(values) != wanted:
        raise MissingForm(f"{opcode} with {len(values)} immediate operands")
    if integers:
        return (1, 1), (False, False)
    turned = [bool(each) for each in values[2:]]
    if not turnable:
        return (values[0], values[1]), (False, False)
    return (values[0], values[1]), (False if in_registers else turned[0], turned[-1])


class Places:
    """Which block and which quarter of a warpgroup each warp is.

    Attributes:
        lanes: The threads.
        memory: That they see.
        blocks: Block in the slice of each warp.
        quarter: Of each warp.
    """

    def __init__(self, lanes: Lanes, memory: Memory) -> None:
        index = np.broadcast_to(memory.thread_index(lanes), lanes.shape).reshape(-1, WARP)[:, 0]
        self.lanes = lanes
        self.memory = memory
        self.blocks = np.broadcast_to(lanes.block, lanes.shape).reshape(-1, WARP)[:, 0]
        self.quarter = index // WARP % _WARPS

    def grouped(self, *descriptors: Array) -> bool:
        """Whether whole warpgroups follow one another, each with one of each descriptor."""
        if self.quarter.size % _WARPS or (self.quarter.reshape(-1, _WARPS) != np.arange(4)).any():
            return False
        return all((each.reshape(-1, _WARPS) == each[::_WARPS, None]).all() for each in descriptors)

    def quarters(self, first: Array) -> Array:
        """Of each warp's A, as (k, warps, 64), the 16 rows that are the warp's."""
        split = first.reshape(first.shape[0], -1, _WARPS, _ROWS // _WARPS)
        found: Array = split[:, np.arange(self.quarter.size), self.quarter]
        return found


class _Multiply:
    """A product of tiles."""

    def __init__(
        self,
        form: WgmmaForm,
        rule: Rule,
        tiles: tuple[Tile | None, Tile],
        signs: tuple[int, int],
    ) -> None:
        self._form = form
        self._rule = rule
        self._first, self._second = tiles
        self._signs = signs

    def __call__(
        self, places: Places, c: list[Array], a: list[Array], descriptors: Array
    ) -> list[Array]:
        """D of each warp.

        Args:
            places: Of the warps.
            c: Registers of C, each (warps, 32).
            a: Registers of A, or its descriptor.
            descriptors: Of B, one of each warp.
        """
        form = self._form
        starts = [descriptors] if self._first is None else [descriptors, a[0][:, 0]]
        width = _WARPS if places.grouped(*starts) else 1
        blocks = places.blocks[::width]
        second = self._second.read(places.lanes, places.memory, blocks, descriptors[::width])
        if self._first is None:
            first = fragment(a, width, form.bits)
        else:
            first = self._first.read(places.lanes, places.memory, blocks, starts[1][::width])
            if width == 1:
                first = places.quarters(first)
        first, second = _signed(first, self._signs[0]), _signed(second, self._signs[1])
        sums = sums_of(c, width, form.result_bits)
        size = max(_SUMS // (sums.shape[1] * sums.shape[2]), 1)
        product = form.product
        for start in range(0, blocks.size, size):
            part = slice(start, start + size)
            sums[part] = self._rule.multiply(
                self._rule.factor(first[:, part, :, None], product.a),
                self._rule.factor(second[:, part, None, :], product.b),
                sums[part],
            )
        return _registers(sums, width, form.result_bits)


def _signed(words: Array, sign: int) -> Array:
    if sign == 1:
        return words
    return words ^ words.dtype.type(1 << (words.dtype.itemsize * 8 - 1))


def fragment(registers: list[Array], width: int, bits: int) -> Array:
    """A from registers: words as (k, groups, rows)."""
    words = np.stack(registers).view(f"u{bits // 8}")
    split = words.reshape(2, 2, -1, width, 8, 4, 32 // bits)
    moved = np.ascontiguousarray(split.transpose(0, 5, 6, 2, 3, 1, 4))
    return moved.reshape(-1, split.shape[2], width * 16)


def sums_of(registers: list[Array], width: int, bits: int) -> Array:
    """C from registers: words as (groups, rows, columns)."""
    words = np.stack(registers)
    if bits == 32:
        split = words.reshape(-1, 2, 2, words.shape[1] // width, width, 8, 4)
        moved = split.transpose(3, 4, 1, 5, 0, 6, 2)
    else:
        split = words.view(np.uint16).reshape(-1, 2, words.shape[1] // width, width, 8, 4, 2)
        moved = split.transpose(2, 3, 1, 4, 0, 5, 6)
    return np.ascontiguousarray(moved).reshape(moved.shape[0], width * 16, -1)


def _registers(sums: Array, width: int, bits: int) -> list[Array]:
    """The reverse of `sums_of`: each (warps, 32)."""
    split = sums.reshape(sums.shape[0], width, 2, 8, -1, 4, 2)
    if bits == 32:
        moved = np.ascontiguousarray(split.transpose(4, 2, 6, 0, 1, 3, 5))
    else:
        moved = np.ascontiguousarray(split.transpose(4, 2, 0, 1, 3, 5, 6)).view(np.uint32)
    return list(moved.reshape(-1, sums.shape[0] * width, WARP))
