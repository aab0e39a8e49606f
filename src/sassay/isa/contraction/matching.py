"""Whether each SASS operation computes what the PTX instruction does that it stands for.

The line table of ptxas says for which PTX instruction each SASS instruction stands. That is taken
for a claim, and checked: an addition stands for a PTX addition only if its operands stand for the
operands of that one, whichever comes first. Where all claims hold, every sum has the terms and the
order that the PTX gives it, by induction, however often ptxas unrolled, duplicated, merged or
dropped it. Claims about what is no arithmetic (loads, conversions, shuffles) are believed.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from sassay.isa.contraction.ptx_values import ARITHMETIC, CONSTANT, WIDENS
from sassay.isa.contraction.reaching import ENTRY
from sassay.isa.contraction.sass_forms import Does, is_matrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.isa.contraction.ptx_values import PtxValues
    from sassay.isa.contraction.sass_values import SassValues, Writers
    from sassay.isa.contraction.trees import PtxTerm

    Sources = frozenset[int]

_SEQUENCE = re.compile(r"(?:div|sqrt|rcp|rsqrt|ex2|lg2|sin|cos|tanh|rem)\b", re.ASCII)
"""PTX instructions that ptxas makes of several: what happens inside of them is their own."""
_FOLDED = re.compile(
    r"(?:div|sqrt|rcp|rsqrt|ex2|lg2|sin|cos|tanh|cvt|add|sub|mul|fma|mad|min|max|neg|abs|selp|setp)"
    r"\b",
    re.ASCII,
)
_NARROWS = ("F2FP", "F2F.BF16.F32", "F2F.F16.F32")
_SCALED = re.compile(r"F(?:ADD|MUL|FMA)\S*\.[MD]\d", re.ASCII)
"""Operations that also multiply by a power of two, which ptxas takes from another instruction."""
_PARAMETERS = ("LDC", "ULDC", "LDCU", "S2R", "S2UR")
_MATRIX = ("wgmma", "mma", "tcgen05.ld")


class Stands(StrEnum):
    """What became of the claim of one SASS operation."""

    HOLDS = "holds"
    INSIDE = "inside of a sequence"
    MOVES = "moves"
    OTHER_OPERANDS = "other operands"
    NO_CLAIM = "no claim"


class Matcher:
    """Checks the claims of one kernel.

    Args:
        ptx: Its values in the PTX.
        sass: Those of its SASS.
        lines: PTX line of each SASS instruction.
    """

    def __init__(self, ptx: PtxValues, sass: SassValues, lines: Sequence[int]) -> None:
        self._ptx = ptx
        self._sass = sass
        self._lines = lines
        self._at: dict[int, list[int]] = {}
        for place in range(len(ptx)):
            self._at.setdefault(ptx.line(place), []).append(place)
        self._claims: dict[int, tuple[int, ...]] = {}
        self._stands: dict[int, Stands] = {}
        self._read: dict[int, tuple[int, list[Writers], Writers | None]] = {}
        self._asked: dict[int, list[Sources]] = {}
        self._folds: dict[int, bool] = {}
        self._used: dict[int, list[int]] | None = None
        self._fitted: dict[tuple[Writers, Sources, bool], bool] = {}
        self._slow = False

    def stands(self, place: int) -> Stands:
        """What became of the claim of an arithmetic SASS instruction."""
        known = self._stands.get(place)
        if known is None:
            # An operation that depends on itself, around a loop, holds if all else does.
            self._stands[place] = Stands.HOLDS
            known = self._stands[place] = self._judge(place)
        return known

    def claim(self, place: int) -> tuple[int, ...]:
        """The PTX instructions that a SASS instruction is said to stand for."""
        known = self._claims.get(place)
        if known is None:
            known = tuple(self._at.get(self._lines[place], ()))
            if _SCALED.match(self._sass.name(place)):
                known += tuple(self._scaled(known))
            self._claims[place] = known
        return known

    def operands(self, place: int) -> tuple[int, list[Writers], Writers | None]:
        """As `SassValues.operands`, found once."""
        known = self._read.get(place)
        if known is None:
            known = self._read[place] = self._sass.operands(place)
        return known

    def arithmetic(self, value: int) -> bool:
        """Whether a PTX instruction is one whose operands are compared."""
        return bool(self._ptx.roles[value] & _COMPARED) and not self._sequence(value)

    def fits(self, writers: Writers, sources: Sources) -> bool:
        """Whether everything that a SASS operand may be is something that a PTX operand may be."""
        key = (writers, sources, self._slow)
        known = self._fitted.get(key)
        if known is None:
            given = [value for value in writers if value != ENTRY]
            known = bool(given) and all(self._fit(value, sources, set()) for value in given)
            self._fitted[key] = known
        return known

    def is_term(self, given: tuple[Writers, ...], wanted: PtxTerm) -> bool:
        """Whether a term of a SASS sum is a term of a PTX sum.

        Args:
            given: Its writers, or those of both factors.
            wanted: Where the PTX has it.
        """
        before, self._slow = self._slow, True
        try:
            sources = [self._sources(wanted.place)[each] for each in wanted.operands]
            if len(given) == len(sources) == 1:
                return self.fits(given[0], sources[0])
            if len(given) == len(sources):
                return self._both(given[0], given[1], sources[0], sources[1])
            return len(sources) == 1 and self._product(list(given), sources[0])
        finally:
            self._slow = before

    def _sequence(self, value: int) -> bool:
        return _SEQUENCE.match(self._ptx.opcodes[value]) is not None

    def _sources(self, value: int) -> list[Sources]:
        known = self._asked.get(value)
        if known is None:
            known = self._asked[value] = self._ptx.operands(value)
        return known

    def _judge(self, place: int) -> Stands:
        claims = self.claim(place)
        if any(self._sequence(value) for value in claims):
            return Stands.INSIDE
        if place in self._sass.subroutine and any(
            self._ptx.opcodes[value] == "ret" for value in claims
        ):
            return Stands.INSIDE
        does, operands, moved = self.operands(place)
        compared = [value for value in claims if self.arithmetic(value)]
        before = self._slow
        try:
            for self._slow in (before, True):
                if any(self._computes(does, operands, value) for value in compared):
                    return Stands.HOLDS
        finally:
            self._slow = before
        if moved is not None:
            return Stands.MOVES
        packed = self._packed(place, does, operands)
        if packed:
            self._claims[place] = packed
            return Stands.HOLDS
        return Stands.OTHER_OPERANDS if compared else Stands.NO_CLAIM

    def _computes(self, does: int, given: list[Writers], value: int) -> bool:
        """Whether an operation on these operands computes a PTX instruction, or its part."""
        wanted = self._sources(value)
        if len(wanted) == _FUSED_OPERANDS:
            one, two, addend = wanted
            if does == Does.SUM:
                # The other part of one that was split, or one of whose factors is one.
                product = one | two | {value}
                return self._both(given[0], given[1], addend, product)
            if not self._both(given[0], given[1], one, two):
                return False
            return does == Does.PRODUCT or self.fits(given[2], addend)
        one, two = wanted
        if self._ptx.adds(value):
            if does == Does.SUM:
                return self._both(given[0], given[1], one, two)
            # A product whose addend is nothing but a number may be a sum that was fused.
            added = given[2] if does == Does.FUSED else (CONSTANT,)
            return (self._product(given, two) and self.fits(added, one)) or (
                self._product(given, one) and self.fits(added, two)
            )
        if does == Does.SUM:  # twice a value is its sum with itself
            return given[0] == given[1] and self._both(given[0], (CONSTANT,), one, two)
        return does == Does.PRODUCT and self._both(given[0], given[1], one, two)

    def _both(self, first: Writers, second: Writers, one: Sources, two: Sources) -> bool:
        if self.fits(first, one) and self.fits(second, two):
            return True
        return self.fits(first, two) and self.fits(second, one)

    def _product(self, given: list[Writers], sources: Sources) -> bool:
        """Whether two factors make a product that an operand of a PTX sum may be."""
        for value in sources:
            if value < 0:
                continue
            if self._sequence(value):
                return True
            if self.arithmetic(value) and self._ptx.opcodes[value].startswith("mul"):
                one, two = self._sources(value)
                if self._both(given[0], given[1], one, two):
                    return True
        return False

    def _fit(self, value: int, sources: Sources, asked: set[int]) -> bool:
        if value < 0:
            return self._number(sources)
        if value in asked:
            # What moves in a circle is whatever else comes into it.
            return True
        asked.add(value)
        does = self._sass.does[value]
        calculates = Does.SUM <= does <= Does.FUSED
        moved = self.operands(value)[2] if calculates else None
        if self._claimed(value, sources, calculates=calculates, moves=moved is not None):
            return True
        if does == Does.MOVE:
            if self._widened(value, sources):
                return False
            moved = self._sass.moved(value)
            if not moved:
                return self._number(sources)
        if moved is not None:
            rest = [each for each in moved if each != ENTRY]
            if self._sass.keeps_upper(value):
                return any(self._fit(each, sources, set(asked)) for each in rest)
            return bool(rest) and all(self._fit(each, sources, asked) for each in rest)
        return self._loaded(value, sources)

    def _widened(self, value: int, sources: Sources) -> bool:
        """Whether a value is one element that the PTX widens, and the source is another one."""
        return any(WIDENS.match(self._ptx.opcodes[claim]) for claim in self.claim(value)) and any(
            each >= 0 and WIDENS.match(self._ptx.opcodes[each]) for each in sources
        )

    def _claimed(self, value: int, sources: Sources, *, calculates: bool, moves: bool) -> bool:
        """Whether a value is said to be one of the sources, and may be."""
        for claim in self.claim(value):
            if claim not in sources and not (self._slow and self._ptx.alike(claim, sources)):
                continue
            if not self.arithmetic(claim):
                return True
            if calculates and (not moves or self.stands(value) is Stands.HOLDS):
                return True
        if calculates and not moves and self._repacked(value):
            return any(claim in sources for claim in self.claim(value))
        return False

    def _loaded(self, value: int, sources: Sources) -> bool:
        """Whether what is neither arithmetic nor moved may be one of the sources by its kind."""
        name = self._sass.name(value)
        if name.startswith(_NARROWS):
            return self._narrowed(value, sources)
        if name.startswith(_PARAMETERS):
            return self._number(sources)
        # Lines of asynchronous matrix instructions are those of what ptxas put around them.
        return is_matrix(name) and any(
            each >= 0 and self._ptx.opcodes[each].startswith(_MATRIX) for each in sources
        )

    def _narrowed(self, value: int, sources: Sources) -> bool:
        """Whether a conversion is of a value that the PTX converts, if perhaps with another."""
        wanted = [
            self._sources(each)[0]
            for each in sources
            if each >= 0 and self._ptx.opcodes[each].startswith("cvt.r")
        ]
        return any(
            self._fit(each, converted, set())
            for each in self._sass.moved(value)
            if each >= 0
            for converted in wanted
        )

    def _repacked(self, value: int) -> bool:
        """Whether an operation stands for others than its line says."""
        claims = self.claim(value)
        if any(self.arithmetic(claim) for claim in claims):
            return False
        return self.stands(value) is Stands.HOLDS

    def _number(self, sources: Sources) -> bool:
        """Whether an operand may be a number that is known before the kernel runs."""
        if CONSTANT in sources:
            return True
        return self._slow and any(self._folded(value) for value in sources)

    def _folded(self, value: int) -> bool:
        known = self._folds.get(value)
        if known is None:
            self._folds[value] = False
            known = value >= 0 and _FOLDED.match(self._ptx.opcodes[value]) is not None
            known = known and all(self._number(each) for each in self._sources(value))
            self._folds[value] = known
        return known

    def _packed(self, place: int, does: int, given: list[Writers]) -> tuple[int, ...]:
        """The PTX instructions on halves of registers that ptxas made one of.

        What is not packed by an instruction of its own (a loaded word) stands for both halves.
        """
        if not self._sass.name(place).startswith("H"):
            return ()
        low: list[Writers] = []
        high: list[Writers] = []
        for writers in given:
            alone = len(writers) == 1 and writers[0] >= 0
            halves = self._sass.halves(writers[0]) if alone else None
            one, two = halves or (writers, writers)
            low.append(one)
            high.append(two)
        found: dict[int, None] = {}
        for half in (low, high):
            values = [each for each in self._using(half) if self._computes(does, half, each)]
            if not values:
                return ()
            found.update(dict.fromkeys(values))
        return tuple(found)

    def _scaled(self, values: Sequence[int]) -> list[int]:
        """Products of some values and a number."""
        return [
            user
            for value in values
            for user in self._users().get(value, ())
            if self._ptx.opcodes[user].startswith("mul")
            and any(CONSTANT in each for each in self._sources(user))
        ]

    def _using(self, given: list[Writers]) -> list[int]:
        """PTX arithmetic with an operand that one of some SASS operands may be."""
        found: dict[int, None] = {}
        for writers in given:
            for value in writers:
                for claim in self.claim(value) if value >= 0 else ():
                    found.update(dict.fromkeys(self._users().get(claim, ())))
        return list(found)

    def _users(self) -> dict[int, list[int]]:
        """For each PTX value the arithmetic that it may be an operand of."""
        if self._used is None:
            self._used = {}
            for place in range(len(self._ptx)):
                if self.arithmetic(place):
                    for sources in self._sources(place):
                        for value in sources:
                            self._used.setdefault(value, []).append(place)
        return self._used


_COMPARED = ARITHMETIC
_FUSED_OPERANDS = 3
