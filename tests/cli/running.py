"""Runs command lines: in this process, or in one of their own."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING
from unittest import mock

from sassay.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

UNSET = ("NO_COLOR", "FORCE_COLOR", "SOURCE_DATE_EPOCH", "SASSAY_TRACEBACK", "COLUMNS", "LINES")


@dataclass(frozen=True)
class Result:
    """What one command line gave."""

    status: int
    stdout: str
    stderr: str

    @property
    def error(self) -> str:
        """The one error line, without its prefix; fails if there is not exactly one."""
        lines = [line for line in self.stderr.splitlines() if line.startswith("sassay: error: ")]
        assert len(lines) == 1, self.stderr
        assert "Traceback" not in self.stderr
        assert "internal error" not in self.stderr
        return lines[0].removeprefix("sassay: error: ")


class _Stream(io.TextIOWrapper):
    """A text stream with a binary buffer below, as the real ones have."""

    def __init__(self, data: bytes = b"") -> None:
        super().__init__(io.BytesIO(data), encoding="utf-8", errors="surrogateescape", newline="")

    def text(self) -> str:
        self.flush()
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue().decode("utf-8", "surrogateescape")


def run(
    *arguments: str | Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
) -> Result:
    """Run one command line in this process, with no terminal around it."""
    out, err = _Stream(), _Stream()
    clean = {name: value for name, value in os.environ.items() if name not in UNSET}
    with (
        mock.patch.dict(os.environ, {**clean, **(env or {})}, clear=True),
        mock.patch.object(sys, "stdin", _Stream(stdin)),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        _inside(cwd),
    ):
        status = main([str(argument) for argument in arguments])
    return Result(status, out.text(), err.text())


@contextlib.contextmanager
def _inside(folder: Path | None) -> Iterator[None]:
    if folder is None:
        yield
        return
    with contextlib.chdir(folder):
        yield


def command(*arguments: str | Path) -> list[str]:
    """The command line of a process of its own."""
    return [sys.executable, "-m", "sassay", *map(str, arguments)]


def environment(**more: str) -> dict[str, str]:
    """The environment of a process of its own: no colours, no terminal size."""
    return {**{k: v for k, v in os.environ.items() if k not in UNSET}, **more}


def spawn(
    *arguments: str | Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    timeout: float = 60,
) -> Result:
    """Run one command line in a process of its own."""
    done = subprocess.run(
        command(*arguments),
        cwd=cwd,
        env=environment(**(env or {})),
        input=stdin,
        capture_output=True,
        timeout=timeout,
        check=False,
    )
    return Result(
        done.returncode,
        done.stdout.decode("utf-8", "surrogateescape"),
        done.stderr.decode("utf-8", "surrogateescape"),
    )
