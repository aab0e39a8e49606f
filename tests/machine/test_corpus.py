"""Runs every file of the corpus: drop in `NAME.ptx` and `NAME.toml`, and it is a test.

A `[[launch]]` names an entry, its grid and block, its arguments (`make` with a shape and a seed,
or a `value`), what is expected of which argument (`reference`: a function of `references.py`,
equal bit for bit unless `relative` says how close; or the `sha256` of the bytes) and the label
that the run must have.
"""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.machine.references import REFERENCES

from sassay.machine import Launch, load_program, run
from sassay.machine.hardware.cases import make

if TYPE_CHECKING:
    from collections.abc import Iterator

CORPUS = Path(__file__).parent / "corpus"


def _cases() -> Iterator[Any]:
    for sidecar in sorted(CORPUS.glob("*.toml")):
        launches = tomllib.loads(sidecar.read_text(encoding="utf-8"))["launch"]
        for number, launch in enumerate(launches):
            name = f"{sidecar.stem}-{launch['entry']}-{number}"
            yield pytest.param(sidecar.with_suffix(".ptx"), launch, id=name)


@pytest.mark.parametrize(("module", "described"), list(_cases()))
def test_corpus(module: Path, described: dict[str, Any]) -> None:
    arguments = [make(each) for each in described["arguments"]]
    program = load_program(module.read_text(encoding="utf-8"), described["entry"])
    launch = Launch(
        described["grid"], described["block"], arguments, shared=described.get("shared", 0)
    )
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
        wanted = REFERENCES[expected["reference"]](*arguments)
        if "relative" in expected:
            np.testing.assert_allclose(found, wanted, rtol=expected["relative"], atol=1e-7)
        else:
            assert found.tobytes() == wanted.astype(found.dtype).tobytes()
