"""The generator against an instruction set that is made up here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sassay.isa.sass.learn.corpus import entry
from sassay.isa.sass.learn.explore import Explorer
from sassay.isa.sass.learn.fuzz import disputes, fuzz
from sassay.isa.sass.learn.lines import lines
from sassay.isa.sass.learn.opcode import Condition
from sassay.isa.sass.learn.oracle import BODY, Oracle, pack, unpack
from sassay.isa.sass.learn.publish import table_of
from sassay.isa.sass.learn.search import Search
from sassay.isa.sass.tables.columns import columns_of
from sassay.isa.sass.tables.decoder import TableDecoder
from sassay.isa.sass.tools import Tool

if TYPE_CHECKING:
    import pytest

    from sassay.isa.sass.words import Words

RZ = 0xFF
KEYS = [0x221, 0x224, 0x304, 0x305, 0x381, 0xB81]
RARE = [0x312, 0xD12, 0x38C, 0xF8C]
"""Opcodes whose words are further from one another than flips reach."""
CONVERSIONS = [0x312 | mode << 72 | mode * 13 << 82 for mode in range(32)]


def _field(word: int, start: int, width: int) -> int:
    return word >> start & (1 << width) - 1


def _load(word: int, wide: int, cached: int) -> str | None:
    """A register that must be RZ in one mode; the other form is refused in every plain word."""
    if word & 0xFFF == 0xB81:
        return "LOAD.CACHED" if wide and cached else None
    if not wide and _field(word, 24, 8) != RZ:
        return None
    return ("LOAD" if wide else "LOAD.U32") + (".CACHED" if cached else "")


def _convert(word: int) -> str | None:
    """Each mnemonic wants nine bits of its own; the other form has two of them, with bit 91."""
    mode = _field(word, 72, 5)
    uniform = word & 0xFFF == 0xD12
    if _field(word, 82, 9) != mode * 13 or word >> 91 & 1 != uniform:
        return None
    return None if uniform and mode not in {0b11010, 0b00101} else f"FROM.MODE{mode}"


def _shared(word: int) -> str | None:
    """One form wants five bits at once, and a size that has a name; the other lacks all of it."""
    mode, size = _field(word, 87, 5), _field(word, 73, 4)
    if word & 0xFFF == 0xF8C:
        named = "32" if size == 0b0110 else f"???{size}"
        return f"SHARED.COUNT.{named}" if mode == 0b11011 else None
    return "SHARED.ADD" if not mode and not size else None


def made_up(word: int) -> str | None:
    """Opcodes with the traps of real ones."""
    key, reuse = word & 0xFFF, _field(word, 122, 4)
    if word >> 100 & 1:
        return None  # a reserved bit
    if key in RARE:
        return None if reuse else (_convert if key & 0x1FF == 0x112 else _shared)(word)
    if key == 0x221:  # plain modifiers; bit 65 counts in one mode only
        name = "ADD" + (".FTZ" if word >> 80 & 1 else "")
        if word >> 72 & 1:
            name += ".RZ" + (".X" if word >> 65 & 1 else "")
        return name if not reuse & 4 else None
    if key == 0x224:  # an alias by operand value, by either of two operands
        if reuse & ~3:
            return None
        plain = RZ not in {_field(word, 24, 8), _field(word, 32, 8)}
        return ("MAD" if plain else "MAD.MOV") + (".U32" if not word >> 73 & 1 else "")
    if key == 0x304:  # a pair of bits whose midpoint is refused
        if (word >> 75 & 1) != (word >> 77 & 1) or reuse:
            return None
        return "CVT.F64" if word >> 75 & 1 else "CVT.F32"
    if key in {0x381, 0xB81} and not reuse:
        return _load(word, word >> 72 & 1, word >> 84 & 1)
    if key == 0x305:  # only some modes have the operand that can be reused
        high = word >> 76 & 1
        if reuse & ~(2 if high else 0):
            return None
        name = "LEA.HI" if high else "LEA"
        return name + (".INVALID3" if _field(word, 84, 2) == 3 else f".M{_field(word, 84, 2)}")
    return None


@dataclass
class MadeUp(Oracle):
    def mnemonics(self, words: Words) -> list[str | None]:
        self.asked += len(words)
        return [made_up(low | high << 64) for low, high in words.tolist()]


def _learn() -> Explorer:
    explorer = Explorer(MadeUp("sm_80", Tool("none", (1, 2, 3), ("sm_80",))), lambda _: None)
    seeds = [0x221 | 0x123 << 16, 0x381 | 1 << 72, 0x381 | 1 << 72 | 1 << 84]
    explorer.discover([*seeds, *CONVERSIONS])
    explorer.study()
    explorer.search()
    explorer.study()
    for number in range(5):
        if not fuzz(explorer, number)[1]:
            break
        explorer.enumerate()
    explorer.reuse()
    return explorer


def test_an_instruction_set_is_learned_and_no_answer_is_wrong() -> None:
    explorer = _learn()
    assert sorted(explorer.opcodes) == sorted([*KEYS, *RARE])
    assert not [item for opcode in explorer.opcodes.values() for item in disputes(opcode)]
    decoder = TableDecoder(columns_of(table_of(explorer.opcodes.values(), ["sm_80"], "1.2.3")))
    rng = np.random.default_rng(23)
    words = rng.integers(0, 2**64, (20_000, 2), dtype=np.uint64)
    keys = np.array([*KEYS, 0x306], dtype=np.uint64)
    words[:, 0] = words[:, 0] & ~np.uint64(0xFFF) | rng.choice(keys, len(words))
    words[::3, 0] |= np.uint64(RZ << 24)
    words[::2, 1] &= np.uint64(2**41 - 1)
    found = decoder.decode(words)
    right = valid = 0
    for number, (low, high) in zip(found.tolist(), words.tolist(), strict=True):
        expected = made_up(low | high << 64)
        if expected is not None and "INVALID" not in expected:
            valid += 1
            right += number >= 0
        if number >= 0:
            assert decoder.names[number] == expected, hex(low | high << 64)
    assert right / valid > 0.99


def test_what_decides_is_found() -> None:
    opcodes = _learn().opcodes
    assert opcodes[0x221].deciding == [65, 72, 80]
    assert opcodes[0x224].deciding == [73]
    assert opcodes[0x224].conditions == [Condition(24, 8, (RZ,)), Condition(32, 8, (RZ,))]
    assert opcodes[0x304].deciding == [75, 77]
    assert opcodes[0x305].deciding == [76, 84, 85]
    assert set(opcodes[0xD12].table().values()) == {"FROM.MODE5", "FROM.MODE26"}
    assert set(range(72, 77)) < set(opcodes[0xD12].deciding)
    assert set(opcodes[0xF8C].table().values()) == {"SHARED.COUNT.32"}
    assert opcodes[0x381].deciding == [24, 72, 84]
    assert opcodes[0x381].conditions == [Condition(24, 8, (RZ,))]
    assert opcodes[0xB81].table() == {0: "LOAD.CACHED"}
    assert all(opcodes[key].fixed == 1 << 100 for key in KEYS[:-1])
    assert opcodes[0xB81].fixed == 1 << 100 | 1 << 84 | 1 << 72
    assert opcodes[0x224].flags == 3
    assert set(opcodes[0x305].reuse.values()) == {0, 2}


def test_forms_of_a_known_opcode_are_searched_with_all_its_mnemonics() -> None:
    explorer = Explorer(MadeUp("sm_80", Tool("none", (1, 2, 3), ("sm_80",))), lambda _: None)
    explorer.discover(CONVERSIONS)
    assert set(explorer.opcodes[0xD12].accepted.values()) == {"FROM.MODE5"}
    assert 0xF8C not in explorer.opcodes
    explorer.search()
    assert set(explorer.opcodes[0xD12].accepted.values()) == {"FROM.MODE5", "FROM.MODE26"}
    assert 0xF8C in explorer.opcodes


def test_an_opcode_that_only_answers_without_a_name_is_searched_for_one() -> None:
    search = Search(MadeUp("sm_80", Tool("none", (1, 2, 3), ("sm_80",))), {0x38C: {"SHARED.ADD"}})
    search.run()
    assert set(search.named[0xF8C]) == {"SHARED.COUNT.32"}
    [word] = search.named[0xF8C].values()
    assert (_field(word, 73, 4), _field(word, 87, 5)) == (0b0110, 0b11011)


def test_what_decides_late_loses_no_combination(monkeypatch: pytest.MonkeyPatch) -> None:
    explorer = _learn()
    opcode = explorer.opcodes[0x224]
    before = set(opcode.table().values())
    count = len(opcode.table())
    monkeypatch.setattr("sassay.isa.sass.learn.explore.MAX_COMBINATIONS", 0)
    explorer.add(opcode, Condition(64, 8, (RZ,)))
    explorer.enumerate()
    assert len(opcode.table()) == 2 * count
    assert set(opcode.table().values()) == before


def test_the_same_questions_are_asked_again() -> None:
    first, second = (
        table_of(_learn().opcodes.values(), ["sm_80"], "1.2.3"),
        table_of(_learn().opcodes.values(), ["sm_80"], "1.2.3"),
    )
    assert first == second


def test_words_as_numbers_and_back() -> None:
    numbers = [0, BODY, 1 << 64, (1 << 104) | 5]
    assert unpack(pack(numbers)) == numbers
    assert unpack(pack([BODY | 1 << 110])) == [BODY]


def test_each_line_of_the_corpus_becomes_one_kernel() -> None:
    text = entry("k", "setp.lt.u32 %qo|%qo2,%r1,%r2;")
    assert text.count(".entry") == 1
    assert "setp.lt.u32 %qo1|%qo2,%r1,%r2;" in text
    assert text.count("st.volatile") == 2
    assert "\n" not in "".join(entry("k", line) for line in lines())
    assert len(lines()) > 2000
