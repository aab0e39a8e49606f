# mypy: disable-error-code="no-untyped-def"
"""RMSNorm in two passes over pieces of a row: the one-shot kernel's sum in another order."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _looped_rmsnorm_kernel(
    x_ptr, weight_ptr, out_ptr, stride_x, stride_out, hidden, eps, block: tl.constexpr
):
    row = tl.program_id(0).to(tl.int64)
    total = tl.zeros([block], tl.float32)
    for start in range(0, hidden, block):
        cols = start + tl.arange(0, block)
        x = tl.load(x_ptr + row * stride_x + cols, mask=cols < hidden, other=0.0).to(tl.float32)
        total += x * x
    inverse = tl.rsqrt(tl.sum(total, axis=0) / hidden + eps)
    for start in range(0, hidden, block):
        cols = start + tl.arange(0, block)
        mask = cols < hidden
        x = tl.load(x_ptr + row * stride_x + cols, mask=mask, other=0.0).to(tl.float32)
        weight = tl.load(weight_ptr + cols, mask=mask, other=0.0).to(tl.float32)
        out = (x * inverse * weight).to(out_ptr.dtype.element_ty)
        tl.store(out_ptr + row * stride_out + cols, out, mask=mask)
