# ruff: noqa: INP001, N803, PLR0917 - no package; Triton spells compile-time constants in capitals
"""The batched kernels with one bug each, of the kinds that end-to-end tests find late or never."""

import triton
import triton.language as tl
from batched import dequantize, load_row, rotate, store_normed, store_swiglu


@triton.jit
def wrong_dequantization_kernel(
    x_ptr, low_ptr, high_ptr, scales_ptr, d_ptr, out_ptr, outputs, blocks, SUPER: tl.constexpr
):
    """The two high bits of a weight are taken from the byte of another weight."""
    row = tl.program_id(0).to(tl.int64)
    token = tl.program_id(1).to(tl.int64)
    k = tl.arange(0, SUPER)
    total = tl.zeros((SUPER,), dtype=tl.float32)
    for block in range(blocks):
        at = row * blocks + block
        high = tl.load(high_ptr + at * (SUPER // 4) + k % (SUPER // 4))
        weight = dequantize(low_ptr, high, scales_ptr, d_ptr, at, k, SUPER)
        total += weight * tl.load(x_ptr + (token * blocks + block) * SUPER + k).to(tl.float32)
    tl.store(out_ptr + token * outputs + row, tl.sum(total, axis=0).to(out_ptr.dtype.element_ty))


@triton.jit
def stale_position_kernel(x_ptr, table_ptr, positions_ptr, heads, HALF: tl.constexpr):
    """Every token takes the first position of the buffer, left there by an earlier launch."""
    row = tl.program_id(1).to(tl.int64)
    angles = table_ptr + tl.load(positions_ptr) * 2 * HALF + tl.arange(0, HALF)
    cos, sin = tl.load(angles), tl.load(angles + HALF)
    rotate(x_ptr + (row * heads + tl.program_id(0)) * 2 * HALF, cos, sin, HALF)


@triton.jit
def swapped_row_kernel(gate_ptr, up_ptr, out_ptr, width, BLOCK: tl.constexpr):
    """The up projection comes from the neighbouring row: the grid's axes were mixed up."""
    row = tl.program_id(1).to(tl.int64)
    other = tl.where((row ^ 1) < tl.num_programs(1), row ^ 1, row)
    cols = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = cols < width
    gate = tl.load(gate_ptr + row * width + cols, mask=mask, other=0.0).to(tl.float32)
    up = tl.load(up_ptr + other * width + cols, mask=mask, other=0.0).to(tl.float32)
    store_swiglu(gate, up, out_ptr + row * width, cols, mask)


@triton.jit
def reordered_sum_kernel(x_ptr, weight_ptr, out_ptr, hidden, eps, BLOCK: tl.constexpr):
    """The sum of squares in two halves: right, and not the same bits."""
    row = tl.program_id(0).to(tl.int64)
    cols = tl.arange(0, BLOCK)
    x = load_row(x_ptr + row * hidden, cols, hidden)
    first = tl.sum(tl.where(cols < BLOCK // 2, x * x, 0.0), axis=0)
    second = tl.sum(tl.where(cols < BLOCK // 2, 0.0, x * x), axis=0)
    store_normed(x, first + second, weight_ptr, out_ptr + row * hidden, cols, hidden, eps)
