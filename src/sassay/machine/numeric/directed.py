"""Double precision rounded toward zero, down or up.

The result that rounds to nearest is moved by one place where what it leaves out says so. The sign
of that rest is exact: it comes out of error-free transformations (Knuth's sum, Dekker's product)
where no part can be subnormal or overflow, and out of fractions elsewhere.
"""

from __future__ import annotations

from fractions import Fraction
from math import isqrt
from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.numeric.rounding import fma64, two_product, two_sum

if TYPE_CHECKING:
    from collections.abc import Callable

    from sassay.machine.types import Array

    Exact = Callable[..., float]

_LOW, _HIGH = 2.0**-900, 2.0**900
_ROOT_BITS = 700


def moved(near: Array, rest: Array, mode: str) -> Array:
    """A value rounded to nearest, moved to where a mode rounds.

    Args:
        near: Rounded to nearest even.
        rest: What is missing from it, exactly or by its sign.
        mode: `rz`, `rm` or `rp`.
    """
    below, above = near.dtype.type(-np.inf), near.dtype.type(np.inf)
    if mode == "rm":
        return np.where(rest < 0, np.nextafter(near, below), near)
    if mode == "rp":
        return np.where(rest > 0, np.nextafter(near, above), near)
    wrong = np.where(near > 0, rest < 0, rest > 0) & (near != 0)
    return np.where(wrong, np.nextafter(near, near.dtype.type(0)), near)


def _in_range(*values: Array) -> Array:
    found = np.ones((1, 1), np.bool_)
    for value in values:
        size = np.abs(value)
        found = found & (size > _LOW) & (size < _HIGH)
    return found


def _rest_where(
    safe: Array, near: Array, rest: Array, sources: tuple[Array, ...], exact: Exact
) -> Array:
    """The rest, from fractions where the fast way may fail."""
    finite = np.ones((1, 1), np.bool_)
    for each in sources:
        finite = finite & np.isfinite(each)
    hard = np.broadcast_to(finite & ~safe, near.shape)
    rest = np.where(np.broadcast_to(safe, near.shape) & np.isfinite(rest), rest, 0.0)
    if hard.any():
        columns = [np.broadcast_to(each, near.shape)[hard].tolist() for each in sources]
        rest[hard] = [
            exact(value, *row)
            for value, row in zip(near[hard].tolist(), zip(*columns, strict=True), strict=True)
        ]
    return rest


def _sign(value: Fraction, near: float) -> float:
    """The sign of what `near` lacks; infinity is beyond every number."""
    if np.isinf(near):
        return -np.sign(near).item()
    rest = value - Fraction(near)
    return float((rest > 0) - (rest < 0))


def _exact_sum(near: float, a: float, b: float) -> float:
    return _sign(Fraction(a) + Fraction(b), near)


def _exact_fma(near: float, a: float, b: float, c: float) -> float:
    return _sign(Fraction(a) * Fraction(b) + Fraction(c), near)


def _exact_product(near: float, a: float, b: float) -> float:
    return _sign(Fraction(a) * Fraction(b), near)


def _exact_quotient(near: float, a: float, b: float) -> float:
    return _sign(Fraction(a) / Fraction(b), near) if b else 0.0


def _exact_root(near: float, a: float) -> float:
    if a <= 0:
        return 0.0
    value = Fraction(a)
    scaled = value.numerator * (1 << 2 * _ROOT_BITS) // value.denominator
    root = Fraction(isqrt(scaled), 1 << _ROOT_BITS)
    if root * root != value:
        root += Fraction(1, 1 << (_ROOT_BITS + 1))
    return _sign(root, near)


def _moved_sum(near: Array, rest: Array, mode: str, opposite: Array) -> Array:
    """A sum, moved; of parts of opposite signs an exact zero is -0 when rounding down."""
    if mode == "rm":
        near = np.where((near == 0) & (rest == 0) & opposite, -0.0, near)
    return moved(near, rest, mode)


def add(a: Array, b: Array, mode: str) -> Array:
    """`a + b`."""
    near, rest = two_sum(a, b)
    safe = np.isfinite(near)
    rest = _rest_where(safe, near, rest, (a, b), _exact_sum)
    return _moved_sum(near, rest, mode, np.signbit(a) != np.signbit(b))


def multiply(a: Array, b: Array, mode: str) -> Array:
    """`a * b`."""
    near = a * b
    safe = _in_range(near) & _in_range(a) & _in_range(b)
    _, rest = two_product(np.where(safe, a, 1.0), np.where(safe, b, 1.0))
    return moved(near, _rest_where(safe, near, rest, (a, b), _exact_product), mode)


def fuse(a: Array, b: Array, c: Array, mode: str) -> Array:
    """`a * b + c`."""
    near = fma64(a, b, c)
    # Sums of three parts are not worth a faster way: no compiler emits this for plain arithmetic.
    rest = _rest_where(np.zeros((1, 1), np.bool_), near, near, (a, b, c), _exact_fma)
    opposite = np.signbit(a) ^ np.signbit(b) ^ np.signbit(c)
    return _moved_sum(near, rest, mode, opposite)


def divide(a: Array, b: Array, mode: str) -> Array:
    """`a / b`."""
    near = a / b
    safe = _in_range(near, a, b)
    rest = fma64(np.where(safe, -near, 1.0), np.where(safe, b, 1.0), np.where(safe, a, 1.0))
    rest = np.where(np.signbit(b), -rest, rest)
    return moved(near, _rest_where(safe, near, rest, (a, b), _exact_quotient), mode)


def root(a: Array, mode: str) -> Array:
    """The square root of `a`."""
    near = np.sqrt(a)
    safe = _in_range(a)
    kept = np.where(safe, near, 1.0)
    rest = fma64(-kept, kept, np.where(safe, a, 1.0))
    return moved(near, _rest_where(safe, near, rest, (a,), _exact_root), mode)
