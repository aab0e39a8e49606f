"""Normal forms of a code section: what is left of it when layout, and then scheduling, is ignored.

A section's words change without any change of the kernel when functions of a module move: the
places that relocations fill, and the offsets of constants in shared banks (3: user constants, 4:
addresses). Branches within a section are encoded relative to the instruction, so they need
nothing. Behind the last instruction stand a branch to itself and NOPs up to the section's
alignment.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from sassay.containers.mangled import stable_symbol
from sassay.isa.sass import words as word
from sassay.isa.sass.words import Words

if TYPE_CHECKING:
    from sassay.model.code import SassCode

ABS32_LO_32 = 0x38
ABS32_HI_32 = 0x39
ABS47_34 = 0x3A
ABS16_32 = 0x3B
ABS55_16_34 = 0x4B
"""Relocation kinds of code, numbered as in the cubins that ptxas 13 writes; nvdisasm prints the
first two as `32@lo(symbol)` and `32@hi(symbol)`, calls as a quoted symbol."""

_OPCODE = np.uint64(0xFFF)
_NOP = np.uint64(0x918)
_BRA = np.uint64(0x947)
_LDC = (0xB82, 0x7AC, 0xAC3)
"""LDC, LDCU and ULDC read a width of their own, LDC and LDCU perhaps at an index."""
_BANK_FIELD = np.uint64(0x1FFFFF << 38)
_IMMEDIATE = np.uint64(0xFFFFFFFF << 32)


class NormalCode(msgspec.Struct, frozen=True, dict=True):
    """A section without padding, and what its words refer to.

    Attributes:
        words: Control bits included; places that refer to something hold zeros instead.
        references: `(instruction, what)`, sorted by instruction: a relocation's kind and symbol,
            or the content of a constant.
        trailing: Bytes behind the last whole instruction.
    """

    words: Words
    references: tuple[tuple[int, Hashable], ...]
    trailing: bytes

    @cached_property
    def unscheduled(self) -> Words:
        """The words without control bits and reuse flags."""
        return word.without_control(self.words)

    def same_layout(self, other: NormalCode) -> bool:
        """Whether both are equal but for addresses, constant offsets and padding."""
        return self._same_references(other) and np.array_equal(self.words, other.words)

    def same_instructions(self, other: NormalCode) -> bool:
        """Whether both are equal but for layout and control bits."""
        return self._same_references(other) and np.array_equal(self.unscheduled, other.unscheduled)

    def _same_references(self, other: NormalCode) -> bool:
        return self.references == other.references and self.trailing == other.trailing


def normalize(code: SassCode) -> NormalCode:
    """The normal form of a kernel's section."""
    original = word.section_words(code.code)
    count = len(original) - padding(original)
    words = original[:count].copy()
    references: list[tuple[int, Hashable]] = []
    for relocation in code.relocations:
        place = relocation.offset // word.WORD_BYTES
        if place >= count:
            continue
        if relocation.kind in {ABS32_LO_32, ABS32_HI_32}:
            words[place, 0] &= ~_IMMEDIATE
        # What lies in a section moves with it: its place there is no part of the code.
        moved = relocation.symbol.startswith(".nv.")
        addend = 0 if moved else relocation.addend
        within = relocation.offset % word.WORD_BYTES
        what = (within, relocation.kind, stable_symbol(relocation.symbol), addend)
        references.append((place, what))
    constants = Constants(code)
    if constants.banks:
        for place, bank, offset in constant_operands(words):
            if bank not in constants.banks:
                continue
            references.append((place, constants.identity(words[place], bank, offset)))
            words[place, 0] &= ~_BANK_FIELD
    references.sort(key=repr)
    references.sort(key=lambda entry: entry[0])
    return NormalCode(words, tuple(references), bytes(code.code[len(original) * word.WORD_BYTES :]))


def padding(words: Words) -> int:
    """How many words at the end only fill the section: NOPs, and one branch to itself before."""
    kinds = words[:, 0] & _OPCODE
    other = np.flatnonzero(kinds != _NOP)
    end = int(other[-1]) + 1 if len(other) else 0
    if end and kinds[end - 1] == _BRA and _is_loop(words[end - 1]):
        end -= 1
    return len(words) - end


def constant_operands(words: Words) -> list[tuple[int, int, int]]:
    """`(instruction, bank, byte offset)` of operands in banks 1 and up.

    Bits 54 to 58 hold the bank and 38 to 53 the offset where the operand form (bits 9 to 11) is 3
    or 5: checked on what nvdisasm prints for 320,000 different words of sm_75 to sm_120.
    """
    low = words[:, 0]
    bank = (low >> np.uint64(54)) & np.uint64(0x1F)
    form = (low >> np.uint64(9)) & np.uint64(7)
    named = (bank > 0) & ((form == 3) | (form == 5))
    places = np.flatnonzero(named)
    offsets = (low[places] >> np.uint64(38)) & np.uint64(0xFFFF)
    return list(
        zip(places.tolist(), bank[places].tolist(), offsets.astype(int).tolist(), strict=True)
    )


class Constants:
    """The constant banks of one kernel, and what lies at an offset of one."""

    def __init__(self, code: SassCode) -> None:
        """Index the banks that a kernel owns or names."""
        self.banks = dict(code.constants)
        self._symbols = {(bank, at): name for bank, at, name in code.constant_symbols}
        starts: dict[int, list[int]] = {}
        for bank, at, _ in code.constant_symbols:
            starts.setdefault(bank, []).append(at)
        self._starts = {bank: sorted(places) for bank, places in starts.items()}

    def symbol(self, bank: int, offset: int) -> str | None:
        """The symbol whose address a constant holds, as `name` or `name+4`."""
        exact = self._symbols.get((bank, offset))
        if exact is not None:
            return stable_symbol(exact)
        starts = self._starts.get(bank, [])
        index = bisect_right(starts, offset) - 1
        # An address has 8 bytes; code may read its upper half alone.
        if index >= 0 and offset - starts[index] < 8:
            name = stable_symbol(self._symbols[bank, starts[index]])
            return f"{name}+{offset - starts[index]}"
        return None

    def identity(self, words: Words, bank: int, offset: int) -> Hashable:
        """What an operand means, wherever its bank holds it."""
        name = self.symbol(bank, offset)
        if name is not None:
            return ("symbol", bank, name)
        content = self.banks[bank]
        opcode = int(words[0]) & 0xFFF
        indexed = (int(words[0]) >> 24) & 0xFF
        if opcode in _LDC:
            if indexed != 0xFF or offset >= len(content):
                # Read at an index, or as the address of a table: all of the bank counts.
                return ("bank", bank, offset, content)
            return ("content", bank, content[offset : offset + 16])
        return ("content", bank, content[offset : offset + 8])


def _is_loop(words: Words) -> bool:
    """Whether a branch leads to itself: a distance of -16 from the next instruction.

    The distance stands in bits 34 to 81 (and 16 to 23 from sm_90 on) in units of 4 bytes, so all
    of its bits but the lowest two are set.
    """
    low, high = int(words[0]), int(words[1])
    field = (low >> 34) | ((high & 0x3FFFF) << 30)
    return field in {(1 << 48) - 4, (1 << 48) - 16}
