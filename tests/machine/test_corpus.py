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
from tests.machine.corpus_launches import corpus_launches, prepared
from tests.machine.references import REFERENCES

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
