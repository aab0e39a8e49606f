"""`wmma`, lowered: loads and stores of matrices by a warp, and their products.

Which element lies where in a fragment is not specified, so programs cannot depend on it: here
element `i` of a matrix, row by row, lies in lane `i mod 32`. A product is computed as those of
`mma` that ptxas makes of it. Source: PTX ISA, "Warp-level Matrix Instructions: wmma.load,
wmma.store, wmma.mma".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.errors import MissingForm
from sassay.machine.lanes import WARP
from sassay.machine.lowered import Lowered, whole_warp
from sassay.machine.matrix.mma import CHUNK
from sassay.machine.matrix.rules import Product
from sassay.machine.memory import read, unread, unwritten, write
from sassay.machine.types import TYPES, WORDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.machine.binding import Binder
    from sassay.machine.lanes import Lanes
    from sassay.machine.matrix.rules import Gpu
    from sassay.machine.memory import Memory
    from sassay.machine.operands import Operand
    from sassay.machine.program import Fetch
    from sassay.machine.types import Array

_SHAPE = r"m(\d+)n(\d+)k(\d+)"
_MOVE = re.compile(
    rf"wmma\.(load|store)\.([abcd])\.sync\.aligned\.(row|col)\.{_SHAPE}"
    r"(?:\.(global|shared)(?:::cta)?)?\.(\w+)",
    re.ASCII,
)
_MULTIPLY = re.compile(
    rf"wmma\.mma\.sync\.aligned\.(?:row|col)\.(?:row|col)\.{_SHAPE}(?:\.rn)?\.([.\w]+?)(\.satfinite)?",
    re.ASCII,
)
_WIDE = {(16, 16, 16), (8, 32, 16), (32, 8, 16)}
_SHAPES = {
    "f16": _WIDE,
    "bf16": _WIDE,
    "s8": _WIDE,
    "u8": _WIDE,
    "tf32": {(16, 16, 8)},
    "f64": {(8, 8, 4)},
}
_SUMS = {"f16": _WIDE, "f32": _WIDE | {(16, 16, 8)}, "s32": _WIDE, "f64": {(8, 8, 4)}}
_RESULTS = {
    "f16": {"f16", "f32"},
    "bf16": {"f32"},
    "tf32": {"f32"},
    "s8": {"s32"},
    "u8": {"s32"},
    "f64": {"f64"},
}
_BITS = {"f16": 16, "bf16": 16, "tf32": 32, "s8": 8, "u8": 8, "f64": 64, "f32": 32, "s32": 32}


@dataclass(frozen=True)
class _Fragment:
    """One matrix in the registers of a warp.

    Attributes:
        rows: Of the matrix.
        columns: Of it.
        bits: Of an element.
        registers: Of each lane; f16 factors fill more than they need, with copies.
    """

    rows: int
    columns: int
    bits: int
    registers: int

    @property
    def width(self) -> int:
        """Bits of a register."""
        return max(self.bits, 32)

    @property
    def each(self) -> int:
        """Elements of a lane."""
        return self.rows * self.columns // WARP

    def matrix(self, registers: list[Array]) -> Array:
        """Registers, each (warps, 32), as words (rows, columns, warps)."""
        warps = registers[0].shape[0]
        words = np.stack(registers, axis=-1).view(f"u{self.bits // 8}")[..., : self.each]
        return np.ascontiguousarray(
            words.transpose(2, 1, 0).reshape(self.rows, self.columns, warps)
        )

    def spread(self, matrix: Array) -> list[Array]:
        """The reverse of `matrix`."""
        words = matrix.reshape(self.each, WARP, -1).transpose(2, 1, 0)
        return self.packed(np.ascontiguousarray(words))

    def packed(self, words: Array) -> list[Array]:
        """Elements of each lane, along the last axis, as registers."""
        slots = self.registers * self.width // self.bits
        full = np.ascontiguousarray(words[..., np.arange(slots) % self.each])
        held = full.view(WORDS[self.width])
        return [np.ascontiguousarray(held[..., at]) for at in range(self.registers)]


def _fragment(which: str, shape: tuple[int, int, int], kind: str) -> _Fragment:
    m, n, k = shape
    rows, columns = {"a": (m, k), "b": (k, n)}.get(which, (m, n))
    bits = _BITS[kind]
    count = 8 if kind == "f16" and which in "ab" else rows * columns * bits // WARP // max(bits, 32)
    return _Fragment(rows, columns, bits, count)


def wmma(opcode: str, binder: Binder, operands: list[Operand], gpu: Gpu) -> Lowered:
    """All instructions that start with `wmma`."""
    if match := _MOVE.fullmatch(opcode):
        return _move(opcode, binder, operands, match)
    if match := _MULTIPLY.fullmatch(opcode):
        shape = (int(match[1]), int(match[2]), int(match[3]))
        return _multiply(
            opcode, binder, operands, (shape, match[4].split("."), bool(match[5])), gpu
        )
    raise MissingForm(opcode)


def _move(opcode: str, binder: Binder, operands: list[Operand], match: re.Match[str]) -> Lowered:
    stores, which, kind = match[1] == "store", match[2], match[8]
    shape = (int(match[4]), int(match[5]), int(match[6]))
    known = _SHAPES if which in "ab" else _SUMS
    if shape not in known.get(kind, ()) or stores != (which == "d") or len(operands) not in {2, 3}:
        raise MissingForm(opcode)
    fragment = _fragment(which, shape, kind)
    place, held = operands[:2] if stores else operands[1::-1]
    items = binder.items(held)
    if len(items) != fragment.registers:
        raise MissingForm(f"{opcode} with {len(items)} registers")
    places = _Places(binder, place, operands[2:], fragment, by_rows=match[3] == "row")
    return (_store if stores else _load)(binder, items, places, match[7] or "")


class _Places:
    """Where the elements of a fragment lie in memory.

    Attributes:
        fragment: The fragment.
        size: Bytes of an element.
    """

    def __init__(
        self,
        binder: Binder,
        place: Operand,
        leading: list[Operand],
        fragment: _Fragment,
        *,
        by_rows: bool,
    ) -> None:
        self.fragment = fragment
        self.size = fragment.bits // 8
        self._by_rows = by_rows
        self._address, _ = binder.address(place)
        self._leading = binder.fetch(leading[0], "u32") if leading else None
        self._lane = binder.read_slot(binder.names.slots.special("%laneid"), TYPES["u32"])

    def __call__(self, lanes: Lanes) -> list[Array]:
        """Addresses of each element that the lanes hold."""
        fragment, start = self.fragment, self._address(lanes)
        short = fragment.columns if self._by_rows else fragment.rows
        stride = np.full((1, 1), short) if self._leading is None else self._leading(lanes)
        found = []
        for at in range(fragment.each):
            index = self._lane(lanes).astype(np.int64) + at * WARP
            major, minor = np.divmod(index, fragment.columns)
            if not self._by_rows:
                major, minor = minor, major
            offset = (major * stride.astype(np.int64) + minor) * self.size
            found.append((start.astype(np.int64) + offset).astype(start.dtype))
        return found


def _store(binder: Binder, items: Sequence[Operand], places: _Places, space: str) -> Lowered:
    fetches = [binder.fetch(each, f"b{places.fragment.width}") for each in items]
    size = places.size

    def run(lanes: Lanes, memory: Memory, where: Array | None) -> None:
        active = lanes.running(where)
        words = [np.broadcast_to(fetch(lanes), lanes.shape) for fetch in fetches]
        split = np.stack(words, axis=-1).view(f"u{size}")
        for at, each in enumerate(places(lanes)):
            for part in memory.locate(lanes, space, each, size, active):
                write(part, [np.ascontiguousarray(split[..., at])], size, lanes.shape)

    return Lowered(run, members=whole_warp())


def _load(binder: Binder, items: Sequence[Operand], places: _Places, space: str) -> Lowered:
    targets = [binder.store(each) for each in items]
    size, fragment = places.size, places.fragment

    def run(lanes: Lanes, memory: Memory, where: Array | None) -> None:
        active = lanes.running(where)
        words = np.zeros((*lanes.shape, fragment.each), f"u{size}")
        for at, each in enumerate(places(lanes)):
            for part in memory.locate(lanes, space, each, size, active):
                wrong = unwritten(part, size)
                if wrong is not None:
                    raise unread(part, wrong, lanes, "a load of a matrix")
                (found,) = read(part, size, 1)
                mask = np.ones((1, 1), np.bool_) if part.where is None else part.where
                np.copyto(words[..., at], found, where=mask)
        for target, value in zip(targets, fragment.packed(words), strict=True):
            target(lanes, value, where)

    return Lowered(run, members=whole_warp())


def _types(kinds: list[str]) -> tuple[str, str, str, str] | None:
    """Types of D, A, B and C; those of f16 factors name D and C alone."""
    if len(kinds) == 2:
        return kinds[0], "f16", "f16", kinds[1]
    return (kinds[0], kinds[1], kinds[2], kinds[3]) if len(kinds) == 4 else None


def _multiply(
    opcode: str,
    binder: Binder,
    operands: list[Operand],
    form: tuple[tuple[int, int, int], list[str], bool],
    gpu: Gpu,
) -> Lowered:
    shape, kinds, saturates = form
    types = _types(kinds)
    if types is None or len(operands) != 4:
        raise MissingForm(opcode)
    result, a, b, given = types
    alike = a == b and result == given
    if not alike or shape not in _SHAPES.get(a, ()) or result not in _RESULTS[a]:
        raise MissingForm(opcode)
    # ptxas makes two products of four of each one of eight in tf32.
    step = 4 if a == "tf32" else shape[2]
    rule = Product(step, result, a, b, saturates=saturates).prepare(gpu)
    groups = [binder.items(each) for each in operands]
    names = (("d", result), ("a", a), ("b", b), ("c", given))
    d, *sources = (_fragment(which, shape, kind) for which, kind in names)
    if [len(each) for each in groups] != [each.registers for each in (d, *sources)]:
        raise MissingForm(f"{opcode} with fragments of other sizes")
    fetches: list[list[Fetch]] = [
        [binder.fetch(each, f"b{fragment.width}") for each in group]
        for fragment, group in zip(sources, groups[1:], strict=True)
    ]
    stores = [binder.store(each) for each in groups[0]]

    def run(lanes: Lanes, _memory: Memory, where: Array | None) -> None:
        words = [
            [np.broadcast_to(fetch(lanes), lanes.shape).reshape(-1, WARP) for fetch in group]
            for group in fetches
        ]
        found = []
        for start in range(0, words[0][0].shape[0], CHUNK):
            first, second, sums = (
                fragment.matrix([each[start : start + CHUNK] for each in group])
                for fragment, group in zip(sources, words, strict=True)
            )
            left = np.ascontiguousarray(first.transpose(1, 0, 2))[:, :, None]
            for at in range(0, shape[2], step):
                part = slice(at, at + step)
                one, two = rule.factor(left[part], a), rule.factor(second[part, None], b)
                sums = rule.multiply(one, two, sums)
            found.append(d.spread(sums))
        for store, pieces in zip(stores, zip(*found, strict=True), strict=True):
            store(lanes, np.concatenate(pieces).reshape(lanes.shape), where)

    return Lowered(run, "exact" if result == "s32" else "modelled", whole_warp())
