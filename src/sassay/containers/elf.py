"""ELF64 little-endian files: sections, symbols, strings and relocations, bounds-checked.

Layout: System V ABI, chapter 4 (object files). Everything is read from a memoryview; only string
tables are copied. Host shared objects, relocatable objects and cubins are all read here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from operator import itemgetter

import msgspec

from sassay.containers import limits
from sassay.containers.strings import StringTable
from sassay.containers.symbols import SYMBOL_BYTES, Symbol, SymbolTable
from sassay.errors import FormatError, LimitError

MAGIC = b"\x7fELF"
EM_CUDA = 190
ET_REL, ET_EXEC, ET_DYN = 1, 2, 3
SHT_NOBITS = 8
_CUDA_NOBITS = frozenset({0x70000007, 0x70000009, 0x7000000A, 0x70000015})
"""Types that hold no bytes in a cubin: CUDA_GLOBAL, CUDA_LOCAL, CUDA_SHARED and
CUDA_SHARED_RESERVED, as `cuobjdump -elf` names them."""
_NOBITS = _CUDA_NOBITS | {SHT_NOBITS}

SHT_SYMTAB = 2
SHT_RELA, SHT_REL = 4, 9
SHF_EXECINSTR = 0x4
STT_OBJECT, STT_FUNC, STT_SECTION = 1, 2, 3
STB_LOCAL, STB_GLOBAL, STB_WEAK = 0, 1, 2

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_REL = struct.Struct("<QQ")
_RELA = struct.Struct("<QQq")
_SHN_XINDEX = 0xFFFF
_TABLES = frozenset({SHT_RELA, SHT_REL})
_LENGTH = itemgetter(5)

Header = tuple[int, int, int, int, int, int, int, int, int, int]
"""A section header as it lies in the file: `sh_name`, `sh_type`, `sh_flags`, `sh_addr`,
`sh_offset`, `sh_size`, `sh_link`, `sh_info`, `sh_addralign`, `sh_entsize`."""


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


class Elf(msgspec.Struct, frozen=True, dict=True):
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
        headers: Section headers, in the order of the file.
        names: The name of each section.
    """

    data: memoryview
    artifact: str
    type: int
    machine: int
    osabi: int
    abi: int
    version: int
    flags: int
    headers: tuple[Header, ...]
    names: tuple[str, ...]

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """All sections, in the order of the file."""
        return tuple(map(self.section, range(len(self.headers))))

    @cached_property
    def relocation_tables(self) -> tuple[Section, ...]:
        """The sections of type REL or RELA that hold entries, in the order of the file."""
        found = [i for i, header in enumerate(self.headers) if header[1] in _TABLES and header[5]]
        return tuple(map(self.section, found))

    def section(self, index: int) -> Section:
        """One section."""
        _, kind, flags, address, offset, size, link, info, align, entry = self.headers[index]
        return Section(
            index, self.names[index], kind, flags, address, offset, size, link, info, entry, align
        )

    @property
    def by_name(self) -> Mapping[str, Section]:
        """Sections by name; the first one where a name repeats."""
        return _ByName(self)

    def content(self, section: Section) -> memoryview:
        """The bytes of a section, not copied; empty for NOBITS."""
        return self.content_at(section.index)

    def content_at(self, index: int) -> memoryview:
        """`content` of the section with that index."""
        header = self.headers[index]
        start = header[4]
        if header[1] in _NOBITS and occupies_nothing(header[1], self.machine):
            return self.data[:0]
        return self.data[start : start + header[5]]

    @cached_property
    def symbols(self) -> SymbolTable:
        """The symbols of `.symtab` (the first table of type SYMTAB), empty without one.

        Raises:
            FormatError: The table or its strings are cut or misshapen.
        """
        index = next((i for i, header in enumerate(self.headers) if header[1] == SHT_SYMTAB), None)
        if index is None:
            return SymbolTable(b"", StringTable(b"", "no section", 0, self.artifact))
        table = self.section(index)
        count = _whole_entries(table, SYMBOL_BYTES, limits.MAX_SYMBOLS, self.artifact)
        strings = self._strings(table.link, table)
        return SymbolTable(self.content(table), strings, self._extended_indices(table, count))

    def symbol_at(self, index: int, user: Section) -> Symbol:
        """One symbol.

        Args:
            index: Its index in the symbol table.
            user: The section that names it, for errors.

        Raises:
            FormatError: There is none.
        """
        return self.symbols[self._known(index, user)]

    def symbol_name(self, index: int, user: Section) -> str:
        """The name of `symbol_at`, without the rest."""
        return self.symbols.name(self._known(index, user))

    def _known(self, index: int, user: Section) -> int:
        if index < len(self.symbols):
            return index
        raise FormatError(
            f"names symbol {index} of {len(self.symbols)}",
            artifact=self.artifact,
            place=f"section {user.name}, offset {user.offset:#x}",
        )

    def _extended_indices(self, table: Section, count: int) -> memoryview:
        """Section indices above 65,279 live in SHT_SYMTAB_SHNDX (type 18), 4 bytes each."""
        for index, header in enumerate(self.headers):
            if header[1] == 18 and header[6] == table.index and header[5] == 4 * count:
                return self.content_at(index)
        return self.data[:0]

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

    def _strings(self, index: int, user: Section) -> StringTable:
        if index >= len(self.headers):
            raise FormatError(
                f"section {user.index} names string table {index} of {len(self.headers)}",
                artifact=self.artifact,
                place=f"section {user.name}",
            )
        section = self.section(index)
        return StringTable(
            bytes(self.content(section)), f"section {section.name}", section.offset, self.artifact
        )


class _ByName(Mapping[str, Section]):
    """Sections made as they are asked for: a few names of a cubin matter, it may hold 40,000."""

    def __init__(self, elf: Elf) -> None:
        self._elf = elf

    def __getitem__(self, name: str) -> Section:
        try:
            return self._elf.section(self._elf.names.index(name))
        except ValueError:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(self._elf.names))

    def __len__(self) -> int:
        return len(set(self._elf.names))


def occupies_nothing(section_type: int, machine: int) -> bool:
    """Whether sections of this type have a size but no bytes in the file."""
    return section_type == SHT_NOBITS or (section_type in _CUDA_NOBITS and machine == EM_CUDA)


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
    headers, held = _read_sections(
        view,
        machine=machine,
        table=table,
        entry=entry,
        count=count,
        names=names,
        artifact=artifact,
    )
    return Elf(view, artifact, kind, machine, ident[7], ident[8], version, flags, headers, held)


def _read_sections(
    view: memoryview,
    *,
    machine: int,
    table: int,
    entry: int,
    count: int,
    names: int,
    artifact: str,
) -> tuple[tuple[Header, ...], tuple[str, ...]]:
    """Section headers and their names."""
    if table == 0:
        return (), ()
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
    raw: tuple[Header, ...] = tuple(
        _SECTION.iter_unpack(view[table : table + count * _SECTION.size])
    )
    size = len(view)
    behind = [i for i, header in enumerate(raw) if header[4] + header[5] > size]
    for index in behind:
        _, kind, _, _, offset, length, *_ = raw[index]
        if kind and not occupies_nothing(kind, machine):
            raise FormatError(
                f"section {index} ends at {offset + length:#x}, the file at {size:#x}",
                artifact=artifact,
                place=f"offset {table + index * _SECTION.size:#x}",
                hint="the file is cut",
            )
    if not raw:
        return (), ()
    _refuse_overlaps(raw, size, machine, artifact, place)
    holder = raw[names]
    stored = holder[1] and not occupies_nothing(holder[1], machine)
    held = bytes(view[holder[4] : holder[4] + holder[5]]) if stored else b""
    if not held:
        return raw, ("",) * len(raw)
    strings = StringTable(held, "the section names", holder[4], artifact)
    return raw, tuple(strings.all_at([header[0] for header in raw]))


def _refuse_overlaps(
    raw: Sequence[Header], size: int, machine: int, artifact: str, place: str
) -> None:
    """Of sections over the same bytes each would be read: a small file could ask for ever."""
    most = limits.OVERLAP_FACTOR * size
    if sum(map(_LENGTH, raw)) <= most:
        return
    total = sum(header[5] for header in raw if not occupies_nothing(header[1], machine))
    if total > most:
        raise LimitError(
            f"its sections claim {total} bytes together, the file has {size}",
            artifact=artifact,
            place=place,
            hint="sections overlap",
        )


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
