# ruff: noqa: INP001, N803, PLR0917 - no package; Triton spells compile-time constants in capitals
"""Matrix kernels that the machine runs: by pointers, by tensor descriptors, with fp8 and scales."""

import triton
import triton.language as tl


@triton.jit
def matmul(
    a_ptr, b_ptr, c_ptr, m, n, k, stride_a, stride_b, stride_c,
    TILE_M: tl.constexpr, TILE_N: tl.constexpr, TILE_K: tl.constexpr,
):  # fmt: skip
    """Rows of `a` times columns of `b`, by pointers; any k."""
    rows = tl.program_id(0) * TILE_M + tl.arange(0, TILE_M)
    cols = tl.program_id(1) * TILE_N + tl.arange(0, TILE_N)
    inner = tl.arange(0, TILE_K)
    a = a_ptr + rows[:, None] * stride_a + inner[None, :]
    b = b_ptr + inner[:, None] * stride_b + cols[None, :]
    total = tl.zeros((TILE_M, TILE_N), tl.float32)
    for start in range(0, k, TILE_K):
        left = tl.load(a, mask=(rows[:, None] < m) & (inner[None, :] < k - start), other=0.0)
        right = tl.load(b, mask=(inner[:, None] < k - start) & (cols[None, :] < n), other=0.0)
        total = tl.dot(left, right, total)
        a += TILE_K
        b += TILE_K * stride_b
    out = c_ptr + rows[:, None] * stride_c + cols[None, :]
    inside = (rows[:, None] < m) & (cols[None, :] < n)
    tl.store(out, total.to(c_ptr.dtype.element_ty), mask=inside)


@triton.jit
def matmul_by_descriptors(
    a_ptr, b_ptr, c_ptr, m, n, k,
    TILE_M: tl.constexpr, TILE_N: tl.constexpr, TILE_K: tl.constexpr, SPECIALIZED: tl.constexpr,
):  # fmt: skip
    """The same through tensor descriptors that the kernel makes; warps may have roles."""
    a = tl.make_tensor_descriptor(a_ptr, [m, k], [k, 1], [TILE_M, TILE_K])
    b = tl.make_tensor_descriptor(b_ptr, [k, n], [n, 1], [TILE_K, TILE_N])
    c = tl.make_tensor_descriptor(c_ptr, [m, n], [n, 1], [TILE_M, TILE_N])
    row = tl.program_id(0) * TILE_M
    col = tl.program_id(1) * TILE_N
    total = tl.zeros((TILE_M, TILE_N), tl.float32)
    for start in tl.range(0, k, TILE_K, warp_specialize=SPECIALIZED):
        total = tl.dot(a.load([row, start]), b.load([start, col]), total)
    c.store([row, col], total.to(c_ptr.dtype.element_ty))


@triton.jit
def matmul_by_host_descriptors(
    a, b, c, k, TILE_M: tl.constexpr, TILE_N: tl.constexpr, TILE_K: tl.constexpr
):
    """The same through tensor descriptors that the host makes."""
    row = tl.program_id(0) * TILE_M
    col = tl.program_id(1) * TILE_N
    total = tl.zeros((TILE_M, TILE_N), tl.float32)
    for start in range(0, k, TILE_K):
        total = tl.dot(a.load([row, start]), b.load([start, col]), total)
    c.store([row, col], total.to(tl.bfloat16))


@triton.jit
def scaled_matmul(
    a_ptr, b_ptr, c_ptr, row_scale_ptr, col_scale_ptr, m, n, k,
    TILE_M: tl.constexpr, TILE_N: tl.constexpr, TILE_K: tl.constexpr,
):  # fmt: skip
    """Quantized `a` times transposed quantized `b`, with a scale for each row and column."""
    rows = tl.program_id(0) * TILE_M + tl.arange(0, TILE_M)
    cols = tl.program_id(1) * TILE_N + tl.arange(0, TILE_N)
    inner = tl.arange(0, TILE_K)
    a = a_ptr + rows[:, None] * k + inner[None, :]
    b = b_ptr + cols[None, :] * k + inner[:, None]
    total = tl.zeros((TILE_M, TILE_N), tl.float32)
    for _ in range(0, k, TILE_K):
        total = tl.dot(tl.load(a), tl.load(b), total)
        a += TILE_K
        b += TILE_K
    scale = tl.load(row_scale_ptr + rows)[:, None] * tl.load(col_scale_ptr + cols)[None, :]
    inside = (rows[:, None] < m) & (cols[None, :] < n)
    out = c_ptr + rows[:, None] * n + cols[None, :]
    tl.store(out, (total * scale).to(c_ptr.dtype.element_ty), mask=inside)
