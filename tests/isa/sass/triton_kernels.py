"""Triton kernels of our own, compiled without a GPU."""

from __future__ import annotations

import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource


@triton.jit
def matmul(a, b, c, k, block: tl.constexpr):  # type: ignore[no-untyped-def]  # Triton reads it
    rows = tl.program_id(0) * block + tl.arange(0, block)
    columns = tl.program_id(1) * block + tl.arange(0, block)
    inner = tl.arange(0, 32)
    total = tl.zeros((block, block), dtype=tl.float32)
    for start in range(0, k, 32):
        left = tl.load(a + rows[:, None] * k + start + inner[None, :])
        right = tl.load(b + (start + inner[:, None]) * block + columns[None, :])
        total += tl.dot(left, right)
    tl.store(c + rows[:, None] * block + columns[None, :], total.to(tl.bfloat16))


def compile_matmul(sm: int) -> tuple[bytes, str]:
    """The cubin, and the architecture that Triton compiled it for."""
    source = ASTSource(
        matmul,
        {"a": "*bf16", "b": "*bf16", "c": "*bf16", "k": "i32", "block": "constexpr"},
        {(4,): 64},
        {(index,): [["tt.divisibility", 16]] for index in range(4)},
    )
    compiled = triton.compile(source, target=GPUTarget("cuda", sm, 32), options={"num_warps": 4})
    return compiled.asm["cubin"], f"sm_{sm}a" if sm >= 90 else f"sm_{sm}"
