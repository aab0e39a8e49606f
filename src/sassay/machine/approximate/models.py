"""The functions of float32 as the special function unit of an H100 computes them.

A table holds the results for all fractions of one exponent, or of two where the parity of the
exponent counts; the others follow by scaling, which was compared with all 2^32 results. The unit
takes subnormal numbers as zeros and gives zeros for them. The forms of PTX without `.ftz`, and
`div.full` and `div.approx`, are what ptxas makes of them: scalings around the unit, read from SASS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.approximate.tables import table
from sassay.machine.approximate.turns import cos, sin

if TYPE_CHECKING:
    from collections.abc import Callable

    from sassay.machine.types import Array

_SIGN, _FRACTION = np.uint32(0x80000000), np.uint32(0x7FFFFF)
_ONE = 127
_INFINITY, _NAN = np.uint32(0x7F800000), np.uint32(0x7FFFFFFF)
_FIRST = np.int64(23)
Model = "Callable[[Array], Array]"


def _parts(value: Array) -> tuple[Array, Array, Array]:
    """Sign, exponent field and fraction."""
    words = value.view(np.uint32)
    exponent = ((words >> np.uint32(23)) & np.uint32(0xFF)).astype(np.int32)
    return words & _SIGN, exponent, words & _FRACTION


def _scaled(words: Array, power: Array) -> Array:
    """Positive results times a power of two; too small is zero."""
    exponent = (words >> np.uint32(23)).astype(np.int32) + power
    moved = (words & _FRACTION) | (np.clip(exponent, 0, 255).astype(np.uint32) << np.uint32(23))
    return np.where(exponent <= 0, np.uint32(0), moved)


def _chosen(words: Array, cases: list[tuple[Array, Array | np.uint32]]) -> Array:
    for where, special in cases:
        if where.any():
            words = np.where(where, special, words)
    return words.view(np.float32)


def rcp(value: Array) -> Array:
    """`MUFU.RCP`."""
    sign, exponent, fraction = _parts(value)
    words = _scaled(np.take(table("rcp"), fraction), _ONE - exponent) | sign
    return _chosen(
        words,
        [
            (exponent == 0, sign | _INFINITY),
            (exponent == 255, sign),
            (np.isnan(value), _NAN),
        ],
    )


def _root(value: Array, name: str, turn: int) -> Array:
    sign, exponent, fraction = _parts(value)
    odd = (exponent & 1) == 1
    words = np.empty(np.shape(fraction), np.uint32)
    for where, which, base in ((odd, "odd", _ONE), (~odd, "even", _ONE + 1)):
        if where.any():
            found = np.take(table(f"{name}_{which}"), fraction[where])
            words[where] = _scaled(found, turn * ((exponent[where] - base) >> 1))
    return _chosen(words, [((sign != 0) & (exponent > 0), _NAN), (np.isnan(value), _NAN)])


def rsqrt(value: Array) -> Array:
    """`MUFU.RSQ`."""
    sign, exponent, _ = _parts(value)
    words = _root(value, "rsqrt", -1).view(np.uint32)
    infinite = (exponent == 255) & ~np.isnan(value) & (sign == 0)
    return _chosen(words, [(exponent == 0, sign | _INFINITY), (infinite, np.uint32(0))])


def sqrt(value: Array) -> Array:
    """`MUFU.SQRT`."""
    sign, exponent, _ = _parts(value)
    words = _root(value, "sqrt", 1).view(np.uint32)
    infinite = (exponent == 255) & ~np.isnan(value) & (sign == 0)
    return _chosen(words, [(exponent == 0, sign), (infinite, _INFINITY)])


def ex2(value: Array) -> Array:
    """`MUFU.EX2`: a fixed-point number with 23 bits after the point, cut, then by its fraction."""
    sign, exponent, fraction = _parts(value)
    significand = (fraction | np.uint32(1 << 23)).astype(np.int64)
    shift = exponent.astype(np.int64) - _ONE
    # From 2^9 on every result is out of range.
    fixed = np.where(
        shift >= 0,
        significand << np.clip(shift, 0, 9),
        significand >> np.clip(-shift, 0, 63),
    )
    part = fixed & np.int64(0x7FFFFF)
    whole = fixed >> _FIRST
    below = sign != 0
    # The complement of the fraction, where there is one.
    whole = np.where(below, -whole - (part != 0), whole)
    part = np.where(below & (part != 0), part ^ np.int64(0x7FFFFF), part)
    words = np.take(table("ex2"), part) & _FRACTION
    field = whole + _ONE
    words = words | (np.clip(field, 0, 255).astype(np.uint32) << np.uint32(23))
    words = np.where(field <= 0, np.uint32(0), words)
    words = np.where(field >= 255, _INFINITY, words)
    one = np.uint32(0x3F800000)
    return _chosen(words, [(exponent == 0, one), (np.isnan(value), _NAN)])


def lg2(value: Array) -> Array:
    """`MUFU.LG2`: the exponent and the logarithm of the significand, added and cut."""
    sign, exponent, fraction = _parts(value)
    below = exponent < _ONE
    part = np.empty(np.shape(fraction), np.float64)
    for where, name in ((~below, "lg2_above"), (below, "lg2_below")):
        if where.any():
            part[where] = np.take(table(name), fraction[where]).view(np.float32)
    # The table below one holds logarithms of numbers from a half to one, which are negative.
    total = (exponent - np.where(below, _ONE - 1, _ONE)).astype(np.float64) + part
    words = (total.view(np.int64) & np.int64(-1 << 29)).view(np.float64).astype(np.float32)
    infinite = (exponent == 255) & ~np.isnan(value) & (sign == 0)
    return _chosen(
        words.view(np.uint32),
        [
            (sign != 0, _NAN),
            (exponent == 0, np.uint32(0xFF800000)),
            (infinite, _INFINITY),
            (np.isnan(value), _NAN),
        ],
    )


TANH_STEPS = {
    119: 6,
    120: 6,
    121: 6,
    122: 5,
    123: 5,
    124: 4,
    125: 4,
    126: 4,
    127: 3,
    128: 2,
    129: 3,
}
"""By exponent: how many of the lowest bits of the fraction `MUFU.TANH` does not see."""


def tanh(value: Array) -> Array:
    """`MUFU.TANH`: the argument itself where it is small, one where it is large."""
    sign, exponent, fraction = _parts(value)
    words: Array = value.view(np.uint32) & ~_SIGN
    start = 0
    for each, step in TANH_STEPS.items():
        here = exponent == each
        if here.any():
            found = np.take(table("tanh"), start + (fraction >> np.uint32(step)))
            words = np.where(here, found, words)
        start += 1 << (23 - step)
    large = exponent > max(TANH_STEPS)
    words = np.where(large, np.uint32(0x3F800000), words) | sign
    return _chosen(words, [(np.isnan(value), _NAN)])


MODELS: dict[str, Callable[[Array], Array]] = {
    "rcp": rcp,
    "rsqrt": rsqrt,
    "sqrt": sqrt,
    "ex2": ex2,
    "lg2": lg2,
    "sin": sin,
    "cos": cos,
    "tanh": tanh,
}
"""The unit's functions that are known bit for bit."""
