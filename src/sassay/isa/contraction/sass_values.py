"""What the operands of a kernel's SASS arithmetic are.

A value is the instruction that writes it, by its place in the section. Which bits of a word name
registers was learned (`sass.tables.operands`): a plain register at bit 16 and predicates at bits 81
and 84 are written, the others read. A word of local memory that only spills use is a register too.
"""

from __future__ import annotations

from bisect import insort
from typing import TYPE_CHECKING

import numpy as np

from sassay.isa.contraction.reaching import Reaching
from sassay.isa.contraction.roles import FACTOR_ONES, ZEROS
from sassay.isa.contraction.sass_flow import SassFlow
from sassay.isa.contraction.sass_forms import DOUBLE, PAIRED, Does, does, written_registers
from sassay.isa.sass.shape import CLASSES, Form
from sassay.isa.sass.tables.operands import UNSHAPED
from sassay.isa.sass.words import section_words

if TYPE_CHECKING:
    from sassay.isa.sass.decoded import Decoded
    from sassay.isa.sass.tables.operands import OperandDecoder

CONSTANT = -2
"""The value of an operand that is no register."""

Writers = tuple[int, ...]
"""The instructions that may have written an operand."""

_R, _UR, _P, _UP = (CLASSES.index(name) for name in ("R", "UR", "P", "UP"))
_STEP = 512
"""More than any class has registers; numbers start at 1, since a guard of 0 guards nothing."""
_SLOTS = 1 << 16
_MAYBE = 1 << 24
"""Numbers of predicates that nothing writes, one for each call: it may write or not."""
_NEVER = _MAYBE - 1
"""A register that nothing writes: its value is not known."""
_STACK = 1
"""The register that points to local memory."""
_RESULT, _FIRST, _SECOND, _THIRD = 16, 24, 32, 64
_PREDICATE_RESULTS = (81, 84)
_SINGLE = {_FIRST: 82, _SECOND: 88, _THIRD: 85}
"""By the place of an operand of FADD2, FMUL2 and FFMA2, the bit that makes it one register."""
_OFFSET, _OFFSET_BITS = 40, 24
_NO_REGISTER = 0xFF
_ALWAYS = 7
_NUMBERS = frozenset({2, 3, 4, 5})
"""Operand forms (bits 9 to 11) with a number or a constant, and those whose addend stands at bit
32; see `roles.multiplies_and_adds`."""
_UNIFORM = 7
_MOVED_ADDEND = frozenset({2, 3, _UNIFORM})
_PACK_LOW = 0x5410
_KEEP_UPPER = 0x76
"""Selectors of a PRMT that puts the low halves of two registers side by side, and of those (by
their upper byte) whose upper half is that of the second register."""
_CONSTANT: Writers = (CONSTANT,)


class SassValues:
    """The values of one code section.

    Args:
        code: The section.
        decoded: Its opcodes.
        arch: Its architecture.
        operands: What was learned of its operands.

    Attributes:
        does: What each instruction does, as a number.
        indirect: Whether control may go where this does not see.
        subroutine: Instructions of subroutines, such as the slow path of a division.
    """

    def __init__(self, code: bytes, decoded: Decoded, arch: str, operands: OperandDecoder) -> None:
        """Find out who writes what."""
        opcodes = decoded.opcodes
        words = section_words(code)[: len(opcodes)]
        self._words = words
        self._decoded = decoded
        self._heads = [name.partition(".")[0] for name in decoded.names]
        self._moved: dict[int, Writers] = {}
        self.does: list[int] = np.array([does(name) for name in decoded.names], np.int8)[
            opcodes
        ].tolist()
        shapes = operands.shapes(words)
        known = shapes != UNSHAPED
        found = operands.registers(words, np.where(known, shapes, 0))
        plain = (found.numbers >= 0) & known[:, None] & (found.forms != Form.GUARD)
        numbers = found.numbers + found.classes.astype(np.int32) * _STEP + 1
        ranged = (found.classes == _R) | (found.classes == _UR)
        result = plain & ranged & (found.starts == _RESULT) & (found.forms != Form.ADDRESS)
        predicate = plain & ~ranged & np.isin(found.starts, _PREDICATE_RESULTS)
        self._fields = (numbers, found.starts, plain & ~result & ranged)
        widths = np.array([written_registers(name) for name in decoded.names], np.int64)[opcodes]
        writes: dict[int, list[int]] = {}
        rows, columns = np.nonzero(result | predicate)
        spans = np.where(ranged[rows, columns], widths[rows], 1)
        for row, number, span in zip(
            rows.tolist(), numbers[rows, columns].tolist(), spans.tolist(), strict=True
        ):
            for each in range(number, number + span):
                writes.setdefault(each, []).append(row)
        for place in np.flatnonzero(~known).tolist():
            self._guess(place, int(widths[place]), writes)
        self._slots = self._spills(writes)
        guards = self._guards()
        flow = SassFlow(words, decoded, arch, guards)
        self.indirect = flow.indirect
        self.subroutine = frozenset[int]().union(*(body for _, body in flow.calls))
        for place, body in flow.calls:
            for changed in writes.values():
                if not body.isdisjoint(changed):
                    insort(changed, place)
            guards[place] = _MAYBE + place << 1
        self._reaching = Reaching(flow.blocks, writes, guards, len(words))

    def name(self, place: int) -> str:
        """The mnemonic of an instruction."""
        return self._decoded.names[int(self._decoded.opcodes[place])]

    def operands(self, place: int) -> tuple[int, list[Writers], Writers | None]:
        """What an arithmetic instruction computes, and the values of its operands.

        Factors come before the addend. A multiply-add that adds nothing is a product, one that
        multiplies by one a sum.

        Returns:
            A `Does`; for each operand its writers; and the operand that the instruction only
            moves, where the others are zero or one.
        """
        kind = self.does[place]
        low, high = int(self._words[place, 0]), int(self._words[place, 1])
        form, value = low >> 9 & 7, low >> 32
        fields = self._read(place)
        first = self._operand(place, fields, _FIRST)
        if kind != Does.FUSED:
            if form in _NUMBERS:
                written = form in {2, 4}
                ones = kind == Does.PRODUCT and written and value in FACTOR_ONES
                nothing = kind == Does.SUM and written and value in ZEROS
                return kind, [first, _CONSTANT], first if ones or nothing else None
            other = self._operand(place, fields, _SECOND if _SECOND in fields else _THIRD)
            if kind == Does.SUM and _CONSTANT in (first, other):
                return kind, [first, other], first if other == _CONSTANT else other
            return kind, [first, other], None
        if form in _MOVED_ADDEND:
            second = self._operand(place, fields, _THIRD)
            third = self._operand(place, fields, _SECOND) if form == _UNIFORM else _CONSTANT
            nothing = form == 2 and value in ZEROS
        else:
            second = self._operand(place, fields, _SECOND)
            third = self._operand(place, fields, _THIRD)
            nothing = high & 0xFF == _NO_REGISTER
        if form == 4 and value in FACTOR_ONES:
            return Does.SUM, [first, third], first if nothing else None
        zero = low >> 24 & 0xFF == _NO_REGISTER or (form == 4 and value in ZEROS)
        if zero or (second == _CONSTANT and form in {1, *_MOVED_ADDEND}):
            return kind, [first, second, third], third
        if nothing:
            return Does.PRODUCT, [first, second], None
        return kind, [first, second, third], None

    def moved(self, place: int) -> Writers:
        """The values that a moving instruction may give on; none where it gives a number."""
        known = self._moved.get(place)
        if known is None:
            found: list[int] = []
            registers = self._slots.get(place)
            if registers is None:
                registers = tuple(self._read(place).values())
            for number in registers:
                found += self._reaching.before(place, number)
            known = self._moved[place] = tuple(found)
        return known

    def halves(self, value: int) -> tuple[Writers, Writers] | None:
        """The values that an instruction packs into the two halves of a register, low one first.

        Returns:
            None where it does not do that.
        """
        if self._selector(value) != _PACK_LOW:
            return None
        fields = self._read(value)
        return self._operand(value, fields, _FIRST), self._operand(value, fields, _THIRD)

    def keeps_upper(self, value: int) -> bool:
        """Whether an instruction writes the lower half of a register and keeps the upper one."""
        selector = self._selector(value)
        low, high = int(self._words[value, 0]), int(self._words[value, 1])
        return selector >> 8 == _KEEP_UPPER and low >> _RESULT & 0xFF == high & 0xFF

    def _selector(self, value: int) -> int:
        """The selector of a PRMT, 0 of everything else."""
        low = int(self._words[value, 0])
        if self._heads[self._decoded.opcodes[value]] != "PRMT" or low >> 9 & 7 != 4:
            return 0
        return low >> 32

    def _read(self, place: int) -> dict[int, int]:
        """Registers that an instruction reads, by their lowest bit."""
        numbers, starts, read = self._fields
        columns = read[place]
        chosen = zip(starts[place][columns].tolist(), numbers[place][columns].tolist(), strict=True)
        return dict(chosen)

    def _operand(self, place: int, fields: dict[int, int], start: int) -> Writers:
        number = fields.get(start)
        if number is None:
            return _CONSTANT
        found = self._reaching.before(place, number)
        head = self._heads[self._decoded.opcodes[place]]
        if head in DOUBLE and not (head in PAIRED and self._single(place, start, number)):
            upper = self._reaching.before(place, number + 1)
            if upper != found:
                return tuple(sorted({*found, *upper}))
        return found

    def _single(self, place: int, start: int, number: int) -> bool:
        """Whether an operand beside pairs is one value for both of its kind (`R19.F32`)."""
        if number > _STEP:
            return True
        return int(self._words[place, 1]) >> (_SINGLE[start] - 64) & 1 == 1

    def _guards(self) -> list[int]:
        low = self._words[:, 0]
        number = (low >> np.uint64(12) & np.uint64(7)).astype(np.int64)
        negated = (low >> np.uint64(15) & np.uint64(1)).astype(np.int64)
        uniform = np.array([head.startswith("U") for head in self._heads], bool)
        classes = np.where(uniform[self._decoded.opcodes], _UP, _P)
        register = classes * _STEP + number + 1
        guards: list[int] = np.where(number == _ALWAYS, 0, register << 1 | negated).tolist()
        return guards

    def _guess(self, place: int, width: int, writes: dict[int, list[int]]) -> None:
        """Takes it that a word whose operands were not learned writes what bit 16 names."""
        head = self._heads[self._decoded.opcodes[place]]
        number = int(self._words[place, 0]) >> _RESULT & 0xFF
        if head.startswith(("ST", "RED", "UT", "CCTL")) or number == _NO_REGISTER:
            return
        number += (_UR if head.startswith("U") else _R) * _STEP + 1
        for each in range(number, number + width):
            insort(writes.setdefault(each, []), place)

    def _spills(self, writes: dict[int, list[int]]) -> dict[int, tuple[int, ...]]:
        """Local memory that is only used at fixed places beside the stack pointer.

        Returns:
            For each access what it reads: a store its registers, a load words of local memory.
        """
        local = np.array([head in {"LDL", "STL"} for head in self._heads], bool)
        places = np.flatnonzero(local[self._decoded.opcodes]).tolist()
        found: dict[int, tuple[int, ...]] = {}
        slots: list[tuple[int, int]] = []
        for place in places:
            fields = self._read(place)
            if fields.get(_FIRST) != _STACK + 1:
                return dict.fromkeys(places, (_NEVER,))
            name = self.name(place)
            offset = int(self._words[place, 0]) >> _OFFSET & ((1 << _OFFSET_BITS) - 1)
            size = 4 if "128" in name else 2 if "64" in name else 1
            # Narrower ones share the word that they lie in.
            words = tuple(range(_SLOTS + offset // 4, _SLOTS + offset // 4 + size))
            if name.startswith("LDL"):
                found[place] = words
                continue
            data = fields.get(_SECOND)
            found[place] = tuple(range(data, data + size)) if data else ()
            slots += [(word, place) for word in words]
        for word, place in slots:
            writes.setdefault(word, []).append(place)
        return found
