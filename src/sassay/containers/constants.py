"""Constant banks: which of a cubin's a kernel owns, and which shared ones its code names.

Bank 0 holds parameters and launch state, filled at launch. `.nv.constant2.<symbol>` and the like
belong to one kernel; `.nv.constant3` (user `__constant__`) and `.nv.constant4` (addresses,
filled by relocations) are shared by all kernels of the cubin.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from sassay.containers import limits
from sassay.containers.digest import code_hash
from sassay.containers.elf import SHT_REL, SHT_RELA, STT_OBJECT, Elf, Section
from sassay.containers.mangled import stable_symbol
from sassay.errors import LimitError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

_BANK = re.compile(r"\.nv\.constant([1-9]\d?)(?:\.(.+))?", re.DOTALL)
_INSTRUCTION = 16
_LDCU = 0x7AC
_LDCU_OFFSET = 0x1FFFE000000000
_BAR = 0xB1D
_BANK_BITS = 0x1F << 54


@dataclass(frozen=True)
class SharedBank:
    """A bank that every kernel of the cubin may read.

    Attributes:
        number: The bank.
        content: Its bytes, one object for all kernels.
        addresses: `(offset, symbol)` that relocations fill in, sorted.
        objects: `(offset, size, symbol)` of what lies in it, sorted.
    """

    number: int
    content: bytes
    addresses: tuple[tuple[int, str], ...]
    objects: tuple[tuple[int, int, str], ...]

    def named(self, offsets: Sequence[int]) -> list[tuple[str, bytes]]:
        """What the code names, in the order of `offsets`, independent of where it lies.

        An address is its symbol, an object its bytes; an offset that lies in neither stands for the
        whole bank, as do no offsets at all (code that cannot be searched for them).
        """
        if not offsets:
            return [(f"c{self.number}", self.content)]
        found: list[tuple[str, bytes]] = []
        for offset in offsets:
            label = self._address_at.get(offset)
            if label is not None:
                found.append((f"c{self.number}", stable_symbol(label).encode()))
                continue
            extent = next(((o, s) for o, s, _ in self.objects if o <= offset < o + s), None)
            if extent is None:
                return [(f"c{self.number}", self.content)]
            begin, size = extent
            found.append((f"c{self.number}+{offset - begin}", self.content[begin : begin + size]))
        return found

    @cached_property
    def hash(self) -> bytes:
        """`code_hash` of the content, taken once for all kernels."""
        return code_hash(self.content)

    @cached_property
    def _address_at(self) -> dict[int, str]:
        return dict(self.addresses)


class ConstantBanks:
    """All constant banks of one cubin but bank 0."""

    def __init__(self, elf: Elf) -> None:
        self._elf = elf
        self._owned: dict[str, list[tuple[int, Section]]] = {}
        shared: list[tuple[int, Section]] = []
        for section in elf.sections:
            found = _BANK.fullmatch(section.name)
            if not found:
                continue
            number, owner = int(found.group(1)), found.group(2)
            if owner:
                self._owned.setdefault(owner, []).append((number, section))
            else:
                shared.append((number, section))
        self._fills = self._read_fills()
        self.shared = tuple(self._share(number, section) for number, section in sorted(
            shared, key=lambda item: (item[0], item[1].index)
        ))  # fmt: skip

    def owned(self, symbol: str) -> list[tuple[int, bytes]]:
        """Bank and bytes of what belongs to one kernel alone, sorted."""
        return sorted((n, self._bytes(s)) for n, s in self._owned.get(symbol, ()))

    def owned_symbols(self, symbol: str) -> list[tuple[int, int, str]]:
        """`(bank, offset, symbol)` that relocations put into a kernel's own banks, sorted."""
        return sorted(
            (number, offset, name)
            for number, section in self._owned.get(symbol, ())
            for offset, name in self._fills.get(section.index, ())
        )

    def _bytes(self, section: Section) -> bytes:
        if section.size > limits.MAX_CONSTANT_BYTES:
            raise LimitError(
                f"a constant bank of {section.size} bytes",
                artifact=self._elf.artifact,
                place=f"section {section.name}, offset {section.offset:#x}",
            )
        return bytes(self._elf.content(section))

    def _share(self, number: int, section: Section) -> SharedBank:
        objects = sorted(
            (s.value, s.size, s.name)
            for s in self._elf.symbols
            if s.section == section.index and s.type == STT_OBJECT and s.size
        )
        return SharedBank(
            number,
            self._bytes(section),
            tuple(self._fills.get(section.index, ())),
            tuple(objects),
        )

    def _read_fills(self) -> dict[int, list[tuple[int, str]]]:
        """Relocations into constant banks: section index to sorted `(offset, symbol)`."""
        elf = self._elf
        fills: dict[int, list[tuple[int, str]]] = {}
        for section in elf.sections:
            if section.type not in {SHT_REL, SHT_RELA} or ".nv.constant" not in section.name:
                continue
            found = fills.setdefault(section.info, [])
            for offset, _, symbol, addend in elf.relocations(section):
                name = elf.symbol_at(symbol, section).name
                found.append((offset, f"{name}+{addend}" if addend else name))
            found.sort()
        return fills


class CodeSpan:
    """The code sections of one cubin, searched together for their constant-bank operands.

    They lie side by side, and one pass over all of them costs less than a few calls for each.

    Args:
        elf: The cubin.
        sections: Its code sections, of 16-byte instructions.
    """

    def __init__(self, elf: Elf, sections: Sequence[Section]) -> None:
        self._elf = elf
        self._held = held = [section for section in sections if section.size]
        self._start = min((section.offset for section in held), default=0)
        self._end = max((section.offset + section.size for section in held), default=0)
        total = sum(section.size for section in held)
        # Sections that are far apart are searched one by one.
        self._together = self._end - self._start <= total + total // 4 + _INSTRUCTION * 256

    def operands(self, section: Section) -> dict[int, list[int]] | None:
        """As `constant_operands` of one section."""
        if section.size % _INSTRUCTION:
            return None
        shift = section.offset - self._start
        if not self._together or shift % _INSTRUCTION or not section.size:
            return constant_operands(self._elf.content(section))
        return _by_bank(self._found[section.index])

    @cached_property
    def _found(self) -> dict[int, NDArray[np.int64]]:
        """What the instructions of each section name, by the section's index."""
        places, pairs = _operands(self._elf.data[self._start : self._end])
        starts = [(section.offset - self._start) // _INSTRUCTION for section in self._held]
        ends = [
            (section.offset - self._start + section.size) // _INSTRUCTION for section in self._held
        ]
        bounds = zip(*(places.searchsorted(some).tolist() for some in (starts, ends)), strict=True)
        return {
            section.index: pairs[first:last]
            for section, (first, last) in zip(self._held, bounds, strict=True)
        }


def constant_operands(code: bytes | memoryview) -> dict[int, list[int]] | None:
    """Byte offsets of the constant-bank operands of 16-byte instructions, by bank, banks 1 up.

    Operand forms 3 and 5 (bits 9..11) take a constant as their third or second operand; bits
    54..58 then hold the bank and 38..53 the byte offset (37..52 in LDCU; BAR keeps a barrier's
    number there). That names just what nvdisasm prints, for all kernels of bitsandbytes for sm_75
    to sm_120 and our own. None: the code is no whole number of instructions.
    """
    if len(code) % _INSTRUCTION:
        return None
    return _by_bank(_operands(code)[1])


def _operands(code: bytes | memoryview) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """The instructions that name a bank from 1 up, and `bank << 16 | offset` of each."""
    import numpy as np  # noqa: PLC0415 - loaded with the first cubin that shares constants

    low = np.frombuffer(code, "<u8", count=len(code) // _INSTRUCTION * 2)[::2]
    places = np.flatnonzero((low & np.uint64(_BANK_BITS)) != 0)  # of truths it is fast
    low = low[places]
    form = low & np.uint64(0xE00)
    opcode = low & np.uint64(0xFFF)
    named = ((form == np.uint64(0x600)) | (form == np.uint64(0xA00))) & (opcode != np.uint64(_BAR))
    low, opcode, places = low[named], opcode[named], places[named]
    low = np.where(opcode == np.uint64(_LDCU), low + (low & np.uint64(_LDCU_OFFSET)), low)
    return places, ((low >> np.uint64(38)) & np.uint64(0x1FFFFF)).astype(np.int64)


def _by_bank(pairs: NDArray[np.int64]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    # A set: `np.unique` costs more than all the rest on a kernel's few hundred operands.
    for pair in sorted(set(pairs.tolist())):
        found.setdefault(pair >> 16, []).append(pair & 0xFFFF)
    return found
