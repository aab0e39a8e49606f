"""Sums of products as matrix units compute them.

All products of a sum and the addend are aligned to the largest exponent among them, truncated to
a fixed number of fraction bits, added exactly, and the sum is rounded: toward zero to f32, to
nearest even to f16. The exponent of a product is the sum of those of its factors, so it may be one
less than that of its value. Sources: Xie et al., "MMA-Sim: Bit-Accurate Reference Model of Tensor
Cores and Matrix Cores", 2025; Khattak and Mikaitis, "FTTN: Feature-Targeted Testing for Numerical
Properties of NVIDIA and AMD Matrix Accelerators", 2025. What was compared with hardware is said
in docs/hardware.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.matrix.formats import LIVE, Elements, elements
from sassay.machine.numeric.rounding import NAN16, NAN32

if TYPE_CHECKING:
    from sassay.machine.types import Array

_LOW, _HIGH = -90, 120
"""Exponents between which no scaled product leaves the range of float32."""

_INTEGER_BITS = 30


def fused_sum(a: Elements, b: Elements, c: Array, bits: int, result: str) -> Array:
    """The sum of products and an addend, rounded once.

    Args:
        a: First factors, the products along the first axis.
        b: Second factors; `a` and `b` broadcast.
        c: Addends, words of the result's width and of the shape of the sums.
        bits: Fraction bits that are kept of what is aligned.
        result: `f32`, `f16`, or `e8m13`: f32 whose fraction has 13 bits.

    Returns:
        Words, as `c`.
    """
    addend = elements(c, "f16" if result == "f16" else "f32")
    products = a.value.shape[0]
    top = addend.exponent.copy()
    step = np.empty(top.shape, np.int16)
    for k in range(products):
        np.add(a.exponent[k], b.exponent[k], out=step)
        np.maximum(top, step, out=top)
    dead = top < LIVE
    if dead.any():
        top[dead] = 0
    if int(top.min()) < _LOW or int(top.max()) > _HIGH:
        total, mild = _any_sum(a, b, addend, top, bits), False
    else:
        total, mild = _mild_sum(a, b, addend, top, bits), True
    return _finish(total, _wild_sum(a, b, addend), result, mild=mild)


def _mild_sum(a: Elements, b: Elements, addend: Elements, top: Array, bits: int) -> Array:
    """Exact sums as doubles, through float32 and int32: fast."""
    field = (np.int16(127 + bits) - top).astype(np.int32)
    field <<= np.int32(23)
    scale = field.view(np.float32)
    part = (addend.value * scale).astype(np.int32)
    product = np.empty(top.shape, np.float32)
    whole = np.empty(top.shape, np.int32)
    total: Array | None = None
    room = 1 << (_INTEGER_BITS - 2 - bits)
    for k in range(a.value.shape[0]):
        if k and k % room == 0:
            total = part.astype(np.float64) if total is None else total + part
            part[...] = 0
        np.multiply(a.value[k], b.value[k], out=product)
        np.multiply(product, scale, out=product)
        # A conversion to integers truncates.
        np.copyto(whole, product, casting="unsafe")
        np.add(part, whole, out=part)
    total = part.astype(np.float64) if total is None else total + part
    total /= scale
    return total


def _any_sum(a: Elements, b: Elements, addend: Elements, top: Array, bits: int) -> Array:
    """Exact sums as doubles, whatever the exponents."""
    shift = bits - top.astype(np.int32)
    total = np.trunc(np.ldexp(addend.value.astype(np.float64), shift))
    for k in range(a.value.shape[0]):
        product = a.value[k].astype(np.float64) * b.value[k]
        total += np.trunc(np.ldexp(product, shift))
    return np.ldexp(total, -shift)


def _wild_sum(a: Elements, b: Elements, addend: Elements) -> Array | None:
    """Sums that infinities and NaNs decide; None if there are none."""
    if a.wild is None and b.wild is None and addend.wild is None:
        return None
    total = (addend.value if addend.wild is None else addend.wild).astype(np.float64)
    first = a.value if a.wild is None else a.wild
    second = b.value if b.wild is None else b.wild
    for k in range(first.shape[0]):
        total = total + first[k].astype(np.float64) * second[k]
    return total


_KEPT = {"f32": np.int64(-1 << 29), "e8m13": np.int64(-1 << 39)}


def _finish(total: Array, wild: Array | None, result: str, *, mild: bool) -> Array:
    if result == "f16":
        half = total.astype(np.float16) + np.float16(0)
        if wild is not None:
            half = np.where(np.isfinite(wild), half, wild.astype(np.float16))
            return np.where(np.isnan(half), NAN16, half.view(np.uint16))
        return half.view(np.uint16)
    if mild:
        cut = (total.view(np.int64) & _KEPT[result]).view(np.float64)
    else:
        cut = _truncate(total, 13 if result == "e8m13" else 23)
    # What is too small for the result is +0, whatever its sign.
    found = cut.astype(np.float32) + np.float32(0)
    if wild is not None:
        found = np.where(np.isfinite(wild), found, wild.astype(np.float32))
        return np.where(np.isnan(found), NAN32, found.view(np.uint32))
    return found.view(np.uint32)


def _truncate(total: Array, bits: int) -> Array:
    exponent = np.maximum(np.frexp(total)[1] - 1, -126) - bits
    return np.ldexp(np.trunc(np.ldexp(total, -exponent)), exponent)
