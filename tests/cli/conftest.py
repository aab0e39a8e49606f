from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cli.inputs import write_inputs
from tests.cli.running import run

from sassay.capture import cache_dir
from sassay.cli.kept import kept_folder

if TYPE_CHECKING:
    from collections.abc import Callable

ROUTER = Path(__file__).parents[2] / "examples" / "router"


def _make(folder: Path) -> None:
    write_inputs(folder)
    for name in ("before", "after"):
        assert run("capture", name, "-o", f"{name}.sassay", cwd=folder).status == 0


@pytest.fixture(scope="session")
def inputs(made_once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """Inputs and captures of them, written once; tests only read them."""
    return made_once("cli-inputs", _make)


def _compile_router(folder: Path) -> None:
    """Captures of the router example's three states, which have nearly all kernels in common.

    What one state compiled to lies ready for the next, which compiles what is its own. Whoever
    compiles these manifests afterwards finds all of it.
    """
    before: Path | None = None
    for name in ("base", "pre_revert", "accepted"):
        manifest = (ROUTER / f"{name}.toml").resolve()
        with kept_folder(cache_dir(), str(manifest), "") as kept:
            if before is not None:
                shutil.copytree(before, kept, dirs_exist_ok=True)
        before = kept
        done = run("compile", manifest, "-o", folder / f"{name}.sassay")
        assert done.status == 0, done.stderr


@pytest.fixture(scope="session")
def router(made_once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """`base.sassay`, `pre_revert.sassay` and `accepted.sassay` of the router example."""
    return made_once("router-states", _compile_router)


@pytest.fixture
def workplace(inputs: Path, tmp_path: Path) -> Path:
    """A copy of the inputs to write into."""
    return shutil.copytree(inputs, tmp_path / "work")
