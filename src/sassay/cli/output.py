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
    from collections.abc import Callable, Mapping

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

    def writes(self, format_: Format) -> bool:
        """Whether a format is written anywhere."""
        return self.main is format_ or self.more.get(format_) is not None

    def wants_color(self) -> bool:
        """Whether terminal output carries colours (`NO_COLOR` and `FORCE_COLOR` are heard)."""
        if self.color is not None:
            return self.color
        if os.environ.get("NO_COLOR"):
            return False
        if os.environ.get("FORCE_COLOR"):
            return True
        return self.path is None and sys.stdout.isatty()

    def is_read_here(self) -> bool:
        """Whether a person reads the report, and so its diagnostics, on this terminal."""
        return self.main is Format.TERMINAL and self.path is None and sys.stdout.isatty()

    def width(self) -> int:
        """Columns of terminal output: the terminal's, `COLUMNS`, or 100 into a pipe."""
        if self.path is None and (sys.stdout.isatty() or os.environ.get("COLUMNS")):
            return max(_MIN_WIDTH, shutil.get_terminal_size((_DEFAULT_WIDTH, 50)).columns)
        return _DEFAULT_WIDTH


def source_root() -> str:
    """The checkout that the run stands in, or the current folder: SARIF's paths start there."""
    here = Path.cwd()
    return str(repository(here) or here)


def repository(folder: Path) -> Path | None:
    """The top of the git checkout that a folder lies in, None outside of any.

    Args:
        folder: Absolute.
    """
    return next((one for one in (folder, *folder.parents) if (one / ".git").exists()), None)


def emit(report: Report, outputs: Outputs) -> None:
    """Render everything that was asked for, then write it, the files first.

    Args:
        report: What to render.
        outputs: Formats and places.

    Raises:
        InputError: A file cannot be written.
    """
    from sassay.report import render

    write_reports(outputs, lambda format_: render(format_.value, report))


def write_reports(outputs: Outputs, rendered: Callable[[Format], str]) -> None:
    """Write what some function renders in every format that was asked for, the files first.

    Args:
        outputs: Formats and places.
        rendered: Gives the whole document of a format.

    Raises:
        InputError: A file cannot be written.
    """
    # All is rendered before anything is written: a format that fails leaves every file as it was.
    files = [
        (path, rendered(format_)) for format_, path in outputs.more.items() if path is not None
    ]
    text = rendered(outputs.main)
    for path, content in files:
        write_whole(path, content)
    if outputs.path is not None:
        write_whole(outputs.path, text)
    else:
        write_stdout(text)


def write_stdout(text: str) -> None:
    """Write UTF-8 to standard output whatever the locale says.

    A reader that goes away (`sassay check ... | head -1`) ends the output, not the judgement: the
    exit status stays what the verdict says.

    Raises:
        InputError: The output cannot be written, such as on a full disk.
    """
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        abandon_stdout()
    except OSError as error:
        abandon_stdout()
        raise InputError(
            f"cannot be written: {error.strerror}", artifact="standard output"
        ) from error


def abandon_stdout() -> None:
    """Send what is still buffered for a reader that went away nowhere."""
    void = os.open(os.devnull, os.O_WRONLY)
    os.dup2(void, sys.stdout.fileno())
    os.close(void)


def write_whole(path: Path, text: str) -> None:
    """Write a file through a temporary sibling, so that a reader sees the old one or the new.

    Args:
        path: The file; its folder must exist.
        text: Its content, written as UTF-8.

    Raises:
        InputError: The folder is missing or not writable.
    """
    if str(path) == "-":
        write_stdout(text)
        return
    if path.is_dir():
        raise InputError("is a folder", artifact=str(path), hint="name a file to write")
    data = text.encode("utf-8", "backslashreplace")
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)  # /dev/stdout, a FIFO: nothing to swap
        else:
            _swap_in(path.resolve(), data)
    except FileNotFoundError as error:
        raise InputError(
            "cannot be written", artifact=str(path), hint=f"there is no folder {path.parent}"
        ) from error
    except (OSError, RuntimeError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot be written: {said}", artifact=str(path)) from error


def _swap_in(path: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
