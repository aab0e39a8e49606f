# ruff: noqa: INP001, N803, PLR0917 - no package; Triton spells compile-time constants in capitals
"""Routing and expert kernels: top-k in steps, alignment of tokens to experts, grouped matmul."""

import triton
import triton.language as tl


@triton.jit
def _topk_kernel(
    logits_ptr, values_ptr, ids_ptr, EXPERTS: tl.constexpr, BLOCK: tl.constexpr, K: tl.constexpr
):
    row = tl.program_id(0).to(tl.int64)
    cols = tl.arange(0, BLOCK)
    logits = tl.load(
        logits_ptr + row * EXPERTS + cols, mask=cols < EXPERTS, other=float("-inf")
    ).to(tl.float32)
    for k in tl.static_range(K):
        value = tl.max(logits, axis=0)
        index = tl.argmax(logits, axis=0)
        tl.store(values_ptr + row * K + k, value.to(values_ptr.dtype.element_ty))
        tl.store(ids_ptr + row * K + k, index)
        logits = tl.where(cols == index, float("-inf"), logits)


@triton.jit
def _softmax_kernel(x_ptr, out_ptr, width, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    cols = tl.arange(0, BLOCK)
    mask = cols < width
    x = tl.load(x_ptr + row * width + cols, mask=mask, other=float("-inf")).to(tl.float32)
    weight = tl.exp(x - tl.max(x, axis=0))
    tl.store(
        out_ptr + row * width + cols,
        (weight / tl.sum(weight, axis=0)).to(out_ptr.dtype.element_ty),
        mask=mask,
    )


@triton.jit
def _expert_scale_kernel(weights_ptr, ids_ptr, scale_ptr, count, BLOCK: tl.constexpr):
    """In place: each weight times the scale of its expert."""
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = offsets < count
    weight = tl.load(weights_ptr + offsets, mask=mask, other=0.0).to(tl.float32)
    expert = tl.load(ids_ptr + offsets, mask=mask, other=0)
    scale = tl.load(scale_ptr + expert, mask=mask, other=0.0).to(tl.float32)
    tl.store(weights_ptr + offsets, (weight * scale).to(weights_ptr.dtype.element_ty), mask=mask)


@triton.jit
def _expert_count_kernel(ids_ptr, counts_ptr, count, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = offsets < count
    expert = tl.load(ids_ptr + offsets, mask=mask, other=0)
    tl.atomic_add(counts_ptr + expert, 1, mask=mask)


@triton.jit
def _expert_offsets_kernel(counts_ptr, offsets_ptr, EXPERTS: tl.constexpr, TILE: tl.constexpr):
    """Where each expert's tokens begin, every expert padded to whole tiles."""
    experts = tl.arange(0, EXPERTS)
    padded = (tl.load(counts_ptr + experts) + TILE - 1) // TILE * TILE
    ends = tl.cumsum(padded, axis=0)
    tl.store(offsets_ptr + experts, ends - padded)


@triton.jit
def _expert_scatter_kernel(ids_ptr, cursor_ptr, sorted_ptr, count, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = offsets < count
    expert = tl.load(ids_ptr + offsets, mask=mask, other=0)
    place = tl.atomic_add(cursor_ptr + expert, 1, mask=mask)
    tl.store(sorted_ptr + place, offsets, mask=mask)


@triton.jit
def _grouped_matmul_kernel(
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
    tl.store(out, total.to(c_ptr.dtype.element_ty), mask=valid[:, None] & (cols < n)[None, :])
