"""What was learned of content, by its digest, kept between runs in the user's cache folder.

One file a record: a checksum over key and body, then MessagePack packed with zstd. A file is
written to a sibling and renamed into place, so that processes never see halves; one that is
missing, damaged, or of another version of the analyzer does not count, and a folder that cannot be
written costs time only. Files that were written longest ago go first when all together pass a
bound.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from functools import lru_cache
from pathlib import Path
from typing import Generic, TypeVar

import msgspec
import zstandard

import sassay
from sassay.sources.paths import cache_dir

MAX_RECORD_BYTES = 256 << 20
"""Larger records, unpacked, are neither written nor read."""
MAX_CACHE_BYTES = 1 << 30
"""All records together, packed."""
TRIM_SECONDS = 3600.0
"""The bound is looked after once in so long."""
_ANALYZERS = ("model", "containers", "sources", "isa", "capture", "diff")
_STAMP = ".trimmed"
_CHECKSUM_BYTES = 32

T = TypeVar("T")


def analysis_folder() -> Path:
    """Where records are kept."""
    return cache_dir() / "analysis"


@lru_cache(maxsize=1)
def analyzer_version() -> str:
    """A digest of the source and tables of every room that analyzes: no change goes unnoticed."""
    root = Path(sassay.__file__).parent
    digest = hashlib.sha256(f"{sassay.__version__} {msgspec.__version__}".encode())
    for room in _ANALYZERS:
        for folder, below, names in os.walk(root / room):
            below[:] = sorted(n for n in below if n[0] != "." and n != "__pycache__")
            for name in sorted(names):
                file = Path(folder, name)
                digest.update(file.relative_to(root).as_posix().encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


class RecordCache(Generic[T]):
    """Records of one kind.

    Args:
        folder: Where all kinds are kept; None keeps nothing.
        name: The kind, a folder's name.
        kind: Type of the records.
    """

    def __init__(self, folder: Path | None, name: str, kind: type[T]) -> None:
        self._root = folder
        self._folder = folder / analyzer_version() / name if folder is not None else None
        self._decoder = msgspec.msgpack.Decoder(kind)

    def holds(self, key: str) -> bool:
        """Whether there is a record of a digest, damaged or not."""
        return self._folder is not None and (self._folder / key).exists()

    def load(self, key: str) -> T | None:
        """The record of a digest, None where there is none that holds.

        Args:
            key: Hexadecimal digest of what the record is about.
        """
        if self._folder is None:
            return None
        try:
            data = (self._folder / key).read_bytes()
            body = data[_CHECKSUM_BYTES:]
            if _checksum(key, body) != data[:_CHECKSUM_BYTES]:
                return None
            unpacked = zstandard.ZstdDecompressor().decompress(
                body, max_output_size=MAX_RECORD_BYTES
            )
            return self._decoder.decode(unpacked)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError, zstandard.ZstdError):
            return None

    def save(self, key: str, record: T) -> None:
        """Keep a record; what cannot be written is not an error."""
        if self._folder is None or self._root is None:
            return
        body = msgspec.msgpack.encode(record)
        if len(body) > MAX_RECORD_BYTES:
            return
        body = zstandard.ZstdCompressor(level=1).compress(body)
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            _write(self._folder / key, _checksum(key, body) + body)
            _trim_now_and_then(self._root)


def _checksum(key: str, body: bytes) -> bytes:
    return hashlib.sha256(key.encode() + b"\0" + body).digest()


def _write(path: Path, data: bytes) -> None:
    handle, scratch = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        Path(scratch).replace(path)
    except OSError:
        Path(scratch).unlink(missing_ok=True)
        raise


def _trim_now_and_then(root: Path) -> None:
    stamp = root / _STAMP
    with contextlib.suppress(FileNotFoundError):
        if abs(time.time() - stamp.stat().st_mtime) < TRIM_SECONDS:
            return
    stamp.touch()
    trim(root)


def trim(root: Path, limit: int = MAX_CACHE_BYTES) -> None:
    """Remove the files that were written longest ago, until the rest fits.

    Args:
        root: Folder of all kinds and versions.
        limit: Bytes to keep.
    """
    found: list[tuple[int, int, Path]] = []
    for path in root.rglob("*"):
        with contextlib.suppress(OSError):
            if path.name != _STAMP and path.is_file():
                status = path.stat()
                found.append((status.st_mtime_ns, status.st_size, path))
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= limit:
            return
        with contextlib.suppress(OSError):
            path.unlink()
            total -= size
