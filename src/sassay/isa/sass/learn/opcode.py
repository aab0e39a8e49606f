"""What is known of one opcode: the bits that decide its mnemonic, and every observation."""

from __future__ import annotations

from dataclasses import dataclass, field

from sassay.isa.sass.learn.oracle import BODY, BODY_BITS

KEY_BITS = 12
KEY_MASK = (1 << KEY_BITS) - 1
MAX_DECIDING = 24
"""Most deciding bits and conditions of one opcode; an opcode with more is left to nvdisasm."""


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
        result = 0
        for place, bit in enumerate(self.deciding):
            result |= (word >> bit & 1) << place
        for place, condition in enumerate(self.conditions, len(self.deciding)):
            result |= condition.holds(word) << place
        return result

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
        for word in self.accepted:
            first.setdefault(self.index(word), word)
        return list(first.values())

    def table(self) -> dict[int, str]:
        """The mnemonic of each index; those are left out where observations differ."""
        rows: dict[int, str] = {}
        poisoned: set[int] = set()
        for word, name in self.accepted.items():
            index = self.index(word)
            if rows.setdefault(index, name) != name:
                poisoned.add(index)
        for word in self.refused:
            if self.matches(word):
                poisoned.add(self.index(word))
        return {index: name for index, name in sorted(rows.items()) if index not in poisoned}
