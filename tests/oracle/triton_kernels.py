# mypy: disable-error-code="no-untyped-def"
# Triton reads annotations of parameters as types of its own, so they cannot carry ours.
"""Kernels of our own: a matrix product, a reduction, atomics and doubles in a loop, spills."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from unittest import mock

import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ARCHS = (80, 90, 100, 120)


@triton.jit
def product(a, b, c, k, block: tl.constexpr):
    rows = tl.program_id(0) * block + tl.arange(0, block)
    columns = tl.program_id(1) * block + tl.arange(0, block)
    inner = tl.arange(0, 32)
    total = tl.zeros((block, block), dtype=tl.float32)
    for start in range(0, k, 32):
        left = tl.load(a + rows[:, None] * k + start + inner[None, :])
        right = tl.load(b + (start + inner[:, None]) * block + columns[None, :])
        total += tl.dot(left, right)
    tl.store(c + rows[:, None] * block + columns[None, :], total.to(tl.bfloat16))


@triton.jit
def softmax(a, b, c, k, block: tl.constexpr):
    columns = tl.arange(0, block)
    inside = columns < k
    row = tl.load(a + tl.program_id(0) * k + columns, mask=inside, other=-float("inf"))
    shifted = tl.exp(row.to(tl.float32) - tl.max(row.to(tl.float32), 0))
    tl.store(c + tl.program_id(0) * k + columns, shifted / tl.sum(shifted, 0), mask=inside)
    tl.atomic_max(b, tl.max(shifted, 0).to(tl.int32))


@triton.jit
def newton(a, b, c, k, block: tl.constexpr):
    place = tl.arange(0, block)
    value = tl.load(a + place).to(tl.float64)
    steps = tl.zeros((block,), tl.int64)
    while tl.max(steps, 0) < k:
        value = 0.5 * (value + 2.0 / value)
        steps += (tl.abs(value) > 1.0).to(tl.int64)
    tl.atomic_add(b + (steps % 7).to(tl.int32), 1)
    tl.store(c + place, value.to(tl.float32))


VARIANTS: tuple[tuple[Any, tuple[str, str, str], int, dict[str, int]], ...] = (
    (product, ("*bf16", "*bf16", "*bf16"), 64, {"num_warps": 4}),
    (softmax, ("*fp16", "*i32", "*fp32"), 2048, {"num_warps": 8}),
    (softmax, ("*fp16", "*i32", "*fp32"), 8192, {"num_warps": 2, "maxnreg": 40}),
    (newton, ("*fp32", "*i32", "*fp32"), 256, {"num_warps": 2}),
)
"""Function, pointer types, block size and options; the third spills."""


def compile_all(folder: Path) -> None:
    """Compile every variant for every architecture into a Triton cache."""
    with mock.patch.dict(os.environ, {"TRITON_CACHE_DIR": str(folder)}):
        for arch in ARCHS:
            for function, types, block, options in VARIANTS:
                _compile(function, types, block, arch, options)
        for arch in ARCHS[1:3]:
            _compile(softmax, VARIANTS[1][1], 4096, arch, {"num_warps": 4, "num_ctas": 2})


def compile_named(folder: Path, arch: int, names: Sequence[str]) -> None:
    """Compile the variants of some kernels for one more architecture."""
    with mock.patch.dict(os.environ, {"TRITON_CACHE_DIR": str(folder)}):
        for function, types, block, options in VARIANTS:
            if function.__name__ in names:
                _compile(function, types, block, arch, options)


def _compile(
    function: object, types: tuple[str, str, str], block: int, arch: int, options: dict[str, int]
) -> None:
    names = dict(zip("abc", types, strict=True))
    source = ASTSource(
        function,
        {**names, "k": "i32", "block": "constexpr"},
        {(4,): block},
        {(index,): [["tt.divisibility", 16]] for index in range(4)},
    )
    triton.compile(source, target=GPUTarget("cuda", arch, 32), options=options)
