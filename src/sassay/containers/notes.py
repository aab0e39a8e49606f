"""Producer notes of a cubin: which tool made it, with which options and for which variant.

Cubins of ABI 8 carry `.note.nv.tkinfo`, one ELF note (type 2000, name `NVIDIA Corp`) for each tool
that took part: the linker, then each ptxas. The description is a version u32, then offsets u32 of
object name, tool name, tool version, tool branch and options, and the strings they point into.
Cubins of ABI 7 have none; their `e_version` is the toolkit version times ten, which is also what
`cuobjdump -elf` prints as `toolkit=`.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

import msgspec

from sassay.errors import FormatError
from sassay.model.artifact import Toolchain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sassay.containers.elf import Elf

TKINFO = ".note.nv.tkinfo"
OLD_ABI = 7

_NOTE = struct.Struct("<III")
_OFFSETS = struct.Struct("<IIIIII")
_TKINFO_TYPE = 2000
_VERSION = re.compile(r"\bV\d+(?:\.\d+)+")
_PATH_OPTION = re.compile(r"(?<!\S)(?:-[LIo]\s+\S+|\S*[/\\]\S*)")


class ToolNote(msgspec.Struct, frozen=True):
    """One tool that took part: its name, version line and options as written."""

    tool: str
    version: str
    options: str


def tool_notes(elf: Elf) -> tuple[ToolNote, ...]:
    """The producer notes, in the order of the file; empty for cubins of ABI 7.

    Raises:
        FormatError: A note runs out of its section.
    """
    section = elf.by_name.get(TKINFO)
    if section is None:
        return ()
    place = f"section {TKINFO}, offset {section.offset:#x}"
    return tuple(_notes(bytes(elf.content(section)), elf.artifact, place))


def toolchain(elf: Elf) -> Toolchain:
    """What compiled the cubin; several ptxas releases in one linked cubin are all named.

    Options that hold paths are left out, so that two machines agree.
    """
    if elf.abi <= OLD_ABI:
        known = 50 <= elf.version < 1000
        version = f"V{elf.version // 10}.{elf.version % 10}" if known else None
        return Toolchain(ptxas=version)
    compilers = [note for note in tool_notes(elf) if note.tool.startswith("ptxas")]
    versions = sorted({note.version for note in compilers if note.version})
    options = sorted({" ".join(_PATH_OPTION.sub("", n.options).split()) for n in compilers} - {""})
    return Toolchain(
        ptxas=", ".join(versions) or None,
        options=" | ".join(options) or None,
    )


def _notes(content: bytes, artifact: str, place: str) -> Iterator[ToolNote]:
    position = 0
    while position + _NOTE.size <= len(content):
        name_size, size, kind = _NOTE.unpack_from(content, position)
        begin = position + _NOTE.size + _aligned(name_size)
        if begin + size > len(content):
            raise FormatError(
                f"a note claims {size} bytes, {max(0, len(content) - begin)} are left",
                artifact=artifact,
                place=place,
            )
        if kind == _TKINFO_TYPE and size >= _OFFSETS.size:
            yield _tool(content[begin : begin + size])
        position = begin + _aligned(size)


def _tool(description: bytes) -> ToolNote:
    _, _, tool, version, _, options = _OFFSETS.unpack_from(description)
    strings = description[_OFFSETS.size :]

    def text(offset: int) -> str:
        end = strings.find(b"\0", offset)
        return strings[offset : end if end >= 0 else None].decode("utf-8", "replace")

    line = text(version)
    found = _VERSION.search(line)
    return ToolNote(text(tool), found.group() if found else line, text(options).strip())


def _aligned(size: int) -> int:
    return (size + 3) // 4 * 4
