"""Finds source files by path and by module name, without importing anything."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sassay.errors import CompileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_SOURCE_BYTES = 10 * 1024 * 1024


class AbsentError(CompileError):
    """This checkout has no such file, module or function as the manifest names."""


class SourceFile:
    """A Python file and the names that it goes by.

    Attributes:
        path: Where it lies on this machine.
        base: Folder that `display` is relative to.
        display: `/`-separated path relative to `base`, as `.loc` and messages name it.
    """

    def __init__(self, path: Path, base: Path) -> None:
        self.path = path
        self.base = base
        self.display = path.relative_to(base).as_posix()

    @property
    def module(self) -> str:
        """Dotted name, from the base down."""
        name = self.display.removesuffix(".py").removesuffix("/__init__")
        return name.replace("/", ".")

    def text(self) -> str:
        r"""The file's text, with `\\n` as line end.

        Raises:
            CompileError: It cannot be read, is too large, or is not UTF-8.
        """
        try:
            if self.path.stat().st_size > MAX_SOURCE_BYTES:
                raise CompileError("the source file is larger than 10 MiB", artifact=self.display)
            return self.path.read_bytes().decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
        except OSError as error:
            raise CompileError(error.strerror or "cannot be read", artifact=self.display) from error
        except UnicodeDecodeError as error:
            raise CompileError(
                "not UTF-8 text", artifact=self.display, place=f"offset {error.start}"
            ) from error


class ModuleFinder:
    """Maps files and dotted module names to source files.

    Args:
        root: Folder of the manifest's sources; nothing above it is read for a `file` entry.
        search: Folders in which module names are looked up first.
    """

    def __init__(self, root: Path, search: Sequence[Path]) -> None:
        self._root = root.resolve()
        self._search = [folder.resolve() for folder in search]

    def by_file(self, file: str) -> SourceFile:
        """The source file of a manifest's `file` entry.

        Raises:
            AbsentError: It is missing.
            CompileError: A link leads out of the root.
        """
        path = (self._root / file).resolve()
        if not path.is_relative_to(self._root):
            raise CompileError("the file lies outside the root", artifact=file, hint="use --root")
        if not path.is_file():
            raise AbsentError(
                "no such file", artifact=file, hint=f"looked below {self._root.name or '/'}"
            )
        return SourceFile(path, self._root)

    def by_module(self, name: str) -> SourceFile:
        """The source file of a manifest's `module` entry: search folders, root, `sys.path`.

        Raises:
            AbsentError: No folder has it.
        """
        installed = [Path(entry).resolve() for entry in sys.path if entry and Path(entry).is_dir()]
        found = self._look(name.split("."), [*self._search, self._root, *installed])
        if found is None:
            raise AbsentError(
                "no source file of this module",
                artifact=name,
                hint="looked in `search`, the root and sys.path",
            )
        return found

    def imported(self, source: SourceFile, module: str, level: int) -> SourceFile | None:
        """The file that an import statement of `source` names; None if there is none.

        Args:
            source: The importing file.
            module: Dotted name, empty for `from . import x`.
            level: Number of leading dots.
        """
        parts = module.split(".") if module else []
        if level:
            folder = source.path.parent
            for _ in range(level - 1):
                folder = folder.parent
            if not folder.is_relative_to(source.base):
                return None
            return self._in_folder(folder, parts, source.base)
        above = [folder for folder in source.path.parents if folder.is_relative_to(source.base)]
        return self._look(parts, [*reversed(above), *self._search, self._root])

    def _look(self, parts: Sequence[str], folders: Iterable[Path]) -> SourceFile | None:
        for folder in folders:
            found = self._in_folder(folder, parts, folder)
            if found is not None:
                base = self._base(found.path, folder)
                return SourceFile(found.path, base)
        return None

    def _base(self, path: Path, folder: Path) -> Path:
        """The widest folder that names of this file are relative to: one file, one name."""
        if path.is_relative_to(self._root):
            return self._root
        return next((entry for entry in self._search if path.is_relative_to(entry)), folder)

    @staticmethod
    def _in_folder(folder: Path, parts: Sequence[str], base: Path) -> SourceFile | None:
        stem = folder.joinpath(*parts)
        for candidate in (
            stem.with_name(f"{stem.name}.py") if parts else None,
            stem / "__init__.py",
        ):
            if (
                candidate is not None
                and candidate.is_file()
                and candidate.resolve().is_relative_to(base.resolve())
            ):
                return SourceFile(candidate.resolve(), base.resolve())
        return None
