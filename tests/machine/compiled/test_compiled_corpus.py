"""The corpus in compiled code and in the interpreter: the same bits, labels and counts."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sassay.machine import Launch, load_program, run
from sassay.machine.compiled import Backend, Choice
from sassay.machine.hardware.cases import make

if TYPE_CHECKING:
    from collections.abc import Iterator

CORPUS = Path(__file__).parents[1] / "corpus"
INTERPRETED = {
    "histogram": "atom.shared.add.u32, whose outcome depends on the order of warps",
}
"""Entries that are not compiled, and why."""


def _cases() -> Iterator[Any]:
    for sidecar in sorted(CORPUS.glob("*.toml")):
        launches = tomllib.loads(sidecar.read_text(encoding="utf-8"))["launch"]
        for number, launch in enumerate(launches):
            name = f"{sidecar.stem}-{launch['entry']}-{number}"
            yield pytest.param(sidecar.with_suffix(".ptx"), launch, id=name)


@pytest.mark.parametrize(("module", "described"), list(_cases()))
def test_the_corpus_compiled(module: Path, described: dict[str, Any]) -> None:
    arguments = [make(each) for each in described["arguments"]]
    program = load_program(module.read_text(encoding="utf-8"), described["entry"])
    launch = Launch(
        described["grid"], described["block"], arguments, shared=described.get("shared", 0)
    )
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
