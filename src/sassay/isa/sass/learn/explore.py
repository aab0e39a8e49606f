"""Finds opcodes, the bits that decide each of them, and the operand values that do."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from sassay.isa.sass.learn.opcode import (
    FORM,
    FORMS,
    KEY_BITS,
    KEY_MASK,
    MAX_DECIDING,
    REGISTERS,
    Condition,
    Opcode,
)
from sassay.isa.sass.learn.oracle import BODY, BODY_BITS, pack, with_reuse
from sassay.isa.sass.learn.search import Search

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sassay.isa.sass.learn.oracle import Oracle

MODES = 12
"""Mnemonics of an opcode that are asked whether they accept a `.reuse` flag."""
NEIGHBOURS = 24
"""Mnemonics of an opcode with which its other forms are looked for at first."""
CONTEXTS = 5
"""Words of different mnemonics from which every bit of an opcode is flipped."""
FULL_BITS = 10
"""Up to so many deciding bits every combination is tried; beyond, what flips reach."""
MAX_COMBINATIONS = 4_000
"""Combinations of one opcode that are asked for, anew whenever another bit turns out to decide."""
SINGLE_FLIPS = 3_000
"""Of those, the ones that one flip leads to."""
STEPS = 10
"""Times that flips start from what was reached by flips."""

_REGISTERS = ((16, 8), (24, 8), (32, 8), (64, 8), (16, 6), (24, 6), (32, 6), (64, 6))
_FLAGS = (1, 2, 4, 8)
_IMMEDIATE = (32, 32)
_PLAIN = (0x5A5A5A5A, 0xA5A5A5A5)
"""Values of an operand that have no spelling of their own, nor does one flip lead to such a one.
They differ in every bit, so an operand that holds a deciding bit is no operand."""
_POWERS = tuple(1 << place for place in range(32))
_PT_FIELDS = 0x7 << 12 | 0x7 << 81 | 0x7 << 87
_UNIFORM = 1 << 91
"""Set in instructions of the uniform datapath, and where an operand is a uniform register."""
_RZ_FIELDS = 0xFF << 24 | 0xFF << 32 | 0xFF << 64


class Explorer:
    """Learns the opcodes of one architecture.

    Attributes:
        opcodes: What was learned so far, by key.
    """

    def __init__(self, oracle: Oracle, say: Callable[[str], None], seed: int = 1) -> None:
        """Start with nothing known; equal seeds ask the same questions."""
        self._oracle = oracle
        self._say = say
        self._random = random.Random(seed)  # noqa: S311 - questions to a disassembler, no secrets
        self.opcodes: dict[int, Opcode] = {}
        self._spent: dict[tuple[int, int], int] = {}
        self._decided: dict[int, set[int | Condition]] = {}

    def ask(self, words: Iterable[int]) -> list[str | None]:
        """Ask for words and remember the answers."""
        asked = list(dict.fromkeys(word & BODY for word in words))
        fresh = [word for word in asked if not self._seen(word)]
        self._keep(zip(fresh, self._oracle.ask(fresh), strict=True))
        return [self._answer(word) for word in asked]

    def _keep(self, answers: Iterable[tuple[int, str | None]]) -> None:
        for word, name in answers:
            key = word & KEY_MASK
            opcode = self.opcodes.get(key)
            if opcode is None:
                if name is None:
                    continue
                opcode = self.opcodes[key] = Opcode(key)
            opcode.see(word, name)

    def _seen(self, word: int) -> bool:
        opcode = self.opcodes.get(word & KEY_MASK)
        return opcode is not None and (word in opcode.accepted or word in opcode.refused)

    def _answer(self, word: int) -> str | None:
        opcode = self.opcodes.get(word & KEY_MASK)
        return opcode.accepted.get(word) if opcode else None

    def discover(self, seeds: Iterable[int]) -> None:
        """Seeds first; then every key, in simple contexts and in those of its neighbours."""
        self.ask(seeds)
        self._say(f"{len(self.opcodes)} opcodes in the seeds")
        simple = [0x7 << 12, _PT_FIELDS, _PT_FIELDS | _RZ_FIELDS]
        simple += [context | _UNIFORM for context in simple]
        self.ask(key | context for key in range(1 << KEY_BITS) for context in simple)
        done: set[int] = set()
        for _ in range(3):
            new = sorted(set(self.opcodes) - done)
            done.update(new)
            self.ask(
                self.opcodes[key].base ^ 1 << bit ^ uniform
                for key in new
                for bit in range(KEY_BITS)
                if key ^ 1 << bit not in self.opcodes
                # `FMUL` with a uniform register (0xc20) is refused without bit 91.
                for uniform in (0, _UNIFORM)
            )
        self._say(f"{len(self.opcodes)} opcodes after flips of the low {KEY_BITS} bits")
        self._other_forms()
        self._say(f"{len(self.opcodes)} opcodes with all forms of operands")

    def search(self) -> None:
        """Look for opcodes, and for mnemonics of known ones, under every key.

        Only what is accepted is kept, once for each mnemonic. What is found leads further, so the
        combinations of each opcode are asked for anew.
        """
        known = {key: set(opcode.accepted.values()) for key, opcode in self.opcodes.items()}
        search = Search(self._oracle, known)
        search.run()
        self._keep((word, name) for each in search.named.values() for name, word in each.items())
        self._say(f"{len(self.opcodes)} opcodes after a search under all keys")
        self._complete_forms()
        self._spent.clear()

    def _other_forms(self) -> None:
        """Look under the keys of an opcode's other forms for some of what is known of it.

        `I2F.F16` of an immediate (0x906) is two flips from that of a register (0x306), and its
        words without a modifier are refused.
        """
        questions: list[int] = []
        for base, named in self._first_of_all_forms().items():
            chosen = list(named.values())[:NEIGHBOURS]
            for key in range(base, FORMS * FORM, FORM):
                questions += _under(key, chosen)
        self._keep_accepted(questions)

    def _complete_forms(self) -> None:
        """Look under every known key for each mnemonic that only other forms of it have shown.

        `I2F` of a register has a hundred mnemonics; that of a uniform one (0xd12) takes few of
        them.
        """
        named = self._first_of_all_forms()
        questions: list[int] = []
        for key, opcode in sorted(self.opcodes.items()):
            there = set(opcode.accepted.values())
            missing = (word for name, word in named[key % FORM].items() if name not in there)
            questions += _under(key, missing)
        self._keep_accepted(questions)

    def _first_of_all_forms(self) -> dict[int, dict[str, int]]:
        """By what the keys of all forms share, the first word of each mnemonic."""
        words: dict[int, dict[str, int]] = {}
        for key, opcode in sorted(self.opcodes.items()):
            named = words.setdefault(key % FORM, {})
            for word in self._first_of_each(opcode):
                named.setdefault(opcode.accepted[word], word)
        return words

    def _keep_accepted(self, questions: Iterable[int]) -> None:
        """Ask, and forget what is refused.

        The operands of one form mean nothing in another, so a refusal says nothing of modifiers.
        """
        asked = [word for word in dict.fromkeys(questions) if not self._seen(word)]
        answers = zip(asked, self._oracle.ask(asked), strict=True)
        self._keep([(word, name) for word, name in answers if name is not None])

    def study(self) -> None:
        """Find what decides in each opcode, and ask for its combinations."""
        self.conditions()
        self.classify()
        self.pairs()
        self.enumerate()

    def conditions(self) -> None:
        """Try operand values that are known to have spellings of their own."""
        tried: list[tuple[Opcode, int, int, list[int], tuple[int, ...], list[int]]] = []
        questions: list[int] = []
        for opcode in self.opcodes.values():
            for start, width in (*_REGISTERS, _IMMEDIATE):
                values: tuple[int, ...] = ((1 << width) - 1,)
                if width == 32:
                    values = (0, *_POWERS) if opcode.key & 0x1FF == 0x24 else (0, 1, 2, 1 << 31)
                field = Condition(start, width, ())
                # With 0 above a field of 6 bits, 63 is no RZ in one of 8.
                above = 0xC0 << start if width == 6 else 0
                for word in [first & ~above for first in self._first_of_each(opcode)[:3]]:
                    plain = [field.put(word, v & (1 << width) - 1) for v in _PLAIN]
                    asked = [field.put(word, value) for value in values]
                    tried.append((opcode, start, width, plain, values, asked))
                    questions += [*plain, *asked]
        self.ask(questions)
        for opcode, start, width, plain, values, asked in tried:
            names = {opcode.accepted.get(word) for word in plain}
            if len(names) > 1 or None in names:
                continue
            groups: dict[str, list[int]] = {}
            for value, word in zip(values, asked, strict=True):
                name = opcode.accepted.get(word)
                if name is not None and name not in names:
                    groups.setdefault(name, []).append(value)
            for members in groups.values():
                self.add(opcode, Condition(start, width, tuple(members)))

    def classify(self) -> None:
        """Flip every bit of a few words of each opcode; sort the bits by what that does."""
        for _ in range(2):
            self.ask(w for opcode in self.opcodes.values() for w in self._neutral(opcode))
            self.ask(
                flipped
                for opcode in self.opcodes.values()
                for word in self._contexts(opcode)
                for flipped in self._flips(word)
            )
        for opcode in self.opcodes.values():
            same = other = refused = 0
            for word in self._contexts(opcode):
                name = opcode.accepted[word]
                for bit in range(KEY_BITS, BODY_BITS):
                    answer = opcode.accepted.get(word ^ 1 << bit)
                    if answer is None:
                        refused |= (word ^ 1 << bit in opcode.refused) << bit
                    elif answer == name:
                        same |= 1 << bit
                    else:
                        other |= 1 << bit
            opcode.fixed = refused & ~other & ~same
            opcode.decide(other | (refused & same))
            opcode.settle_fixed()
            self._whole_registers(opcode)

    def _whole_registers(self, opcode: Opcode) -> None:
        """Where all bits of a register seem to decide, RZ and the lowest bit do.

        The register of a 64-bit address must be even unless it is RZ: flips of RZ are refused, and
        so is every odd register. Doubt would find more, if there is more.
        """
        for start, width in REGISTERS:
            field = Condition(start, width, ((1 << width) - 1,))
            if all(bit in opcode.deciding for bit in range(start, start + width)):
                opcode.deciding = [
                    b for b in opcode.deciding if b not in range(start + 1, start + width)
                ]
                self.add(opcode, field)

    @staticmethod
    def add(opcode: Opcode, condition: Condition) -> None:
        """Keep a condition; of two that overlap, the parts that differ become conditions."""
        values = set(condition.values)
        kept: list[Condition] = []
        for known in opcode.conditions:
            if (known.start, known.width) != (condition.start, condition.width):
                kept.append(known)
                continue
            shared = values & set(known.values)
            rest = set(known.values) - shared
            values -= shared
            kept += [
                Condition(known.start, known.width, tuple(sorted(part)))
                for part in (shared, rest)
                if part
            ]
        if values:
            kept.append(Condition(condition.start, condition.width, tuple(sorted(values))))
        opcode.conditions = sorted(kept)

    def pairs(self) -> None:
        """Flip pairs of bits that a single flip cannot pass, where the step between is refused."""
        questions: list[int] = []
        for opcode in self.opcodes.values():
            stiff = [b for b in range(KEY_BITS, BODY_BITS) if opcode.fixed >> b & 1]
            bits = sorted({*stiff, *opcode.deciding})
            questions += [
                opcode.base ^ 1 << one ^ 1 << other
                for place, one in enumerate(bits)
                for other in bits[place + 1 :]
                if opcode.fixed >> one & 1 or opcode.fixed >> other & 1
                if other - one <= 16
            ]
        self.ask(questions)
        for opcode in self.opcodes.values():
            opcode.settle_fixed()

    def reuse(self) -> None:
        """Learn which `.reuse` flags an opcode accepts.

        Where only some of its mnemonics accept a flag (`LEA.HI` has an operand that `LEA` lacks),
        every combination is asked for.
        """
        every = {key: self._first_of_each(opcode)[:MODES] for key, opcode in self.opcodes.items()}
        some: dict[int, int] = dict.fromkeys(every, 0)
        mixed: list[int] = []
        for flag in _FLAGS:
            answers = self._accept(every, flag)
            for key, accepted in answers.items():
                if any(accepted):
                    some[key] |= flag
                    if not all(accepted) and key not in mixed:
                        mixed.append(key)
        for key, opcode in self.opcodes.items():
            opcode.reuse = {}
            opcode.flags = 0 if key in mixed else some[key]
        words = {key: self.opcodes[key].representatives()[:MAX_COMBINATIONS] for key in mixed}
        for flag in _FLAGS:
            asked = {key: part for key, part in words.items() if some[key] & flag}
            for key, accepted in self._accept(asked, flag).items():
                opcode = self.opcodes[key]
                for word, fine in zip(asked[key], accepted, strict=True):
                    index = opcode.index(word)
                    opcode.reuse[index] = opcode.reuse.get(index, 0) | fine * flag

    def _accept(self, words: dict[int, list[int]], flag: int) -> dict[int, list[bool]]:
        """Whether each word of each opcode keeps its mnemonic with a `.reuse` flag."""
        asked = [with_reuse(word, flag) for part in words.values() for word in part]
        answers = iter(self._oracle.ask_raw(pack(asked)))
        return {
            key: [next(answers) == self.opcodes[key].accepted[word] for word in part]
            for key, part in words.items()
        }

    def enumerate(self) -> None:
        """Ask for the combinations of deciding bits and conditions that can be reached."""
        self._halves()
        waiting = {key: opcode.representatives() for key, opcode in self.opcodes.items()}
        for _ in range(STEPS):
            questions: list[int] = []
            for key, opcode in self.opcodes.items():
                spent = self._spent.get((key, opcode.size), 0)
                if opcode.size > MAX_DECIDING or spent >= MAX_COMBINATIONS:
                    continue
                index = opcode.indexer()
                known = {index(word) for word in opcode.accepted}
                known |= {index(word) for word in opcode.refused if opcode.matches(word)}
                words = self._singles(opcode, waiting[key], known)[: max(0, SINGLE_FLIPS - spent)]
                words = words or self._pairs(opcode, known)[: MAX_COMBINATIONS - spent]
                self._spent[key, opcode.size] = spent + len(words)
                questions += words
                waiting[key] = words
            if not questions:
                break
            self.ask(questions)
            for key, opcode in self.opcodes.items():
                waiting[key] = [word for word in waiting[key] if word in opcode.accepted]

    def _halves(self) -> None:
        """Ask for the other half of each combination that something new splits in two.

        Whether a register is RZ decides in few modes of `RED`, and is found late. What was known
        of the others must not be lost for `[RZ+UR4]`, whatever has been asked for already.
        """
        questions: list[int] = []
        for key, opcode in self.opcodes.items():
            deciding: list[int | Condition] = [*opcode.deciding, *opcode.conditions]
            before = self._decided.get(key, set(deciding))
            self._decided[key] = set(deciding)
            new = [place for place, item in enumerate(deciding) if item not in before]
            if new and opcode.size <= MAX_DECIDING:
                words = opcode.representatives()
                questions += [self._with(opcode, word, 1 << one) for word in words for one in new]
        self.ask(questions)

    def _singles(self, opcode: Opcode, starts: list[int], known: set[int]) -> list[int]:
        """Words of combinations that were never asked for, one flip away; all where few bits are.

        What is found joins the known.
        """
        if opcode.size <= FULL_BITS:
            first = opcode.index(opcode.base)
            changes = ((opcode.base, index ^ first) for index in range(1 << opcode.size))
        else:
            changes = ((word, 1 << one) for word in starts for one in range(opcode.size))
        return self._unknown(opcode, changes, known)

    def _pairs(self, opcode: Opcode, known: set[int]) -> list[int]:
        """The same, two flips away from any combination that was accepted."""
        places = range(opcode.size)
        changes = (
            (word, 1 << one | 1 << other)
            for word in opcode.representatives()
            for one in places
            for other in range(one)
        )
        return self._unknown(opcode, changes, known)

    def _unknown(
        self, opcode: Opcode, changes: Iterable[tuple[int, int]], known: set[int]
    ) -> list[int]:
        result: list[int] = []
        index_of = opcode.indexer()
        before, first = -1, 0
        for start, change in changes:
            if start != before:
                before, first = start, index_of(start)
            if first ^ change in known:
                continue
            word = self._with(opcode, start, change)
            index = index_of(word)
            if index not in known:
                known.add(index)
                result.append(word)
                if len(result) == MAX_COMBINATIONS:
                    break
        return result

    def _with(self, opcode: Opcode, word: int, change: int) -> int:
        """A word with some of its deciding bits and conditions turned round."""
        for place, bit in enumerate(opcode.deciding):
            if change >> place & 1:
                word ^= 1 << bit
        for place, condition in enumerate(opcode.conditions, len(opcode.deciding)):
            if not change >> place & 1:
                continue
            if condition.holds(word):
                word = condition.put(word, self._plain(opcode, condition))
            else:
                word = condition.put(word, self._random.choice(condition.values))
        return word

    def _plain(self, opcode: Opcode, condition: Condition) -> int:
        """A value of an operand that no condition on it names."""
        place = (condition.start, condition.width)
        taken = {v for c in opcode.conditions if (c.start, c.width) == place for v in c.values}
        while (value := self._random.getrandbits(condition.width)) in taken:
            pass
        return value

    @staticmethod
    def _first_of_each(opcode: Opcode) -> list[int]:
        """The first word of each mnemonic."""
        found: dict[str, int] = {}
        for word, name in opcode.accepted.items():
            found.setdefault(name, word)
        return list(found.values())

    def _neutral(self, opcode: Opcode) -> list[int]:
        """Words of different mnemonics, none of whose operands fulfils a condition."""
        words = self._first_of_each(opcode)[: 4 * CONTEXTS]
        for condition in opcode.conditions:
            plain = _PLAIN[0] & (1 << condition.width) - 1
            words = [condition.put(word, plain) for word in words]
        return words

    def _contexts(self, opcode: Opcode) -> list[int]:
        """The first neutral word of each of the first few mnemonics."""
        found: dict[str, int] = {}
        for word in self._neutral(opcode):
            name = opcode.accepted.get(word)
            if name is not None and name not in found:
                found[name] = word
                if len(found) == CONTEXTS:
                    break
        return list(found.values()) or [opcode.base]

    @staticmethod
    def _flips(word: int) -> list[int]:
        return [word ^ 1 << bit for bit in range(KEY_BITS, BODY_BITS)]

    def scatter(self, opcode: Opcode, word: int) -> int:
        """A word with random operands and the same index, as far as conditions are known."""
        mask = sum(1 << bit for bit in opcode.free())
        for condition in opcode.conditions:
            mask &= ~condition.mask()
        word = (word & ~mask) | (self._random.getrandbits(BODY_BITS) & mask)
        for start, width in {(c.start, c.width) for c in opcode.conditions}:
            field = Condition(start, width, ())
            holding = [c for c in opcode.conditions if (c.start, c.width) == (start, width)]
            true = next((c for c in holding if c.holds(word)), None)
            value = self._random.choice(true.values) if true else self._plain(opcode, holding[0])
            word = field.put(word, value)
        return word


def _under(key: int, words: Iterable[int]) -> list[int]:
    """Words under another key, as they are and with the bit of the uniform datapath turned."""
    moved = [word & ~KEY_MASK | key for word in words]
    return [word ^ uniform for word in moved for uniform in (0, _UNIFORM)]
