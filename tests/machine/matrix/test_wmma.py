"""`wmma`: products of small integers are exact in every shape, type and layout."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bench.hardware.wmma_probes import PROBES, WmmaProbe, ptx

from sassay.machine import Launch, UnsupportedInstruction, load_program, run

Array = np.ndarray[Any, np.dtype[Any]]
BLOCKS = 5
DTYPES = {
    "f16": "f2", "f32": "f4", "tf32": "f4", "f64": "f8", "s8": "i1", "u8": "u1", "s32": "i4",
}  # fmt: skip


def _words(values: Array, kind: str) -> Array:
    """Small integers as words of a type."""
    if kind == "bf16":
        return (values.astype(np.float32).view(np.uint32) >> np.uint32(16)).astype(np.uint16)
    found = np.ascontiguousarray(values.astype(DTYPES[kind]))
    return found.view(f"u{found.itemsize}")


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_products_of_integers(probe: WmmaProbe) -> None:
    m, n, k = probe.shape
    random = np.random.default_rng(m * n)
    low = 0 if probe.a == "u8" else -3
    a, b, c = (random.integers(low, 4, (BLOCKS, *shape)) for shape in ((m, k), (k, n), (m, n)))
    placed = [
        each if layout == "row" else each.transpose(0, 2, 1)
        for each, layout in zip((a, b), probe.layouts, strict=True)
    ]
    arrays = [_words(each, probe.a) for each in placed] + [_words(c, probe.d)]
    arrays.append(np.zeros_like(arrays[-1]))
    result = run(load_program(ptx(probe), gpu="h100"), Launch(BLOCKS, 32, arrays))
    assert result.trap is None, str(result.trap)
    assert result.label == ("exact" if probe.d == "s32" else "modelled")
    found = result.arrays[3]
    assert found is not None
    np.testing.assert_array_equal(found, _words(a @ b + c, probe.d))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (".m16n16k16.f32.f32", ".m16n16k16.f32.f16"),
        ("wmma.store.d", "wmma.store.c"),
        (".m16n16k16.global.f16", ".m16n16k8.global.f16"),
    ],
)
def test_other_forms_are_refused(before: str, after: str) -> None:
    text = ptx(WmmaProbe((16, 16, 16), "f32", "f16"))
    assert before in text
    with pytest.raises(UnsupportedInstruction, match="wmma"):
        load_program(text.replace(before, after))


def test_a_matrix_that_reaches_over_its_end() -> None:
    text = ptx(WmmaProbe((16, 16, 16), "f32", "f16"))
    arrays = [np.zeros(size, dtype) for size, dtype in ((250, "f2"), (256, "f2"), (256, "f4"))]
    result = run(load_program(text), Launch(1, 32, [*arrays, np.zeros(256, np.float32)]))
    assert result.trap is not None
    assert result.trap.kind == "out-of-bounds"
