"""Sums of products against exact fractions, for every kind of product."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.machine.matrix.rational import FORMATS, fused

from sassay.machine.hardware.words import mixed_words
from sassay.machine.matrix.rules import Gpu, Product

WIDTHS = {"f16": 16, "bf16": 16, "tf32": 32, "e4m3": 8, "e5m2": 8, "f32": 32}
PRODUCTS = [
    *(("h100", Product(16, r, k, k)) for k, r in (("f16", "f32"), ("bf16", "f32"), ("f16", "f16"))),
    ("h100", Product(8, "f32", "tf32", "tf32")),
    *(("a100", Product(16, r, k, k)) for k, r in (("f16", "f32"), ("bf16", "f32"), ("f16", "f16"))),
    ("a100", Product(8, "f32", "tf32", "tf32")),
    *(
        ("h100", Product(32, r, a, b, warpgroup=True))
        for a, b, r in (("e4m3", "e4m3", "f32"), ("e5m2", "e4m3", "f32"), ("e4m3", "e4m3", "f16"))
    ),
    ("h100", Product(32, "f32", "e4m3", "e5m2")),
]


def _wanted(gpu: Gpu, product: Product, a: list[int], b: list[int], c: int) -> int:
    kinds = (product.a, product.b)
    if product.a in {"e4m3", "e5m2"}:
        if product.warpgroup:
            result = "e8m13" if product.result == "f32" else "f16"
            return fused(a, b, kinds, c, bits=13, result=result)
        return _converted(a, b, kinds, c)
    if gpu == "h100":
        return fused(a, b, kinds, c, bits=25, result=product.result)
    size = 4 if product.a == "tf32" else 8
    for start in range(0, product.k, size):
        part = slice(start, start + size)
        c = fused(a[part], b[part], kinds, c, bits=24, result=product.result)
    return c


def _converted(a: list[int], b: list[int], kinds: tuple[str, str], c: int) -> int:
    """Fp8 by way of f16: the lower halves of every four first, the addend last."""
    first, second = (
        [_half(w, kind) for w in words] for words, kind in zip((a, b), kinds, strict=True)
    )
    total = 0
    for low in (0, 2):
        index = [k for k in range(len(a)) if k % 4 in {low, low + 1}]
        total = fused(
            [first[k] for k in index], [second[k] for k in index], ("f16", "f16"), total,
            bits=25, result="f32",
        )  # fmt: skip
    with np.errstate(all="ignore"):
        found = np.uint32(c).view(np.float32) + np.uint32(total).view(np.float32)
    return 0x7FFFFFFF if np.isnan(found) else int(found.view(np.uint32))


def _half(word: int, kind: str) -> int:
    if kind == "e5m2":
        return word << 8
    if word & 0x7F == 0x7F:
        return 0x7FFF
    sign, exponent, mantissa = word >> 7, word >> 3 & 15, word & 7
    value = (
        (mantissa / 8) * 2.0**-6 if exponent == 0 else (1 + mantissa / 8) * 2.0 ** (exponent - 7)
    )
    return int(np.float16(-value if sign else value).view(np.uint16)) | sign << 15


def _found(gpu: Gpu, product: Product, a: Any, b: Any, c: Any) -> list[int]:
    rule = product.prepare(gpu)
    with np.errstate(all="ignore"):
        words = rule.multiply(rule.factor(a, product.a), rule.factor(b, product.b), c)
    return [int(word) for word in words]


@pytest.mark.parametrize(
    ("gpu", "product"), PRODUCTS, ids=lambda each: each if isinstance(each, str) else None
)
def test_sums_of_all_kinds_of_operands(gpu: Gpu, product: Product) -> None:
    count = 300
    result = "f16" if product.result == "f16" else "f32"
    a = mixed_words(product.a, (count, product.k), 1)
    b = mixed_words(product.b, (count, product.k), 2)
    c = mixed_words(result, (count, 1), 3)[:, 0]
    found = _found(gpu, product, a.T.copy(), b.T.copy(), c)
    for at in range(count):
        wanted = _wanted(gpu, product, a[at].tolist(), b[at].tolist(), int(c[at]))
        assert found[at] == wanted, (at, hex(found[at]), hex(wanted))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(PRODUCTS), st.data())
def test_sums_of_any_bits(case: tuple[Gpu, Product], data: st.DataObject) -> None:
    gpu, product = case
    widths = (WIDTHS[product.a], WIDTHS[product.b])
    a, b = (
        data.draw(st.lists(st.integers(0, (1 << bits) - 1), min_size=product.k, max_size=product.k))
        for bits in widths
    )
    bits = 16 if product.result == "f16" else 32
    c = data.draw(st.integers(0, (1 << bits) - 1))
    first = np.array(a, f"u{widths[0] // 8}")[:, None]
    second = np.array(b, f"u{widths[1] // 8}")[:, None]
    found = _found(gpu, product, first, second, np.array([c], f"u{bits // 8}"))
    assert found == [_wanted(gpu, product, a, b, c)]


def test_a_large_product_shifts_small_ones_out() -> None:
    """What the rules differ by: 2^-25 beside 1 stays on Hopper, and is lost on Ampere."""
    product = Product(16, "f32", "f16", "f16")
    # 1 * 1, then sixteen bits lower, four times 2^-25 by factors of 2^-10 and 2^-15.
    a = np.zeros((16, 1), np.uint16)
    b = np.zeros((16, 1), np.uint16)
    a[0], b[0] = 0x3C00, 0x3C00
    a[1:5], b[1:5] = 0x1400, np.float16(2.0**-15).view(np.uint16)
    kept, lost = (_found(gpu, product, a, b, np.zeros(1, np.uint32))[0] for gpu in ("h100", "a100"))
    assert (kept, lost) == (0x3F800001, 0x3F800000)


def test_every_format_is_covered() -> None:
    assert {product.a for _, product in PRODUCTS} == set(FORMATS) - {"f32"}
