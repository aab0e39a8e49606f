"""The launches of the corpus: each `[[launch]]` of a `NAME.toml` runs an entry of `NAME.ptx`."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sassay.machine import Launch, Program, load_program
from sassay.machine.hardware.cases import make

if TYPE_CHECKING:
    from collections.abc import Iterator

CORPUS = Path(__file__).parent / "corpus"


def corpus_launches() -> Iterator[Any]:
    """Every module with every launch of it, as parameters of a test."""
    for sidecar in sorted(CORPUS.glob("*.toml")):
        launches = tomllib.loads(sidecar.read_text(encoding="utf-8"))["launch"]
        for number, launch in enumerate(launches):
            name = f"{sidecar.stem}-{launch['entry']}-{number}"
            yield pytest.param(sidecar.with_suffix(".ptx"), launch, id=name)


def prepared(module: Path, described: dict[str, Any]) -> tuple[Program, Launch]:
    """The entry of a launch, and the launch with its arguments."""
    program = load_program(module.read_text(encoding="utf-8"), described["entry"])
    arguments = [make(each) for each in described["arguments"]]
    shared = described.get("shared", 0)
    return program, Launch(described["grid"], described["block"], arguments, shared=shared)
