from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sassay.errors import InputError, ToolError, UsageError
from sassay.sources import cache_dir, pypi


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SASSAY_CACHE_DIR", str(tmp_path / "cache"))


class Pip:
    """Stands in for the pip process; keeps what it was asked."""

    def __init__(self, files: tuple[str, ...] = (), stderr: str = "", code: int = 0) -> None:
        self.files, self.stderr, self.code = files, stderr, code
        self.commands: list[list[str]] = []

    def __call__(self, command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        self.commands.append(command)
        folder = Path(command[command.index("--dest") + 1])
        for name in self.files:
            (folder / name).write_bytes(b"PK")
        return subprocess.CompletedProcess(command, self.code, "", self.stderr)


def test_download_once_then_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    pip = Pip(("ours-1.5-py3-none-any.whl",))
    monkeypatch.setattr(subprocess, "run", pip)
    first = pypi.fetch("pypi:Ours_x==1.5")
    assert first.is_relative_to(cache_dir())
    assert pypi.fetch("pypi:ours-X==1.5") == first
    assert len(pip.commands) == 1
    command = pip.commands[0]
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--only-binary=:all:"} <= set(command)
    assert command[-2:] == ["--", "Ours_x==1.5"]
    assert [item.name for item in first.parent.parent.iterdir()] == ["ours-x==1.5"]


@pytest.mark.parametrize(
    "spec",
    [
        "pypi:", "pypi:ours", "pypi:ours>=1", "pypi:--index-url=x==1", "pypi:ours==1 --pre",
        "pypi:../x==1", "pypi:ours==1\n", "pypi:ours==../../etc", "pypi:ours==1;x", "pypi:-r==1",
        "pypi:ours===1", "pypi:ours==@file",
    ],
)  # fmt: skip
def test_nothing_but_name_and_version(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pip = Pip()
    monkeypatch.setattr(subprocess, "run", pip)
    with pytest.raises(UsageError, match="NAME==VERSION"):
        pypi.fetch(spec)
    assert pip.commands == []


def test_pips_reason_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = "WARNING: x\nERROR: Could not find a version\nERROR: No matching distribution found\n"
    monkeypatch.setattr(subprocess, "run", Pip(stderr=stderr, code=1))
    with pytest.raises(InputError, match=r"pypi:ours==9: pip: No matching distribution found$"):
        pypi.fetch("pypi:ours==9")
    assert list((cache_dir() / "pypi").iterdir()) == []


def test_missing_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(ToolError, match="pip cannot be run"):
        pypi.fetch("pypi:ours==1")


def test_cache_folder_follows_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SASSAY_CACHE_DIR")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_dir() == tmp_path / "sassay"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_dir() == Path.home() / ".cache" / "sassay"
