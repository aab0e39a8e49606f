"""Where reports go: the main output, and more files in the same run, each written whole."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sassay.cli.options import Format
from sassay.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sassay.report import Report

_DEFAULT_WIDTH = 100
_MIN_WIDTH = 60


@dataclass(frozen=True)
class Outputs:
    """What a command line asks to be written.

    Attributes:
        main: Format of the main output.
        path: File of the main output, None for standard output.
        more: Further files by format.
        color: Colours in terminal output; None: only on a terminal.
    """

    main: Format = Format.TERMINAL
    path: Path | None = None
    more: Mapping[Format, Path | None] = field(default_factory=dict)
    color: bool | None = None

    def wants_color(self) -> bool:
        """Whether terminal output carries colours (`NO_COLOR` and `FORCE_COLOR` are heard)."""
        if self.color is not None:
            return self.color
        if os.environ.get("NO_COLOR"):
            return False
        if os.environ.get("FORCE_COLOR"):
            return True
        return self.path is None and sys.stdout.isatty()

    def width(self) -> int:
        """Columns of terminal output: the terminal's, `COLUMNS`, or 100 into a pipe."""
        if self.path is None and (sys.stdout.isatty() or os.environ.get("COLUMNS")):
            return max(_MIN_WIDTH, shutil.get_terminal_size((_DEFAULT_WIDTH, 50)).columns)
        return _DEFAULT_WIDTH


def emit(report: Report, outputs: Outputs) -> None:
    """Render and write everything that was asked for, the files first.

    Args:
        report: What to render.
        outputs: Formats and places.

    Raises:
        InputError: A file cannot be written.
    """
    from sassay.report import render

    for format_, path in outputs.more.items():
        if path is not None:
            write_whole(path, render(format_.value, report))
    text = render(outputs.main.value, report)
    if outputs.path is not None:
        write_whole(outputs.path, text)
    else:
        write_stdout(text)


def write_stdout(text: str) -> None:
    """Write UTF-8 to standard output whatever the locale says."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
    sys.stdout.buffer.flush()


def write_whole(path: Path, text: str) -> None:
    """Write a file through a temporary sibling, so that a reader sees the old one or the new.

    Args:
        path: The file; its folder must exist.
        text: Its content, written as UTF-8.

    Raises:
        InputError: The folder is missing or not writable.
    """
    data = text.encode("utf-8", "backslashreplace")
    if str(path) == "-":
        sys.stdout.buffer.write(data)
        return
    if path.exists() and not path.is_file():
        # /dev/stdout, a FIFO: nothing to swap.
        if path.is_dir():
            raise InputError("is a folder", artifact=str(path), hint="name a file to write")
        path.write_bytes(data)
        return
    try:
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as handle:
            handle.write(data)
        temporary = Path(handle.name)
        try:
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", artifact=str(path)) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
