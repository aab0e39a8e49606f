"""Runs every file of the corpus: drop in `NAME.ptx` and `NAME.toml`, and it is a test.

A `[[launch]]` names an entry, its grid and block, its arguments (`make` with a shape and a seed,
or a `value`), what is expected of which argument (`reference`: a function of `references.py`,
equal bit for bit unless `relative` says how close; or the `sha256` of the bytes) and the label
that the run must have.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.machine import exact
from tests.machine.corpus_launches import corpus_launches, prepared
from tests.machine.references import REFERENCES, to_bf16

from sassay.machine import run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("module", "described"), list(corpus_launches()))
def test_corpus(module: Path, described: dict[str, Any]) -> None:
    program, launch = prepared(module, described)
    result = run(program, launch)
    assert result.trap is None, str(result.trap)
    assert result.label == described["label"]
    assert described["expect"]
    for expected in described["expect"]:
        found = result.arrays[expected["argument"]]
        assert found is not None
        if "sha256" in expected:
            assert hashlib.sha256(found.tobytes()).hexdigest() == expected["sha256"]
            continue
        wanted = REFERENCES[expected["reference"]](*launch.arguments)
        if "relative" in expected:
            np.testing.assert_allclose(found, wanted, rtol=expected["relative"], atol=1e-7)
        else:
            assert found.tobytes() == wanted.astype(found.dtype).tobytes()


def test_the_reference_of_bf16_is_the_exact_model() -> None:
    """Upper halves of words, below, at and above the middle; both signs of what overflows."""
    upper = np.arange(1 << 16, dtype=np.uint32)[::31] << np.uint32(16)
    edges = np.array([0, 0x7F7F, 0x7F80, 0x7FC0, 0xFF7F, 0xFF80], np.uint32) << np.uint32(16)
    lower = np.array([0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF], np.uint32)
    words = (np.concatenate([upper, edges])[:, None] | lower).reshape(-1)
    wanted = [
        exact.encode(exact.decode(word, exact.F32), exact.BF16, negative_zero=word >> 31 == 1)
        for word in words.tolist()
    ]
    assert to_bf16(words.view(np.float32)).tolist() == wanted
