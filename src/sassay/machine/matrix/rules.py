"""How the matrix unit of a GPU computes each kind of product.

Sources as in `accumulate`. The rules of `h100` were compared with an H100; those of `a100` are as
published.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from sassay.machine.errors import MissingForm
from sassay.machine.matrix.accumulate import fused_sum
from sassay.machine.matrix.formats import Elements, elements, small_elements
from sassay.machine.numeric.rounding import NAN32, fma64

if TYPE_CHECKING:
    from sassay.machine.types import Array

Gpu = Literal["a100", "h100"]
GPUS: tuple[Gpu, ...] = ("a100", "h100")
"""GPUs whose rules are known."""

_FP8 = frozenset({"e4m3", "e5m2"})


def gpu_of(target: str) -> Gpu:
    """The GPU whose rules hold for a target, such as `sm_80`, unless the caller names one."""
    digits = "".join(each for each in target.partition("_")[2] if each.isdigit())
    return "h100" if digits and int(digits) >= 90 else "a100"


@dataclass(frozen=True)
class Product:
    """A matrix product of one instruction.

    Attributes:
        k: Products in each sum.
        result: Type of the sums.
        a: Type of the first factor.
        b: Type of the second.
        warpgroup: It is a `wgmma`.
        saturates: Integer sums are clamped.
    """

    k: int
    result: str
    a: str
    b: str
    warpgroup: bool = False
    saturates: bool = False

    def prepare(self, gpu: Gpu) -> Rule:
        """The rule of a GPU.

        Raises:
            MissingForm: The GPU has no such instruction.
        """
        if self.result == "s32":
            return Rule(self, gpu)
        if gpu == "a100" and (self.warpgroup or self.a in _FP8):
            raise MissingForm(f"a product of {self.a} on {gpu}")
        return Rule(self, gpu)


@dataclass(frozen=True)
class Rule:
    """How one product is computed."""

    product: Product
    gpu: Gpu

    def factor(self, words: Array, kind: str) -> Elements | Array:
        """Takes factors apart, as `multiply` wants them: once for all that they meet."""
        if kind == "f64":
            return words.view(np.float64)
        if kind in {"s8", "u8"}:
            return words.view(np.int8 if kind == "s8" else np.uint8).astype(np.int32)
        if kind in _FP8 and self.product.warpgroup:
            return small_elements(words, kind)
        return elements(words, kind)

    def multiply(self, a: Elements | Array, b: Elements | Array, c: Array) -> Array:
        """Sums of products.

        Args:
            a: First factors, the products along the first axis.
            b: Second factors.
            c: Addends: words.
        """
        product = self.product
        if not isinstance(a, Elements) or not isinstance(b, Elements):
            return self._plain(a, b, c)  # type: ignore[arg-type] # both or neither are arrays
        if product.a in _FP8:
            if product.warpgroup:
                return fused_sum(a, b, c, 13, "f16" if product.result == "f16" else "e8m13")
            return _halves_of_four(a, b, c)
        bits, pieces = 25, 1
        if self.gpu == "a100":
            narrow = 4 if product.a == "tf32" else 8
            bits, pieces = 24, product.k // narrow
        size = product.k // pieces
        for piece in range(pieces):
            part = slice(piece * size, (piece + 1) * size)
            c = fused_sum(_part(a, part), _part(b, part), c, bits, product.result)
        return c

    def _plain(self, a: Array, b: Array, c: Array) -> Array:
        if self.product.a == "f64":
            total = c.view(np.float64)
            for k in range(self.product.k):
                total = fma64(a[k], b[k], total)
            return total.view(np.uint64)
        wide = c.view(np.int32).astype(np.int64)
        for k in range(self.product.k):
            wide = wide + a[k] * b[k]
        if self.product.saturates:
            wide = np.clip(wide, -(1 << 31), (1 << 31) - 1)
        return wide.astype(np.int32).view(np.uint32)


def _part(each: Elements, part: slice | Array) -> Elements:
    wild = None if each.wild is None else each.wild[part]
    return Elements(each.value[part], each.exponent[part], wild)


def _halves_of_four(a: Elements, b: Elements, c: Array) -> Array:
    """`mma` of fp8 on Hopper: two products of f16 from zero, then a sum in f32.

    The lower two of every four bytes are multiplied first, as one sees in the SASS.
    """
    index = np.arange(a.value.shape[0])
    total = np.zeros_like(c)
    for part in (index[index % 4 < 2], index[index % 4 >= 2]):
        total = fused_sum(_part(a, part), _part(b, part), total, 25, "f32")
    found = c.view(np.float32) + total.view(np.float32)
    return np.where(np.isnan(found), NAN32, found.view(np.uint32))
