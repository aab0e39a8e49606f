"""The header of a DWARF line program: versions 2 to 5, file and folder names.

Source: DWARF Debugging Information Format, version 5, section 6.2.4, and version 4, section
6.2.4, for the older layout. ptxas writes version 2.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

import msgspec

from sassay.containers import limits
from sassay.errors import FormatError, LimitError

_LONG = 0xFFFFFFFF
_RESERVED = 0xFFFFFFF0
_PATH, _DIRECTORY = 1, 2
_STRING, _LINE_STRING, _STRP = 0x08, 0x1F, 0x0E
_BLOCK, _UDATA = 0x09, 0x0F
_FIXED: Mapping[int, int] = {0x0B: 1, 0x05: 2, 0x06: 4, 0x07: 8, 0x1E: 16}
"""DW_FORM_data1, data2, data4, data8 and data16, by their sizes."""
_MAX_LEB_BYTES = 10


class Reader(msgspec.Struct):
    """Reads numbers and strings of one section and never leaves it.

    Attributes:
        data: The section.
        position: Of the next byte.
        end: Where what is being read ends.
        place: Name of the section, for errors.
    """

    data: bytes
    position: int
    end: int
    artifact: str
    place: str

    def wrong(self, message: str, at: int | None = None) -> FormatError:
        """An error that names a place in the section."""
        offset = self.position if at is None else at
        return FormatError(message, artifact=self.artifact, place=f"{self.place}+{offset:#x}")

    def number(self, size: int) -> int:
        """An unsigned little-endian number of so many bytes."""
        start = self.position
        if start + size > self.end:
            raise self.wrong(f"{size} bytes expected, {self.end - start} are left")
        self.position += size
        return int.from_bytes(self.data[start : start + size], "little")

    def unsigned(self) -> int:
        """A ULEB128 number."""
        value = shift = 0
        start = self.position
        while True:
            byte = self.number(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value
            if shift >= 7 * _MAX_LEB_BYTES:
                raise self.wrong(f"a number of more than {_MAX_LEB_BYTES} bytes", start)

    def signed(self) -> int:
        """An SLEB128 number."""
        start = self.position
        value = self.unsigned()
        bits = 7 * (self.position - start)
        return value - (1 << bits) if value >> (bits - 1) else value

    def string(self) -> str:
        """A string up to its NUL; undecodable bytes are replaced."""
        stop = self.data.find(b"\0", self.position, self.end)
        if stop < 0:
            raise self.wrong("a string does not end")
        if stop - self.position > limits.MAX_NAME_BYTES:
            raise LimitError(
                f"a name is longer than {limits.MAX_NAME_BYTES} bytes",
                artifact=self.artifact,
                place=f"{self.place}+{self.position:#x}",
            )
        found = self.data[self.position : stop].decode("utf-8", "replace")
        self.position = stop + 1
        return found


class LineHeader(msgspec.Struct, frozen=True):
    """What a line program's header says.

    Attributes:
        version: 2 to 5.
        address_bytes: Size of an address; 8 before version 5, which alone says it.
        step: Bytes that one unit of an address advance stands for.
        line_base: Smallest line advance of a special opcode.
        line_range: Number of line advances of special opcodes.
        operands: Operand counts of standard opcodes, from opcode 1.
        files: Path by file number.
        end: Where the program ends; it starts where the reader stands.
    """

    version: int
    address_bytes: int
    step: int
    line_base: int
    line_range: int
    operands: tuple[int, ...]
    files: Mapping[int, str]
    end: int


def read_line_header(reader: Reader, strings: Mapping[str, bytes]) -> LineHeader:
    """Reads the header at the reader's position and leaves it at the first opcode.

    Args:
        reader: Stands at a unit; its `end` is the end of the section.
        strings: `.debug_str` and `.debug_line_str`, which version 5 refers to.

    Raises:
        FormatError: Cut, of an unknown version, or against the format.
        LimitError: More files than `limits` allow.
    """
    start, section_end = reader.position, reader.end
    length, offset_bytes = reader.number(4), 4
    if length == _LONG:
        length, offset_bytes = reader.number(8), 8
    elif length >= _RESERVED:
        raise reader.wrong(f"reserved length {length:#x}", start)
    if length > section_end - reader.position:
        left = section_end - reader.position
        raise reader.wrong(f"a line program claims {length} bytes, {left} are left", start)
    end = reader.end = reader.position + length
    try:
        version = reader.number(2)
        if not 2 <= version <= 5:
            raise reader.wrong(f"line program of version {version}, expected 2 to 5", start)
        address_bytes = 8
        if version == 5:
            address_bytes = reader.number(1)
            reader.number(1)
        size = reader.number(offset_bytes)
        program = reader.position + size
        if program > end:
            raise reader.wrong(f"a header of {size} bytes in a line program of {length}", start)
        reader.end = program
        step = reader.number(1)
        if version >= 4 and reader.number(1) != 1:
            raise reader.wrong("several operations an instruction, expected 1")
        reader.number(1)
        line_base = (reader.number(1) ^ 0x80) - 0x80
        line_range = reader.number(1)
        if not line_range or address_bytes not in {4, 8}:
            raise reader.wrong(f"line range {line_range}, addresses of {address_bytes} bytes")
        operands = tuple(reader.number(1) for _ in range(max(reader.number(1) - 1, 0)))
        files = _tables(reader, strings, offset_bytes) if version == 5 else _old_tables(reader)
        reader.position = program
    finally:
        reader.end = section_end
    return LineHeader(version, address_bytes, step, line_base, line_range, operands, files, end)


def _old_tables(reader: Reader) -> dict[int, str]:
    """Versions 2 to 4: strings until an empty one; folder 0 is where the compiler ran."""
    folders = [""]
    while name := reader.string():
        folders.append(name)
        _bounded(reader, len(folders))
    files: dict[int, str] = {}
    while name := reader.string():
        folder = reader.unsigned()
        reader.unsigned()
        reader.unsigned()
        files[len(files) + 1] = _joined(reader, folders, folder, name)
        _bounded(reader, len(files))
    return files


def _tables(reader: Reader, strings: Mapping[str, bytes], offset_bytes: int) -> dict[int, str]:
    """Version 5: each table says its own columns."""
    folders = [name for name, _ in _table(reader, strings, offset_bytes)]
    rows = _table(reader, strings, offset_bytes)
    # Folder 0 is where the compiler ran: as in older versions, it is left out.
    return {
        index: _joined(reader, ["", *folders[1:]], folder, name)
        for index, (name, folder) in enumerate(rows)
    }


def _table(
    reader: Reader, strings: Mapping[str, bytes], offset_bytes: int
) -> list[tuple[str, int]]:
    columns = [(reader.unsigned(), reader.unsigned()) for _ in range(reader.number(1))]
    count = reader.unsigned()
    _bounded(reader, count)
    if count and not columns:
        raise reader.wrong("rows without columns")
    rows = []
    for _ in range(count):
        name, folder = "", 0
        for content, form in columns:
            value = _value(reader, form, strings, offset_bytes)
            if content == _PATH and isinstance(value, str):
                name = value
            elif content == _DIRECTORY and isinstance(value, int):
                folder = value
        rows.append((name, folder))
    return rows


def _value(reader: Reader, form: int, strings: Mapping[str, bytes], offset_bytes: int) -> str | int:
    if form == _STRING:
        return reader.string()
    if form in {_LINE_STRING, _STRP}:
        section = ".debug_line_str" if form == _LINE_STRING else ".debug_str"
        at = reader.position
        return string_at(reader, strings, section, reader.number(offset_bytes), at)
    if form == _UDATA:
        return reader.unsigned()
    if form == _BLOCK:
        reader.number(reader.unsigned())
        return 0
    if form in _FIXED:
        return reader.number(_FIXED[form])
    raise reader.wrong(f"unknown form {form:#x} in a file table")


def string_at(
    reader: Reader, strings: Mapping[str, bytes], section: str, offset: int, at: int
) -> str:
    """A string of a string section.

    Args:
        reader: Who asks, for errors.
        strings: The string sections.
        section: Which of them.
        offset: Where the string starts.
        at: Where the offset stands.

    Raises:
        FormatError: The section is missing, or does not hold a whole string there.
    """
    data = strings.get(section, b"")
    if offset >= len(data):
        raise reader.wrong(f"names string {offset} of {len(data)} bytes in {section}", at)
    return Reader(data, offset, len(data), reader.artifact, section).string()


def _bounded(reader: Reader, count: int) -> None:
    if count > limits.MAX_LINE_FILES:
        raise LimitError(
            f"{count} source files, at most {limits.MAX_LINE_FILES} are read",
            artifact=reader.artifact,
            place=f"{reader.place}+{reader.position:#x}",
        )


def _joined(reader: Reader, folders: list[str], folder: int, name: str) -> str:
    if folder >= len(folders):
        raise reader.wrong(f"file {name!a} lies in folder {folder} of {len(folders)}")
    return posixpath.join(folders[folder], name)
