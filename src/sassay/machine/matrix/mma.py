"""`mma.sync`, lowered. Source: PTX ISA, "Multiply-and-Accumulate Instruction: mma"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.errors import MissingForm
from sassay.machine.lanes import WARP
from sassay.machine.lowered import Lowered, whole_warp
from sassay.machine.matrix.fragments import (
    addend,
    addend_registers,
    first_factor,
    second_factor,
)
from sassay.machine.matrix.rules import Product

if TYPE_CHECKING:
    from sassay.machine.binding import Binder
    from sassay.machine.lanes import Lanes
    from sassay.machine.matrix.rules import Gpu, Rule
    from sassay.machine.memory import Memory
    from sassay.machine.operands import Operand
    from sassay.machine.types import Array

_FORM = re.compile(
    r"mma\.sync\.aligned\.m(8|16)n8k(\d+)\.row\.col(\.satfinite)?"
    r"\.(f16|f32|f64|s32)\.(\w+)\.(\w+)\.(f16|f32|f64|s32)",
    re.ASCII,
)
_SHAPES = {
    "f16": (8, 16), "bf16": (8, 16), "tf32": (4, 8), "e4m3": (16, 32), "e5m2": (16, 32),
    "s8": (16, 32), "u8": (16, 32), "f64": (4, 8, 16),
}  # fmt: skip
_BITS = {
    "f16": 16, "bf16": 16, "tf32": 32, "e4m3": 8, "e5m2": 8, "s8": 8, "u8": 8,
    "f64": 64, "f32": 32, "s32": 32,
}  # fmt: skip
_RESULTS = {
    "f16": {"f16", "f32"}, "bf16": {"f32"}, "tf32": {"f32"}, "e4m3": {"f32"}, "e5m2": {"f32"},
    "s8": {"s32"}, "u8": {"s32"}, "f64": {"f64"},
}  # fmt: skip
_ALIKE = ({"e4m3", "e5m2"}, {"s8", "u8"})

CHUNK = 256
"""Warps whose products are summed together: what keeps the sums in the cache."""


@dataclass(frozen=True)
class MmaForm:
    """What an opcode says.

    Attributes:
        rows: Of A and D.
        product: What is computed.
        bits: Of an element of A and B.
        result_bits: Of an element of C and D.
        width: Of a register.
    """

    rows: int
    product: Product
    bits: int
    result_bits: int
    width: int

    @property
    def counts(self) -> tuple[int, int, int]:
        """Registers of A, B and C."""
        k, lanes = self.product.k, WARP * self.width
        return (
            self.rows * k * self.bits // lanes,
            8 * k * self.bits // lanes,
            self.rows * 8 * self.result_bits // lanes,
        )


def mma_form(opcode: str) -> MmaForm:
    """Reads an opcode.

    Raises:
        MissingForm: It is no `mma.sync` of the machine.
    """
    match = _FORM.fullmatch(opcode)
    if match is None:
        raise MissingForm(opcode)
    rows, k, (result, a, b, given) = int(match[1]), int(match[2]), match.groups()[3:]
    alike = a == b or any({a, b} <= kinds for kinds in _ALIKE)
    if (
        k not in _SHAPES.get(a, ())
        or result not in _RESULTS[a]
        or given != result
        or not alike
        or (rows == 8 and (a, k) != ("f64", 4))
    ):
        raise MissingForm(opcode)
    product = Product(k, result, a, b, saturates=match[3] is not None)
    return MmaForm(rows, product, _BITS[a], _BITS[result], 64 if a == "f64" else 32)


def mma(opcode: str, binder: Binder, operands: list[Operand], gpu: Gpu) -> Lowered:
    """A product of fragments; the lanes of a warp come together for it.

    Args:
        opcode: The whole spelling.
        binder: Binds the operands.
        operands: D, A, B, C.
        gpu: Whose rules hold.
    """
    form = mma_form(opcode)
    if len(operands) != 4:
        raise MissingForm(opcode)
    rule = form.product.prepare(gpu)
    width, counts, result = form.width, form.counts, form.product.result
    groups = [binder.items(each) for each in operands]
    if [len(each) for each in groups] != [counts[2], counts[0], counts[1], counts[2]]:
        raise MissingForm(f"{opcode} with fragments of other sizes")
    fetches = [[binder.fetch(each, f"b{width}") for each in group] for group in groups[1:]]
    stores = [binder.store(each) for each in groups[0]]
    multiply = _Multiply(rule, form.rows, form.bits, form.result_bits)

    def run(lanes: Lanes, _memory: Memory, where: Array | None) -> None:
        fragments = [
            [np.broadcast_to(fetch(lanes), lanes.shape).reshape(-1, WARP) for fetch in group]
            for group in fetches
        ]
        found = multiply(*fragments)
        for store, value in zip(stores, found, strict=True):
            store(lanes, value.reshape(lanes.shape), where)

    return Lowered(run, "exact" if result == "s32" else "modelled", whole_warp())


class _Multiply:
    """A product of fragments, warp by warp."""

    def __init__(self, rule: Rule, rows: int, bits: int, result_bits: int) -> None:
        self._rule = rule
        self._rows = rows
        self._bits = bits
        self._result_bits = result_bits

    def __call__(self, a: list[Array], b: list[Array], c: list[Array]) -> list[Array]:
        warps = a[0].shape[0]
        if warps <= CHUNK:
            return self._some(a, b, c)
        parts = []
        for start in range(0, warps, CHUNK):
            chosen = slice(start, start + CHUNK)
            parts.append(self._some(*([each[chosen] for each in group] for group in (a, b, c))))
        return [np.concatenate(pieces) for pieces in zip(*parts, strict=True)]

    def _some(self, a: list[Array], b: list[Array], c: list[Array]) -> list[Array]:
        product = self._rule.product
        first = self._rule.factor(first_factor(a, self._bits, self._rows)[:, :, None], product.a)
        second = self._rule.factor(second_factor(b, self._bits)[:, None], product.b)
        found = self._rule.multiply(first, second, addend(c, self._result_bits, self._rows))
        return addend_registers(found, self._result_bits)
