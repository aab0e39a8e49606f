"""Element types of buffers: how values are made into words, read from them, and compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sassay.machine.numeric.convert import from_double, to_double

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


@dataclass(frozen=True)
class Format:
    """One element type.

    Attributes:
        name: As Triton spells it.
        ptx: As PTX does.
        dtype: Of the words that a kernel sees.
        exponent: Bits of the exponent; 0 of integers.
        mantissa: Explicit bits of the mantissa.
    """

    name: str
    ptx: str
    dtype: np.dtype[Any]
    exponent: int = 0
    mantissa: int = 0

    @property
    def is_float(self) -> bool:
        """Whether it is a floating-point type."""
        return self.exponent > 0


_FLOATS = (
    Format("bf16", "bf16", np.dtype(np.uint16), 8, 7),
    Format("fp16", "f16", np.dtype(np.float16), 5, 10),
    Format("fp32", "f32", np.dtype(np.float32), 8, 23),
    Format("fp64", "f64", np.dtype(np.float64), 11, 52),
    Format("fp8e4nv", "e4m3", np.dtype(np.uint8), 4, 3),
    Format("fp8e5", "e5m2", np.dtype(np.uint8), 5, 2),
)
_INTEGERS = tuple(
    Format(f"{kind}{bits}", f"{kind.replace('i', 's')}{bits}", np.dtype(f"{kind}{bits // 8}"))
    for bits in (8, 16, 32, 64)
    for kind in "iu"
)
FORMATS: dict[str, Format] = {each.name: each for each in (*_FLOATS, *_INTEGERS)}
FORMATS |= {"f16": FORMATS["fp16"], "f32": FORMATS["fp32"], "f64": FORMATS["fp64"]}
"""By name; PTX's short names of IEEE types mean the same."""


def words_of(values: Array, form: Format) -> Array:
    """Words of an element type, rounded to nearest even; too large ones become the limit of fp8.

    Args:
        values: Floating-point for floating-point types, integers for others.
        form: The type.
    """
    if not form.is_float:
        return values.astype(form.dtype)
    with np.errstate(all="ignore"):
        found = from_double(values.astype(np.float64), form.ptx, "rn")
    return found.astype(form.dtype)


def values_of(words: Array, form: Format) -> NDArray[np.float64]:
    """What words stand for, in double precision; integers beyond 53 bits are rounded."""
    if not form.is_float:
        return words.astype(np.float64)
    with np.errstate(invalid="ignore"):  # signalling NaNs
        return to_double(words, form.ptx)


def bits_of(words: Array) -> NDArray[np.uint64]:
    """The bit patterns of words."""
    return words.view(f"u{words.dtype.itemsize}").astype(np.uint64)


def is_nan(words: Array, form: Format) -> NDArray[np.bool_]:
    """Which words are no number."""
    if not form.is_float:
        return np.zeros(words.shape, np.bool_)
    return np.isnan(values_of(words, form))


def ulps(left: Array, right: Array, form: Format) -> NDArray[np.float64]:
    """Distances in units in the last place: how many values of the type lie between, plus one."""
    a, b = _ordered(left, form), _ordered(right, form)
    return (np.maximum(a, b).view(np.uint64) - np.minimum(a, b).view(np.uint64)).astype(np.float64)


def _ordered(words: Array, form: Format) -> NDArray[np.int64]:
    """Numbers that are in the order of the values, one apart where values are neighbours."""
    if not form.is_float:
        return words.astype(np.int64)
    bits = bits_of(words)
    sign = np.uint64(1) << np.uint64(words.dtype.itemsize * 8 - 1)
    magnitude = (bits & ~sign).astype(np.int64)
    return np.where(bits & sign, -magnitude, magnitude)


def text_of(word: Any, form: Format) -> str:
    """A value with its bits, as a report prints it."""
    array = np.array([word], form.dtype)
    if not form.is_float:
        return str(int(array[0]))
    digits = form.dtype.itemsize * 2
    return f"{values_of(array, form)[0]:.9g} (0x{int(bits_of(array)[0]):0{digits}x})"
