"""The corpus in compiled code and in the interpreter: the same bits, labels and counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.machine.corpus_launches import corpus_launches, prepared

from sassay.machine import run
from sassay.machine.compiled import Backend, Choice

if TYPE_CHECKING:
    from pathlib import Path

INTERPRETED = {
    "histogram": "atom.shared.add.u32, whose outcome depends on the order of warps",
}
"""Entries that are not compiled, and why."""


@pytest.mark.parametrize(("module", "described"), list(corpus_launches()))
def test_the_corpus_compiled(module: Path, described: dict[str, Any]) -> None:
    program, launch = prepared(module, described)
    wanted = run(program, launch)
    found = Backend(Choice.COMPILED, checked_threads=0).run(program, launch)
    assert found.not_compiled == INTERPRETED.get(described["entry"], "")
    assert found.compiled_blocks == (0 if found.not_compiled else launch.blocks)
    assert found.trap is None
    for a, b in zip(wanted.arrays, found.arrays, strict=True):
        assert (a is None and b is None) or (a is not None and b is not None)
        assert a is None or b is None or a.tobytes() == b.tobytes()
    assert found.labels == wanted.labels
    assert found.forms == wanted.forms
    assert found.instructions == wanted.instructions
