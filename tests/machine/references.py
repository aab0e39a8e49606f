"""What the kernels of the corpus should give, in plain numpy and Python, in the same order."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from tests.machine import exact

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = np.ndarray[Any, np.dtype[Any]]


def widen(words: Array) -> Array:
    """bf16 words as float32."""
    return (words.astype(np.uint32) << np.uint32(16)).view(np.float32)


def to_bf16(values: Array) -> Array:
    """Float32 as bf16 words, to nearest even: the upper half, one up from the middle if odd.

    `test_corpus.py` holds it against the exact model, which takes a thousand times as long.
    """
    words = np.ascontiguousarray(values, np.float32).view(np.uint32)
    odd = words >> np.uint32(16) & np.uint32(1)
    rounded = (words + (odd + np.uint32(0x7FFF))) >> np.uint32(16)
    return np.where(np.isnan(values), exact.BF16.nan, rounded).astype(np.uint16)


def _fma32(a: Array, c: Array) -> Array:
    """`a * a + c`, rounded once."""
    found = [
        exact.fma(x, x, z, exact.F32)
        for x, z in zip(a.view(np.uint32).tolist(), c.view(np.uint32).tolist(), strict=True)
    ]
    return np.array(found, np.uint32).view(np.float32)


def rmsnorm(x: Array, weight: Array, _out: Array, width: int, eps: float) -> Array:
    """96 threads: serial fused sums, a butterfly in each warp, a serial sum over three warps."""
    rows = widen(x)
    out = np.empty_like(x)
    for number, row in enumerate(rows):
        sums = np.zeros(96, np.float32)
        for start in range(0, width, 96):
            part = row[start : start + 96]
            sums[: len(part)] = _fma32(part, sums[: len(part)])
        lanes = sums.reshape(3, 32)
        for step in (16, 8, 4, 2, 1):
            lanes = lanes + lanes[:, np.arange(32) ^ step]
        total = np.float32(0)
        for warp in range(3):
            total += lanes[warp, 0]
        scale = np.float32(1) / np.sqrt(total / np.float32(width) + np.float32(eps))
        out[number] = to_bf16(row * scale * widen(weight))
    return out


def histogram(data: Array, _bins: Array, _count: int) -> Array:
    return np.bincount(data, minlength=256).astype(np.uint32)


def sort_rows(rows: Array) -> Array:
    return np.sort(rows, axis=1)


def powers(base: Array, exponent: Array, _out: Array, _count: int) -> Array:
    pairs = zip(base.tolist(), exponent.tolist(), strict=True)
    return np.array([pow(b, e, 1000003) for b, e in pairs], np.uint64)


def collatz(start: Array, _steps: Array, _count: int) -> Array:
    found = []
    for number in start.tolist():
        taken, value = 0, number
        while value != 1:
            value = value // 2 if value % 2 == 0 else 3 * value + 1
            taken += 1
        found.append(taken)
    return np.array(found, np.int32)


def halves(a: Array, b: Array, _out: Array, _count: int) -> Array:
    found = []
    for x, y in zip(
        a.reshape(-1).view(np.uint16).tolist(), b.reshape(-1).view(np.uint16).tolist(), strict=True
    ):
        top = exact.extreme(x, y, exact.F16, largest=True)
        third = exact.mul(top, exact.add(x, y, exact.F16), exact.F16)
        found.append(exact.fma(x, y, third, exact.F16))
    return np.array(found, np.uint16).view(np.float16).reshape(a.shape)


def quantize(x: Array, scale: Array, _out: Array, _width: int) -> Array:
    scaled = x * (np.float32(1) / scale)[:, None]
    found = []
    for word in scaled.reshape(-1).view(np.uint32).tolist():
        value = exact.decode(word, exact.F32)
        negative = bool(exact.sign_of(word, exact.F32))
        found.append(exact.encode(value, exact.E4M3, negative_zero=negative))
    return np.array(found, np.uint8).reshape(x.shape)


def polynomial(x: Array, _out: Array, _count: int) -> Array:
    def word(value: float) -> int:
        return int(np.array(value).view(np.uint64))

    found = []
    for value in x.tolist():
        third = exact.div(word(1.0), word(value), exact.F64)
        inner = exact.fma(word(value), word(0.1), word(-0.3), exact.F64)
        inner = exact.fma(inner, word(value), word(0.7), exact.F64)
        found.append(exact.fma(inner, word(value), third, exact.F64))
    return np.array(found, np.uint64).view(np.float64)


def softmax(x: Array, _out: Array, _width: int) -> Array:
    weight = np.exp(x.astype(np.float64) - x.max(axis=1, keepdims=True))
    return weight / weight.sum(axis=1, keepdims=True)


def trigonometry(x: Array, _out: Array, _count: int) -> Array:
    return np.array(
        [
            math.sin(v) + math.exp(v) * math.erf(v) + abs(v) ** float(np.float32(1.7))
            for v in x.tolist()
        ]
    )


def largest(x: Array, _values: Array, _places: Array, _width: int, kept: int) -> Array:
    return np.sort(x, axis=1)[:, ::-1][:, :kept]


def largest_places(x: Array, _values: Array, _places: Array, _width: int, kept: int) -> Array:
    return np.argsort(-x, axis=1, kind="stable")[:, :kept]


_RECORD = np.dtype(
    {
        "names": ["counts", "weight", "total", "flag"],
        "formats": [("i4", 6), "f4", "f8", "i1"],
        "offsets": [0, 24, 32, 40],
        "itemsize": 48,
    }
)


def records(rows: Array, _count: int) -> Array:
    found = rows.copy()
    for number, record in enumerate(found.reshape(-1).view(_RECORD)):
        record["counts"][number % 6] += number
        record["weight"] *= np.float32(2)
        record["total"] += np.float64(record["weight"])
        record["flag"] ^= np.int8(number)
    return found


def _wrapped(value: int, bits: int = 32) -> int:
    return (value + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)


def through_pointers(x: Array, _out: Array, _count: int) -> Array:
    found = []
    for value in x.tolist():
        called = (value + 1, value * 3, value ^ 5)[value % (1 << 32) % 3]
        side = value & 1023
        found.append(_wrapped(called + (side * side if value & 8 else 7 * side)))
    return np.array(found, np.int32)


def cases(x: Array, _out: Array, _count: int) -> Array:
    def one(v: int) -> int:
        word = v % (1 << 32)
        chosen = {
            0: v * 3, 1: v + 9, 2: v ^ 77, 3: int(math.copysign(abs(v) // 7, v)),
            4: int(math.copysign(abs(v) % 11, v)), 5: -v, 6: v << 3, 7: v >> 2, 8: v * v, 9: ~v,
            10: v | 9, 12: word.bit_count(),
        }  # fmt: skip
        return _wrapped(chosen.get(v & 15, 32 - word.bit_length()))

    return np.array([one(v) for v in x.tolist()], np.int32)


def quotients(x: Array, _out: Array, by: int, _count: int) -> Array:
    found = []
    for low, high in x.tolist():
        value = _wrapped(low | high << 64, 128)
        size = abs(value) // abs(by)
        result = (size if (value < 0) == (by < 0) else -size) % (1 << 128)
        found.append((result % (1 << 64), result >> 64))
    return np.array(found, np.uint64)


def bounds(x: Array, _out: Array, _count: int) -> Array:
    def word(value: float) -> int:
        return int(np.array(value).view(np.uint64))

    found = []
    for value in x.tolist():
        for mode in ("rm", "rp"):
            total = exact.add(word(value), word(0.1), exact.F64, mode)
            root = exact.sqrt(exact.div(total, word(3.0), exact.F64, mode), exact.F64, mode)
            found.append(exact.fma(root, root, word(-0.7), exact.F64, mode))
    return np.array(found, np.uint64).view(np.float64).reshape(-1, 2)


REFERENCES: dict[str, Callable[..., Array]] = {
    function.__name__: function
    for function in (
        rmsnorm,
        histogram,
        sort_rows,
        powers,
        collatz,
        halves,
        quantize,
        polynomial,
        softmax,
        trigonometry,
        largest,
        largest_places,
        records,
        through_pointers,
        cases,
        quotients,
        bounds,
    )
}
