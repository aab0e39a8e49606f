"""Packed video instructions: two halfwords or four bytes at once.

Source: PTX ISA, "SIMD Video Instructions". Selectors and masks of lanes (`%r1.b0123`) are not
among what compilers write, and are refused as operands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.numeric.kernel import Kernel, Modifiers

if TYPE_CHECKING:
    from collections.abc import Callable

    from sassay.machine.types import Array


def _average(a: Array, b: Array) -> Array:
    total = a + b
    return (total + (total >= 0)) >> 1


_OPERATIONS: dict[str, Callable[[Array, Array], Array]] = {
    "vadd": np.add,
    "vsub": np.subtract,
    "vavrg": _average,
    "vabsdiff": lambda a, b: np.abs(a - b),
    "vmin": np.minimum,
    "vmax": np.maximum,
}

SIMD = tuple(f"{base}{count}" for base in _OPERATIONS for count in (2, 4))
"""The opcodes."""


def simd(form: Modifiers) -> Kernel:
    """`vadd2` to `vmax4`: lane by lane, or added up over the lanes (`.add`)."""
    base, lanes = form.base[:-1], int(form.base[-1])
    adds, saturates = form.flag("add"), form.flag("sat")
    second, first, result = form.last(), form.last(), form.last()
    form.end()
    if not {first, second, result} <= {"u32", "s32"} or (adds and saturates):
        raise form.missing()
    run, bits = _OPERATIONS[base], 32 // lanes
    mask = (1 << bits) - 1

    def lane(words: Array, at: int, kind: str) -> Array:
        value = (words.view(np.uint32) >> np.uint32(at * bits)).astype(np.int64) & mask
        return np.where(value > mask >> 1, value - (mask + 1), value) if kind == "s32" else value

    low, high = (-(mask + 1) // 2, mask // 2) if result == "s32" else (0, mask)

    def packed(a: Array, b: Array, c: Array) -> Array:
        total = c.view(np.uint32).astype(np.int64) if adds else np.zeros((1, 1), np.int64)
        for at in range(lanes):
            found = run(lane(a, at, first), lane(b, at, second))
            if saturates:
                found = np.minimum(np.maximum(found, low), high)
            total = total + (found if adds else (found & mask) << (at * bits))
        return (total & 0xFFFFFFFF).astype(np.uint32)

    return Kernel(packed, ("b32", "b32", "b32"), ("b32",))
