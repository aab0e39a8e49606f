"""Results of an H100 for all fractions of one exponent.

Each table is the results of 2^23 neighbouring inputs as differences, compressed. They were
measured by `bench.hardware.measure_special`; `bench.hardware.fit_special` writes them.
"""

from __future__ import annotations

import lzma
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sassay.machine.types import Array

FOLDER = Path(__file__).parent / "tables"
"""Where the tables lie."""


def packed(values: Array) -> bytes:
    """Words as differences: bytes of each, the first word, the differences plane by plane."""
    steps = np.diff(values.astype(np.int64))
    width = 1 if np.abs(steps).max() < 128 else 4
    planes = steps.astype(f"<i{width}").view(np.uint8).reshape(-1, width).T
    return bytes([width]) + int(values[0]).to_bytes(4, "little") + planes.tobytes()


@lru_cache(maxsize=32)
def table(name: str) -> Array:
    """Results by fraction: words of float32.

    Args:
        name: Of a file in `FOLDER`, without its ending.
    """
    content = lzma.decompress((FOLDER / f"{name}.xz").read_bytes())
    width, first = content[0], int.from_bytes(content[1:5], "little")
    planes = np.frombuffer(content, np.uint8, offset=5).reshape(width, -1)
    steps = np.ascontiguousarray(planes.T).view(f"<i{width}").ravel()
    found = np.empty(steps.size + 1, np.int64)
    found[0] = first
    np.cumsum(steps, out=found[1:])
    found[1:] += first
    words: Array = found.astype(np.uint32)
    words.flags.writeable = False
    return words
