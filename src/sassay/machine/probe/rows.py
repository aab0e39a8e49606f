"""Rows that a selection step sees: random ones, and ones that try to trip it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sassay.machine.parity.formats import bits_of, words_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sassay.machine.parity.formats import Format

    Array = NDArray[Any]

_LEVELS = 6
_OUTLIERS = 0.01


def rows_of(random: np.random.Generator, kind: str, shape: tuple[int, int], form: Format) -> Array:
    """Words of many rows.

    Args:
        random: Where they come from.
        kind: `normal` (mean 0, deviation 1); `wide` (normal, each row scaled by a power of two
            from -8 to 8); `outliers` (normal, one value in a hundred 16 to 64 times as large);
            `ties` (six different values); `near-ties` (values within a few units in the last
            place of each other); `constant` (one value for the whole row).
        shape: Rows and columns.
        form: Element type.
    """
    values = random.standard_normal(shape)
    rows, columns = shape
    if kind == "wide":
        values = np.ldexp(values, random.integers(-8, 9, (rows, 1)))
    elif kind == "outliers":
        large = random.random(shape) < _OUTLIERS
        values = np.where(large, values * random.uniform(16, 64, shape), values)
    elif kind == "ties":
        levels = random.standard_normal((rows, _LEVELS))
        values = np.take_along_axis(levels, random.integers(0, _LEVELS, shape), axis=1)
    elif kind == "constant":
        values = np.repeat(random.standard_normal((rows, 1)), columns, axis=1)
    elif kind == "near-ties":
        base = words_of(np.abs(random.standard_normal((rows, 1))) + 0.5, form)
        near = bits_of(base) + random.integers(0, columns // 8 + 2, shape).astype(np.uint64)
        return near.astype(f"u{form.dtype.itemsize}").view(form.dtype)
    return words_of(values, form)
