"""Doubts what was learned: random operands in every combination, and what surprises teach."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sassay.isa.sass.learn.opcode import MAX_DECIDING, REGISTERS, Condition, Opcode

if TYPE_CHECKING:
    from sassay.isa.sass.learn.explore import Explorer

SAMPLES = 40
"""Combinations of one opcode that a round tries."""
DISPUTES = 3
"""Surprises of one opcode that a round looks into."""
_FIELDS = ((16, 8), (24, 8), (32, 8), (64, 8), (32, 32))


@dataclass(frozen=True)
class Dispute:
    """Two words of one combination with different answers."""

    opcode: Opcode
    known: int
    surprise: int

    def differing(self) -> list[int]:
        """The bits in which they differ."""
        changed = self.known ^ self.surprise
        return [bit for bit in range(changed.bit_length()) if changed >> bit & 1]


def fuzz(explorer: Explorer, seed: int) -> tuple[int, int]:
    """One round: ask, and let every bit or operand that explains a surprise decide.

    Returns:
        Words asked, and surprises.
    """
    chosen = random.Random(seed)  # noqa: S311 - a sample, no secret
    questions: list[int] = []
    for opcode in explorer.opcodes.values():
        if opcode.size > MAX_DECIDING:
            continue
        starts = opcode.representatives()
        sample = chosen.sample(starts, min(SAMPLES, len(starts)))
        questions += [explorer.scatter(opcode, word) for word in sample]
    explorer.ask(questions)
    found = [dispute for opcode in explorer.opcodes.values() for dispute in disputes(opcode)]
    resolve(explorer, found)
    return len(questions), len(found)


def disputes(opcode: Opcode) -> list[Dispute]:
    """The first few surprises of an opcode."""
    first: dict[int, int] = {}
    found: list[Dispute] = []
    index = opcode.indexer()
    for word, name in opcode.accepted.items():
        known = first.setdefault(index(word), word)
        if opcode.accepted[known] != name:
            found.append(Dispute(opcode, known, word))
    for word in sorted(opcode.refused):
        if opcode.matches(word):
            known = first.get(index(word), word)
            if known != word:
                found.append(Dispute(opcode, known, word))
    return found[:DISPUTES]


def resolve(explorer: Explorer, found: list[Dispute]) -> None:
    """Find out which bits make the difference in each dispute, and let them decide."""
    explorer.ask(
        word
        for dispute in found
        for bit in dispute.differing()
        for word in (dispute.known ^ 1 << bit, dispute.surprise ^ 1 << bit)
    )
    for dispute in found:
        opcode = dispute.opcode
        name = opcode.accepted[dispute.known]
        single = 0
        needed = 0
        for bit in dispute.differing():
            if opcode.accepted.get(dispute.known ^ 1 << bit) != name:
                single |= 1 << bit
            if opcode.accepted.get(dispute.surprise ^ 1 << bit) == name:
                needed |= 1 << bit
        bits = _without_registers(explorer, dispute, single) if single else needed
        condition = _operand(bits, dispute.surprise)
        if condition is not None and not single:
            explorer.add(opcode, condition)
        elif bits and opcode.size + bits.bit_count() <= MAX_DECIDING:
            opcode.decide(bits)


def _without_registers(explorer: Explorer, dispute: Dispute, bits: int) -> int:
    """The bits that make a difference, less those of a register that is RZ in one of the words.

    Where a register must be even unless it is RZ, each flip of RZ is refused: that is a condition.
    """
    for start, width in REGISTERS:
        field = Condition(start, width, ((1 << width) - 1,))
        part = bits & field.mask()
        if part and field.holds(dispute.known) != field.holds(dispute.surprise):
            explorer.add(dispute.opcode, field)
            bits &= ~part
    return bits


def _operand(bits: int, word: int) -> Condition | None:
    """The operand that several bits make up, where all of it is ones (RZ) or counts as a whole."""
    if bits.bit_count() < 3:
        return None
    for start, width in _FIELDS:
        field = Condition(start, width, ())
        if not bits & ~field.mask():
            value = (word & field.mask()) >> start
            if value in {0, (1 << width) - 1}:
                return Condition(start, width, (value,))
    return None
