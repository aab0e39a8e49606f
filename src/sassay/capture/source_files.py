"""Source files that a person pointed at: folders, and revisions of a git repository.

The paths come out of line tables that a stranger may have written. A path is looked up only below
a folder that the person named, only in files that are source code by their name, and never through
a hidden folder, so that a report shows no file that it has no business with.
"""

from __future__ import annotations

import os
import re
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol

from sassay.containers import limits
from sassay.containers.mapped import map_file
from sassay.errors import SassayError, UsageError
from sassay.git import GitRefusedError, ask_git

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_SOURCE_BYTES = 4 * limits.MIB
"""One source file."""
_MAX_PARTS = 64
_SECONDS = 30
_SUFFIXES = frozenset({
    ".c", ".cc", ".cpp", ".cu", ".cuh", ".cxx", ".h", ".hh", ".hpp", ".hxx", ".inl", ".ipp",
    ".mlir", ".ptx", ".py", ".pyx", ".ttir",
})  # fmt: skip
_DRIVE = re.compile(r"^[A-Za-z]:")


class SourceFiles(Protocol):
    """A place that source files may be read from."""

    @property
    def origin(self) -> str:
        """What a report calls it."""
        ...

    @property
    def is_exact(self) -> bool:
        """Whether it stays as it is, so that two of them can be compared line by line."""
        ...

    def lines(self, path: str) -> Sequence[str] | None:
        """All lines of a file, as a line table names it; None where it is not there."""
        ...


class SourceRoot:
    """The files below one folder, as they are now."""

    def __init__(self, folder: Path) -> None:
        """Name the folder.

        Args:
            folder: It must exist.

        Raises:
            UsageError: It is no folder.
        """
        if not folder.is_dir():
            raise UsageError("is no folder", artifact=str(folder), hint="--source-root DIR")
        self._folder = folder.resolve()
        shown = "the current folder" if folder == Path() else str(folder)
        self.origin = f"{shown} as it is now"
        self.is_exact = False

    def lines(self, path: str) -> Sequence[str] | None:
        """All lines of a file below the folder; None where there is none of that name.

        An absolute path is taken where it lies below the folder. Else the longest end of the path
        that names a file below the folder counts, as long as it has a folder in it.
        """
        for relative in candidates(path, str(self._folder)):
            # Symbolic links are followed first, so that none leads out of the folder.
            place = Path(os.path.realpath(self._folder / relative))
            if not place.is_relative_to(self._folder) or not is_source(
                str(place.relative_to(self._folder))
            ):
                continue
            try:
                view = map_file(place)
            except SassayError:
                continue
            return None if len(view) > MAX_SOURCE_BYTES else split_lines(bytes(view))
        return None


class GitRevision:
    """The files of one commit of a git repository, read as data."""

    def __init__(self, folder: Path, revision: str) -> None:
        """Name the commit.

        Args:
            folder: In the repository.
            revision: Anything that names a commit there.

        Raises:
            UsageError: There is no such commit.
            ToolError: git is not installed, or hangs.
        """
        self._folder = folder
        found = self._git(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"
        )
        if found is None:
            raise UsageError(f"{folder} holds no git commit {revision!r}", hint="--source-rev REV")
        self._commit = found.decode().strip()
        self.origin = f"git {self._commit[:12]}"
        self.is_exact = True

    @cached_property
    def _names(self) -> frozenset[str]:
        top = self._git("ls-tree", "-r", "-z", "--name-only", "--full-tree", self._commit) or b""
        return frozenset(top.decode("utf-8", "replace").split("\0"))

    @cached_property
    def _top(self) -> str:
        return (self._git("rev-parse", "--show-toplevel") or b"").decode("utf-8", "replace").strip()

    def lines(self, path: str) -> Sequence[str] | None:
        """All lines of a file of the commit; chosen as `SourceRoot.lines` does."""
        for relative in candidates(path, self._top):
            if relative not in self._names:
                continue
            spelled = f"{self._commit}:{relative}"
            size = self._git("cat-file", "-s", spelled)
            if size is None or int(size) > MAX_SOURCE_BYTES:
                return None
            data = self._git("cat-file", "blob", spelled)
            return None if data is None else split_lines(data)
        return None

    def _git(self, *arguments: str) -> bytes | None:
        """What git prints; None where it fails."""
        try:
            return ask_git(self._folder, *arguments, timeout=_SECONDS)
        except GitRefusedError:
            return None


def candidates(path: str, root: str) -> list[str]:
    r"""Relative paths under which a file may lie below a folder, most telling first.

    Args:
        path: As the compiler wrote it, `/` or `\\` between its parts.
        root: The folder.

    Returns:
        Nothing for a path that steps up, hides, or is no source file by its name.
    """
    spelled = path.replace("\\", "/")
    parts = [part for part in PurePosixPath(spelled).parts if part != "/"]
    if "\0" in path or len(parts) > _MAX_PARTS or not parts or ".." in parts:
        return []
    found = []
    if spelled.startswith("/") and spelled.startswith(root.rstrip("/") + "/"):
        found.append(spelled[len(root.rstrip("/")) + 1 :].lstrip("/"))
    elif not spelled.startswith("/") and not _DRIVE.match(spelled):
        found.append("/".join(parts))
    # The name alone would find the wrong `utils.py`; a folder with it rarely does.
    found += ["/".join(parts[start:]) for start in range(1, len(parts) - 1)]
    return [each for each in dict.fromkeys(found) if is_source(each)]


def is_source(relative: str) -> bool:
    """Whether a file is source code by its name, and nothing on the way to it is hidden."""
    path = PurePosixPath(relative.replace("\\", "/"))
    hidden = any(part.startswith(".") for part in path.parts)
    return not hidden and path.suffix.lower() in _SUFFIXES


def split_lines(data: bytes) -> list[str]:
    """The lines of a file as a compiler counts them, tabs as blanks."""
    text = data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    return [line.expandtabs(4) for line in text.split("\n")]
