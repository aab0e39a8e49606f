# ruff: noqa: INP001, N803, PLR0917 - no package; Triton spells compile-time constants in capitals
"""The same computations for many tokens in one launch: each has to give the bits of its row.

What stands in a function of its own is shared with `planted.py`, so that only the bug differs there.
"""

import triton
import triton.language as tl


@triton.jit
def load_row(x_ptr, cols, hidden):
    return tl.load(x_ptr + cols, mask=cols < hidden, other=0.0).to(tl.float32)


@triton.jit
def store_normed(x, squares, weight_ptr, out_ptr, cols, hidden, eps):
    mask = cols < hidden
    weight = tl.load(weight_ptr + cols, mask=mask, other=0.0).to(tl.float32)
    inverse = tl.rsqrt(squares / hidden + eps)
    tl.store(out_ptr + cols, (x * inverse * weight).to(out_ptr.dtype.element_ty), mask=mask)


@triton.jit
def batched_rmsnorm_kernel(x_ptr, weight_ptr, out_ptr, hidden, eps, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    cols = tl.arange(0, BLOCK)
    x = load_row(x_ptr + row * hidden, cols, hidden)
    squares = tl.sum(x * x, axis=0)
    store_normed(x, squares, weight_ptr, out_ptr + row * hidden, cols, hidden, eps)


@triton.jit
def batched_residual_add_kernel(x_ptr, residual_ptr, hidden, BLOCK: tl.constexpr):
    row = tl.program_id(1).to(tl.int64)
    cols = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = cols < hidden
    x = tl.load(x_ptr + row * hidden + cols, mask=mask, other=0.0).to(tl.float32)
    place = residual_ptr + row * hidden + cols
    residual = tl.load(place, mask=mask, other=0.0).to(tl.float32)
    tl.store(place, (x + residual).to(residual_ptr.dtype.element_ty), mask=mask)


@triton.jit
def rotate(x_ptr, cos, sin, HALF: tl.constexpr):
    lanes = tl.arange(0, HALF)
    left = tl.load(x_ptr + lanes).to(tl.float32)
    right = tl.load(x_ptr + HALF + lanes).to(tl.float32)
    tl.store(x_ptr + lanes, (left * cos - right * sin).to(x_ptr.dtype.element_ty))
    tl.store(x_ptr + HALF + lanes, (right * cos + left * sin).to(x_ptr.dtype.element_ty))


@triton.jit
def batched_rope_kernel(x_ptr, table_ptr, positions_ptr, heads, HALF: tl.constexpr):
    row = tl.program_id(1).to(tl.int64)
    angles = table_ptr + tl.load(positions_ptr + row) * 2 * HALF + tl.arange(0, HALF)
    cos, sin = tl.load(angles), tl.load(angles + HALF)
    rotate(x_ptr + (row * heads + tl.program_id(0)) * 2 * HALF, cos, sin, HALF)


@triton.jit
def store_swiglu(gate, up, out_ptr, cols, mask):
    out = gate / (1.0 + tl.exp(-gate)) * up
    tl.store(out_ptr + cols, out.to(out_ptr.dtype.element_ty), mask=mask)


@triton.jit
def batched_swiglu_kernel(gate_ptr, up_ptr, out_ptr, width, BLOCK: tl.constexpr):
    row = tl.program_id(1).to(tl.int64)
    cols = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = cols < width
    gate = tl.load(gate_ptr + row * width + cols, mask=mask, other=0.0).to(tl.float32)
    up = tl.load(up_ptr + row * width + cols, mask=mask, other=0.0).to(tl.float32)
    store_swiglu(gate, up, out_ptr + row * width, cols, mask)


@triton.jit
def dequantize(low_ptr, high, scales_ptr, d_ptr, at, k, SUPER: tl.constexpr):
    low = (tl.load(low_ptr + at * (SUPER // 2) + k // 2) >> ((k % 2) * 4).to(tl.uint8)) & 15
    high = (high >> ((k % 4) * 2).to(tl.uint8)) & 3
    quant = low.to(tl.int32) + high.to(tl.int32) * 16 - 32
    scale = tl.load(scales_ptr + at * (SUPER // 16) + k // 16).to(tl.float32)
    return tl.load(d_ptr + at).to(tl.float32) * scale * quant.to(tl.float32)


@triton.jit
def batched_gemv_q6_kernel(
    x_ptr, low_ptr, high_ptr, scales_ptr, d_ptr, out_ptr, outputs, blocks, SUPER: tl.constexpr
):
    row = tl.program_id(0).to(tl.int64)
    token = tl.program_id(1).to(tl.int64)
    k = tl.arange(0, SUPER)
    total = tl.zeros((SUPER,), dtype=tl.float32)
    for block in range(blocks):
        at = row * blocks + block
        high = tl.load(high_ptr + at * (SUPER // 4) + k // 4)
        weight = dequantize(low_ptr, high, scales_ptr, d_ptr, at, k, SUPER)
        total += weight * tl.load(x_ptr + (token * blocks + block) * SUPER + k).to(tl.float32)
    tl.store(out_ptr + token * outputs + row, tl.sum(total, axis=0).to(out_ptr.dtype.element_ty))
