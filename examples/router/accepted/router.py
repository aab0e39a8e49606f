# ruff: noqa: INP001, N803, PLR0917 - no package; Triton spells compile-time constants in capitals
"""The accepted state: the router in steps, queries and keys normalized head after head."""

import triton
import triton.language as tl


@triton.jit
def _normalize_head(place, weight, eps, DIM: tl.constexpr):
    x = tl.load(place).to(tl.float32)
    inverse = tl.rsqrt(tl.sum(x * x, axis=0) / DIM + eps)
    tl.store(place, (x * inverse * weight).to(place.dtype.element_ty))


@triton.jit
def _qkv_rmsnorm_kernel(
    qkv_ptr, q_weight_ptr, k_weight_ptr, stride, eps,
    Q_HEADS: tl.constexpr, KV_HEADS: tl.constexpr, DIM: tl.constexpr, HAS_V: tl.constexpr,
):  # fmt: skip
    """One program a token: each query and key head in turn, with its weight; values without."""
    base = qkv_ptr + tl.program_id(0).to(tl.int64) * stride
    lanes = tl.arange(0, DIM)
    q_weight = tl.load(q_weight_ptr + lanes).to(tl.float32)
    for head in range(Q_HEADS):
        _normalize_head(base + head * DIM + lanes, q_weight, eps, DIM)
    k_weight = tl.load(k_weight_ptr + lanes).to(tl.float32)
    for head in range(Q_HEADS, Q_HEADS + KV_HEADS):
        _normalize_head(base + head * DIM + lanes, k_weight, eps, DIM)
    if HAS_V:
        for head in range(Q_HEADS + KV_HEADS, Q_HEADS + 2 * KV_HEADS):
            _normalize_head(base + head * DIM + lanes, 1.0, eps, DIM)


@triton.jit
def _router_rmsnorm_kernel(x_ptr, out_ptr, hidden, eps, BLOCK: tl.constexpr):
    """Norm with weight one, rounded; `_scale_rows_kernel` scales the rounded rows afterwards."""
    row = tl.program_id(0).to(tl.int64)
    cols = tl.arange(0, BLOCK)
    mask = cols < hidden
    x = tl.load(x_ptr + row * hidden + cols, mask=mask, other=0.0).to(tl.float32)
    inverse = tl.rsqrt(tl.sum(x * x, axis=0) / hidden + eps)
    tl.store(out_ptr + row * hidden + cols, (x * inverse).to(out_ptr.dtype.element_ty), mask=mask)


@triton.jit
def _moe_combine_kernel(
    experts_ptr, weights_ptr, out_ptr, hidden, K: tl.constexpr, BLOCK: tl.constexpr
):
    """Weighted sum of a token's experts; each product is rounded before it is added."""
    row = tl.program_id(0).to(tl.int64)
    cols = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    mask = cols < hidden
    total = tl.zeros((BLOCK,), dtype=tl.float32)
    for k in tl.static_range(K):
        x = tl.load(experts_ptr + (row * K + k) * hidden + cols, mask=mask, other=0.0)
        weight = tl.load(weights_ptr + row * K + k).to(tl.float32)
        total += (x.to(tl.float32) * weight).to(x.dtype).to(tl.float32)
    tl.store(out_ptr + row * hidden + cols, total.to(out_ptr.dtype.element_ty), mask=mask)
