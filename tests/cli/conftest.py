from __future__ import annotations

import fcntl
import os
import shutil
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from tests.cli.inputs import write_inputs
from tests.cli.running import run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of one test run share."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "sassay-shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def inputs(shared_folder: Path) -> Path:
    """Inputs and captures of them, written once; tests only read them."""
    folder = shared_folder / "cli"
    with (shared_folder / "cli.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            scratch = shared_folder / "cli.new"
            scratch.mkdir()
            write_inputs(scratch)
            with mock.patch.dict(os.environ, {"SASSAY_CACHE_DIR": str(shared_folder / "cache")}):
                for name in ("before", "after"):
                    assert run("capture", name, "-o", f"{name}.sassay", cwd=scratch).status == 0
            scratch.rename(folder)
    return folder


@pytest.fixture(autouse=True)
def _cache(shared_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One cache for all tests, never the user's."""
    monkeypatch.setenv("SASSAY_CACHE_DIR", str(shared_folder / "cache"))


@pytest.fixture
def workplace(inputs: Path, tmp_path: Path) -> Path:
    """A copy of the inputs to write into."""
    return shutil.copytree(inputs, tmp_path / "work")
