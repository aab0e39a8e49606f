"""Looks for opcodes under every key, whatever the seeds and their flips led to.

A word of an opcode is refused unless several bits above its operands are right at once: no flip of
a neighbour gets there, and a simple context has them only by luck. So every key is tried in
many contexts, and those of which some form of operands is known in more. Where nvdisasm prints a
word and cannot name a modifier (`ATOMS.POPC.INC.???1`), there is an instruction: the word is
flipped until all of it has a name.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from sassay.isa.sass.learn.opcode import FORM, FORMS, KEY_BITS, KEY_MASK
from sassay.isa.sass.learn.oracle import UNNAMED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sassay.isa.sass.learn.oracle import Oracle

EVERYWHERE = 64
"""Contexts in which every key is tried."""
FURTHER = 192
"""Further ones for the keys of an opcode of which some form answered."""
CLIMBS = 4
"""Times that words without a name are flipped."""
STARTS = 8
"""Such words of one key that are flipped at a time, each of another instruction."""

MODE_START, MODE_BITS = 72, 20
"""Where nearly all modifiers lie, and the bits that tell the datapath."""
_GUARD = 0x7 << 12
_SOURCES = 0xFF << 24 | 0xFF << 32 | 0xFF << 64
_ZEROS = (0, _SOURCES, _SOURCES | 0xFF << 16)
"""Operands: R0, or RZ where registers may stand."""
_OPERANDS = ((1 << MODE_START) - 1) & ~((1 << 16) - 1)


class Search:
    """Words of opcodes, found without any seed.

    Attributes:
        named: By key, the first word of each mnemonic.
    """

    def __init__(self, oracle: Oracle, known: Mapping[int, Collection[str]], seed: int = 5) -> None:
        """Nothing is asked yet.

        Args:
            oracle: Who answers.
            known: By key, the mnemonics that need not be found.
            seed: Equal ones ask the same questions.
        """
        self._oracle = oracle
        self._random = random.Random(seed)  # noqa: S311 - questions to a disassembler, no secrets
        self._known = known
        self._nameless: dict[int, dict[str, list[tuple[int, int]]]] = {}
        self._flipped: set[int] = set()
        self.named: dict[int, dict[str, int]] = {}

    def run(self) -> None:
        """Ask.

        Raises:
            ToolError: if nvdisasm fails.
        """
        self._ask(self._contexts(range(1 << KEY_BITS), EVERYWHERE))
        self._ask(self._contexts(self._forms(), FURTHER))
        for _ in range(CLIMBS):
            self._ask([flip for word in self._starts() for flip in _flips(word)])

    def _forms(self) -> Sequence[int]:
        """The keys of all forms of the opcodes that answered in one."""
        answered = {*self._known, *self.named, *self._nameless}
        bases = sorted({key % FORM for key in answered})
        return [base + form * FORM for base in bases for form in range(FORMS)]

    def _contexts(self, keys: Iterable[int], count: int) -> list[int]:
        return [key | self._context(number) for key in keys for number in range(count)]

    def _context(self, number: int) -> int:
        """Random modifiers, dense or sparse, over four kinds of operands."""
        modes = self._random.getrandbits(MODE_BITS)
        if number & 1:
            modes &= self._random.getrandbits(MODE_BITS)
        kind = number >> 1 & 3
        operands = self._random.getrandbits(MODE_START) & _OPERANDS if kind == 3 else _ZEROS[kind]
        return _GUARD | operands | modes << MODE_START

    def _starts(self) -> list[int]:
        """Of each instruction that never had all its name, the word that lacks least of it."""
        found: list[int] = []
        for key, stems in sorted(self._nameless.items()):
            names = [*self._known.get(key, ()), *self.named.get(key, ())]
            best = sorted(
                min(words) for stem, words in stems.items()
                if not any(name.startswith(stem) for name in names)
            )  # fmt: skip
            fresh = [word for _, word in best if word not in self._flipped]
            found += fresh[:STARTS]
        self._flipped.update(found)
        return found

    def _ask(self, words: Iterable[int]) -> None:
        asked = list(dict.fromkeys(words))
        for word, name in zip(asked, self._oracle.ask_printed(asked), strict=True):
            if name is None:
                continue
            key = word & KEY_MASK
            nameless = sum(name.count(mark) for mark in UNNAMED)
            if nameless:
                stem = min((name.partition(mark)[0] for mark in UNNAMED), key=len)
                self._nameless.setdefault(key, {}).setdefault(stem, []).append((nameless, word))
            else:
                self.named.setdefault(key, {}).setdefault(name, word)


def _flips(word: int) -> list[int]:
    """The words one or two modifier bits away."""
    bits = [1 << bit for bit in range(MODE_START, MODE_START + MODE_BITS)]
    pairs = [one | other for place, one in enumerate(bits) for other in bits[:place]]
    return [word ^ change for change in (*bits, *pairs)]
