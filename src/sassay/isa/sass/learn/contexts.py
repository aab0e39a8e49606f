"""One word of an opcode, and what each flip of a bit changed in the line that nvdisasm prints."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from sassay.isa.sass.learn.observe import Printed, difference, read
from sassay.isa.sass.learn.oracle import AMBIGUOUS, BODY, CONTROL, UNNAMED, pack, raw_for
from sassay.isa.sass.shape import FIRST_BIT, LAST_BIT, Kind

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

    from sassay.isa.sass.tables.record import OpcodeRecord
    from sassay.isa.sass.tools import Tool


class Reader:
    """Asks one nvdisasm for whole lines, each word once."""

    def __init__(self, arch: str, tool: Tool) -> None:
        """Prepare for one architecture."""
        self._arch = arch
        self._raw = raw_for(arch, tool)
        self._known: dict[int, str | None] = {}
        self.asked = 0

    def ask(self, words: Iterable[int]) -> None:
        """Ask for words, all in one go.

        Raises:
            ToolError: if nvdisasm fails.
        """
        left = AMBIGUOUS.get(self._arch, ())
        fresh = [
            word for word in dict.fromkeys(words) if word not in self._known
            if word & 0xFFF not in left
        ]  # fmt: skip
        self.asked += len(fresh)
        if not fresh:
            return
        texts = self._raw.texts(pack([(word & BODY) | CONTROL for word in fresh]))
        for word, text in zip(fresh, texts, strict=True):
            named = text is not None and not any(mark in text for mark in UNNAMED)
            self._known[word] = text if named else None

    def printed(self, word: int) -> Printed | None:
        """What is printed for a word that was asked; None: refused, or without a name."""
        text = self.text(word)
        return None if text is None else read(text)

    def text(self, word: int) -> str | None:
        """The line of a word that was asked; None: refused, or without a name."""
        return self._known.get(word)

    def forget(self) -> None:
        """Drop what was asked."""
        self._known.clear()


@dataclass(frozen=True)
class Place:
    """Where a register was found: class, lowest bit, form, whether its bits are turned round."""

    register_class: int
    start: int
    form: int
    inverted: bool


@dataclass
class Context:
    """One accepted word.

    Attributes:
        word: The word.
        places: Where its registers lie, in printed order; None if one could not be located.
        tops: Highest bit that was seen to change the register, by class and lowest bit.
        kinds: What each bit that was flipped changes, unless a register.
    """

    word: int
    places: tuple[Place, ...] | None
    tops: dict[tuple[int, int], int] = field(default_factory=dict)
    kinds: dict[int, str] = field(default_factory=dict)


def bits_of(opcode: OpcodeRecord) -> list[int]:
    """The bits that may be flipped: all that are not fixed."""
    fixed = opcode.fixed_mask[0] | opcode.fixed_mask[1] << 64
    return [bit for bit in range(FIRST_BIT, LAST_BIT) if not fixed >> bit & 1]


def some_words(opcode: OpcodeRecord, count: int, chosen: random.Random) -> list[int]:
    """Words of an opcode with random operands, of as many mnemonics as possible."""
    indices = np.frombuffer(opcode.indices, "<u4").tolist()
    names = np.frombuffer(opcode.names, "<u4").tolist()
    order = chosen.sample(range(len(indices)), len(indices))
    times: Counter[int] = Counter()
    ranked: list[tuple[int, int, int]] = []
    for place in order:
        ranked.append((times[names[place]], len(ranked), indices[place]))
        times[names[place]] += 1
    picked = [index for _, _, index in sorted(ranked)[:count]]
    return [made_up(opcode, picked[number % len(picked)], chosen) for number in range(count)]


def made_up(opcode: OpcodeRecord, index: int, chosen: random.Random) -> int:
    """A word of one combination with random operands."""
    word = chosen.getrandbits(LAST_BIT) & ~0xFFF | opcode.key
    mask = opcode.fixed_mask[0] | opcode.fixed_mask[1] << 64
    word = word & ~mask | opcode.fixed_value[0] | opcode.fixed_value[1] << 64
    for place, bit in enumerate(opcode.bits):
        word = word & ~(1 << bit) | (index >> place & 1) << bit
    for place, item in enumerate(opcode.conditions, len(opcode.bits)):
        if index >> place & 1:
            operand = (1 << item.width) - 1 << item.start
            word = word & ~operand | chosen.choice(item.values) << item.start
    return word


def flips(word: int, bits: Iterable[int]) -> list[int]:
    """The words one flip away."""
    return [word ^ 1 << bit for bit in bits]


def context(word: int, bits: Iterable[int], reader: Reader) -> Context | None:
    """What is known of a word whose flips were asked for; None where it is refused itself."""
    plain = reader.printed(word)
    if plain is None:
        return None
    starts: list[set[tuple[int, bool]]] = [set() for _ in plain.registers]
    found = Context(word, None)
    odd = False
    for bit in bits:
        other = reader.printed(word ^ 1 << bit)
        if other is None:
            continue
        if other.skeleton != plain.skeleton:
            found.kinds[bit] = difference(plain, other)
            continue
        changed = False
        for place, (one, two) in enumerate(zip(plain.registers, other.registers, strict=True)):
            step = abs(one.number - two.number)
            if not step:
                continue
            changed = True
            start = bit - step.bit_length() + 1
            odd |= bool(step & step - 1) or start < FIRST_BIT
            starts[place].add((start, (two.number > one.number) != (not word >> bit & 1)))
            key = (one.register_class, start)
            found.tops[key] = max(found.tops.get(key, 0), bit)
        if not changed:
            found.kinds[bit] = Kind.NOTHING
    if not odd and all(len(each) == 1 for each in starts):
        found.places = tuple(
            Place(register.register_class, start, register.form, inverted)
            for register, each in zip(plain.registers, starts, strict=True)
            for start, inverted in each
        )
    return found
