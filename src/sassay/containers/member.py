"""A member of an archive, and the rules that every kind of archive shares."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sassay.containers import limits
from sassay.errors import FormatError, LimitError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from sassay.containers.fatbin_stream import Stream

_VIEW_FROM = 1 * limits.MIB
_DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True, slots=True)
class Member:
    """One regular file of an archive.

    Attributes:
        path: Its path, `/`-separated, relative and without `.` or `..`.
        size: Bytes, once decompressed.
        stream: Opens the content as a stream, decompressed as it is read; None where the kind of
            archive has none that is better than `read`.
        fingerprint: Digest of the member as it is stored, without decompressing it; None where
            the kind of archive has none that is cheaper than reading.
    """

    path: str
    size: int
    _load: Callable[[], bytes | memoryview] = field(repr=False, compare=False)
    fingerprint: Callable[[], str] | None = field(default=None, repr=False, compare=False)
    stream: Callable[[], AbstractContextManager[Stream]] | None = field(
        default=None, repr=False, compare=False
    )

    def read(self) -> bytes | memoryview:
        """The whole content, a view where the archive holds it as it is.

        Can be called again, and after the walk has moved on.

        Raises:
            FormatError: It does not decompress to `size` bytes, or is encrypted.
        """
        return self._load()


class Budget:
    """Counts members and bytes of one archive against the caps.

    Args:
        artifact: The archive, for errors.
        packed: Bytes of the whole archive as stored.
    """

    def __init__(self, artifact: str, packed: int) -> None:
        self._artifact = artifact
        self._packed = packed
        self._members = 0
        self._bytes = 0

    def count(self, name: str) -> None:
        """Counts one member of any kind.

        Raises:
            LimitError: There are too many.
        """
        self._members += 1
        if self._members > limits.MAX_ARCHIVE_MEMBERS:
            raise LimitError(
                f"more than {limits.MAX_ARCHIVE_MEMBERS} members",
                artifact=self._artifact,
                place=f"member {printable(name)}",
            )

    def take(self, name: str, size: int, packed: int | None = None) -> None:
        """Books the bytes of one member, before anything is decompressed.

        Args:
            name: The member.
            size: Bytes that it claims once decompressed.
            packed: Bytes as stored; None where members are not compressed one by one.

        Raises:
            LimitError: The member or the whole archive claims too much, or compresses too well.
        """
        place = f"member {printable(name)}"
        self._bytes += size
        if size > limits.MAX_MEMBER_BYTES or self._bytes > limits.MAX_ARCHIVE_BYTES:
            raise LimitError(
                f"claims {size} bytes, {self._bytes} with those before it",
                artifact=self._artifact,
                place=place,
                hint=f"at most {limits.MAX_MEMBER_BYTES} a member, "
                f"{limits.MAX_ARCHIVE_BYTES} an archive",
            )
        for claimed, stored in ((size, packed), (self._bytes, self._packed)):
            if stored is not None and is_bomb(claimed, stored):
                raise LimitError(
                    f"{claimed} bytes out of {stored}, more than {limits.MAX_RATIO} to 1",
                    artifact=self._artifact,
                    place=place,
                )


def part_of(view: memoryview, start: int, stop: int) -> bytes | memoryview:
    """What an archive holds as it is: a view of what is large, so that mapped pages stay mapped."""
    return view[start:stop] if stop - start >= _VIEW_FROM else bytes(view[start:stop])


def is_bomb(size: int, packed: int) -> bool:
    """Whether `packed` bytes grow to `size` by more than the ratio cap."""
    return size > limits.RATIO_FLOOR_BYTES and size > limits.MAX_RATIO * packed


def safe_path(name: str, *, artifact: str) -> str:
    """The member's path in normal form.

    Args:
        name: As the archive spells it.
        artifact: The archive, for errors.

    Raises:
        FormatError: Empty, absolute, with a drive, or climbing out of the archive.
    """
    place = f"member {printable(name)}"
    if len(name) > limits.MAX_NAME_BYTES:
        raise LimitError("a member's name is too long", artifact=artifact, place=place)
    parts = re.split(r"[/\\]", name)
    if "\0" in name or not any(part.strip(".") for part in parts):
        raise FormatError("the member has no usable name", artifact=artifact, place=place)
    if not parts[0] or _DRIVE.match(name):
        raise FormatError("the member's path is absolute", artifact=artifact, place=place)
    if ".." in parts:
        raise FormatError(
            "the member's path climbs out of the archive", artifact=artifact, place=place
        )
    return "/".join(part for part in parts if part not in {"", "."})


def printable(name: str) -> str:
    """A member's name as an error line shows it: short, without control characters."""
    shown = "".join(c if c.isprintable() else "?" for c in name[:200])
    return f"{shown}..." if len(name) > 200 else shown
