# ruff: noqa: INP001, N803, PLR0917 - no package; Triton spells compile-time constants in capitals
"""The state before the revert: the router fused, queries and keys normalized by head."""

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
def _qkv_rmsnorm_by_head_kernel(
    qkv_ptr, q_weight_ptr, k_weight_ptr, stride, eps,
    Q_HEADS: tl.constexpr, KV_HEADS: tl.constexpr, DIM: tl.constexpr, HAS_V: tl.constexpr,
):  # fmt: skip
    """One program a token and head."""
    head = tl.program_id(1)
    lanes = tl.arange(0, DIM)
    place = qkv_ptr + tl.program_id(0).to(tl.int64) * stride + head * DIM + lanes
    if head < Q_HEADS:
        _normalize_head(place, tl.load(q_weight_ptr + lanes).to(tl.float32), eps, DIM)
    elif head < Q_HEADS + KV_HEADS:
        _normalize_head(place, tl.load(k_weight_ptr + lanes).to(tl.float32), eps, DIM)
    elif HAS_V:
        _normalize_head(place, 1.0, eps, DIM)


@triton.jit
def _router_rmsnorm_kernel(x_ptr, fused_scale_ptr, out_ptr, hidden, eps, BLOCK: tl.constexpr):
    """Norm and scale in one pass, rounded once; `fused_scale` is the scale times hidden**-0.5."""
    row = tl.program_id(0).to(tl.int64)
    cols = tl.arange(0, BLOCK)
    mask = cols < hidden
    x = tl.load(x_ptr + row * hidden + cols, mask=mask, other=0.0).to(tl.float32)
    scale = tl.load(fused_scale_ptr + cols, mask=mask, other=0.0).to(tl.float32)
    inverse = tl.rsqrt(tl.sum(x * x, axis=0) / hidden + eps)
    tl.store(
        out_ptr + row * hidden + cols, (x * inverse * scale).to(out_ptr.dtype.element_ty), mask=mask
    )


@triton.jit
def _topk_softmax_scale_kernel(
    logits_ptr, expert_scale_ptr, weights_ptr, ids_ptr,
    EXPERTS: tl.constexpr, BLOCK: tl.constexpr, K: tl.constexpr, SLOTS: tl.constexpr,
):  # fmt: skip
    """Top-k, softmax over the chosen logits and the experts' scales, all in fp32 in one pass."""
    row = tl.program_id(0).to(tl.int64)
    cols = tl.arange(0, BLOCK)
    slots = tl.arange(0, SLOTS)
    logits = tl.load(
        logits_ptr + row * EXPERTS + cols, mask=cols < EXPERTS, other=float("-inf")
    ).to(tl.float32)
    first = tl.max(logits, axis=0)
    chosen = tl.full((SLOTS,), float("-inf"), dtype=tl.float32)
    ids = tl.zeros((SLOTS,), dtype=tl.int32)
    for k in tl.static_range(K):
        value = tl.max(logits, axis=0)
        index = tl.argmax(logits, axis=0)
        chosen = tl.where(slots == k, value, chosen)
        ids = tl.where(slots == k, index, ids)
        logits = tl.where(cols == index, float("-inf"), logits)
    weight = tl.exp(chosen - first)
    scale = tl.load(expert_scale_ptr + ids).to(tl.float32)
    weight = weight / tl.sum(weight, axis=0) * scale
    mask = slots < K
    tl.store(weights_ptr + row * K + slots, weight.to(weights_ptr.dtype.element_ty), mask=mask)
    tl.store(ids_ptr + row * K + slots, ids, mask=mask)


@triton.jit
def _moe_combine_kernel(
    experts_ptr, weights_ptr, out_ptr, hidden, K: tl.constexpr, BLOCK: tl.constexpr
):
    """Weighted sum of a token's experts, in fp32, rounded once."""
    row = tl.program_id(0).to(tl.int64)
    cols = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    mask = cols < hidden
    total = tl.zeros((BLOCK,), dtype=tl.float32)
    for k in tl.static_range(K):
        x = tl.load(experts_ptr + (row * K + k) * hidden + cols, mask=mask, other=0.0)
        weight = tl.load(weights_ptr + row * K + k).to(tl.float32)
        total += x.to(tl.float32) * weight
    tl.store(out_ptr + row * hidden + cols, total.to(out_ptr.dtype.element_ty), mask=mask)
