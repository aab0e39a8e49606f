"""Operands of matrix instructions that meet the corners of every format."""

from __future__ import annotations

from typing import Any

import numpy as np

WIDTHS = {
    "f16": 16,
    "bf16": 16,
    "tf32": 32,
    "e4m3": 8,
    "e5m2": 8,
    "f64": 64,
    "f32": 32,
    "s8": 8,
    "u8": 8,
    "s32": 32,
}
"""Bits of a word by type."""

_FORMATS = {
    "f16": (5, 10), "bf16": (8, 7), "tf32": (8, 23), "f32": (8, 23),
    "e4m3": (4, 3), "e5m2": (5, 2), "f64": (11, 52),
}  # fmt: skip


def mixed_words(kind: str, shape: tuple[int, int], seed: int) -> np.ndarray[Any, np.dtype[Any]]:
    """Operands of a type, row by row of five kinds in turn.

    Near one, within a few powers of two, of any finite exponent, of special values, of any bits.

    Args:
        kind: Key of `WIDTHS`.
        shape: Rows, and words of each.
        seed: Of the random numbers.
    """
    warps, count = shape
    random = np.random.default_rng(seed)
    bits = WIDTHS[kind]
    dtype = np.dtype(f"u{bits // 8}")
    raw = (
        random.integers(0, 1 << bits, (warps, count), dtype=np.uint64, endpoint=False)
        if (bits < 64)
        else random.integers(0, (1 << 64) - 1, (warps, count), dtype=np.uint64, endpoint=True)
    )
    if kind not in _FORMATS:
        return raw.astype(dtype)
    exponent, mantissa = _FORMATS[kind]
    bias = (1 << (exponent - 1)) - 1
    fraction = raw & np.uint64((1 << mantissa) - 1)
    sign = raw & np.uint64(1 << (bits - 1))
    mode = (np.arange(warps) % 5)[:, None]

    def power(low: int, high: int) -> Any:
        drawn = random.integers(low, high, (warps, count), endpoint=True, dtype=np.int64)
        return drawn.astype(np.uint64) << np.uint64(mantissa)

    top = (1 << exponent) - 1
    near = sign | power(bias - 1, bias) | fraction
    spread = sign | power(max(bias - 6, 0), min(bias + 6, top - 1)) | fraction
    finite = sign | power(0, top - 1) | fraction
    special = np.array(
        [0, 1, 1 << mantissa, (1 << mantissa) - 1, bias << mantissa, (top << mantissa) - 1,
         (bias + 1) << mantissa, (bias << mantissa) + 1, bias - 3 << mantissa, top << mantissa],
        np.uint64,
    )  # fmt: skip
    odds = np.array([20, 5, 5, 5, 20, 1, 10, 20, 14, 0.05])
    chosen = sign | random.choice(special, (warps, count), p=odds / odds.sum())
    found: np.ndarray[Any, np.dtype[Any]] = np.select(
        [mode == 0, mode == 1, mode == 2, mode == 3], [near, spread, finite, chosen], raw
    )
    # Few of the operands are of any bits, or every sum would be NaN.
    calm = (mode == 4) & (random.integers(0, 40, (warps, count)) != 0)
    found = np.where(calm, finite, found)
    words_found: np.ndarray[Any, np.dtype[Any]] = found.astype(dtype)
    return words_found
