"""Walks a folder on disk: sorted, never out of the tree, never stuck on a pipe or a loop."""

from __future__ import annotations

import contextlib
import mmap
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from sassay.containers import limits
from sassay.errors import LimitError
from sassay.model.state import Diagnostic, Level
from sassay.sources.entry import Buffer, Entry, Folder
from sassay.sources.triton import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sassay.sources.context import Context

HEAD_BYTES = 4096
MAP_FROM = 1 << 20
"""Files of this size and more are mapped instead of read."""
MAX_DEPTH = 64
MAX_COUNTED = 10_000
"""Files of a folder whose sizes are asked for ahead."""
SKIPPED_FOLDERS = frozenset({"__pycache__", ".git"})


def walk(root: Path, label: str, context: Context) -> Iterator[Folder | Diagnostic]:
    """Yield every folder of a tree with its regular files, in sorted order.

    Symbolic links are never followed: what they point at inside the tree is met at its own place,
    and what lies outside is not part of the input. Triton's unfinished `tmp.pid_*` folders are
    left out.
    """
    yield from _walk(root, "", label, 0, context)


def readable(name: str) -> str:
    """A file's name as text: bytes that are no UTF-8 are replaced.

    Args:
        name: As the operating system gave it, with surrogates for such bytes.
    """
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def skipped(name: str) -> bool:
    """Whether folders of a name are left out."""
    return name.startswith("tmp.pid_") or name in SKIPPED_FOLDERS


def bytes_below(root: Path) -> int:
    """Bytes of a file, or of the files in a folder, of which no more than `MAX_COUNTED` count."""
    if not root.is_dir():
        return root.stat().st_size
    total = counted = 0
    for folder, below, names in os.walk(root):
        below[:] = [name for name in below if not skipped(name)]
        for name in names[: MAX_COUNTED - counted]:
            with contextlib.suppress(OSError):
                total += os.lstat(f"{folder}/{name}").st_size
        counted += len(names)
        if counted >= MAX_COUNTED:
            break
    return total


def _walk(
    folder: Path, relative: str, label: str, depth: int, context: Context
) -> Iterator[Folder | Diagnostic]:
    try:
        with os.scandir(folder) as scan:
            items = sorted(scan, key=lambda item: item.name)
    except OSError as error:
        yield Diagnostic(Level.ERROR, relative or label, describe(error))
        return
    entries: dict[str, Entry] = {}
    below: list[str] = []
    for item in items:
        name = readable(item.name)
        path = f"{relative}/{name}" if relative else name
        try:
            mode = item.stat(follow_symlinks=False)
        except OSError as error:
            yield Diagnostic(Level.ERROR, path, describe(error))
            continue
        if stat.S_ISLNK(mode.st_mode):
            context.counts["skipped_links"] += 1
        elif stat.S_ISDIR(mode.st_mode):
            if not skipped(item.name):
                below.append(item.name)
        elif stat.S_ISREG(mode.st_mode):
            context.counts["files"] += 1
            entries[name] = disk_entry(Path(item.path), path, mode.st_size)
        else:
            context.counts["skipped_special_files"] += 1
    yield Folder(path=relative, label=label, entries=entries)
    if below and depth >= MAX_DEPTH:
        yield Diagnostic(
            Level.ERROR, relative, f"folders nest deeper than {MAX_DEPTH}: not read any further"
        )
        return
    for name in below:
        below_it = f"{relative}/{readable(name)}" if relative else readable(name)
        yield from _walk(folder / name, below_it, label, depth + 1, context)


def disk_entry(file: Path, path: str, size: int) -> Entry:
    """An entry for a file on disk."""
    load = _loader(file, path)
    return Entry(
        path=path,
        size=size,
        load=load,
        head=_header(file),
        disk_path=str(file),
    )


def _loader(file: Path, path: str) -> Callable[[], Buffer]:
    def load() -> Buffer:
        with open(os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb") as stream:  # noqa: PTH123 - Path.open takes no descriptor
            size = os.fstat(stream.fileno()).st_size
            if size > limits.MAX_FILE_BYTES:
                raise LimitError(
                    f"{size} bytes", artifact=path, hint=f"at most {limits.MAX_FILE_BYTES}"
                )
            if size < MAP_FROM:
                return stream.read()
            return memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))

    return load


def _header(file: Path) -> Callable[[], bytes]:
    def head() -> bytes:
        with open(os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb") as stream:  # noqa: PTH123 - Path.open takes no descriptor
            return stream.read(HEAD_BYTES)

    return head
