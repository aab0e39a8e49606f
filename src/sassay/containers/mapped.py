"""Opens a file on disk as a memoryview, mapped and never copied."""

from __future__ import annotations

import mmap
import os
import stat
from pathlib import Path

from sassay.containers import limits
from sassay.errors import InputError, LimitError


def map_file(path: Path | str, *, artifact: str | None = None) -> memoryview:
    """Maps a regular file read-only; the view is empty for an empty file.

    The mapping lives as long as any view of it.

    Args:
        path: The file; symbolic links are followed.
        artifact: The name that errors carry; the path if None.

    Raises:
        InputError: Missing, unreadable, or no regular file (a FIFO or device could block or never
            end).
        LimitError: Larger than `limits.MAX_FILE_BYTES`.
    """
    name = artifact or str(path)
    try:
        # Without O_NONBLOCK the open of a FIFO waits for a writer before it can be refused.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "cannot be opened"
        raise InputError(reason, artifact=name) from error
    try:
        return _map(descriptor, name)
    finally:
        os.close(descriptor)


def identity(path: Path | str) -> tuple[int, ...]:
    """What tells a file from others, and from itself once it was changed.

    Raises:
        OSError: There is no such file.
    """
    status = Path(path).stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def release(view: memoryview, start: int, stop: int) -> None:
    """Tells the system that a part of a mapped file is not needed any more for now.

    The view stays valid; what is looked at again is read again. Without this every page that was
    ever read counts as memory of the process. Nothing happens for other views.

    Args:
        view: A whole mapped file.
        start: First byte.
        stop: Byte behind the last.
    """
    mapping = view.obj
    if not isinstance(mapping, mmap.mmap) or not hasattr(mmap, "MADV_DONTNEED"):
        return
    first = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE
    if stop > first and len(view) == len(mapping):
        mapping.madvise(mmap.MADV_DONTNEED, first, stop - first)


def release_part(part: bytes | memoryview) -> None:
    """As `release`, of a slice of a mapped file; nothing happens for other bytes."""
    mapping = part.obj if isinstance(part, memoryview) else None
    if not isinstance(mapping, mmap.mmap) or not len(part):
        return
    import numpy as np  # noqa: PLC0415 - tells where a slice begins, which a view does not

    def address(view: memoryview) -> int:
        return int(np.frombuffer(view, np.uint8).__array_interface__["data"][0])

    whole = memoryview(mapping)
    start = address(memoryview(part)) - address(whole)
    release(whole, start, start + len(part))


def read_here_and_there(view: memoryview) -> None:
    """Tells the system that little of a mapped file will be read, and not in order.

    Else every page that is looked at brings a hundred kilobytes around it along.

    Args:
        view: A whole mapped file; nothing happens for other views.
    """
    mapping = view.obj
    if isinstance(mapping, mmap.mmap) and hasattr(mmap, "MADV_RANDOM"):
        mapping.madvise(mmap.MADV_RANDOM)


def _map(descriptor: int, name: str) -> memoryview:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "no regular file"
        raise InputError(f"is {kind}", artifact=name, hint="a regular file was expected")
    if status.st_size > limits.MAX_FILE_BYTES:
        raise LimitError(
            f"{status.st_size} bytes, at most {limits.MAX_FILE_BYTES} are read", artifact=name
        )
    if status.st_size == 0:
        return memoryview(b"")
    try:
        return memoryview(mmap.mmap(descriptor, status.st_size, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be mapped: {error}", artifact=name) from error
