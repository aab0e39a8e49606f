"""Matrix products of the symbolic mode: one operation for each element of the result.

An element of D is an operation on a row of A, a column of B and an element of C. A row or column
is an operation on its elements in the order of k. So what an instruction computes does not depend
on how many rows and columns it has, nor on where its operands lie. The name says what does: the
unit (`mma` or `wgmma`), k, the types, and the GPU where those differ in how they sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.lanes import WARP
from sassay.machine.matrix.descriptor import CHUNK
from sassay.machine.matrix.fragments import addend, first_factor, second_factor
from sassay.machine.matrix.mma import mma_form
from sassay.machine.matrix.wgmma import (
    Places,
    fragment,
    immediates,
    sums_of,
    tiles_of,
    wgmma_form,
)
from sassay.machine.operands import Vector, parse_operands
from sassay.machine.program import SINK_SLOT
from sassay.machine.symbolic import hashing
from sassay.machine.symbolic.lanes import DependsOnDataError
from sassay.machine.symbolic.symbol import Piece, Symbol
from sassay.machine.types import WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sassay.machine.matrix.descriptor import Tile
    from sassay.machine.matrix.rules import Gpu, Product
    from sassay.machine.program import Op, Source
    from sassay.machine.symbolic.lanes import SymbolicLanes
    from sassay.machine.symbolic.memory import SymbolicMemory
    from sassay.machine.types import Array

    Handler = Callable[[SymbolicLanes, SymbolicMemory, Array | None], None]
    Layout = Callable[[list[Array]], Array]

_SAME_ON_ALL = frozenset({"s32", "f64"})
"""Results that every GPU computes alike."""

VECTOR = hashing.name_hash("vector")
"""The elements of a row of A or of a column of B, in the order of k."""


def product_name(unit: str, product: Product, gpu: Gpu) -> str:
    """What an operation on a row, a column and an addend is called."""
    name = f"{unit}.k{product.k}.{product.result}.{product.a}.{product.b}"
    if product.saturates:
        name += ".satfinite"
    return name if product.result in _SAME_ON_ALL else f"{name}.{gpu}"


def _order(layout: Layout, shape: tuple[int, int], bits: int, width: int) -> Array:
    """Which element of some registers goes where in a matrix.

    Layouts move elements whatever they are: so the elements' numbers go through them, as many
    bits at a time as an element has.

    Args:
        layout: Makes a matrix of registers, each (warps, 32).
        shape: How many registers, and how many lanes they have.
        bits: Of an element.
        width: Of a register.

    Returns:
        Numbers of elements by register, lane and place in the register, in the matrix's order.
    """
    registers, lanes = shape
    numbers = np.arange(registers * lanes * width // bits, dtype=np.uint64)
    found = np.zeros(numbers.size, np.int64)
    for low in range(0, int(numbers[-1]).bit_length(), bits):
        words = (numbers >> np.uint64(low)).astype(WORDS[bits]).view(WORDS[width])
        moved = layout(list(words.reshape(registers, -1, WARP)))
        found |= moved.reshape(-1).astype(np.int64) << low
    return found


@dataclass(frozen=True)
class _Orders:
    """Orders of the elements of A (None if it is in memory), of B (the same) and of C."""

    first: Array | None
    second: Array | None
    sums: Array
    back: Array


@cache
def _mma_orders(opcode: str) -> _Orders:
    form = mma_form(opcode)
    counts, bits, width = form.counts, form.bits, form.width
    sums = _order(
        lambda each: addend(each, form.result_bits, form.rows),
        (counts[2], WARP),
        form.result_bits,
        width,
    )
    return _Orders(
        _order(lambda each: first_factor(each, bits, form.rows), (counts[0], WARP), bits, width),
        _order(lambda each: second_factor(each, bits), (counts[1], WARP), bits, width),
        sums,
        np.argsort(sums),
    )


@cache
def _wgmma_orders(opcode: str, width: int, registers: int) -> _Orders:
    form = wgmma_form(opcode)
    sums = _order(
        lambda each: sums_of(each, width, form.result_bits),
        (registers, width * WARP),
        form.result_bits,
        32,
    )
    first = _order(lambda each: fragment(each, width, form.bits), (4, width * WARP), form.bits, 32)
    return _Orders(first, None, sums, np.argsort(sums))


def bind_mma(op: Op, gpu: Gpu) -> Handler:
    """`mma.sync` on symbols."""
    form = mma_form(op.form)
    orders = _mma_orders(op.form)
    a, b, _ = form.counts
    sources = op.sources[:a], op.sources[a : a + b], op.sources[a + b :]
    unit = _Unit("mma", form.product, gpu)

    def run(lanes: SymbolicLanes, _memory: SymbolicMemory, where: Array | None) -> None:
        _together(lanes)
        blocks = np.broadcast_to(lanes.block, lanes.shape).reshape(-1, WARP)[:, 0]
        groups = [
            _elements(lanes, each, bits, 1)
            for each, bits in zip(sources, (form.bits, form.bits, form.result_bits), strict=True)
        ]
        taint = groups[0][1] | groups[1][1] | groups[2][1]
        first, second = (
            words[:, order].reshape(words.shape[0], form.product.k, -1)
            for (words, _), order in zip(groups, (orders.first, orders.second), strict=False)
        )
        sums = groups[2][0][:, orders.sums].reshape(-1, form.rows, 8)
        found = unit.multiply(first, second, sums, blocks)
        _put(lanes, op.targets, found[:, orders.back], (form.result_bits, taint, 1), where)

    return run


def bind_wgmma(op: Op, gpu: Gpu) -> Handler:
    """`wgmma.mma_async` on symbols; what waits and commits is done as it is."""
    if not op.form.startswith("wgmma.mma_async"):
        return lambda lanes, memory, where: op.run(lanes, memory.bytes, where)
    form = wgmma_form(op.form)
    _, factor, _, *more = parse_operands(op.place.text.partition(op.form)[2])
    in_registers = isinstance(factor, Vector)
    signs, turns = immediates(op.form, form, more[1:], in_registers=in_registers)
    tiles = tiles_of(form, turns, in_registers=in_registers)
    count = len(op.targets)
    factors = 4 if in_registers else 1
    addends, fragments = op.sources[:count], op.sources[count : count + factors]
    descriptor = op.sources[count + factors]
    scale = op.sources[count + factors + 1] if more else None
    unit = _Unit("wgmma", form.product, gpu)
    k = form.product.k

    def run(lanes: SymbolicLanes, memory: SymbolicMemory, where: Array | None) -> None:
        _together(lanes)
        places = Places(lanes, memory.bytes)
        starts = [_known(lanes, descriptor)[:, 0]]
        if not in_registers:
            starts.append(_known(lanes, fragments[0])[:, 0])
        width = 4 if places.grouped(*starts) else 1
        blocks = places.blocks[::width]
        orders = _wgmma_orders(op.form, width, count)
        given, taint = _elements(lanes, addends, form.result_bits, width)
        if scale is not None:
            held = _known(lanes, scale)
            if not held.all():
                kept = np.broadcast_to(held, (held.shape[0], WARP))[:, :1]
                kept = kept.reshape(-1, width)[:, :1]
                zero = hashing.constant(np.zeros((1, 1), WORDS[form.result_bits]))
                given, taint = np.where(kept, given, zero), taint if held.any() else 0
        second, seen = _tile(memory, places, tiles[1], blocks, starts[0][::width])
        taint |= seen
        if tiles[0] is None:
            words, seen = _elements(lanes, fragments, form.bits, width)
            first = words[:, orders.first].reshape(words.shape[0], k, -1)
        else:
            first, seen = _tile(memory, places, tiles[0], blocks, starts[1][::width])
            if width == 1:
                first = places.quarters(first.transpose(1, 0, 2)).transpose(1, 0, 2)
        taint |= seen
        first = _signed(first, signs[0], form.product.a)
        second = _signed(second, signs[1], form.product.b)
        sums = given[:, orders.sums].reshape(-1, width * 16, form.columns)
        found = unit.multiply(first, second, sums, blocks)
        _put(lanes, op.targets, found[:, orders.back], (form.result_bits, taint, width), where)
        plain = memory.bytes
        plain.products.issue(plain.flights.threads(lanes, plain, lanes.running(where)))

    return run


class _Unit:
    """The operation of a matrix unit."""

    def __init__(self, unit: str, product: Product, gpu: Gpu) -> None:
        self._name = hashing.name_hash(product_name(unit, product, gpu))
        # Each product is exact, and nothing says which factor is which.
        self._commutes = product.a == product.b

    def multiply(self, first: Array, second: Array, sums: Array, blocks: Array) -> Array:
        """D, as (groups, elements).

        Args:
            first: A, as (groups, k, rows).
            second: B, as (groups, k, columns).
            sums: C, as (groups, rows, columns).
            blocks: Block in the slice of each group.
        """
        tape = hashing.TAPE.get()
        if tape is not None:
            tape.blocks = blocks
        rows, columns = (hashing.ordered(VECTOR, each) for each in (first, second))
        operands = [rows[:, :, None], columns[:, None, :], sums]
        found = hashing.operation(self._name, operands, commutes=self._commutes)
        if tape is not None:
            tape.blocks = None
        return found.reshape(found.shape[0], -1)


def _together(lanes: SymbolicLanes) -> None:
    if lanes.condition is not None:
        raise DependsOnDataError(lanes.condition.taint, "whether a matrix product is computed")


def _known(lanes: SymbolicLanes, source: Source) -> Array:
    """An operand that has to be known, as (warps, 32)."""
    value = lanes.known_value(lanes.source(source))
    if source.negated:
        value = ~value
    return np.broadcast_to(value, lanes.shape).reshape(-1, WARP)


def _elements(
    lanes: SymbolicLanes, sources: Sequence[Source], bits: int, width: int
) -> tuple[Array, int]:
    """Hashes of the elements of registers, and what they depend on.

    Returns:
        (groups of so many warps, elements by register, lane and place in the register).
    """
    taint = 0
    words: list[Array] = []
    for source in sources:
        symbol = lanes.source(source)
        taint |= symbol.taint
        words += [
            np.broadcast_to(each.hashed(), lanes.shape).reshape(-1, width * WARP)
            for each in symbol.cut(bits).joined(bits).pieces
        ]
    per = len(words) // len(sources)
    stacked = np.stack(words).reshape(len(sources), per, -1, width * WARP)
    moved = np.ascontiguousarray(stacked.transpose(2, 0, 3, 1))
    return moved.reshape(moved.shape[0], -1), taint


def _tile(
    memory: SymbolicMemory, places: Places, tile: Tile, blocks: Array, descriptors: Array
) -> tuple[Array, int]:
    """Hashes of a tile in shared memory as (groups, k, rows), and what they depend on."""
    offsets = tile.chunks(places.lanes, memory.bytes, blocks, descriptors)
    size = tile.bits // 8
    spread = offsets[..., None] + np.arange(0, CHUNK, size)
    word = memory.read_shared(spread.reshape(*offsets.shape[:-1], -1), size)
    hashes = np.broadcast_to(word.one().hashed(), (*offsets.shape[:-1], spread[0, 0].size))
    return tile.ordered(hashes).transpose(1, 0, 2), word.taint


def _signed(words: Array, sign: int, kind: str) -> Array:
    if sign == 1:
        return words
    return hashing.operation(hashing.name_hash(f"neg.{kind}"), [words])


def _put(
    lanes: SymbolicLanes,
    targets: Sequence[int],
    found: Array,
    how: tuple[int, int, int],
    where: Array | None,
) -> None:
    """Elements by register, lane and place in the register, into registers."""
    bits, taint, width = how
    split = found.reshape(found.shape[0], len(targets), width * WARP, -1)
    for slot, register in zip(targets, split.transpose(1, 3, 0, 2), strict=True):
        if slot != SINK_SLOT:
            pieces = tuple(Piece(bits, each.reshape(lanes.shape)) for each in register)
            lanes.put_symbol(slot, Symbol(pieces, taint), where)
