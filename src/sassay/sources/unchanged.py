"""Whether an input is still what an earlier run read, by what the system says of its files.

As git's index does it: a file of the same device, inode, kind, size, time of change and time of
status change is the same. The last of these nobody sets at will: it moves when a file is written,
when its times are set and when another is renamed over it. Where it lies so short a while back that
another change might carry the same time, the file is not relied on ("racily clean" in git), nor
where it lies in the future. What is written through a shared mapping counts from when the system
notes it.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from typing import TYPE_CHECKING

from sassay.sources.disk import skipped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SETTLED_NS = 2_000_000_000
"""Changes that lie further apart have different times: the coarsest clock is that of FAT."""
FINE_NS = 100_000_000
"""Likewise, where times have parts of milliseconds: such clocks tick a hundred times a second or
more often."""
MAX_FILES = 20_000
"""Larger folders are read."""
MAX_DEPTH = 64


def identity(path: Path) -> str | None:
    """What tells a file, or a folder with all that lies in it, from itself once it was changed.

    Args:
        path: The file, or the folder; a link to one is followed, those inside are not.

    Returns:
        A digest; None where the system does not say enough, or where it changed just now.
    """
    if os.name == "nt":  # the time of the last change of status is not among what is said there
        return None
    digest = hashlib.sha256(os.fsencode(path.absolute()))
    now = time.time_ns()
    try:
        for number, (name, status) in enumerate(_files(path)):
            changed = status.st_ctime_ns
            settled = FINE_NS if changed % 1_000_000 else SETTLED_NS
            if number == MAX_FILES or changed + settled >= now:
                return None
            facts = (
                status.st_dev, status.st_ino, status.st_mode, status.st_size,
                status.st_mtime_ns, status.st_ctime_ns,
            )  # fmt: skip
            digest.update(b"\0%s\0%s" % (os.fsencode(name), repr(facts).encode()))
    except OSError:
        return None
    return digest.hexdigest()


def _files(path: Path) -> Iterator[tuple[str, os.stat_result]]:
    """What decides: of a folder everything below that is no folder, by its place there."""
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        yield from _below(str(path), "", 0)
    else:
        yield "", status


def _below(folder: str, place: str, depth: int) -> Iterator[tuple[str, os.stat_result]]:
    if depth > MAX_DEPTH:
        raise OSError(f"{folder}: nested too deeply")
    with os.scandir(folder) as scan:
        items = sorted(scan, key=lambda item: item.name)
    for item in items:
        name = f"{place}/{item.name}"
        if not item.is_dir(follow_symlinks=False):
            yield name, item.stat(follow_symlinks=False)
        elif not skipped(item.name):
            yield from _below(item.path, name, depth + 1)
