"""PTX types as numpy dtypes.

Registers hold words: unsigned integers of their width, predicates as booleans. A type says as what
an instruction sees a word. Source: "Parallel Thread Execution ISA", section "Types".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

WORDS: dict[int, np.dtype[Any]] = {
    1: np.dtype(np.bool_),
    8: np.dtype(np.uint8),
    16: np.dtype(np.uint16),
    32: np.dtype(np.uint32),
    64: np.dtype(np.uint64),
}
"""Word dtype by register width in bits."""


@dataclass(frozen=True)
class PtxType:
    """One type.

    Attributes:
        name: As in opcodes, such as `f32`.
        bits: Width.
        dtype: As what kernels see a value; formats that numpy lacks are seen as words.
        kind: `u`, `s`, `b`, `f` (also formats numpy lacks), or `p` for predicates.
    """

    name: str
    bits: int
    dtype: np.dtype[Any]
    kind: str


def _table() -> dict[str, PtxType]:
    found = {"pred": PtxType("pred", 1, WORDS[1], "p")}
    for bits in (8, 16, 32, 64):
        for kind in "usb":
            dtype = np.dtype(f"i{bits // 8}") if kind == "s" else WORDS[bits]
            found[f"{kind}{bits}"] = PtxType(f"{kind}{bits}", bits, dtype, kind)
    for name, size in (("f16", 2), ("f32", 4), ("f64", 8)):
        kept: np.dtype[Any] = np.dtype(f"f{size}")
        found[name] = PtxType(name, kept.itemsize * 8, kept, "f")
    for name, bits in (
        ("bf16", 16),
        ("tf32", 32),
        ("e4m3", 8),
        ("e5m2", 8),
        ("e4m3x2", 16),
        ("e5m2x2", 16),
        ("f16x2", 32),
        ("bf16x2", 32),
        ("f32x2", 64),
    ):
        found[name] = PtxType(name, bits, WORDS[bits], "f")
    for name in ("s16x2", "u16x2"):
        found[name] = PtxType(name, 32, WORDS[32], name[0])
    return found


TYPES = _table()
"""Every type that the machine knows, by name."""


def constant(value: float, dtype: np.dtype[Any]) -> Array:
    """A value that is the same for all threads, of shape (1, 1); integers wrap."""
    if dtype.kind in "ui":
        bits = dtype.itemsize * 8
        wrapped = np.array([[int(value) & ((1 << bits) - 1)]], dtype=f"u{dtype.itemsize}")
        return wrapped.view(dtype)
    return np.array([[value]], dtype=dtype)


def word(value: Array, bits: int) -> Array:
    """A value as a register's word: extended by its sign where its dtype has one, or cut."""
    dtype = WORDS[bits]
    if value.dtype == dtype:
        return value
    if value.dtype.itemsize == dtype.itemsize and bits != 1:
        return value.view(dtype)
    if value.dtype.kind == "f":
        value = value.view(f"u{value.dtype.itemsize}")
    if value.dtype.kind == "i" and value.dtype.itemsize < dtype.itemsize:
        return value.astype(f"i{dtype.itemsize}").view(dtype)
    return value.astype(dtype)


def seen_as(value: Array, kind: PtxType) -> Array:
    """A word as an instruction of that type sees it; a wider word is cut."""
    bits = kind.dtype.itemsize * 8
    if kind.bits != 1 and value.dtype.itemsize * 8 != bits:
        value = value.astype(WORDS[bits])
    return value if value.dtype == kind.dtype else value.view(kind.dtype)
