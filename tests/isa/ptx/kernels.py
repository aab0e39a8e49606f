"""A kernel that uses loads, a matrix product, a reduction, a loop and an atomic."""

import triton
import triton.language as tl


@triton.jit
# Triton takes annotations for kernel types, so there are none.
def mixed(a, out, total, n, size: tl.constexpr):  # type: ignore[no-untyped-def]  # Triton types them
    row = tl.arange(0, size)
    column = tl.arange(0, size)
    acc = tl.zeros((size, size), tl.float32)
    for step in range(n):
        left = tl.load(a + step * size * size + row[:, None] * size + column[None, :])
        right = tl.load(a + step * size * size + row[:, None] * size + column[None, :])
        acc += tl.dot(left, right)
    high = tl.max(acc, 1)
    shifted = tl.exp(acc - high[:, None])
    tl.store(
        out + row[:, None] * size + column[None, :], shifted.to(tl.bfloat16), mask=row[:, None] < n
    )
    tl.atomic_add(total, tl.sum(tl.sum(shifted, 1), 0))
