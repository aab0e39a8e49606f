from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from tests.cli.inputs import write_inputs
from tests.cli.running import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _make(folder: Path) -> None:
    write_inputs(folder)
    for name in ("before", "after"):
        assert run("capture", name, "-o", f"{name}.sassay", cwd=folder).status == 0


@pytest.fixture(scope="session")
def inputs(made_once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """Inputs and captures of them, written once; tests only read them."""
    return made_once("cli-inputs", _make)


@pytest.fixture
def workplace(inputs: Path, tmp_path: Path) -> Path:
    """A copy of the inputs to write into."""
    return shutil.copytree(inputs, tmp_path / "work")
