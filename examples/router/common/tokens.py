# ruff: noqa: INP001, N803, PLR0917 - no package; Triton spells compile-time constants in capitals
"""Embedding, rotary position, key-value cache and sampling kernels."""

import triton
import triton.language as tl


@triton.jit
def _embedding_kernel(ids_ptr, table_ptr, out_ptr, hidden, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    cols = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    mask = cols < hidden
    token = tl.load(ids_ptr + row).to(tl.int64)
    tl.store(
        out_ptr + row * hidden + cols,
        tl.load(table_ptr + token * hidden + cols, mask=mask),
        mask=mask,
    )


@triton.jit
def _rope_kernel(
    x_ptr, positions_ptr, cos_sin_ptr, stride_token, HALF: tl.constexpr, NEOX: tl.constexpr
):
    """Rotates one head of one token in place; the table holds cosines, then sines."""
    token = tl.program_id(0).to(tl.int64)
    head = tl.program_id(1)
    lanes = tl.arange(0, HALF)
    position = tl.load(positions_ptr + token).to(tl.int64)
    cos = tl.load(cos_sin_ptr + position * 2 * HALF + lanes).to(tl.float32)
    sin = tl.load(cos_sin_ptr + position * 2 * HALF + HALF + lanes).to(tl.float32)
    base = x_ptr + token * stride_token + head * 2 * HALF
    if NEOX:
        first, second = base + lanes, base + HALF + lanes
    else:
        first, second = base + 2 * lanes, base + 2 * lanes + 1
    a = tl.load(first).to(tl.float32)
    b = tl.load(second).to(tl.float32)
    tl.store(first, (a * cos - b * sin).to(x_ptr.dtype.element_ty))
    tl.store(second, (b * cos + a * sin).to(x_ptr.dtype.element_ty))


@triton.jit
def _kv_write_kernel(k_ptr, v_ptr, k_cache_ptr, v_cache_ptr, slots_ptr, width, BLOCK: tl.constexpr):
    token = tl.program_id(0).to(tl.int64)
    cols = tl.arange(0, BLOCK)
    mask = cols < width
    slot = tl.load(slots_ptr + token).to(tl.int64)
    key = tl.load(k_ptr + token * width + cols, mask=mask)
    value = tl.load(v_ptr + token * width + cols, mask=mask)
    tl.store(k_cache_ptr + slot * width + cols, key.to(k_cache_ptr.dtype.element_ty), mask=mask)
    tl.store(v_cache_ptr + slot * width + cols, value.to(v_cache_ptr.dtype.element_ty), mask=mask)


@triton.jit
def _argmax_kernel(logits_ptr, out_ptr, vocabulary, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    best = float("-inf")
    index = 0
    for start in range(0, vocabulary, BLOCK):
        cols = start + tl.arange(0, BLOCK)
        x = tl.load(
            logits_ptr + row * vocabulary + cols, mask=cols < vocabulary, other=float("-inf")
        ).to(tl.float32)
        here = tl.max(x, axis=0)
        place = start + tl.argmax(x, axis=0)
        index = tl.where(here > best, place, index)
        best = tl.maximum(here, best)
    tl.store(out_ptr + row, index)
