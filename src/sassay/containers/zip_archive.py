"""Zip archives and wheels (APPNOTE 6.3), read by Python's zipfile within our caps."""

from __future__ import annotations

import hashlib
import lzma
import stat
import struct
import zipfile
import zlib
from contextlib import contextmanager
from functools import partial
from typing import IO, TYPE_CHECKING

from sassay.containers import limits
from sassay.containers.mapped import release
from sassay.containers.member import Budget, Member, printable, safe_path
from sassay.containers.view_reader import ViewReader
from sassay.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sassay.containers.fatbin_stream import Stream

_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    NotImplementedError,  # a compression method that this Python does not know
    RuntimeError,  # an encrypted member
)

_BLOCK = 16 * limits.MIB

_LOCAL = struct.Struct("<26xHH")
"""A local file header: lengths of the name and of the extra field, which follow it."""


def walk_zip(
    view: memoryview, *, artifact: str, on_note: Callable[[str], None]
) -> Iterator[Member]:
    """Yields the regular files of a zip archive; of two of one name the last.

    Args:
        view: The whole archive.
        artifact: Its name in errors.
        on_note: Told of what was left out.

    Raises:
        FormatError: No or a broken central directory, overlapping members, an unsafe path.
        LimitError: A member or the whole grows beyond the caps.
    """
    try:
        archive = zipfile.ZipFile(ViewReader(view))
    except _BROKEN as error:
        raise FormatError(f"no readable zip archive: {error}", artifact=artifact) from error
    budget = Budget(artifact, len(view))
    chosen: dict[str, zipfile.ZipInfo] = {}
    stored = 0
    for info in archive.infolist():
        budget.count(info.filename)
        if info.filename.endswith("/"):
            continue
        path = safe_path(info.filename, artifact=artifact)
        if stat.S_ISLNK(info.external_attr >> 16):
            on_note(f"symbolic link {printable(path)} left out")
            continue
        stored += info.compress_size
        if stored > len(view):
            # Members that share their bytes are how a small archive claims a huge total.
            raise FormatError(
                f"members claim {stored} compressed bytes in a file of {len(view)}",
                artifact=artifact,
                place=f"member {printable(path)}",
            )
        budget.take(path, info.file_size, info.compress_size)
        if path in chosen:
            on_note(f"{printable(path)} is there twice: the last one counts")
        chosen[path] = info
    for path, info in chosen.items():
        yield Member(
            path,
            info.file_size,
            _loader(archive, info, artifact),
            partial(_fingerprint, view, info, artifact),
            partial(_stream, archive, info, artifact),
        )


def _loader(archive: zipfile.ZipFile, info: zipfile.ZipInfo, artifact: str) -> Callable[[], bytes]:
    def load() -> bytes:
        place = f"member {printable(info.filename)}"
        with _broken(artifact, place), archive.open(info) as stream:
            content = stream.read(info.file_size + 1)
        if len(content) != info.file_size:
            raise FormatError(
                f"unpacks to {len(content)} bytes, the directory claims {info.file_size}",
                artifact=artifact,
                place=place,
            )
        return content

    return load


@contextmanager
def _stream(archive: zipfile.ZipFile, info: zipfile.ZipInfo, artifact: str) -> Iterator[Stream]:
    place = f"member {printable(info.filename)}"
    with _broken(artifact, place):
        opened = archive.open(info)
    with opened:
        yield _Checked(opened, artifact, place)


class _Checked:
    """A member's stream, whose faults are said as ours; its checksum is tested at the end."""

    def __init__(self, stream: IO[bytes], artifact: str, place: str) -> None:
        self._stream = stream
        self._artifact = artifact
        self._place = place

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes, none at the end."""
        with _broken(self._artifact, self._place):
            return self._stream.read(size)


@contextmanager
def _broken(artifact: str, place: str) -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        raise FormatError(f"cannot be unpacked: {error}", artifact=artifact, place=place) from error


def _fingerprint(view: memoryview, info: zipfile.ZipInfo, artifact: str) -> str:
    """SHA-256 of method, size, checksum and compressed bytes, by the local header (4.3.7)."""
    start = info.header_offset
    header = view[start : start + _LOCAL.size]
    if len(header) < _LOCAL.size:
        raise FormatError(
            "the local header lies outside the file",
            artifact=artifact,
            place=f"member {printable(info.filename)}",
        )
    name, extra = _LOCAL.unpack(header)
    start += _LOCAL.size + name + extra
    facts = f"{info.compress_type} {info.flag_bits} {info.file_size} {info.CRC} "
    digest = hashlib.sha256(facts.encode())
    for place in range(start, start + info.compress_size, _BLOCK):
        stop = min(place + _BLOCK, start + info.compress_size)
        digest.update(view[place:stop])
        release(view, place, stop)
    return digest.hexdigest()
