"""Zip archives and wheels (APPNOTE 6.3) within our caps; zipfile reads their directory."""

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
from sassay.containers.inflate import Inflated, check, library
from sassay.containers.mapped import release
from sassay.containers.member import Budget, Member, part_of, printable, safe_path
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

_ENCRYPTED = 1
_LOCAL_MAGIC = b"PK\x03\x04"
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
        plain = info.compress_type == zipfile.ZIP_STORED and not info.flag_bits & _ENCRYPTED
        yield Member(
            path,
            info.file_size,
            partial(_stored if plain else _unpacked, archive, view, info, artifact),
            partial(_fingerprint, view, info, artifact),
            None if plain else partial(_stream, archive, view, info, artifact),
        )


def _stored(
    _: zipfile.ZipFile, view: memoryview, info: zipfile.ZipInfo, artifact: str
) -> bytes | memoryview:
    """The bytes of a member that is not compressed, not copied out of a mapped archive."""
    place = f"member {printable(info.filename)}"
    start, stop = _span(view, info, artifact)
    if stop - start != info.file_size:
        raise FormatError(
            f"holds {stop - start} bytes, the directory claims {info.file_size}",
            artifact=artifact,
            place=place,
        )
    check(library().crc32(view[start:stop], 0), info.CRC, artifact=artifact, place=place)
    return part_of(view, start, stop)


def _unpacked(
    archive: zipfile.ZipFile, view: memoryview, info: zipfile.ZipInfo, artifact: str
) -> bytes:
    parts = []
    with _stream(archive, view, info, artifact) as stream:
        while part := stream.read(info.file_size + 1):
            parts.append(part)
    content = b"".join(parts)
    if len(content) != info.file_size:
        raise FormatError(
            f"unpacks to {len(content)} bytes, the directory claims {info.file_size}",
            artifact=artifact,
            place=f"member {printable(info.filename)}",
        )
    return content


@contextmanager
def _stream(
    archive: zipfile.ZipFile, view: memoryview, info: zipfile.ZipInfo, artifact: str
) -> Iterator[Stream]:
    place = f"member {printable(info.filename)}"
    if info.compress_type == zipfile.ZIP_DEFLATED and not info.flag_bits & _ENCRYPTED:
        yield Inflated(
            view,
            _span(view, info, artifact),
            size=info.file_size,
            checksum=info.CRC,
            artifact=artifact,
            place=place,
        )
        return
    with _broken(artifact, place):
        opened = archive.open(info)
    with opened:
        yield _Checked(opened, artifact, place)


class _Checked:
    """A stream of Python's zipfile, whose faults are said as ours; it tests the checksum."""

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
    """SHA-256 of method, size, checksum and compressed bytes."""
    start, end = _span(view, info, artifact)
    facts = f"{info.compress_type} {info.flag_bits} {info.file_size} {info.CRC} "
    digest = hashlib.sha256(facts.encode())
    for place in range(start, end, _BLOCK):
        stop = min(place + _BLOCK, end)
        digest.update(view[place:stop])
        release(view, place, stop)
    return digest.hexdigest()


def _span(view: memoryview, info: zipfile.ZipInfo, artifact: str) -> tuple[int, int]:
    """Where the data of a member begins and ends, by its local header (4.3.7)."""
    start = info.header_offset
    header = view[start : start + _LOCAL.size]
    if len(header) < _LOCAL.size or bytes(header[:4]) != _LOCAL_MAGIC:
        raise FormatError(
            "has no local header at its place",
            artifact=artifact,
            place=f"member {printable(info.filename)}",
        )
    name, extra = _LOCAL.unpack(header)
    start += _LOCAL.size + name + extra
    if start + info.compress_size > len(view):
        raise FormatError(
            f"{info.compress_size} bytes at {start:#x} lie outside the archive",
            artifact=artifact,
            place=f"member {printable(info.filename)}",
        )
    return start, start + info.compress_size
