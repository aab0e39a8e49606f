"""Elements of matrices: words as values, exponents and what is not finite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sassay.machine.types import Array

ZERO = np.int16(-8192)
"""The exponent of zero: far below that of any product."""

LIVE = -4096
"""Exponents of products with a zero are below this."""


@dataclass(frozen=True)
class Format:
    """A floating-point format of elements.

    Attributes:
        bits: Width of a word.
        exponent: Bits of the exponent.
        mantissa: Bits of the fraction.
        infinite: Whether it has infinities; otherwise only the last word of each sign is NaN.
    """

    bits: int
    exponent: int
    mantissa: int
    infinite: bool = True

    @property
    def bias(self) -> int:
        """Of the exponent."""
        return (1 << (self.exponent - 1)) - 1


FORMATS = {
    "f16": Format(16, 5, 10),
    "bf16": Format(16, 8, 7),
    "tf32": Format(32, 8, 23),
    "f32": Format(32, 8, 23),
    "e4m3": Format(8, 4, 3, infinite=False),
    "e5m2": Format(8, 5, 2),
}


@dataclass(frozen=True)
class Elements:
    """Numbers, taken apart.

    Attributes:
        value: As float32; zero where the number is not finite.
        exponent: Of the significand in [1, 2), of the least normal number for subnormals, `ZERO`
            for zero and for what is not finite.
        wild: The numbers as they are, if any is infinite or NaN; None otherwise.
    """

    value: Array
    exponent: Array
    wild: Array | None


_TF32 = np.uint32(0xFFFFE000)


def elements(words: Array, kind: str) -> Elements:
    """Takes words of a format apart.

    Args:
        words: Unsigned words of the format's width.
        kind: Key of `FORMATS`. The 13 low bits of tf32 are not looked at.
    """
    form = FORMATS[kind]
    if kind in {"e4m3", "e5m2"}:
        # Hardware that has no unit for them converts them to f16 first; the others agree.
        words, kind = _as_half(words, kind), "f16"
        form = FORMATS["f16"]
    if kind == "tf32":
        words = words & _TF32
    dtype = words.dtype.type
    field = (words >> dtype(form.mantissa)) & dtype((1 << form.exponent) - 1)
    exponent = np.maximum(field, dtype(1)).astype(np.int16)
    exponent -= np.int16(form.bias)
    exponent[(words << dtype(1)) == 0] = ZERO
    value = _values(words, kind)
    wrong = field == dtype((1 << form.exponent) - 1)
    if not wrong.any():
        return Elements(value, exponent, None)
    exponent[wrong] = ZERO
    return Elements(np.where(wrong, np.float32(0), value), exponent, value)


def _values(words: Array, kind: str) -> Array:
    if kind == "bf16":
        wide: Array = words.astype(np.uint32)
        wide <<= np.uint32(16)
        return wide.view(np.float32)
    if kind == "f16":
        return words.view(np.float16).astype(np.float32)
    return words.view(np.float32)


def small_elements(words: Array, kind: str) -> Elements:
    """Takes words of an fp8 format apart as a unit that knows them does: exponents of their own."""
    found = elements(words, kind)
    least = np.int16(1 - FORMATS[kind].bias)
    exponent = np.where(found.exponent > LIVE, np.maximum(found.exponent, least), ZERO)
    return Elements(found.value, exponent.astype(np.int16), found.wild)


def _as_half(words: Array, kind: str) -> Array:
    return np.take(_HALVES[kind], words)


def _halves(kind: str) -> Array:
    words = np.arange(256, dtype=np.uint16)
    if kind == "e5m2":
        return words << np.uint16(8)
    sign = (words & np.uint16(0x80)) << np.uint16(8)
    magnitude = words & np.uint16(0x7F)
    # The fields in place of those of f16, whose bias is larger by eight.
    scaled = (magnitude << np.uint16(7)).view(np.float16) * np.float16(256)
    halves = scaled.view(np.uint16) | sign
    return np.where(magnitude == 0x7F, np.uint16(0x7FFF), halves)


_HALVES = {kind: _halves(kind) for kind in ("e4m3", "e5m2")}
