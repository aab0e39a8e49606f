"""Triton kernels of our own, sound ones beside the same with a known kind of bug planted."""

import triton
import triton.language as tl


@triton.jit
# Triton takes annotations for kernel types, so there are none.
def batched_rms_norm(x, out, width, size: tl.constexpr):  # type: ignore[no-untyped-def]  # Triton types them
    row = tl.program_id(1)
    column = tl.arange(0, size)
    value = tl.load(x + row * width + column, mask=column < width, other=0.0)
    scale = tl.rsqrt(tl.sum(value * value, 0) / width)
    tl.store(out + row * width + column, value * scale, mask=column < width)


@triton.jit
def batched_rms_norm_one_row(x, out, width, size: tl.constexpr):  # type: ignore[no-untyped-def]  # Triton types them
    row = tl.program_id(1)
    column = tl.arange(0, size)
    value = tl.load(x + row * width + column, mask=column < width, other=0.0)
    scale = tl.rsqrt(tl.sum(value * value, 0) / width)
    tl.store(out + column, value * scale, mask=column < width)


@triton.jit
def batched_scatter(cache, value, position, width, size: tl.constexpr):  # type: ignore[no-untyped-def]  # Triton types them
    token = tl.program_id(1)
    column = tl.arange(0, size)
    row = tl.load(value + token * width + column)
    tl.store(cache + (position + token) * width + column, row)


@triton.jit
def batched_scatter_stale(cache, value, position_buf, width, size: tl.constexpr):  # type: ignore[no-untyped-def]  # Triton types them
    token = tl.program_id(1)
    column = tl.arange(0, size)
    row = tl.load(value + token * width + column)
    position = tl.load(position_buf)
    tl.store(cache + position * width + column, row)


@triton.jit
def dequantize(packed, out, size: tl.constexpr):  # type: ignore[no-untyped-def]  # Triton types them
    index = tl.program_id(0) * size + tl.arange(0, size)
    word = tl.load(packed + index)
    low = (word & 15).to(tl.float32) - 8.0
    tl.store(out + index, low)


@triton.jit
def dequantize_f64(packed, out, size: tl.constexpr):  # type: ignore[no-untyped-def]  # Triton types them
    index = tl.program_id(0) * size + tl.arange(0, size)
    word = tl.load(packed + index)
    low = (word & 15).to(tl.float32)
    scaled = low.to(tl.float64) * 0.1
    tl.store(out + index, scaled.to(tl.float32))


@triton.jit
def matmul(a, b, c, n, size: tl.constexpr):  # type: ignore[no-untyped-def]  # Triton types them
    row = tl.arange(0, size)
    total = tl.zeros((size, size), tl.float32)
    for k in range(0, n, size):
        left = tl.load(a + row[:, None] * n + k + row[None, :])
        right = tl.load(b + (k + row[:, None]) * size + row[None, :])
        total += tl.dot(left, right)
    tl.store(c + row[:, None] * size + row[None, :], total)
