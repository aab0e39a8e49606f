"""The operands of an instruction: where its word holds registers, and what its other bits print.

A *shape* is a list of register fields in the order in which nvdisasm prints them, and one letter a
bit from 12 to 104. One opcode has one shape for all its words, or a few bits choose among several.
"""

from __future__ import annotations

from enum import IntEnum

import msgspec

FIRST_BIT = 12
LAST_BIT = 105
"""One behind: bits 105 and up are control bits and `.reuse` flags."""

CLASSES = ("R", "UR", "P", "UP", "B", "SB")
"""Register classes as they are printed: registers, uniform registers, predicates, uniform
predicates, convergence barriers, scoreboards."""
ZERO_CLASSES = frozenset({"R", "UR", "P", "UP"})
"""Classes whose highest number means no register: RZ, URZ, PT, UPT."""


class Form(IntEnum):
    """How a register stands in the printed instruction."""

    PLAIN = 0
    GUARD = 1
    ADDRESS = 2
    """Within brackets."""
    PAIR = 3
    """A descriptor, or marked `.64`: two registers."""


class Kind:
    """What changes in the printed instruction when a bit does; one letter each."""

    REGISTER = "r"
    NOTHING = "."
    MNEMONIC = "m"
    IMMEDIATE = "i"
    OFFSET = "c"
    """Of a constant in a bank."""
    BANK = "k"
    TARGET = "t"
    OTHER = "o"
    """A sign, a negation, a modifier of an operand, a special register."""
    UNKNOWN = "?"
    """Refused in every context that was tried, or now this and now that."""


SIGNIFICANT = frozenset({Kind.IMMEDIATE, Kind.OFFSET, Kind.BANK, Kind.TARGET, Kind.OTHER})
"""Two words that differ in such a bit print differently, whatever their registers. A bit that
decides a mnemonic does so in some combinations only, so two words of one mnemonic may differ in
it and print alike."""


class Field(msgspec.Struct, frozen=True, array_like=True, order=True):
    """One register of an instruction.

    Attributes:
        register_class: Place in `CLASSES`.
        start: Its lowest bit.
        width: Its bits.
        form: A `Form`.
        inverted: Whether its bits are turned round: zeros for P7, which is PT (the predicate
            behind the address of an `LDG`).
    """

    register_class: int
    start: int
    width: int
    form: int
    inverted: bool = False

    @property
    def zero(self) -> int:
        """The number that names no register; -1 where every number does."""
        return (1 << self.width) - 1 if CLASSES[self.register_class] in ZERO_CLASSES else -1

    def mask(self) -> int:
        """The bits of the field."""
        return ((1 << self.width) - 1) << self.start

    def value(self, word: int) -> int:
        """The register's number in a word."""
        ones = (1 << self.width) - 1
        return (word >> self.start & ones) ^ (ones if self.inverted else 0)

    def put(self, word: int, value: int) -> int:
        """The word with another register."""
        if self.inverted:
            value ^= (1 << self.width) - 1
        return (word & ~self.mask()) | value << self.start


class Shape(msgspec.Struct, frozen=True, array_like=True, order=True):
    """The operands of an opcode, in one of its forms.

    Attributes:
        fields: Register fields in printed order.
        kinds: A `Kind` for each bit from `FIRST_BIT` on.
    """

    fields: tuple[Field, ...]
    kinds: str
