# ruff: noqa: INP001, N803, PLR0917 - no package; Triton spells compile-time constants in capitals
"""The same computations for many tokens in one launch: each has to give the bits of its row."""

import triton
import triton.language as tl


@triton.jit
def batched_rmsnorm_kernel(x_ptr, weight_ptr, out_ptr, hidden, eps, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    cols = tl.arange(0, BLOCK)
    mask = cols < hidden
    x = tl.load(x_ptr + row * hidden + cols, mask=mask, other=0.0).to(tl.float32)
    weight = tl.load(weight_ptr + cols, mask=mask, other=0.0).to(tl.float32)
    inverse = tl.rsqrt(tl.sum(x * x, axis=0) / hidden + eps)
    out = (x * inverse * weight).to(out_ptr.dtype.element_ty)
    tl.store(out_ptr + row * hidden + cols, out, mask=mask)


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
def batched_rope_kernel(x_ptr, table_ptr, positions_ptr, heads, HALF: tl.constexpr):
    row = tl.program_id(1).to(tl.int64)
    position = tl.load(positions_ptr + row)
    lanes = tl.arange(0, HALF)
    cos = tl.load(table_ptr + position * 2 * HALF + lanes)
    sin = tl.load(table_ptr + position * 2 * HALF + HALF + lanes)
    place = x_ptr + (row * heads + tl.program_id(0)) * 2 * HALF + lanes
    left = tl.load(place).to(tl.float32)
    right = tl.load(place + HALF).to(tl.float32)
    tl.store(place, (left * cos - right * sin).to(x_ptr.dtype.element_ty))
    tl.store(place + HALF, (right * cos + left * sin).to(x_ptr.dtype.element_ty))


@triton.jit
def batched_swiglu_kernel(gate_ptr, up_ptr, out_ptr, width, BLOCK: tl.constexpr):
    row = tl.program_id(1).to(tl.int64)
    cols = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = cols < width
    gate = tl.load(gate_ptr + row * width + cols, mask=mask, other=0.0).to(tl.float32)
    up = tl.load(up_ptr + row * width + cols, mask=mask, other=0.0).to(tl.float32)
    out = gate / (1.0 + tl.exp(-gate)) * up
    tl.store(out_ptr + row * width + cols, out.to(out_ptr.dtype.element_ty), mask=mask)


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
        low = (tl.load(low_ptr + at * (SUPER // 2) + k // 2) >> ((k % 2) * 4).to(tl.uint8)) & 15
        high = (tl.load(high_ptr + at * (SUPER // 4) + k // 4) >> ((k % 4) * 2).to(tl.uint8)) & 3
        quant = low.to(tl.int32) + high.to(tl.int32) * 16 - 32
        scale = tl.load(scales_ptr + at * (SUPER // 16) + k // 16).to(tl.float32)
        weight = tl.load(d_ptr + at).to(tl.float32) * scale * quant.to(tl.float32)
        total += weight * tl.load(x_ptr + (token * blocks + block) * SUPER + k).to(tl.float32)
    tl.store(out_ptr + token * outputs + row, tl.sum(total, axis=0).to(out_ptr.dtype.element_ty))
