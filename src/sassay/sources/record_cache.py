"""What was learned of content, by its digest, kept between runs in the user's cache folder.

A record is a checksum over key and body, then MessagePack packed with zstd. The first records of a
process, and large ones, are files of their own, written to a sibling and renamed into place, so
that processes never see halves; those of a process that has many go to a pack. A record that is
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
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

import msgspec
import zstandard

import sassay
from sassay.errors import ToolError
from sassay.sources.paths import cache_dir
from sassay.sources.record_packs import Packs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_RECORD_BYTES = 256 << 20
"""Larger records, unpacked, are neither written nor read."""
MAX_CACHE_BYTES = 1 << 30
"""All records together, packed."""
LOOSE_RECORDS = 8
"""So many records of a process are files of their own before it packs."""
LOOSE_FROM = 256 << 10
"""Records of this size and more always are."""
TRIM_SECONDS = 3600.0
"""The bound is looked after once in so long."""
_ANALYZERS = ("model", "containers", "sources", "isa", "capture", "diff")
_STAMP = ".trimmed"
_CHECKSUM_BYTES = 32

_PACKS = "packs"
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, zstandard.ZstdError)

T = TypeVar("T")


class _Place(NamedTuple):
    """Where records of a kind lie.

    Attributes:
        root: Folder of all kinds and versions.
        folder: Of this kind and version.
        packs: Those in it.
    """

    root: Path
    folder: Path
    packs: Packs


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
        self._name = name
        self._kind = kind
        self._loose = 0

    def holds(self, key: str) -> bool:
        """Whether there is a record of a digest, damaged or not."""
        place = self._place
        return place is not None and (place.packs.holds(key) or (place.folder / key).exists())

    def load(self, key: str) -> T | None:
        """The record of a digest, None where there is none that holds.

        Args:
            key: Hexadecimal digest of what the record is about.
        """
        for body in self._bodies(key):
            with contextlib.suppress(*_UNREADABLE):
                return self._unpacked(body)
        return None

    def find(self, key: str) -> Callable[[], T] | None:
        """What unpacks the record of a digest, which was read and tested; None where none holds.

        It raises `ToolError` where the record holds and is no such record all the same.
        """
        body = next(self._bodies(key), None)
        if body is None:
            return None

        def unpacked() -> T:
            try:
                return self._unpacked(body)
            except _UNREADABLE as error:
                raise ToolError(
                    f"the cache holds something else under {self._name}/{key}: {error}",
                    hint=f"remove {self._root}",
                ) from error

        return unpacked

    def save(self, key: str, record: T) -> None:
        """Keep a record; what cannot be written is not an error."""
        place = self._place
        if place is None:
            return
        body = msgspec.msgpack.encode(record)
        if len(body) > MAX_RECORD_BYTES:
            return
        body = zstandard.ZstdCompressor(level=1).compress(body)
        data = _checksum(key, body) + body
        with contextlib.suppress(OSError):
            if self._loose >= LOOSE_RECORDS and len(data) < LOOSE_FROM:
                place.packs.add(key, data)
                return
            self._loose += 1
            place.folder.mkdir(parents=True, exist_ok=True)
            _write(place.folder / key, data)
            _trim_now_and_then(place.root)

    def _bodies(self, key: str) -> Iterator[bytes]:
        """What lies under a digest and is what was written."""
        for data in self._copies(key):
            body = data[_CHECKSUM_BYTES:]
            if _checksum(key, body) == data[:_CHECKSUM_BYTES]:
                yield body

    def _unpacked(self, body: bytes) -> T:
        unpacked = zstandard.ZstdDecompressor().decompress(body, max_output_size=MAX_RECORD_BYTES)
        return self._decoder.decode(unpacked)

    def _copies(self, key: str) -> Iterator[bytes]:
        """What lies under a digest: the last that was packed, then the file of its own."""
        place = self._place
        if place is None:
            return
        with contextlib.suppress(OSError):
            packed = place.packs.find(key)
            if packed is not None:
                yield packed
        with contextlib.suppress(OSError):
            yield (place.folder / key).read_bytes()

    @cached_property
    def _place(self) -> _Place | None:
        if self._root is None:
            return None
        folder = self._root / analyzer_version() / self._name
        return _Place(self._root, folder, Packs(folder / _PACKS, MAX_RECORD_BYTES))

    @cached_property
    def _decoder(self) -> msgspec.msgpack.Decoder[T]:
        return msgspec.msgpack.Decoder(self._kind)


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
