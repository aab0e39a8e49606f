# ruff: noqa: INP001, N803, PLR0917 - no package; Triton spells compile-time constants in capitals
"""Helpers of a grouped GEMM that move tiles by hand: global memory, registers, shared memory."""

import triton
import triton.language as tl


@triton.jit
def deep_gemm_transpose_kernel(x_ptr, out_ptr, rows, cols, TILE: tl.constexpr):
    """`out` of cols by rows gets the transpose of `x`; the tile turns round in shared memory."""
    r = tl.program_id(0) * TILE + tl.arange(0, TILE)
    c = tl.program_id(1) * TILE + tl.arange(0, TILE)
    mask = (r < rows)[:, None] & (c < cols)[None, :]
    tile = tl.load(x_ptr + r[:, None].to(tl.int64) * cols + c[None, :], mask=mask, other=0.0)
    tl.store(
        out_ptr + c[:, None].to(tl.int64) * rows + r[None, :], tl.trans(tile), mask=tl.trans(mask)
    )


@triton.jit
def deepgemm_src_to_dst_kernel(order_ptr, dst_ptr, count, BLOCK: tl.constexpr):
    """Inverts a permutation: `dst[order[i]] = i`, the offsets of a block kept in one layout."""
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = offsets < count
    target = tl.load(order_ptr + offsets, mask=mask, other=0)
    ranks = tl.cumsum(mask.to(tl.int32), axis=0) - 1 + tl.program_id(0) * BLOCK
    tl.store(dst_ptr + target, ranks, mask=mask)


@triton.jit
def deep_gemm_matmul_kernel(
    a_ptr, b_ptr, c_ptr, m, n, k, TILE_M: tl.constexpr, TILE_N: tl.constexpr, TILE_K: tl.constexpr
):
    """`c` = `a` of m by k times transposed `b` of n by k; both converted on the way."""
    r = tl.program_id(0) * TILE_M + tl.arange(0, TILE_M)
    c = tl.program_id(1) * TILE_N + tl.arange(0, TILE_N)
    inner = tl.arange(0, TILE_K)
    total = tl.zeros((TILE_M, TILE_N), dtype=tl.float32)
    for start in range(0, k, TILE_K):
        a = tl.load(a_ptr + (r % m)[:, None] * k + start + inner[None, :]).to(tl.bfloat16)
        b = tl.load(b_ptr + (c % n)[None, :] * k + start + inner[:, None]).to(tl.bfloat16)
        total = tl.dot(a, b, total)
    out = c_ptr + r[:, None].to(tl.int64) * n + c[None, :]
    tl.store(out, total.to(c_ptr.dtype.element_ty), mask=(r < m)[:, None] & (c < n)[None, :])
