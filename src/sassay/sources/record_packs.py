"""Many small records in few files: to make a file costs more than to write what is in it.

A pack is two files of one process. `NAME.pack` holds bodies, one behind the other. `NAME.index`
holds 48 bytes for each: SHA-256 of its key, the place of its first byte and its length, both
little-endian u64. A body is appended before its entry, each in one piece, so that a process that is
killed loses nothing that it wrote before and nobody sees halves; nothing is changed in place. Packs
do not vouch for bodies: whoever asks for one tests it, and one that is damaged, or that a damaged
entry points to, does not count. When there are many packs the oldest is removed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import struct
import time
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MAX_PACKS = 64
MAX_INDEX_BYTES = 16 << 20
"""Of one index no more is read."""
_ENTRY = struct.Struct("<32sQQ")
_INDEX = ".index"
_PACK = ".pack"


class Packs:
    """The packs of one folder: those that are there when one is first asked for, and one's own.

    Args:
        folder: Where they lie; made when something is added.
        largest: Longer bodies are not read.
    """

    def __init__(self, folder: Path, largest: int) -> None:
        self._folder = folder
        self._largest = largest
        self._own: Path | None = None

    def holds(self, key: str) -> bool:
        """Whether there is an entry of a key."""
        return _name(key) in self._places

    def find(self, key: str) -> bytes | None:
        """The body of a key as it lies there, whole or not; None where there is none.

        Raises:
            OSError: It cannot be read.
        """
        pack, start, length = self._places.get(_name(key), (None, 0, 0))
        if pack is None or length > self._largest:
            return None
        with pack.open("rb") as stream:
            stream.seek(start)
            return stream.read(length)

    def add(self, key: str, body: bytes) -> None:
        """Append a body to this process's own pack.

        Raises:
            OSError: It cannot be written; nothing was added.
        """
        if self._own is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            _make_room(self._folder)
            # Later packs sort behind earlier ones, and count before them.
            self._own = self._folder / f"{time.time_ns():020}-{secrets.token_hex(4)}{_PACK}"
        start = _append(self._own, body)
        entry = _ENTRY.pack(_name(key), start, len(body))
        _append(self._own.with_suffix(_INDEX), entry)
        self._places[_name(key)] = (self._own, start, len(body))

    @cached_property
    def _places(self) -> dict[bytes, tuple[Path, int, int]]:
        found: dict[bytes, tuple[Path, int, int]] = {}
        for index in _indexes(self._folder):
            pack = index.with_suffix(_PACK)
            with contextlib.suppress(OSError), index.open("rb") as stream:
                data = stream.read(MAX_INDEX_BYTES)
                whole = data[: len(data) - len(data) % _ENTRY.size]
                for name, start, length in _ENTRY.iter_unpack(whole):
                    found[name] = (pack, start, length)
        return found


def _name(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _indexes(folder: Path) -> list[Path]:
    """From the oldest to the newest."""
    return sorted(folder.glob(f"*{_INDEX}"))


def _make_room(folder: Path) -> None:
    indexes = _indexes(folder)
    for index in indexes[: max(0, len(indexes) - MAX_PACKS + 1)]:
        for path in (index, index.with_suffix(_PACK)):
            path.unlink(missing_ok=True)


def _append(path: Path, data: bytes) -> int:
    """Append in one piece; what a full disk cuts is taken back. Returns where it begins."""
    with path.open("ab", buffering=0) as stream:
        start = stream.seek(0, os.SEEK_END)
        if stream.write(data) != len(data):
            stream.truncate(start)
            raise OSError(f"{path}: cut")
        return start
