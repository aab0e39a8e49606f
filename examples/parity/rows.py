# ruff: noqa: INP001, N803, PLR0917 - no package; Triton spells compile-time constants in capitals
"""Kernels for one token: one row of activations each launch."""

import triton
import triton.language as tl


@triton.jit
def rmsnorm_kernel(x_ptr, weight_ptr, out_ptr, hidden, eps, BLOCK: tl.constexpr):
    cols = tl.arange(0, BLOCK)
    mask = cols < hidden
    x = tl.load(x_ptr + cols, mask=mask, other=0.0).to(tl.float32)
    weight = tl.load(weight_ptr + cols, mask=mask, other=0.0).to(tl.float32)
    inverse = tl.rsqrt(tl.sum(x * x, axis=0) / hidden + eps)
    tl.store(out_ptr + cols, (x * inverse * weight).to(out_ptr.dtype.element_ty), mask=mask)


@triton.jit
def residual_add_kernel(x_ptr, residual_ptr, hidden, BLOCK: tl.constexpr):
    """In place: the residual takes the sum."""
    cols = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = cols < hidden
    x = tl.load(x_ptr + cols, mask=mask, other=0.0).to(tl.float32)
    residual = tl.load(residual_ptr + cols, mask=mask, other=0.0).to(tl.float32)
    tl.store(residual_ptr + cols, (x + residual).to(residual_ptr.dtype.element_ty), mask=mask)


@triton.jit
def rope_kernel(x_ptr, table_ptr, position, HALF: tl.constexpr):
    """In place, one head a program: the position is a number of the launch."""
    lanes = tl.arange(0, HALF)
    cos = tl.load(table_ptr + position * 2 * HALF + lanes)
    sin = tl.load(table_ptr + position * 2 * HALF + HALF + lanes)
    place = x_ptr + tl.program_id(0) * 2 * HALF + lanes
    left = tl.load(place).to(tl.float32)
    right = tl.load(place + HALF).to(tl.float32)
    tl.store(place, (left * cos - right * sin).to(x_ptr.dtype.element_ty))
    tl.store(place + HALF, (right * cos + left * sin).to(x_ptr.dtype.element_ty))


@triton.jit
def swiglu_kernel(gate_ptr, up_ptr, out_ptr, width, BLOCK: tl.constexpr):
    cols = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = cols < width
    gate = tl.load(gate_ptr + cols, mask=mask, other=0.0).to(tl.float32)
    up = tl.load(up_ptr + cols, mask=mask, other=0.0).to(tl.float32)
    out = gate / (1.0 + tl.exp(-gate)) * up
    tl.store(out_ptr + cols, out.to(out_ptr.dtype.element_ty), mask=mask)


@triton.jit
def gemv_q6_kernel(x_ptr, low_ptr, high_ptr, scales_ptr, d_ptr, out_ptr, blocks, SUPER: tl.constexpr):
    """One output a program: a row of 6-bit weights in super-blocks of 256, times x.

    A weight is `d * scale * (low + 16 * high - 32)`: low four bits two to a byte, high two bits
    four to a byte, one signed scale for 16 weights, one d for the super-block.
    """
    row = tl.program_id(0).to(tl.int64)
    k = tl.arange(0, SUPER)
    total = tl.zeros((SUPER,), dtype=tl.float32)
    for block in range(blocks):
        at = row * blocks + block
        low = (tl.load(low_ptr + at * (SUPER // 2) + k // 2) >> ((k % 2) * 4).to(tl.uint8)) & 15
        high = (tl.load(high_ptr + at * (SUPER // 4) + k // 4) >> ((k % 4) * 2).to(tl.uint8)) & 3
        quant = low.to(tl.int32) + high.to(tl.int32) * 16 - 32
        scale = tl.load(scales_ptr + at * (SUPER // 16) + k // 16).to(tl.float32)
        weight = tl.load(d_ptr + at).to(tl.float32) * scale * quant.to(tl.float32)
        total += weight * tl.load(x_ptr + block * SUPER + k).to(tl.float32)
    tl.store(out_ptr + row, tl.sum(total, axis=0).to(out_ptr.dtype.element_ty))
