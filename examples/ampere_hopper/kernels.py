# ruff: noqa: INP001, N803, PLR0917 - no package; Triton spells compile-time constants in capitals
"""A small serving path: two grouped matmuls, attention, a low-rank product, norms, a sort."""

import triton
import triton.language as tl

LOG2E = tl.constexpr(1.4426950408889634)


@triton.jit
def grouped_matmul_kernel(
    a_ptr, b_ptr, c_ptr, sorted_ptr, expert_of_tile_ptr, rows, n, k, stride_expert, top_k,
    TILE_M: tl.constexpr, TILE_N: tl.constexpr, TILE_K: tl.constexpr,
):  # fmt: skip
    """Rows of `a`, gathered by expert, times its `b` of n by k; k is a multiple of TILE_K."""
    tiles_n = tl.cdiv(n, TILE_N)
    tile_m = tl.program_id(0) // tiles_n
    tile_n = tl.program_id(0) % tiles_n
    expert = tl.load(expert_of_tile_ptr + tile_m).to(tl.int64)
    slot = tl.load(sorted_ptr + tile_m * TILE_M + tl.arange(0, TILE_M)).to(tl.int64)
    valid = slot < rows
    cols = tile_n * TILE_N + tl.arange(0, TILE_N)
    inner = tl.arange(0, TILE_K)
    a = a_ptr + (slot // top_k)[:, None] * k + inner[None, :]
    b = b_ptr + expert * stride_expert + (cols % n)[None, :] * k + inner[:, None]
    total = tl.zeros((TILE_M, TILE_N), dtype=tl.float32)
    for _ in range(0, k, TILE_K):
        total = tl.dot(tl.load(a, mask=valid[:, None], other=0.0), tl.load(b), total)
        a += TILE_K
        b += TILE_K
    out = c_ptr + slot[:, None] * n + cols[None, :]
    keep = valid[:, None] & (cols < n)[None, :]
    tl.store(out, total.to(c_ptr.dtype.element_ty), mask=keep)


@triton.jit
def grouped_matmul_described_kernel(
    a_ptr, b_ptr, c_ptr, starts_ptr, rows, experts, n, k,
    TILE_M: tl.constexpr, TILE_N: tl.constexpr, TILE_K: tl.constexpr,
):  # fmt: skip
    """One expert's rows lie together from `starts[expert]`, a multiple of TILE_M."""
    expert = tl.program_id(1)
    begin = tl.load(starts_ptr + expert)
    count = tl.load(starts_ptr + expert + 1) - begin
    tiles_n = tl.cdiv(n, TILE_N)
    tile_m = tl.program_id(0) // tiles_n
    col = tl.program_id(0) % tiles_n * TILE_N
    if tile_m * TILE_M < count:
        a = tl.make_tensor_descriptor(a_ptr, [rows, k], [k, 1], [TILE_M, TILE_K])
        b = tl.make_tensor_descriptor(b_ptr, [experts * n, k], [k, 1], [TILE_N, TILE_K])
        c = tl.make_tensor_descriptor(c_ptr, [rows, n], [n, 1], [TILE_M, TILE_N])
        row = begin + tile_m * TILE_M
        total = tl.zeros((TILE_M, TILE_N), dtype=tl.float32)
        for start in range(0, k, TILE_K):
            total = tl.dot(a.load([row, start]), b.load([expert * n + col, start]).T, total)
        c.store([row, col], total.to(c_ptr.dtype.element_ty))


@triton.jit
def low_rank_matmul_kernel(
    a_ptr, b_ptr, c_ptr, m, n, k, TILE_N: tl.constexpr, TILE_K: tl.constexpr
):
    """Sixteen rows at a time: too few for a warpgroup's matrix instruction."""
    row = tl.program_id(0) * 16 + tl.arange(0, 16)
    col = tl.program_id(1) * TILE_N + tl.arange(0, TILE_N)
    inner = tl.arange(0, TILE_K)
    total = tl.zeros((16, TILE_N), dtype=tl.float32)
    for start in range(0, k, TILE_K):
        a = tl.load(a_ptr + (row % m)[:, None] * k + start + inner[None, :])
        b = tl.load(b_ptr + (col % n)[None, :] * k + start + inner[:, None])
        total = tl.dot(a, b, total)
    keep = (row < m)[:, None] & (col < n)[None, :]
    tl.store(c_ptr + row[:, None] * n + col[None, :], total.to(c_ptr.dtype.element_ty), mask=keep)


@triton.jit
def attention_kernel(
    q_ptr, k_ptr, v_ptr, out_ptr, stride, scale,
    DIM: tl.constexpr, TILE_M: tl.constexpr, TILE_N: tl.constexpr,
):  # fmt: skip
    """Causal attention of one head; the length is a multiple of both tiles."""
    tile = tl.program_id(0)
    lanes = tl.arange(0, DIM)
    head = tl.program_id(1) * DIM + lanes
    rows = tile * TILE_M + tl.arange(0, TILE_M)
    q = tl.load(q_ptr + rows[:, None] * stride + head[None, :])
    top = tl.full((TILE_M,), float("-inf"), dtype=tl.float32)
    total = tl.zeros((TILE_M,), dtype=tl.float32)
    out = tl.zeros((TILE_M, DIM), dtype=tl.float32)
    for start in range(0, (tile + 1) * TILE_M, TILE_N):
        keys = start + tl.arange(0, TILE_N)
        k = tl.load(k_ptr + keys[None, :] * stride + head[:, None])
        score = tl.dot(q, k) * (scale * LOG2E)
        score = tl.where(rows[:, None] >= keys[None, :], score, float("-inf"))
        high = tl.maximum(top, tl.max(score, axis=1))
        weight = tl.exp2(score - high[:, None])
        shrink = tl.exp2(top - high)
        v = tl.load(v_ptr + keys[:, None] * stride + head[None, :])
        total = total * shrink + tl.sum(weight, axis=1)
        out = tl.dot(weight.to(v.dtype), v, out * shrink[:, None])
        top = high
    place = out_ptr + rows[:, None] * stride + head[None, :]
    tl.store(place, (out / total[:, None]).to(out_ptr.dtype.element_ty))


@triton.jit
def rmsnorm_kernel(x_ptr, weight_ptr, out_ptr, hidden, eps, BLOCK: tl.constexpr):
    """One row, in fp32, rounded once."""
    row = tl.program_id(0).to(tl.int64)
    cols = tl.arange(0, BLOCK)
    mask = cols < hidden
    x = tl.load(x_ptr + row * hidden + cols, mask=mask, other=0.0).to(tl.float32)
    weight = tl.load(weight_ptr + cols, mask=mask, other=0.0).to(tl.float32)
    out = x * tl.rsqrt(tl.sum(x * x, axis=0) / hidden + eps) * weight
    tl.store(out_ptr + row * hidden + cols, out.to(out_ptr.dtype.element_ty), mask=mask)


@triton.jit
def silu_mul_kernel(gate_up_ptr, out_ptr, width, BLOCK: tl.constexpr):
    """The gated activation of an expert."""
    row = tl.program_id(0).to(tl.int64)
    cols = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    mask = cols < width
    gate = tl.load(gate_up_ptr + row * 2 * width + cols, mask=mask, other=0.0).to(tl.float32)
    up = tl.load(gate_up_ptr + row * 2 * width + width + cols, mask=mask, other=0.0).to(tl.float32)
    out = gate / (1.0 + tl.exp(-gate)) * up
    tl.store(out_ptr + row * width + cols, out.to(out_ptr.dtype.element_ty), mask=mask)


@triton.jit
def sort_rows_kernel(x_ptr, out_ptr, WIDTH: tl.constexpr):
    """Each row in descending order."""
    place = tl.program_id(0).to(tl.int64) * WIDTH + tl.arange(0, WIDTH)
    tl.store(out_ptr + place, tl.sort(tl.load(x_ptr + place), descending=True))


@triton.jit
def sum_experts_kernel(x_ptr, out_ptr, hidden, K: tl.constexpr, BLOCK: tl.constexpr):
    """Adds the K experts of a token in fp32."""
    row = tl.program_id(0).to(tl.int64)
    cols = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    mask = cols < hidden
    total = tl.zeros((BLOCK,), dtype=tl.float32)
    for k in tl.static_range(K):
        place = x_ptr + (row * K + k) * hidden + cols
        total += tl.load(place, mask=mask, other=0.0).to(tl.float32)
    tl.store(out_ptr + row * hidden + cols, total.to(out_ptr.dtype.element_ty), mask=mask)
