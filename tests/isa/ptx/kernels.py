"""A kernel that uses loads, a matrix product, a reduction, a loop and an atomic."""

import triton
import triton.language as tl


@triton.jit
def mixed(a, b, out, total, n, steps, size: tl.constexpr) -> None:
    row = tl.arange(0, size)
    column = tl.arange(0, size)
    acc = tl.zeros((size, size), tl.float32)
    for step in range(steps):
        left = tl.load(a + step * size * size + row[:, None] * size + column[None, :])
        right = tl.load(b + step * size * size + row[:, None] * size + column[None, :])
        acc += tl.dot(left, right)
    high = tl.max(acc, 1)
    shifted = tl.exp(acc - high[:, None])
    tl.store(
        out + row[:, None] * size + column[None, :], shifted.to(tl.bfloat16), mask=row[:, None] < n
    )
    tl.atomic_add(total, tl.sum(tl.sum(shifted, 1), 0))
