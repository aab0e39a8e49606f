"""What is known of one opcode: the bits that decide its mnemonic, and every observation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sassay.isa.sass.learn.oracle import BODY, BODY_BITS

if TYPE_CHECKING:
    from collections.abc import Callable

KEY_BITS = 12
KEY_MASK = (1 << KEY_BITS) - 1
FORM = 1 << 9
"""Weight of the lowest bit that tells the form of an opcode's operands."""
FORMS = 8
"""Values of bits 9 to 11, which tell what kinds of operands an opcode has."""
MAX_DECIDING = 24
"""Most deciding bits and conditions of one opcode; an opcode with more is left to nvdisasm."""


REGISTERS = ((16, 8), (24, 8), (32, 8))
"""Where registers may stand and no modifiers: first bit and width. In 64 to 71 both may."""


@dataclass(frozen=True, order=True)
class Condition:
    """An operand whose value changes the mnemonic: bits `start` to `start + width - 1` in `values`.

    `IMAD R1, R2, RZ, R3` prints as `IMAD.MOV`: the register field holds 255.
    """

    start: int
    width: int
    values: tuple[int, ...]

    def holds(self, word: int) -> bool:
        """Whether it holds for a word."""
        return (word >> self.start & (1 << self.width) - 1) in self.values

    def mask(self) -> int:
        """The bits of the operand."""
        return ((1 << self.width) - 1) << self.start

    def put(self, word: int, value: int) -> int:
        """The word with another value of the operand."""
        return (word & ~self.mask()) | value << self.start


@dataclass
class Opcode:
    """One value of the low 12 bits.

    Attributes:
        key: That value.
        accepted: Mnemonic of every word that was observed.
        refused: Words that nvdisasm refuses, or cannot name.
        deciding: Bits that decide the mnemonic, or whether there is one.
        conditions: Operand values that do so too.
        flags: The `.reuse` flags that all its combinations accept, as four bits.
        reuse: What single combinations accept, where they differ; 0 for those left out.
        fixed: Bits that no accepted word has otherwise; never free, never deciding.
    """

    key: int
    accepted: dict[int, str] = field(default_factory=dict)
    refused: set[int] = field(default_factory=set)
    deciding: list[int] = field(default_factory=list)
    conditions: list[Condition] = field(default_factory=list)
    fixed: int = 0
    flags: int = 0
    reuse: dict[int, int] = field(default_factory=dict)

    def see(self, word: int, name: str | None) -> None:
        """Remember what nvdisasm said."""
        if name is None:
            self.refused.add(word)
        else:
            self.accepted[word] = name

    @property
    def base(self) -> int:
        """The first accepted word: operands are changed from there."""
        return next(iter(self.accepted))

    @property
    def size(self) -> int:
        """Bits of an index."""
        return len(self.deciding) + len(self.conditions)

    def free(self) -> list[int]:
        """Bits that change nothing by themselves: operands."""
        taken = self.fixed | sum(1 << bit for bit in self.deciding)
        return [bit for bit in range(KEY_BITS, BODY_BITS) if not taken >> bit & 1]

    def matches(self, word: int) -> bool:
        """Whether the fixed bits of a word are as they must be."""
        return not (word ^ self.base) & self.fixed

    def index(self, word: int) -> int:
        """Deciding bits and conditions as one number."""
        return self.indexer()(word)

    def indexer(self) -> Callable[[int], int]:
        """Tells the index of many words; holds until what decides changes.

        Deciding bits that stand side by side are moved together.
        """
        runs: dict[int, int] = {}
        for place, bit in enumerate(self.deciding):
            runs[bit - place] = runs.get(bit - place, 0) | 1 << place
        moved = tuple(runs.items())
        conditions = tuple(
            (item.start, (1 << item.width) - 1, frozenset(item.values), 1 << place)
            for place, item in enumerate(self.conditions, len(self.deciding))
        )

        def index(word: int) -> int:
            result = 0
            for shift, mask in moved:
                result |= word >> shift & mask
            for start, ones, values, bit in conditions:
                if word >> start & ones in values:
                    result |= bit
            return result

        return index

    def decide(self, bits: int) -> None:
        """Let more bits decide (a mask)."""
        bits &= BODY & ~KEY_MASK
        self.fixed &= ~bits
        known = set(self.deciding)
        self.deciding += [b for b in range(KEY_BITS, BODY_BITS) if bits >> b & 1 and b not in known]
        self.deciding.sort()

    def settle_fixed(self) -> None:
        """A fixed bit that two accepted words hold differently decides instead."""
        differ = 0
        base = self.base
        for word in self.accepted:
            differ |= word ^ base
        if differ & self.fixed:
            self.decide(differ & self.fixed)

    def representatives(self) -> list[int]:
        """The first accepted word of each combination."""
        first: dict[int, int] = {}
        index = self.indexer()
        for word in self.accepted:
            first.setdefault(index(word), word)
        return list(first.values())

    def table(self) -> dict[int, str]:
        """The mnemonic of each index; those are left out where observations differ."""
        rows: dict[int, str] = {}
        poisoned: set[int] = set()
        index = self.indexer()
        for word, name in self.accepted.items():
            place = index(word)
            if rows.setdefault(place, name) != name:
                poisoned.add(place)
        for word in self.refused:
            if self.matches(word):
                poisoned.add(index(word))
        return {place: name for place, name in sorted(rows.items()) if place not in poisoned}
