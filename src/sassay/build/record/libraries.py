"""Shared objects that a running command has loaded."""

from __future__ import annotations

import time
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from sassay.build.record.process import descendants
from sassay.errors import SassayError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SECTIONS = (b".nv_fatbin", b"__nv_relfatbin")
_BUSY = 0.02
"""Share of the time that watching may take."""


class LibraryWatch:
    """Reads the memory maps of a command's processes while it runs.

    Attributes:
        paths: Every shared object seen so far.
    """

    def __init__(self) -> None:
        """Nothing is seen yet."""
        self.paths: set[str] = set()
        self._not_before = 0.0

    def poll(self, pid: int) -> None:
        """Look once more, unless looking takes more than its share of the time.

        Args:
            pid: The command; its descendants are looked at too.
        """
        started = time.monotonic()
        if started < self._not_before:
            return
        for each in descendants(pid):
            self.paths |= mapped_libraries(each)
        now = time.monotonic()
        self._not_before = now + (now - started) / _BUSY


def mapped_libraries(pid: int) -> set[str]:
    """Paths of shared objects in the memory map of a process; empty if it is gone."""
    found: set[str] = set()
    with suppress(OSError):
        text = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="surrogateescape")
        for line in text.splitlines():
            if ".so" in line:
                path = line.split(None, 5)[-1]
                if path.startswith("/") and not path.endswith(" (deleted)"):
                    found.add(path)
    return found


def with_device_code(paths: Iterable[str], globs: Sequence[str]) -> tuple[Path, ...]:
    """The libraries that hold NVIDIA code and match, sorted.

    Args:
        paths: Absolute paths.
        globs: Match the whole path or the file's name; empty matches all.
    """
    found: dict[Path, None] = {}
    for text in sorted(paths):
        path = Path(text)
        wanted = not globs or any(
            fnmatchcase(text, glob) or fnmatchcase(path.name, glob) for glob in globs
        )
        with suppress(OSError):
            if wanted and path.is_file() and _has_device_code(path):
                found[path.resolve()] = None
    return tuple(found)


def _has_device_code(path: Path) -> bool:
    # Numpy starts threads, which would take signals that are meant for the command.
    from sassay.containers.elf import read_elf  # noqa: PLC0415 - late: see above
    from sassay.containers.mapped import map_file  # noqa: PLC0415 - late: see above

    try:
        elf = read_elf(map_file(path), artifact=str(path))
    except SassayError:
        return False
    names = {section.name for section in elf.sections}
    return any(name.decode() in names for name in _SECTIONS)
