"""`sin.approx` and `cos.approx` as the special function unit of an H100 computes them.

ptxas multiplies the angle by 1/(2 pi), cut toward zero, and the unit takes the product: turns, as a
fixed-point number of which it keeps 25 bits after the point. The table holds a quarter of a turn;
the others follow by complementing the 23 bits inside the quarter. That agreed with all 2^32 results
of both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.approximate.tables import table

if TYPE_CHECKING:
    from sassay.machine.types import Array

QUARTER = 23
"""Bits of a place in a quarter of a turn."""

_PER_RADIAN = np.uint32(0x3E22F983).view(np.float32)
_POINT = 25
_INSIDE = np.int64((1 << QUARTER) - 1)
_SIGN, _NAN = np.uint32(0x80000000), np.uint32(0x7FFFFFFF)


def _turns(value: Array) -> Array:
    """The product, of 48 bits at most, cut to a float32: its words."""
    product = value.astype(np.float64) * np.float64(_PER_RADIAN)
    # Below the normal numbers the last bits would differ, which are no part of a turn at all.
    cut = (product.view(np.int64) & np.int64(-1 << 29)).view(np.float64)
    words: Array = cut.astype(np.float32).view(np.uint32)
    return words


def place(value: Array, ahead: int) -> tuple[Array, Array]:
    """Where in the table the sine of an angle stands, and the sign that it gets.

    Args:
        value: Finite angles.
        ahead: Quarters of a turn that are added; with none of them the sine is odd.
    """
    words = _turns(value)
    shift = ((words >> np.uint32(23)) & np.uint32(0xFF)).astype(np.int64) - (127 + 23 - _POINT)
    significand = ((words & np.uint32(0x7FFFFF)) | np.uint32(1 << 23)).astype(np.int64)
    # From 2^26 on all bits that are left stand before the point.
    left, right = np.clip(shift, 0, _POINT + 2), np.clip(-shift, 0, 63)
    fixed = np.where(shift >= 0, significand << left, significand >> right)
    quarter = (fixed >> QUARTER) + ahead
    part = fixed & _INSIDE
    sign = ((quarter >> 1) & 1).astype(np.uint32) << np.uint32(31)
    odd = np.uint32(0) if ahead else words & _SIGN
    return np.where(quarter & 1, part ^ _INSIDE, part), sign ^ odd


def _sine(value: Array, ahead: int) -> Array:
    where, sign = place(value, ahead)
    found = np.take(table("sin"), where) ^ sign
    endless = (value.view(np.uint32) & ~_SIGN) >= np.uint32(0x7F800000)
    return np.where(endless, _NAN, found).view(np.float32)


def sin(value: Array) -> Array:
    """`FMUL.RZ` and `MUFU.SIN`."""
    return _sine(value, 0)


def cos(value: Array) -> Array:
    """`FMUL.RZ` and `MUFU.COS`."""
    return _sine(value, 1)
