"""What the tests of every room share."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def pytest_configure() -> None:
    """Hear interrupts, and let children hear them: a shell's background job ignores SIGINT."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A temporary folder that all workers of one run share."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if os.environ.get("PYTEST_XDIST_WORKER") else own) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def made_once(shared_folder: Path) -> Callable[[str, Callable[[Path], None]], Path]:
    """Fills a folder of the given name once a run, whichever worker comes first."""

    def once(name: str, make: Callable[[Path], None]) -> Path:
        folder = shared_folder / name
        with _locked(shared_folder / f"{name}.lock"):
            if not folder.exists():
                scratch = shared_folder / f"{name}.partial"
                scratch.mkdir(exist_ok=True)
                make(scratch)
                scratch.rename(folder)
        return folder

    return once


@pytest.fixture(scope="session", autouse=True)
def _own_caches(shared_folder: Path) -> Iterator[None]:
    """No test reads or fills the caches of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SASSAY_CACHE_DIR", str(shared_folder / "sassay-cache"))
        patch.setenv("TRITON_CACHE_DIR", str(shared_folder / "triton-cache"))
        yield


class _locked:  # noqa: N801  # reads as what it does
    """Holds an exclusive lock on a file; other processes wait."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w")

    def __enter__(self) -> None:
        import fcntl

        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self._file.close()
