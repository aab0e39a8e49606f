"""Symbol tables of ELF files: checked as a whole, made into records one by one.

A cubin of thousands of kernels holds four symbols for each, of which readers ask for one.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, overload

import msgspec
import numpy as np

if TYPE_CHECKING:
    from sassay.containers.strings import StringTable

SYMBOL_BYTES = 24
"""One entry of a table."""

_ENTRY = np.dtype([
    ("name", "<u4"), ("info", "u1"), ("other", "u1"), ("section", "<u2"), ("value", "<u8"),
    ("size", "<u8"),
])  # fmt: skip
_SHN_XINDEX = 0xFFFF


class Symbol(msgspec.Struct, frozen=True):
    """One symbol; `section` is the index of the section that defines it, 0 if undefined."""

    name: str
    value: int
    size: int
    type: int
    bind: int
    other: int
    section: int


class TypedSymbol(msgspec.Struct, frozen=True):
    """A symbol of a type that was asked for; its name is found by its index."""

    index: int
    value: int
    size: int
    other: int
    section: int


class SymbolTable(Sequence[Symbol]):
    """The symbols of one file.

    Args:
        content: A whole number of entries.
        strings: Their names; those of all symbols are checked.
        extended: Indices of sections, 4 bytes each, for symbols whose own index says that it lies
            there; it may be empty. No more than bytes: a way back to the file would make a cycle,
            and a whole cubin would stay until somebody looks for those.

    Raises:
        FormatError: A name lies outside of the strings.
        LimitError: Names are longer than `limits` allow, or overlap too often.
    """

    def __init__(
        self,
        content: bytes | memoryview,
        strings: StringTable,
        extended: bytes | memoryview = b"",
    ) -> None:
        self._entries = np.frombuffer(content, _ENTRY)
        self._strings = strings
        self._extended_content = extended
        self._starts: list[int] = self._entries["name"].tolist()
        self._ends = strings.ends(self._starts)
        self._names: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> Symbol: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Symbol, ...]: ...
    def __getitem__(self, index: int | slice) -> Symbol | tuple[Symbol, ...]:
        if isinstance(index, slice):
            return tuple(map(self._symbol, range(len(self))[index]))
        return self._symbol(range(len(self))[index])

    def name(self, index: int) -> str:
        """The name of one symbol, read once."""
        found = self._names.get(index)
        if found is None:
            found = self._strings.cut(self._starts[index], self._ends[index])
            self._names[index] = found
        return found

    def of_type(self, kind: int) -> list[TypedSymbol]:
        """The symbols of one type, in the order of the table."""
        places = np.flatnonzero((self._entries["info"] & 0xF) == kind)
        entries = self._entries[places]
        columns = [entries[name].tolist() for name in ("value", "size", "other", "section")]
        indices = places.tolist()
        if _SHN_XINDEX in columns[-1]:
            columns[-1] = list(map(self._section, indices, columns[-1]))
        return list(map(TypedSymbol, indices, *columns))

    @cached_property
    def _extended(self) -> Sequence[int]:
        return struct.unpack(f"<{len(self._extended_content) // 4}I", self._extended_content)

    def _symbol(self, index: int) -> Symbol:
        _, info, other, section, value, size = self._entries[index].item()
        section = self._section(index, section)
        return Symbol(self.name(index), value, size, info & 0xF, info >> 4, other, section)

    def _section(self, index: int, stored: int) -> int:
        return self._extended[index] if stored == _SHN_XINDEX and self._extended else stored
