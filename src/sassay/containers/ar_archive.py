"""`ar` archives (static libraries), with GNU and BSD long names; thin archives are refused.

Layout: an 8-byte magic, then for each member a header of 60 characters (name 16, date 12, uid 6,
gid 6, mode 8, size 10, two end marks) and its content, padded to an even offset. GNU keeps long
names in a member `//` and refers to them by `/offset`; BSD writes `#1/length` and puts the name
first in the content. `/`, `/SYM64/` and `__.SYMDEF*` are symbol tables.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sassay.containers.member import Budget, Member, part_of, printable, safe_path
from sassay.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = b"!<arch>\n"
THIN_MAGIC = b"!<thin>\n"

_HEADER = 60
_END = b"`\n"
_SYMBOL_TABLES = ("/", "/SYM64/")


def walk_ar(view: memoryview, *, artifact: str) -> Iterator[Member]:
    """Yields the members of an `ar` archive in its order; names may repeat.

    Args:
        view: The whole archive.
        artifact: Its name in errors.

    Raises:
        FormatError: A thin archive, a wrong header, a size beyond the file, an unsafe path.
        LimitError: It claims more than the caps allow.
    """
    if view[: len(THIN_MAGIC)] == THIN_MAGIC:
        raise FormatError(
            "a thin archive only names files elsewhere",
            artifact=artifact,
            place="offset 0x0",
            hint="give the object files themselves",
        )
    if view[: len(MAGIC)] != MAGIC:
        raise FormatError("no ar magic", artifact=artifact, place="offset 0x0")
    budget = Budget(artifact, len(view))
    long_names = b""
    position = len(MAGIC)
    while position < len(view):
        raw, begin, end = _read_header(view, position, artifact)
        budget.count(raw)
        if raw == "//":
            long_names = bytes(view[begin:end])
        elif raw not in _SYMBOL_TABLES:
            name, begin = _name(view, raw, (begin, end), long_names, artifact)
            if not name.startswith("__.SYMDEF"):
                path = safe_path(name, artifact=artifact)
                budget.take(path, end - begin)
                yield Member(path, end - begin, partial(part_of, view, begin, end))
        position = end + (end & 1)


def _read_header(view: memoryview, position: int, artifact: str) -> tuple[str, int, int]:
    """Raw name, and where the content begins and ends."""
    place = f"offset {position:#x}"
    header = bytes(view[position : position + _HEADER])
    if len(header) < _HEADER or header[58:60] != _END:
        raise FormatError("no ar member header", artifact=artifact, place=place)
    raw = header[:16].decode("utf-8", "replace").rstrip(" ")
    digits = header[48:58].strip()
    if not digits.isdigit():
        raise FormatError(
            f"size {digits!r} of member {printable(raw)} is no number",
            artifact=artifact,
            place=place,
        )
    begin = position + _HEADER
    if begin + int(digits) > len(view):
        raise FormatError(
            f"member {printable(raw)} claims {int(digits)} bytes, {len(view) - begin} are left",
            artifact=artifact,
            place=place,
            hint="the archive is cut",
        )
    return raw, begin, begin + int(digits)


def _name(
    view: memoryview, raw: str, extent: tuple[int, int], long_names: bytes, artifact: str
) -> tuple[str, int]:
    """The member's name, and where its content begins."""
    begin, end = extent
    place = f"offset {begin - _HEADER:#x}"
    if raw.startswith("#1/"):
        length = int(raw[3:]) if raw[3:].isascii() and raw[3:].isdigit() else -1
        if not 0 < length <= end - begin:
            raise FormatError(
                f"BSD name {printable(raw)} does not fit", artifact=artifact, place=place
            )
        name = bytes(view[begin : begin + length]).rstrip(b"\0")
        return name.decode("utf-8", "replace"), begin + length
    if raw.startswith("/") and raw[1:].isascii() and raw[1:].isdigit():
        offset = int(raw[1:])
        stop = long_names.find(b"\n", offset)
        if offset >= len(long_names) or stop < 0:
            raise FormatError(
                f"name {printable(raw)} lies outside the table of {len(long_names)} bytes",
                artifact=artifact,
                place=place,
            )
        return long_names[offset:stop].decode("utf-8", "replace").removesuffix("/"), begin
    return raw.removesuffix("/"), begin
