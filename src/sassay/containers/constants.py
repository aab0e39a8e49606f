"""Constant banks: which of a cubin's a kernel owns, and which shared ones its code names.

Bank 0 holds parameters and launch state, filled at launch. `.nv.constant2.<symbol>` and the like
belong to one kernel; `.nv.constant3` (user `__constant__`) and `.nv.constant4` (addresses,
filled by relocations) are shared by all kernels of the cubin.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from sassay.containers import limits
from sassay.containers.digest import NOTHING, code_hash, named_constants, packed
from sassay.containers.elf import STT_OBJECT, Elf, Section
from sassay.containers.kernel_sections import CONSTANT
from sassay.containers.mangled import stable_symbol
from sassay.containers.symbols import SymbolTable
from sassay.errors import LimitError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray


_BANK = re.compile(r"\.nv\.constant([1-9]\d?)(?:\.(.+))?", re.DOTALL)
_INSTRUCTION = 16
_LDCU = 0x7AC
_LDCU_OFFSET = 0x1FFFE000000000
_BAR = 0xB1D
_BANK_BITS = 0x1F << 54
_BANKS = range(1, 32)
"""Those that an operand can name, but bank 0."""


class KernelConstants(msgspec.Struct, frozen=True):
    """The constants that a kernel owns or names.

    Attributes:
        banks: Number and bytes of each bank, sorted.
        symbols: `(bank, offset, symbol)` that relocations put into them, sorted.
        packed_banks: `banks` as `digest.packed` writes them, each by its `code_hash`.
        packed_symbols: `symbols`, `packed`.
        packed_names: What the code digest covers, see `digest.named_constants`.
    """

    banks: tuple[tuple[int, bytes], ...]
    symbols: tuple[tuple[int, int, str], ...]
    packed_banks: bytes
    packed_symbols: bytes
    packed_names: bytes


_NONE = KernelConstants((), (), NOTHING, NOTHING, NOTHING)


class SharedBank(msgspec.Struct, frozen=True, dict=True):
    """A bank that every kernel of the cubin may read.

    Attributes:
        number: The bank.
        content: Its bytes, one object for all kernels.
        addresses: `(offset, symbol)` that relocations fill in, sorted.
        section: The index of its section.
        table: The symbols of the cubin.
    """

    number: int
    content: bytes
    addresses: tuple[tuple[int, str], ...]
    section: int
    table: SymbolTable

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
    def objects(self) -> tuple[tuple[int, int, str], ...]:
        """`(offset, size, symbol)` of what lies in it, sorted."""
        return tuple(sorted(
            (symbol.value, symbol.size, self.table.name(symbol.index))
            for symbol in self.table.of_type(STT_OBJECT)
            if symbol.section == self.section and symbol.size
        ))  # fmt: skip

    @cached_property
    def symbols(self) -> list[tuple[int, int, str]]:
        """The addresses, each behind the number of the bank; sorted."""
        return [(self.number, offset, name) for offset, name in self.addresses]

    @cached_property
    def alone(self) -> KernelConstants:
        """All but the names for kernels that own no bank and name only this one."""
        return KernelConstants(
            ((self.number, self.content),),
            tuple(self.symbols),
            packed([(self.number, self.hash)]),
            packed(self.symbols),
            NOTHING,
        )

    @cached_property
    def _address_at(self) -> dict[int, str]:
        return dict(self.addresses)


class ConstantBanks:
    """All constant banks of one cubin but bank 0.

    Args:
        elf: The cubin.
        sections: Indices of the sections whose names begin like those of banks.
    """

    def __init__(self, elf: Elf, sections: Iterable[int]) -> None:
        self._elf = elf
        self._owned: dict[str, list[tuple[int, Section]]] = {}
        shared: list[tuple[int, Section]] = []
        for index in sections:
            found = _BANK.fullmatch(elf.names[index])
            if not found:
                continue
            number, owner = int(found.group(1)), found.group(2)
            if owner:
                self._owned.setdefault(owner, []).append((number, elf.section(index)))
            else:
                shared.append((number, elf.section(index)))
        self._fills = self._read_fills()
        self.shared = tuple(self._share(number, section) for number, section in sorted(
            shared, key=lambda item: (item[0], item[1].index)
        ))  # fmt: skip

    def of(self, symbol: str, operands: Mapping[int, Sequence[int]] | None) -> KernelConstants:
        """The constants of one kernel.

        Args:
            symbol: The kernel.
            operands: Offsets that its code names, by bank; None where it cannot be searched: then
                it may name any shared bank.

        Raises:
            LimitError: A bank of its own is larger than `limits` allow.
        """
        named: list[SharedBank] = []
        if self.shared and operands != {}:  # most kernels name none
            named = [b for b in self.shared if operands is None or b.number in operands]
        if symbol not in self._owned and len(named) < 2:
            if not named:
                return _NONE
            bank = named[0]
            names = bank.named(operands[bank.number] if operands is not None else ())
            return msgspec.structs.replace(bank.alone, packed_names=named_constants(names))
        owned = self._owned_banks(symbol)
        symbols = self._owned_symbols(symbol)
        labelled = [(f"own{number}", content) for number, content in owned]
        labelled += [(f"own{number}+{offset}", name.encode()) for number, offset, name in symbols]
        banks = list(owned)
        hashes = [(number, code_hash(content)) for number, content in owned]
        for bank in named:
            banks.append((bank.number, bank.content))
            hashes.append((bank.number, bank.hash))
            symbols += bank.symbols
            labelled += bank.named(operands[bank.number] if operands is not None else ())
        symbols.sort()
        return KernelConstants(
            tuple(sorted(banks)),
            tuple(symbols),
            packed(sorted(hashes)),
            packed(symbols),
            named_constants(labelled),
        )

    def _owned_banks(self, symbol: str) -> list[tuple[int, bytes]]:
        """Bank and bytes of what belongs to one kernel alone, sorted."""
        return sorted((n, self._bytes(s)) for n, s in self._owned.get(symbol, ()))

    def _owned_symbols(self, symbol: str) -> list[tuple[int, int, str]]:
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
        table = self._elf.symbols
        addresses = tuple(self._fills.get(section.index, ()))
        return SharedBank(number, self._bytes(section), addresses, section.index, table)

    def _read_fills(self) -> dict[int, list[tuple[int, str]]]:
        """Relocations into constant banks: section index to sorted `(offset, symbol)`."""
        elf = self._elf
        fills: dict[int, list[tuple[int, str]]] = {}
        for section in elf.relocation_tables:
            if CONSTANT not in section.name:
                continue
            found = fills.setdefault(section.info, [])
            for offset, _, symbol, addend in elf.relocations(section):
                name = elf.symbol_name(symbol, section)
                found.append((offset, f"{name}+{addend}" if addend else name))
            found.sort()
        return fills


class CodeSpan:
    """The code sections of one cubin, searched together for their constant-bank operands.

    They lie side by side, and one pass over all of them costs less than a few calls for each.

    Args:
        elf: The cubin.
        sections: Its code sections, of 16-byte instructions.
        banks: The banks that are asked for; what is found of others is not complete.
    """

    def __init__(self, elf: Elf, sections: Sequence[Section], banks: Iterable[int]) -> None:
        self._elf = elf
        wanted = sorted(banks)
        self._banks = range(wanted[0], wanted[-1] + 1) if wanted else _BANKS
        held = [section for section in sections if section.size]
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
            return _by_bank(_operands(self._elf.content(section), self._banks)[1].tolist())
        places, pairs = self._found
        first = bisect_left(places, shift // _INSTRUCTION)
        last = bisect_left(places, (shift + section.size) // _INSTRUCTION, first)
        return _by_bank(pairs[first:last]) if first < last else {}

    @cached_property
    def _found(self) -> tuple[list[int], list[int]]:
        """The instructions of all sections that name a bank, and what they name."""
        places, pairs = _operands(self._elf.data[self._start : self._end], self._banks)
        return places.tolist(), pairs.tolist()


def constant_operands(code: bytes | memoryview) -> dict[int, list[int]] | None:
    """Byte offsets of the constant-bank operands of 16-byte instructions, by bank, banks 1 up.

    Operand forms 3 and 5 (bits 9..11) take a constant as their third or second operand; bits
    54..58 then hold the bank and 38..53 the byte offset (37..52 in LDCU; BAR keeps a barrier's
    number there). That names just what nvdisasm prints, for all kernels of bitsandbytes for sm_75
    to sm_120 and our own. None: the code is no whole number of instructions.
    """
    if len(code) % _INSTRUCTION:
        return None
    return _by_bank(_operands(code, _BANKS)[1].tolist())


def _operands(code: bytes | memoryview, banks: range) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """The instructions that name one of these banks, and `bank << 16 | offset` of each.

    They may name others too.
    """
    count = len(code) // _INSTRUCTION
    top = np.frombuffer(code, "<u2", count=count * 8)[3::8] & np.uint16(_BANK_BITS >> 48)
    # What is doubled for LDCU may carry into the bank: the one below is a candidate too.
    top -= np.uint16(banks[0] - 1 << 6)
    places = np.flatnonzero(top <= np.uint16(len(banks) << 6))  # of truths it is fast
    low = np.frombuffer(code, "<u8", count=count * 2)[::2][places]
    form = low & np.uint64(0xE00)
    opcode = low & np.uint64(0xFFF)
    named = ((form == np.uint64(0x600)) | (form == np.uint64(0xA00))) & (opcode != np.uint64(_BAR))
    named &= (low & np.uint64(_BANK_BITS)) != 0
    low, opcode, places = low[named], opcode[named], places[named]
    low = np.where(opcode == np.uint64(_LDCU), low + (low & np.uint64(_LDCU_OFFSET)), low)
    return places, ((low >> np.uint64(38)) & np.uint64(0x1FFFFF)).astype(np.int64)


def _by_bank(pairs: Iterable[int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for pair in sorted(set(pairs)):
        found.setdefault(pair >> 16, []).append(pair & 0xFFFF)
    return found
