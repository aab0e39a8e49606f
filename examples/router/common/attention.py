# ruff: noqa: INP001, N803, PLR0917 - no package; Triton spells compile-time constants in capitals
"""Attention kernels: causal prefill, split decode over a paged cache, and its reduction."""

import triton
import triton.language as tl

LOG2E = tl.constexpr(1.4426950408889634)


@triton.jit
def _prefill_attention_kernel(
    q_ptr, k_ptr, v_ptr, out_ptr, length, stride_q, stride_kv, scale,
    GROUP: tl.constexpr, DIM: tl.constexpr, TILE_M: tl.constexpr, TILE_N: tl.constexpr,
):  # fmt: skip
    tile = tl.program_id(0)
    head = tl.program_id(1)
    kv_head = head // GROUP
    rows = tile * TILE_M + tl.arange(0, TILE_M)
    lanes = tl.arange(0, DIM)
    q = tl.load(
        q_ptr + rows[:, None] * stride_q + head * DIM + lanes[None, :],
        mask=(rows < length)[:, None],
        other=0.0,
    )
    top = tl.full((TILE_M,), float("-inf"), dtype=tl.float32)
    total = tl.zeros((TILE_M,), dtype=tl.float32)
    out = tl.zeros((TILE_M, DIM), dtype=tl.float32)
    for start in range(0, tl.minimum((tile + 1) * TILE_M, length), TILE_N):
        keys = start + tl.arange(0, TILE_N)
        inside = keys < length
        place = keys * stride_kv + kv_head * DIM
        k = tl.load(k_ptr + place[None, :] + lanes[:, None], mask=inside[None, :], other=0.0)
        score = tl.dot(q, k) * (scale * LOG2E)
        score = tl.where((rows[:, None] >= keys[None, :]) & inside[None, :], score, float("-inf"))
        high = tl.maximum(top, tl.max(score, axis=1))
        weight = tl.exp2(score - high[:, None])
        shrink = tl.exp2(top - high)
        v = tl.load(v_ptr + place[:, None] + lanes[None, :], mask=inside[:, None], other=0.0)
        total = total * shrink + tl.sum(weight, axis=1)
        out = tl.dot(weight.to(v.dtype), v, out * shrink[:, None])
        top = high
    place = out_ptr + rows[:, None] * stride_q + head * DIM + lanes[None, :]
    tl.store(
        place, (out / total[:, None]).to(out_ptr.dtype.element_ty), mask=(rows < length)[:, None]
    )


@triton.jit
def _decode_attention_kernel(
    q_ptr, k_ptr, v_ptr, slots_ptr, starts_ptr, part_ptr, lse_ptr, stride_kv, heads, splits, scale,
    GROUP: tl.constexpr, DIM: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    """One head of one sequence over one split of its cache slots; partial results in fp32."""
    sequence = tl.program_id(0)
    head = tl.program_id(1)
    split = tl.program_id(2)
    begin = tl.load(starts_ptr + sequence)
    length = tl.load(starts_ptr + sequence + 1) - begin
    share = tl.cdiv(length, splits)
    lanes = tl.arange(0, DIM)
    q = tl.load(q_ptr + (sequence * heads + head) * DIM + lanes).to(tl.float32)
    top = float("-inf")
    total = 0.0
    out = tl.zeros((DIM,), dtype=tl.float32)
    stop = tl.minimum(length, (split + 1) * share)
    for start in range(split * share, stop, TILE):
        places = start + tl.arange(0, TILE)
        inside = places < stop
        slot = tl.load(slots_ptr + begin + places, mask=inside, other=0).to(tl.int64)
        place = slot[:, None] * stride_kv + (head // GROUP) * DIM + lanes[None, :]
        k = tl.load(k_ptr + place, mask=inside[:, None], other=0.0).to(tl.float32)
        score = tl.where(inside, tl.sum(q[None, :] * k, axis=1) * (scale * LOG2E), float("-inf"))
        high = tl.maximum(top, tl.max(score, axis=0))
        weight = tl.exp2(score - high)
        shrink = tl.exp2(top - high)
        v = tl.load(v_ptr + place, mask=inside[:, None], other=0.0).to(tl.float32)
        out = out * shrink + tl.sum(weight[:, None] * v, axis=0)
        total = total * shrink + tl.sum(weight, axis=0)
        top = high
    row = (sequence * heads + head) * splits + split
    # An empty split leaves zeros and a weight of nothing.
    tl.store(part_ptr + row * DIM + lanes, tl.where(total > 0, out / total, 0.0))
    tl.store(lse_ptr + row, tl.where(total > 0, top + tl.log2(total), float("-inf")))


@triton.jit
def _decode_reduce_kernel(part_ptr, lse_ptr, out_ptr, SPLITS: tl.constexpr, DIM: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    splits = tl.arange(0, SPLITS)
    lanes = tl.arange(0, DIM)
    lse = tl.load(lse_ptr + row * SPLITS + splits)
    weight = tl.exp2(lse - tl.max(lse, axis=0))
    part = tl.load(part_ptr + (row * SPLITS + splits)[:, None] * DIM + lanes[None, :])
    out = tl.sum(part * weight[:, None], axis=0) / tl.sum(weight, axis=0)
    tl.store(out_ptr + row * DIM + lanes, out.to(out_ptr.dtype.element_ty))
