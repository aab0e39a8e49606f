# ruff: noqa: INP001, N803, PLR0917 - no package; Triton spells compile-time constants in capitals
"""The same work with tensor descriptors: the copy engine moves the tiles."""

import triton
import triton.language as tl


@triton.jit
def deep_gemm_transpose_kernel(x_desc, out_desc, TILE: tl.constexpr):
    """Tiles change places, each stays as it is: the matmul turns a tile round as it reads it.

    A descriptor's last dimension is contiguous, so no copy of a descriptor can transpose elements.
    """
    r = tl.program_id(0) * TILE
    c = tl.program_id(1) * TILE
    out_desc.store([c, r], x_desc.load([r, c]))


@triton.jit
def deepgemm_src_to_dst_kernel(order_ptr, dst_ptr, count, BLOCK: tl.constexpr):
    """Inverts a permutation: `dst[order[i]] = i`."""
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = offsets < count
    target = tl.load(order_ptr + offsets, mask=mask, other=0)
    tl.store(dst_ptr + target, offsets, mask=mask)


@triton.jit
def deep_gemm_matmul_kernel(
    a_desc, b_desc, c_desc, k, TILE_M: tl.constexpr, TILE_N: tl.constexpr, TILE_K: tl.constexpr
):
    """`c` = `a` of m by k times `b` of n by k, transposed."""
    r = tl.program_id(0) * TILE_M
    c = tl.program_id(1) * TILE_N
    total = tl.zeros((TILE_M, TILE_N), dtype=tl.float32)
    for start in range(0, k, TILE_K):
        total = tl.dot(a_desc.load([r, start]), b_desc.load([c, start]).T, total)
    c_desc.store([r, c], total.to(c_desc.dtype))
