# mypy: disable-error-code="no-untyped-def"
# Triton reads annotations of parameters as types of its own, so they cannot carry ours.
"""Kernels of our own that the tests compile."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def scale_rows(source, target, n, factor, block: tl.constexpr):
    offsets = tl.program_id(0) * block + tl.arange(0, block)
    inside = offsets < n
    row = tl.load(source + offsets, mask=inside, other=0.0).to(tl.float32)
    total = tl.sum(row * row, 0)
    tl.store(target + offsets, (row * factor / total).to(tl.bfloat16), mask=inside)


@triton.jit
def triton_poi_fused_mul_0(source, target, n, factor, block: tl.constexpr):
    offsets = tl.program_id(0) * block + tl.arange(0, block)
    inside = offsets < n
    row = tl.load(source + offsets, mask=inside, other=0.0)
    tl.store(target + offsets, row * factor, mask=inside)
