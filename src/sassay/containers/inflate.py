"""Deflated and stored members of a zip archive, read out of the mapped archive as they are needed.

The `isal` library inflates twice as fast as zlib does; where it has no wheel, zlib does it.
"""

from __future__ import annotations

import importlib
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol, cast

from sassay.containers import limits
from sassay.containers.mapped import release
from sassay.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable

_INPUT = 256 * limits.KIB
"""Compressed bytes taken at a time."""
_RAW = -15
"""Window bits that stand for a deflate stream without a header of its own (RFC 1951)."""


class _Inflater(Protocol):
    eof: bool
    unconsumed_tail: bytes

    def decompress(self, data: bytes | memoryview, max_length: int, /) -> bytes: ...


class _Library(Protocol):
    """What zlib and isal's copy of its interface have in common."""

    error: type[Exception]
    crc32: Callable[[bytes | memoryview, int], int]

    def decompressobj(self, wbits: int, /) -> _Inflater: ...


@lru_cache(maxsize=1)
def library() -> _Library:
    """The fastest library at hand."""
    try:
        return cast("_Library", importlib.import_module("isal.isal_zlib"))
    except ImportError:
        return cast("_Library", zlib)


class Inflated:
    """The content of a deflated member as a stream, tested against its size and checksum.

    Args:
        view: The whole archive.
        span: First byte of the member's data, and the byte behind the last.
        size: Bytes once inflated, as the archive's directory claims.
        checksum: Their CRC-32, likewise.
        artifact: The archive, for errors.
        place: The member, likewise.
    """

    def __init__(
        self,
        view: memoryview,
        span: tuple[int, int],
        *,
        size: int,
        checksum: int,
        artifact: str,
        place: str,
    ) -> None:
        self._library = library()
        self._inflater = self._library.decompressobj(_RAW)
        self._view = view
        self._position, self._end = span
        self._left = size
        self._checksum = checksum
        self._seen = 0
        self._artifact = artifact
        self._place = place
        self._done = False

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes, none at the end.

        Raises:
            FormatError: It does not inflate, or to something else than the directory claims.
        """
        size = min(size, self._left)
        while not self._done:
            content = self._inflate(max(1, size))
            if len(content) > self._left:
                raise self._error("unpacks to more than its directory claims")
            self._left -= len(content)
            self._seen = self._library.crc32(content, self._seen)
            if self._inflater.eof:
                self._finish()
            if content:
                return content
        return b""

    def _inflate(self, size: int) -> bytes:
        stored: bytes | memoryview = self._inflater.unconsumed_tail
        if not stored:
            start, self._position = self._position, min(self._position + _INPUT, self._end)
            stored = self._view[start : self._position]
            release(self._view, max(0, start - _INPUT), start)
        try:
            content = self._inflater.decompress(stored, size)
        except (self._library.error, ValueError) as error:
            raise self._error(f"cannot be unpacked: {error}") from error
        if not content and not len(stored) and not self._inflater.eof:
            raise self._error("cannot be unpacked: the data is cut")
        return content

    def _finish(self) -> None:
        self._done = True
        if self._left:
            raise self._error(f"unpacks to {self._left} bytes less than its directory claims")
        check(self._seen, self._checksum, artifact=self._artifact, place=self._place)

    def _error(self, message: str) -> FormatError:
        return FormatError(message, artifact=self._artifact, place=self._place)


def check(seen: int, wanted: int, *, artifact: str, place: str) -> None:
    """Compare a member's checksum with that of the archive's directory.

    Raises:
        FormatError: They differ.
    """
    if seen != wanted:
        raise FormatError(
            f"CRC-32 {seen:#010x}, the directory claims {wanted:#010x}",
            artifact=artifact,
            place=place,
            hint="the file is damaged",
        )
