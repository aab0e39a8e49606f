# ruff: noqa: INP001, N803, PLR0917 - no package; Triton spells compile-time constants in capitals
"""Normalization, activation and element-wise kernels that every state of the router case uses."""

import triton
import triton.language as tl

INV_SQRT_2 = tl.constexpr(0.7071067811865476)


@triton.jit
def _rmsnorm_kernel(
    x_ptr, weight_ptr, out_ptr, stride_x, stride_out, hidden, eps, BLOCK: tl.constexpr
):
    row = tl.program_id(0).to(tl.int64)
    cols = tl.arange(0, BLOCK)
    mask = cols < hidden
    x = tl.load(x_ptr + row * stride_x + cols, mask=mask, other=0.0).to(tl.float32)
    weight = tl.load(weight_ptr + cols, mask=mask, other=0.0).to(tl.float32)
    inverse = tl.rsqrt(tl.sum(x * x, axis=0) / hidden + eps)
    tl.store(
        out_ptr + row * stride_out + cols,
        (x * inverse * weight).to(out_ptr.dtype.element_ty),
        mask=mask,
    )


@triton.jit
def _add_rmsnorm_kernel(
    x_ptr, residual_ptr, weight_ptr, out_ptr, stride, hidden, eps, BLOCK: tl.constexpr
):
    row = tl.program_id(0).to(tl.int64)
    cols = tl.arange(0, BLOCK)
    mask = cols < hidden
    x = tl.load(x_ptr + row * stride + cols, mask=mask, other=0.0).to(tl.float32)
    x += tl.load(residual_ptr + row * stride + cols, mask=mask, other=0.0).to(tl.float32)
    tl.store(residual_ptr + row * stride + cols, x.to(residual_ptr.dtype.element_ty), mask=mask)
    weight = tl.load(weight_ptr + cols, mask=mask, other=0.0).to(tl.float32)
    inverse = tl.rsqrt(tl.sum(x * x, axis=0) / hidden + eps)
    tl.store(
        out_ptr + row * stride + cols,
        (x * inverse * weight).to(out_ptr.dtype.element_ty),
        mask=mask,
    )


@triton.jit
def _gelu(x):
    return 0.5 * x * (1.0 + tl.erf(x * INV_SQRT_2))


@triton.jit
def _gelu_mul_kernel(gate_up_ptr, out_ptr, width, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    cols = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    mask = cols < width
    gate = tl.load(gate_up_ptr + row * 2 * width + cols, mask=mask, other=0.0).to(tl.float32)
    up = tl.load(gate_up_ptr + row * 2 * width + width + cols, mask=mask, other=0.0).to(tl.float32)
    tl.store(
        out_ptr + row * width + cols, (_gelu(gate) * up).to(out_ptr.dtype.element_ty), mask=mask
    )


@triton.jit
def _residual_add_kernel(x_ptr, residual_ptr, out_ptr, count, BLOCK: tl.constexpr):
    offsets = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    mask = offsets < count
    x = tl.load(x_ptr + offsets, mask=mask, other=0.0).to(tl.float32)
    residual = tl.load(residual_ptr + offsets, mask=mask, other=0.0).to(tl.float32)
    tl.store(out_ptr + offsets, (x + residual).to(out_ptr.dtype.element_ty), mask=mask)


@triton.jit
def _scale_rows_kernel(x_ptr, scale_ptr, out_ptr, hidden, factor, BLOCK: tl.constexpr):
    """Rows times a vector and a number; the product with the vector is rounded first."""
    row = tl.program_id(0).to(tl.int64)
    cols = tl.arange(0, BLOCK)
    mask = cols < hidden
    x = tl.load(x_ptr + row * hidden + cols, mask=mask, other=0.0)
    scale = tl.load(scale_ptr + cols, mask=mask, other=0.0)
    scaled = (x.to(tl.float32) * scale.to(tl.float32)).to(x.dtype)
    tl.store(
        out_ptr + row * hidden + cols,
        (scaled.to(tl.float32) * factor).to(out_ptr.dtype.element_ty),
        mask=mask,
    )


@triton.jit
def _softcap_kernel(x_ptr, count, cap, BLOCK: tl.constexpr):
    """In place: `cap * tanh(x / cap)`, with tanh by one exponential."""
    offsets = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    mask = offsets < count
    x = tl.load(x_ptr + offsets, mask=mask, other=0.0).to(tl.float32)
    decay = tl.exp(-2.0 * tl.abs(x / cap))
    bounded = (1.0 - decay) / (1.0 + decay)
    tl.store(
        x_ptr + offsets,
        (tl.where(x < 0, -bounded, bounded) * cap).to(x_ptr.dtype.element_ty),
        mask=mask,
    )


@triton.jit
def _quantize_rows_kernel(x_ptr, out_ptr, scale_ptr, width, limit, BLOCK: tl.constexpr):
    """One scale a row, so that the row's largest magnitude becomes `limit`."""
    row = tl.program_id(0).to(tl.int64)
    cols = tl.arange(0, BLOCK)
    mask = cols < width
    x = tl.load(x_ptr + row * width + cols, mask=mask, other=0.0).to(tl.float32)
    scale = tl.maximum(tl.max(tl.abs(x), axis=0), 1e-10) / limit
    tl.store(out_ptr + row * width + cols, (x / scale).to(out_ptr.dtype.element_ty), mask=mask)
    tl.store(scale_ptr + row, scale)
