"""The forms of PTX around the special function unit, as ptxas builds them.

Read from the SASS of each form: `rcp.approx.f32` and its relatives scale subnormal and large
operands before the unit and results after it; `div.full` and `div.approx` multiply by a
reciprocal. Products here round to nearest even; those of `.ftz` forms flush.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.approximate.models import MODELS
from sassay.machine.approximate.tables import table
from sassay.machine.approximate.upper import DOUBLE
from sassay.machine.numeric import rounding as r

if TYPE_CHECKING:
    from collections.abc import Callable

    from sassay.machine.types import Array

_TINY = np.float32(2.0**-126)
_HUGE = np.float32(2.0**126)
_UP = np.float32(2.0**24)
_NEGATIVE64 = np.uint64(0xFFF8 << 48).view(np.float64)
"""What ptxas gives for roots of negative doubles."""
_TINY64, _UP64 = np.float64(2.0**-1022), np.float64(2.0**54)


def _scaled(value: Array, small: Array, up: np.float32) -> Array:
    return np.where(small, value * up, value) if small.any() else value


def _rcp(value: Array) -> Array:
    small, large = np.abs(value) < _TINY, np.abs(value) > _HUGE
    factor = np.where(small, _UP, np.where(large, np.float32(0.25), np.float32(1)))
    return MODELS["rcp"](value * factor) * factor


def _rooted(name: str, after: float) -> Callable[[Array], Array]:
    def run(value: Array) -> Array:
        small = np.abs(value) < _TINY
        found = MODELS[name](_scaled(value, small, _UP))
        return _scaled(found, small, np.float32(after))

    return run


def _ex2(value: Array) -> Array:
    small = value < np.float32(-126)
    found = MODELS["ex2"](_scaled(value, small, np.float32(0.5)))
    return np.where(small, found * found, found) if small.any() else found


def _lg2(value: Array) -> Array:
    small = np.abs(value) < _TINY
    found = MODELS["lg2"](_scaled(value, small, _UP))
    return np.where(small, found - np.float32(24), found) if small.any() else found


_WITH_SUBNORMALS: dict[str, Callable[[Array], Array]] = {
    "rcp": _rcp,
    "rsqrt": _rooted("rsqrt", 2.0**12),
    "sqrt": _rooted("sqrt", 2.0**-12),
    "ex2": _ex2,
    "lg2": _lg2,
    "sin": MODELS["sin"],
    "cos": MODELS["cos"],
    "tanh": MODELS["tanh"],
}


def unary(name: str, *, ftz: bool) -> Callable[[Array], Array]:
    """`NAME.approx.f32`.

    Args:
        name: Such as `rcp`.
        ftz: The form is `.ftz`.
    """
    return (MODELS if ftz else _WITH_SUBNORMALS)[name]


def double(name: str, *, ftz: bool) -> Callable[[Array], Array] | None:
    """`NAME.approx.f64`; None where PTX has no such form.

    Args:
        name: Such as `rsqrt`.
        ftz: The form is `.ftz`: the unit alone.
    """
    if ftz:
        return DOUBLE.get(name)
    return _rsqrt64 if name == "rsqrt" else None


def _rsqrt64(value: Array) -> Array:
    small = np.abs(value) < _TINY64
    taken = np.where(small, value * _UP64, value)
    first = DOUBLE["rsqrt"](taken)
    one, half, slope = (np.full((1, 1), each) for each in (1.0, 0.5, 0.375))
    rest = r.fma64(-(first * first), taken, one)
    slope = r.fma64(rest, slope, half)
    found = r.fma64(slope, first * rest, first)
    found = np.where(small, found * np.float64(2.0**27), found)
    # Zeros and infinities: no step refines those.
    plain = (value != 0) & np.isfinite(value)
    found = np.where(plain, found, DOUBLE["rsqrt"](value))
    # A NaN goes on as it is, made quiet.
    return np.where(np.isnan(value), value + value, np.where(value < 0, _NEGATIVE64, found))


_HALVES = ("ex2.approx.f16", "ex2.approx.ftz.bf16", "tanh.approx.f16", "tanh.approx.bf16")


def half(form: str) -> Callable[[Array], Array] | None:
    """A form of f16 or bf16 whose results are all known: takes and gives words.

    Args:
        form: Such as `ex2.approx.f16`.
    """
    if form not in _HALVES:
        return None
    return lambda words: np.take(table(form), words).astype(np.uint16)


def divide(how: str, *, ftz: bool) -> Callable[[Array, Array], Array]:
    """`div.full.f32` and `div.approx.f32`.

    Args:
        how: `full` or `approx`.
        ftz: The form is `.ftz`.
    """

    def run(a: Array, b: Array) -> Array:
        if ftz:
            a, b = r.flush32(a), r.flush32(b)
        large = (np.abs(b) > _HUGE) if how == "full" else np.zeros((1, 1), np.bool_)
        small = np.zeros((1, 1), np.bool_) if ftz else np.abs(b) < _TINY
        if large.any() or small.any():
            factor = np.where(large, np.float32(0.25), np.where(small, _UP, np.float32(1)))
            a, b = a * factor, b * factor
            if ftz:
                a = r.flush32(a)
        found = MODELS["rcp"](b) * a
        return r.flush32(found) if ftz else found

    return run
