"""ELF64 little-endian files: sections, symbols, strings and relocations, bounds-checked.

Layout: System V ABI, chapter 4 (object files). Everything is read from a memoryview; only string
tables are copied. Host shared objects, relocatable objects and cubins are all read here.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from sassay.containers import limits
from sassay.errors import FormatError, LimitError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = b"\x7fELF"
EM_CUDA = 190
ET_REL, ET_EXEC, ET_DYN = 1, 2, 3
SHT_NOBITS = 8
_CUDA_NOBITS = frozenset({0x70000007, 0x70000009, 0x7000000A, 0x70000015})
"""Types that hold no bytes in a cubin: CUDA_GLOBAL, CUDA_LOCAL, CUDA_SHARED and
CUDA_SHARED_RESERVED, as `cuobjdump -elf` names them."""

SHT_SYMTAB = 2
SHT_RELA, SHT_REL = 4, 9
SHF_EXECINSTR = 0x4
STT_OBJECT, STT_FUNC, STT_SECTION = 1, 2, 3
STB_LOCAL, STB_GLOBAL, STB_WEAK = 0, 1, 2

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_REL = struct.Struct("<QQ")
_RELA = struct.Struct("<QQq")
_SHN_XINDEX = 0xFFFF


class Section(msgspec.Struct, frozen=True):
    """One section header; `offset` and `size` are bytes in the file (`size` only, for NOBITS)."""

    index: int
    name: str
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    entry_size: int
    align: int


class Symbol(msgspec.Struct, frozen=True):
    """One symbol; `section` is the index of the section that defines it, 0 if undefined."""

    name: str
    value: int
    size: int
    type: int
    bind: int
    other: int
    section: int


@dataclass(slots=True)
class _Strings:
    """A string table, read once.

    Names may share tails, so overlapping long names could ask for far more than the table holds;
    `spent` keeps all of them together within a multiple of it.
    """

    data: bytes
    label: str
    offset: int
    artifact: str
    spent: int = 0
    most: int = field(init=False)

    def __post_init__(self) -> None:
        self.most = limits.NAME_TABLE_FACTOR * len(self.data) + limits.MAX_NAME_BYTES

    def at(self, offset: int) -> str:
        """The string that starts at `offset`; undecodable bytes are replaced."""
        end = self.data.find(b"\0", offset)  # also -1 for an offset behind the end
        if end < 0:
            raise FormatError(
                f"string {offset} lies outside {self.label} of {len(self.data)} bytes",
                artifact=self.artifact,
                place=f"offset {self.offset:#x}",
            )
        length = end + 1 - offset
        self.spent += length
        if length > limits.MAX_NAME_BYTES or self.spent > self.most:
            raise LimitError(
                f"names are longer than {limits.MAX_NAME_BYTES} bytes or overlap too often",
                artifact=self.artifact,
                place=f"offset {self.offset + offset:#x}",
            )
        return self.data[offset:end].decode("utf-8", "replace")


@dataclass(frozen=True)
class Elf:
    """A parsed ELF file.

    Attributes:
        data: The whole file.
        artifact: Its name in errors.
        type: `ET_REL`, `ET_EXEC`, `ET_DYN`, ...
        machine: `EM_CUDA` for a cubin.
        osabi: `e_ident[EI_OSABI]`: 51 or 65 in cubins.
        abi: `e_ident[EI_ABIVERSION]`: 7 or 8 in cubins.
        version: `e_version`: the toolkit version times ten in old cubins.
        flags: `e_flags`.
        sections: In the order of the file.
    """

    data: memoryview
    artifact: str
    type: int
    machine: int
    osabi: int
    abi: int
    version: int
    flags: int
    sections: tuple[Section, ...] = field(repr=False)

    @cached_property
    def by_name(self) -> dict[str, Section]:
        """Sections by name; the first one where a name repeats."""
        named: dict[str, Section] = {}
        for section in self.sections:
            named.setdefault(section.name, section)
        return named

    def content(self, section: Section) -> memoryview:
        """The bytes of a section, not copied; empty for NOBITS."""
        if occupies_nothing(section.type, self.machine):
            return self.data[:0]
        return self.data[section.offset : section.offset + section.size]

    @cached_property
    def symbols(self) -> tuple[Symbol, ...]:
        """The symbols of `.symtab` (the first table of type SYMTAB), empty without one.

        Raises:
            FormatError: The table or its strings are cut or misshapen.
        """
        table = next((s for s in self.sections if s.type == SHT_SYMTAB), None)
        if table is None:
            return ()
        count = _whole_entries(table, _SYMBOL.size, limits.MAX_SYMBOLS, self.artifact)
        strings = self._strings(table.link, table)
        extended = self._extended_indices(table, count)
        return tuple(
            Symbol(
                strings.at(name),
                value,
                size,
                info & 0xF,
                info >> 4,
                other,
                extended[i] if index == _SHN_XINDEX and extended else index,
            )
            for i, (name, info, other, index, value, size) in enumerate(
                _SYMBOL.iter_unpack(self.content(table))
            )
        )

    def symbol_at(self, index: int, user: Section) -> Symbol:
        """One symbol.

        Args:
            index: Its index in the symbol table.
            user: The section that names it, for errors.

        Raises:
            FormatError: There is none.
        """
        if index < len(self.symbols):
            return self.symbols[index]
        raise FormatError(
            f"names symbol {index} of {len(self.symbols)}",
            artifact=self.artifact,
            place=f"section {user.name}, offset {user.offset:#x}",
        )

    def _extended_indices(self, table: Section, count: int) -> tuple[int, ...]:
        """Section indices above 65,279 live in SHT_SYMTAB_SHNDX (type 18)."""
        for section in self.sections:
            if section.type == 18 and section.link == table.index and section.size == 4 * count:
                return struct.unpack(f"<{count}I", self.content(section))
        return ()

    def relocations(self, section: Section) -> Iterator[tuple[int, int, int, int]]:
        """The entries of a section of type REL or RELA, in the order of the file.

        Yields:
            Offset, kind (the low half of `r_info`), index in the symbol table, addend.

        Raises:
            FormatError: The section is no whole number of entries.
        """
        content = self.content(section)
        if section.type == SHT_RELA:
            _whole_entries(section, _RELA.size, limits.MAX_RELOCATIONS, self.artifact)
            for offset, info, addend in _RELA.iter_unpack(content):
                yield offset, info & 0xFFFFFFFF, info >> 32, addend
        else:
            _whole_entries(section, _REL.size, limits.MAX_RELOCATIONS, self.artifact)
            for offset, info in _REL.iter_unpack(content):
                yield offset, info & 0xFFFFFFFF, info >> 32, 0

    def _strings(self, index: int, user: Section) -> _Strings:
        if index >= len(self.sections):
            raise FormatError(
                f"section {user.index} names string table {index} of {len(self.sections)}",
                artifact=self.artifact,
                place=f"section {user.name}",
            )
        section = self.sections[index]
        return _Strings(
            bytes(self.content(section)), f"section {section.name}", section.offset, self.artifact
        )


def occupies_nothing(section_type: int, machine: int) -> bool:
    """Whether sections of this type have a size but no bytes in the file."""
    return section_type == SHT_NOBITS or (machine == EM_CUDA and section_type in _CUDA_NOBITS)


def read_elf(data: bytes | memoryview, *, artifact: str) -> Elf:
    """Reads the header and the section table; every section is checked to lie inside the file.

    Args:
        data: The whole file.
        artifact: The name that errors carry.

    Raises:
        FormatError: Not a little-endian ELF64 file, cut, or a table or section lies outside.
        LimitError: More sections than `limits.MAX_SECTIONS`.
    """
    view = memoryview(data).cast("B") if not isinstance(data, memoryview) else data
    if view[:4] != MAGIC:
        raise FormatError("no ELF magic", artifact=artifact, place="offset 0x0")
    if len(view) < _HEADER.size:
        raise FormatError(
            f"ELF header needs {_HEADER.size} bytes, the file has {len(view)}",
            artifact=artifact,
            place="offset 0x0",
        )
    ident, kind, machine, version, _, _, table, flags, _, _, _, entry, count, names = (
        _HEADER.unpack_from(view)
    )
    if ident[4] != 2 or ident[5] != 1:
        raise FormatError(
            "only little-endian ELF64 is read",
            artifact=artifact,
            place="offset 0x4",
            hint=f"class {ident[4]}, data encoding {ident[5]}",
        )
    sections = _read_sections(
        view,
        machine=machine,
        table=table,
        entry=entry,
        count=count,
        names=names,
        artifact=artifact,
    )
    return Elf(view, artifact, kind, machine, ident[7], ident[8], version, flags, sections)


def _read_sections(
    view: memoryview,
    *,
    machine: int,
    table: int,
    entry: int,
    count: int,
    names: int,
    artifact: str,
) -> tuple[Section, ...]:
    if table == 0:
        return ()
    place = f"offset {table:#x}"
    if entry != _SECTION.size:
        raise FormatError(
            f"section headers of {entry} bytes, expected {_SECTION.size}",
            artifact=artifact,
            place="offset 0x3a",
        )
    if table + _SECTION.size > len(view):
        raise FormatError(
            f"the section table lies outside the file of {len(view)} bytes",
            artifact=artifact,
            place=place,
            hint="the file is cut",
        )
    # gABI, "Sections": from 65,280 sections on, section 0 holds the two numbers.
    zero = _SECTION.unpack_from(view, table)
    count = count or zero[5]
    names = zero[6] if names == _SHN_XINDEX else names
    if count > limits.MAX_SECTIONS:
        raise LimitError(
            f"{count} sections, at most {limits.MAX_SECTIONS} are read",
            artifact=artifact,
            place=place,
        )
    if table + count * _SECTION.size > len(view):
        raise FormatError(
            f"{count} section headers do not fit in the file of {len(view)} bytes",
            artifact=artifact,
            place=place,
            hint="the file is cut",
        )
    if names >= count > 0:
        raise FormatError(
            f"section names lie in section {names} of {count}",
            artifact=artifact,
            place="offset 0x3e",
        )
    raw = list(_SECTION.iter_unpack(view[table : table + count * _SECTION.size]))
    for index, (_, kind, _, _, offset, size, *_) in enumerate(raw):
        if kind and not occupies_nothing(kind, machine) and offset + size > len(view):
            raise FormatError(
                f"section {index} ends at {offset + size:#x}, the file at {len(view):#x}",
                artifact=artifact,
                place=f"offset {table + index * _SECTION.size:#x}",
                hint="the file is cut",
            )
    if not raw:
        return ()
    holder = raw[names]
    stored = holder[1] and not occupies_nothing(holder[1], machine)
    held = bytes(view[holder[4] : holder[4] + holder[5]]) if stored else b""
    strings = _Strings(held, "the section names", holder[4], artifact)
    return tuple(
        Section(
            index, strings.at(row[0]) if held else "", row[1], row[2], row[3], row[4], row[5],
            row[6], row[7], row[9], row[8],
        )
        for index, row in enumerate(raw)
    )  # fmt: skip


def _whole_entries(section: Section, entry: int, most: int, artifact: str) -> int:
    count, rest = divmod(section.size, entry)
    if rest:
        raise FormatError(
            f"{section.size} bytes are no whole number of {entry}-byte entries",
            artifact=artifact,
            place=f"section {section.name}, offset {section.offset:#x}",
        )
    if count > most:
        raise LimitError(
            f"{count} entries, at most {most} are read",
            artifact=artifact,
            place=f"section {section.name}, offset {section.offset:#x}",
        )
    return count
