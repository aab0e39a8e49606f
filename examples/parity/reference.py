# ruff: noqa: INP001 - no package: a contract names this file
"""Independent references in numpy: `sassay parity contracts.toml --run-python` runs them."""

import numpy as np


def gemv_q6(x, low, high, scales, d, **_rest):
    """Weights of 6 bits, written out; returns the buffers that it fills."""
    outputs, blocks, _ = low.shape
    four = np.stack([low & 15, low >> 4], axis=-1).reshape(outputs, blocks, 256)
    two = np.stack([(high >> shift) & 3 for shift in (0, 2, 4, 6)], axis=-1)
    quant = four.astype(np.int32) + 16 * two.reshape(outputs, blocks, 256).astype(np.int32) - 32
    scale = np.repeat(scales, 16, axis=-1).astype(np.float64)
    weight = (d[..., None].astype(np.float64) * scale * quant).reshape(outputs, -1)
    return {"out": x.astype(np.float64) @ weight.T}
