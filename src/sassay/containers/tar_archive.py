"""Tar archives, plain or compressed with gzip, bzip2, xz or zstd.

A compressed archive is unpacked once, in chunks and within the caps, into an unnamed temporary
file, so that its members can be read in any order.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import mmap
import tarfile
import tempfile
import zlib
from functools import partial
from typing import TYPE_CHECKING, Protocol

from sassay.containers import limits
from sassay.containers.member import Budget, Member, is_bomb, part_of, printable, safe_path
from sassay.containers.view_reader import ViewReader
from sassay.errors import FormatError, LimitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class _Readable(Protocol):
    """What the three decompressing readers have in common."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes, none at the end."""
        ...


_CHUNK = 1 * limits.MIB
_BLOCK = 512
_XZ_MEMORY = 512 * limits.MIB
_BROKEN = (zlib.error, lzma.LZMAError, EOFError, OSError, ValueError)
_BAD_TAR = (tarfile.TarError, ValueError, OverflowError, EOFError, OSError, KeyError, IndexError)


def walk_tar(
    view: memoryview, *, artifact: str, on_note: Callable[[str], None]
) -> Iterator[Member]:
    """Yields the regular files of a tar archive; of two members of one name the last.

    Args:
        view: The whole archive, as stored.
        artifact: Its name in errors.
        on_note: Told of what was left out: links, devices, sparse files.

    Raises:
        FormatError: Broken compression, a broken or cut archive, an unsafe path.
        LimitError: It grows beyond the caps.
    """
    content = _unpacked(view, artifact)
    budget = Budget(artifact, len(view))
    chosen: dict[str, tuple[int, int]] = {}
    try:
        archive = tarfile.open(fileobj=ViewReader(content), mode="r:")  # noqa: SIM115 - holds no handle
        for info in archive:
            budget.count(info.name)
            path = safe_path(_text(info.name), artifact=artifact) if not info.isdir() else ""
            if info.isdir():
                continue
            if not info.isreg() or info.issparse():
                on_note(f"{printable(path)} left out: no regular file")
                continue
            if info.offset_data + info.size > len(content):
                raise FormatError(
                    f"claims {info.size} bytes, {len(content) - info.offset_data} are left",
                    artifact=artifact,
                    place=f"member {printable(path)}, offset {info.offset_data:#x}",
                    hint="the archive is cut",
                )
            budget.take(path, info.size)
            if path in chosen:
                on_note(f"{printable(path)} is there twice: the last one counts")
            chosen[path] = (info.offset_data, info.size)
    except _BAD_TAR as error:
        raise FormatError(f"no readable tar archive: {error}", artifact=artifact) from error
    # The library takes a broken header behind the first for the end of the archive.
    if any(content[archive.offset : archive.offset + _BLOCK]):
        raise FormatError(
            "neither a tar header nor the end of the archive",
            artifact=artifact,
            place=f"offset {archive.offset:#x}",
        )
    for path, (offset, size) in chosen.items():
        yield Member(path, size, partial(part_of, content, offset, offset + size))


def _text(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _unpacked(view: memoryview, artifact: str) -> memoryview:
    """The plain tar archive: the view itself, or a mapped temporary file."""
    chunks = _decompressor(view)
    if chunks is None:
        return view
    # Never closed by hand: the mapping keeps the pages, the file has no name to clean up.
    with tempfile.TemporaryFile(prefix="sassay-") as spool:
        total = 0
        try:
            for chunk in chunks:
                total += len(chunk)
                if total > limits.MAX_ARCHIVE_BYTES or is_bomb(total, len(view)):
                    raise LimitError(
                        f"grows beyond {total} bytes out of {len(view)}",
                        artifact=artifact,
                        hint=f"at most {limits.MAX_RATIO} to 1 and {limits.MAX_ARCHIVE_BYTES}",
                    )
                spool.write(chunk)
        except _BROKEN as error:
            raise FormatError(f"cannot be decompressed: {error}", artifact=artifact) from error
        spool.flush()
        if total == 0:
            return memoryview(b"")
        return memoryview(mmap.mmap(spool.fileno(), total, access=mmap.ACCESS_READ))


def _decompressor(view: memoryview) -> Iterator[bytes] | None:
    head = bytes(view[:6])
    if head.startswith(b"\x1f\x8b"):
        return _chunks(gzip.GzipFile(fileobj=ViewReader(view), mode="rb"))
    if head.startswith(b"BZh"):
        return _chunks(bz2.BZ2File(ViewReader(view), mode="rb"))
    if head == b"\xfd7zXZ\x00":
        return _xz(view)
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        return _zstd(view)
    return None


def _chunks(stream: _Readable) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK):
        yield chunk


def _xz(view: memoryview) -> Iterator[bytes]:
    """Chunk by chunk with a memory limit, which `lzma.LZMAFile` cannot be given."""
    position = 0
    while position < len(view):
        decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
        while not decoder.eof:
            fresh = b""
            if decoder.needs_input:
                fresh = bytes(view[position : position + _CHUNK])
                position += len(fresh)
                if not fresh:
                    raise EOFError("the xz stream is cut")
            yield decoder.decompress(fresh, _CHUNK)
        position -= len(decoder.unused_data)
        # Streams may follow one another, padded with zeros (xz format, 2.2).
        while position < len(view) and view[position] == 0:
            position += 1


def _zstd(view: memoryview) -> Iterator[bytes]:
    import zstandard  # noqa: PLC0415 - only archives of this kind need it

    try:
        with zstandard.ZstdDecompressor().stream_reader(view, read_across_frames=True) as stream:
            yield from _chunks(stream)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error
