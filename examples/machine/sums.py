# ruff: noqa: INP001, N803, PLR0917 - no package; Triton spells compile-time constants in capitals
"""Matrix products whose sums are taken in other ways: split over blocks, promoted, scaled."""

import triton
import triton.language as tl


@triton.jit
def split_matmul(
    a_ptr, b_ptr, c_ptr, n, k, TILE: tl.constexpr, TILE_K: tl.constexpr, SPLIT_K: tl.constexpr
):  # fmt: skip
    """Blocks share a sum, and add what they have by atomics."""
    rows = tl.program_id(0) * TILE + tl.arange(0, TILE)
    cols = tl.program_id(1) * TILE + tl.arange(0, TILE)
    inner = tl.program_id(2) * TILE_K + tl.arange(0, TILE_K)
    total = tl.zeros((TILE, TILE), tl.float32)
    for start in range(0, k, TILE_K * SPLIT_K):
        place = start + inner
        a = tl.load(a_ptr + rows[:, None] * k + place[None, :])
        total = tl.dot(a, tl.load(b_ptr + place[:, None] * n + cols[None, :]), total)
    out = c_ptr + rows[:, None] * n + cols[None, :]
    inside = (rows[:, None] < n) & (cols[None, :] < n)
    if SPLIT_K == 1:
        tl.store(out, total, mask=inside)
    else:
        tl.atomic_add(out, total, mask=inside)


@triton.jit
def promoted_matmul(
    a_ptr, b_ptr, c_ptr, scale_ptr, n, k,
    TILE: tl.constexpr, TILE_K: tl.constexpr, MOST: tl.constexpr, SCALED: tl.constexpr,
):  # fmt: skip
    """Sums of fp8 leave the matrix unit after `MOST` products, or tile by tile with a scale."""
    rows = tl.program_id(0) * TILE + tl.arange(0, TILE)
    cols = tl.program_id(1) * TILE + tl.arange(0, TILE)
    inner = tl.arange(0, TILE_K)
    total = tl.zeros((TILE, TILE), tl.float32)
    for start in range(0, k, TILE_K):
        place = start + inner
        a = tl.load(a_ptr + rows[:, None] * k + place[None, :])
        b = tl.load(b_ptr + cols[None, :] * k + place[:, None])
        if SCALED:
            total += tl.dot(a, b) * tl.load(scale_ptr + rows * 8 + start // TILE_K)[:, None]
        else:
            total = tl.dot(a, b, total, max_num_imprecise_acc=MOST)
    out = c_ptr + rows[:, None] * n + cols[None, :]
    tl.store(out, total, mask=(rows[:, None] < n) & (cols[None, :] < n))
