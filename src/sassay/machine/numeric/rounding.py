"""Exact sums and products in double precision, rounded once to any narrower format.

A sum or a fused multiply-add whose double-precision result is rounded *to odd* rounds correctly
to every format of at most 51 bits (Boldo and Melquiond, "Emulation of a FMA and correctly
rounded sums: proved algorithms using rounding to odd", 2008): so the result is rounded once.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from sassay.machine.types import Array

MODES = ("rn", "rz", "rm", "rp", "rna")

_SIGN32, _EXPONENT32 = np.uint32(0x80000000), np.uint32(0x7F800000)
_SIGN64, _EXPONENT64 = np.uint64(1 << 63), np.uint64(0x7FF << 52)
_TIE = np.int64(0x10000000)
_LOW = np.int64(0x1FFFFFFF)
_TINY = np.float64(2.0**-126)

NAN32, NAN16 = np.uint32(0x7FFFFFFF), np.uint16(0x7FFF)


@dataclass(frozen=True)
class Small:
    """A binary floating-point format.

    Attributes:
        precision: Significand bits with the hidden one.
        least: Exponent of the smallest normal number.
        largest: Largest finite number.
    """

    precision: int
    least: int
    largest: float


FORMATS = {
    "f16": Small(11, -14, 65504.0),
    "bf16": Small(8, -126, float.fromhex("0x1.fep127")),
    "tf32": Small(11, -126, float.fromhex("0x1.ffcp127")),
    "f32": Small(24, -126, float.fromhex("0x1.fffffep127")),
    "e4m3": Small(4, -6, 448.0),
    "e5m2": Small(3, -14, 57344.0),
}


def two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """The rounded sum of two doubles and its exact error (Knuth)."""
    total = a + b
    back = total - a
    return total, (a - (total - back)) + (b - back)


def to_odd(total: Array, error: Array) -> Array:
    """A rounded double and its exact error, as the value rounded to odd."""
    bits = total.view(np.int64)
    # Away from zero where the error has the sign of the sum, toward zero where it has not.
    step = np.where((error > 0) == (total > 0), 1, -1)
    wrong = (error != 0) & ((bits & 1) == 0) & np.isfinite(total)
    return np.where(wrong, bits + step, bits).view(np.float64)


def sum_to_odd(a: Array, b: Array) -> Array:
    """The sum of two doubles, rounded to odd."""
    return to_odd(*two_sum(a, b))


def fma32(a: Array, b: Array, c: Array) -> Array:
    """`a * b + c` of float32, rounded once to nearest even."""
    product = np.multiply(a, b, dtype=np.float64)
    total = np.add(product, c, dtype=np.float64)
    result: Array = total.astype(np.float32)
    # Only a sum that lies on a tie of float32, or one that is subnormal there, can round twice.
    doubtful = (total.view(np.int64) & _LOW) == _TIE
    doubtful |= np.abs(total) < _TINY
    if doubtful.any():
        wide = np.broadcast_arrays(product, c.astype(np.float64))
        odd = sum_to_odd(wide[0][doubtful], wide[1][doubtful])
        result[doubtful] = odd.astype(np.float32)
    return result


def narrow32(value: Array, mode: str) -> Array:
    """A double rounded to float32 in a mode; exact for values that are rounded to odd."""
    near: Array = value.astype(np.float32)
    if mode == "rn":
        return near
    back = near.astype(np.float64)
    # Infinity, if a finite value became it, steps back to the largest number like any other.
    if mode == "rz":
        wrong, toward = np.abs(back) > np.abs(value), np.float32(0)
        return np.where(wrong, np.nextafter(near, toward), near)
    if mode == "rm":
        return np.where(back > value, np.nextafter(near, np.float32(-np.inf)), near)
    return np.where(back < value, np.nextafter(near, np.float32(np.inf)), near)


def round_double(value: Array, mode: str) -> Array:
    """Doubles rounded to integers in a mode (`rn` to even, `rna` ties away from zero)."""
    if mode == "rn":
        return np.rint(value)
    if mode == "rz":
        return np.trunc(value)
    if mode == "rm":
        return np.floor(value)
    if mode == "rp":
        return np.ceil(value)
    whole = np.trunc(value)
    return whole + np.where(np.abs(value - whole) >= 0.5, np.copysign(1.0, value), 0.0)


def narrow(value: Array, form: str, mode: str) -> Array:
    """Doubles rounded to a format in a mode, as doubles; what is too large overflows by the mode.

    Args:
        value: Exact, or rounded to odd.
        form: Key of `FORMATS`.
        mode: One of `MODES`.
    """
    small = FORMATS[form]
    value = np.asarray(value, dtype=np.float64)
    finite = np.isfinite(value)
    safe = np.where(finite, value, 0.0)
    exponent = np.maximum(np.frexp(safe)[1] - 1, small.least) - (small.precision - 1)
    rounded = np.ldexp(round_double(np.ldexp(safe, -exponent), mode), exponent)
    rounded = np.copysign(rounded, value)
    over = np.abs(rounded) > small.largest
    if over.any():
        stays = np.zeros_like(over)
        if mode == "rz":
            stays = over
        elif mode == "rm":
            stays = over & (value > 0)
        elif mode == "rp":
            stays = over & (value < 0)
        limit = np.where(stays, small.largest, np.inf)
        rounded = np.where(over, np.copysign(limit, value), rounded)
    return np.where(finite, rounded, value)


def flush32(value: Array) -> Array:
    """Subnormal float32 as zeros of their sign."""
    bits = value.view(np.uint32)
    small = (bits & _EXPONENT32) == 0
    if not small.any():
        return value
    return np.where(small, bits & _SIGN32, bits).view(np.float32)


def flush16(value: Array) -> Array:
    """Subnormal float16 as zeros of their sign."""
    bits = value.view(np.uint16)
    small = (bits & np.uint16(0x7C00)) == 0
    return np.where(small, bits & np.uint16(0x8000), bits).view(np.float16)


def flush_tiny(result: Array, exact: Callable[[], Array], mode: str) -> Array:
    """Zeros for results that were rounded up to the smallest normal number of float32 or float16.

    With `.ftz` hardware looks for what is subnormal after rounding to the format's precision, but
    before its smallest exponent is minded (IEEE 754, section 7.5, "after rounding"): a product of
    2**-126 * (1 - 2**-24) is zero, though it rounds to 2**-126. Measured on an H200, where products
    beside 2**-126 follow this rule and no other.

    Args:
        result: Rounded to the format.
        exact: Gives the results in double precision, exact or rounded to odd.
        mode: Of the rounding.
    """
    name = "f32" if result.dtype == np.float32 else "f16"
    small = FORMATS[name]
    least = 2.0**small.least
    doubtful = np.abs(result) == least
    if not doubtful.any():
        return result
    scale = 2.0**small.precision
    wide = np.broadcast_to(exact(), result.shape)[doubtful] * scale
    kept = np.abs(narrow(wide, name, mode)) >= least * scale
    found: Array = result.copy()
    found[doubtful] = np.where(kept, result[doubtful], np.copysign(0, result[doubtful]))
    return found


def canonical32(value: Array) -> Array:
    """NaNs as the one NaN that float32 instructions make, 0x7fffffff."""
    wrong = np.isnan(value)
    if wrong.any():
        return np.where(wrong, NAN32, value.view(np.uint32)).view(np.float32)
    return value


def bf16_to_f32(value: Array) -> Array:
    """The words of bf16 numbers as float32."""
    wide: Array = value.astype(np.uint32)
    wide <<= np.uint32(16)
    return wide.view(np.float32)


def f32_to_bf16(value: Array) -> Array:
    """Float32 rounded to nearest even, as words of bf16; NaN becomes 0x7fff."""
    bits = value.view(np.uint32)
    rounded = bits >> np.uint32(16)
    rounded &= np.uint32(1)
    rounded += bits
    rounded += np.uint32(0x7FFF)
    result = (rounded >> np.uint32(16)).astype(np.uint16)
    wrong = np.isnan(value)
    if wrong.any():
        result[wrong] = NAN16
    return result


def odd32(value: Array) -> Array:
    """Doubles rounded to odd as float32, so that another rounding to nearest comes out right."""
    near: Array = value.astype(np.float32)
    back = near.astype(np.float64)
    bits = near.view(np.uint32)
    wrong = (back != value) & ((bits & np.uint32(1)) == 0)
    if not wrong.any():
        return near
    step = np.where(np.abs(value) > np.abs(back), np.uint32(1), np.uint32(0xFFFFFFFF))
    step *= wrong
    return (bits + step).view(np.float32)


def double_to_bf16(value: Array, mode: str) -> Array:
    """Doubles rounded once to bf16 in a mode, as words."""
    if mode == "rn":
        return np.where(np.isnan(value), NAN16, f32_to_bf16(odd32(value)))
    exact = narrow(value, "bf16", mode).astype(np.float32)
    words = (exact.view(np.uint32) >> np.uint32(16)).astype(np.uint16)
    return np.where(np.isnan(value), NAN16, words)


def double_to_f16(value: Array, mode: str) -> Array:
    """Doubles rounded once to float16 in a mode; NaN becomes 0x7fff."""
    exact = value.astype(np.float16) if mode == "rn" else narrow(value, "f16", mode)
    words = exact.astype(np.float16).view(np.uint16)
    return np.where(np.isnan(value), NAN16, words).view(np.float16)


def fma64(a: Array, b: Array, c: Array) -> Array:
    """`a * b + c` of doubles, rounded once to nearest even."""
    a, b, c = np.broadcast_arrays(a, b, c)
    plain = a * b + c
    magnitude = np.abs(a * b)
    parts = [np.abs(part) for part in (a, b, c)]
    # Splitting is exact while nothing overflows and no low part is subnormal.
    safe = (magnitude > 2.0**-900) & (magnitude < 2.0**1000) & (parts[2] < 2.0**1000)
    safe &= (parts[0] < 2.0**990) & (parts[1] < 2.0**990)
    safe &= (parts[2] > 2.0**-960) | (parts[2] == 0)
    high, low = two_product(np.where(safe, a, 1.0), np.where(safe, b, 1.0))
    third = np.where(safe, c, 0.0)
    # Boldo and Melquiond, algorithm "Fmac".
    top, rest = two_sum(third, low)
    value, error = two_sum(high, top)
    result = value + sum_to_odd(rest, error)
    hard = ~safe & np.isfinite(a) & np.isfinite(b) & np.isfinite(c)
    result = np.where(safe, result, plain)
    # A product that overflows is still less than an infinite addend.
    result = np.where(np.isinf(c) & np.isfinite(a) & np.isfinite(b), c, result)
    if hard.any():
        result[hard] = [
            _exact_fma(x, y, z)
            for x, y, z in zip(a[hard].tolist(), b[hard].tolist(), c[hard].tolist(), strict=True)
        ]
    return result


def two_product(a: Array, b: Array) -> tuple[Array, Array]:
    """The rounded product of two doubles and its exact error (Dekker), away from the limits."""
    factor = 134217729.0  # 2**27 + 1, Veltkamp's splitting
    product = a * b
    scaled = a * factor
    a_high = scaled - (scaled - a)
    scaled = b * factor
    b_high = scaled - (scaled - b)
    a_low, b_low = a - a_high, b - b_high
    error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return product, error


def _exact_fma(a: float, b: float, c: float) -> float:
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    if exact == 0:
        return a * b + c
    try:
        return exact.numerator / exact.denominator
    except OverflowError:
        return float("inf") if exact > 0 else float("-inf")
