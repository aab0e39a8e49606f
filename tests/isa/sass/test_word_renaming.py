"""Renamed registers told from words, against what nvdisasm prints for the same words."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.isa.sass import material
from tests.isa.sass.material import EXIT, fadd, ffma, program

from sassay.isa.sass.learn.observe import difference, read
from sassay.isa.sass.renaming import renamed
from sassay.isa.sass.shape import CLASSES, FIRST_BIT, Field, Form, Kind, Shape
from sassay.isa.sass.tables import operands_for
from sassay.isa.sass.tables.operands import UNSHAPED, OperandDecoder
from sassay.isa.sass.tables.record import NO_SHAPE, SCHEMA, OpcodeShapes, OperandRecord
from sassay.isa.sass.tables.shipped import shipped_operands
from sassay.isa.sass.word_renaming import renamed_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sassay.isa.sass import Disassembler
    from sassay.isa.sass.words import Words

R, P = CLASSES.index("R"), CLASSES.index("P")
GUARD = Field(P, 12, 3, Form.GUARD)


def _kinds(**bits: str) -> str:
    letters = [Kind.OTHER] * (105 - FIRST_BIT)
    for name, kind in bits.items():
        letters[int(name[1:]) - FIRST_BIT] = kind
    return "".join(letters)


def _operands() -> OperandDecoder:
    """FADD and FFMA of sm_80, and an opcode of two shapes with a predicate turned round."""
    registers = [Field(R, start, 8, Form.PLAIN) for start in (16, 24, 32, 64)]
    turned = Field(P, 87, 3, Form.PLAIN, inverted=True)
    shapes = (
        Shape((GUARD, *registers[:3]), _kinds(b100=Kind.UNKNOWN, b99=Kind.MNEMONIC)),
        Shape((GUARD, *registers), _kinds()),
        Shape((GUARD, registers[0], turned), _kinds()),
    )
    opcodes = (
        OpcodeShapes(0x221, (), np.array([0], "<u2").tobytes()),
        OpcodeShapes(0x223, (), np.array([1], "<u2").tobytes()),
        OpcodeShapes(0x301, (91,), np.array([2, NO_SHAPE], "<u2").tobytes()),
        OpcodeShapes(0x94D, (), np.array([0], "<u2").tobytes()),
    )
    return OperandDecoder(OperandRecord(SCHEMA, ("sm_80",), "1.2.3", shapes, opcodes))


def _told(before: Words, after: Words) -> bool | None:
    names = {0x221: 0, 0x223: 1, 0x301: 2, 0x94D: 3}
    ids = np.array([names[int(low) & 0xFFF] for low in before[:, 0]], dtype=np.int32)
    return renamed_words(before, after, ids, ("FADD", "FFMA", "FOO", "EXIT"), _operands())


def test_words_tell_a_renaming() -> None:
    before = program(fadd(2, 3, 4), ffma(5, 2, 3, 4), fadd(4, 5, 2), EXIT)
    assert _told(before, before) is True
    renaming = program(fadd(2, 5, 4), ffma(3, 2, 5, 4), fadd(4, 3, 2), EXIT)
    assert _told(before, renaming) is True
    assert _told(renaming, before) is True
    assert _told(before, program(fadd(2, 5, 4), ffma(3, 2, 5, 4), fadd(4, 5, 2), EXIT)) is None
    assert _told(before, program(fadd(2, 3, 4), ffma(2, 2, 3, 4), fadd(4, 2, 2), EXIT)) is None
    with_zero = program(fadd(2, 255, 4), ffma(5, 2, 255, 4), fadd(4, 5, 2), EXIT)
    assert _told(before, with_zero) is None


def test_words_that_do_not_tell_leave_it_open() -> None:
    before = program(fadd(2, 3, 4), EXIT)
    unknown, telling = before.copy(), before.copy()
    unknown[0, 1] ^= np.uint64(1) << np.uint64(36)
    telling[0, 1] ^= np.uint64(1) << np.uint64(8)
    assert _told(before, unknown) is None
    unknown[0, 1] ^= np.uint64(3) << np.uint64(35)
    assert _told(before, unknown) is None
    assert _told(before, telling) is False
    control = before.copy()
    control[0, 1] ^= np.uint64(0x3F << 41)
    assert _told(before, control) is True
    unshaped = program((0x7301, 1 << 27), EXIT)
    assert _told(unshaped, unshaped) is None
    assert _operands().shapes(unshaped).tolist()[0] == UNSHAPED


@pytest.mark.parametrize(
    ("line", "told"),
    [("FOO R6, R3", True), ("FOO R6, RZ", False), ("FOO.X R6, R3", False)],
)
def test_text_is_read_of_open_instructions_alone(line: str, told: bool | None) -> None:
    before = program(fadd(2, 3, 4), (0x7301, 1 << 27), EXIT)
    after = program(fadd(6, 3, 4), (0x7301, 1 << 27 | 1), EXIT)
    asked: list[Words] = []

    def texts(left: Words, right: Words) -> tuple[Sequence[str], Sequence[str]]:
        asked.extend((left, right))
        return ["FOO R2, R3"], [line]

    ids = np.array([0, 2, 3], dtype=np.int32)
    names = ("FADD", "FFMA", "FOO", "EXIT")
    assert renamed_words(before, after, ids, names, _operands(), texts=texts) is told
    assert [each.tolist() for each in asked] == [before[1:2].tolist(), after[1:2].tolist()]


@pytest.mark.parametrize(("hidden", "told"), [(False, False), (True, None)])
def test_text_confirms_a_contradiction(hidden: bool, told: bool | None) -> None:
    """R2 becomes R5 and R6; unless the line hides one of them, that is no renaming."""
    before = program(fadd(9, 1, 1), fadd(2, 3, 4), fadd(2, 3, 3), EXIT)
    after = program(fadd(9, 1, 1), fadd(5, 3, 4), fadd(6, 3, 3), EXIT)
    asked: list[int] = []

    def texts(left: Words, right: Words) -> tuple[Sequence[str], Sequence[str]]:
        asked.append(len(left))
        assert np.array_equal(left, before[1:3])
        if hidden:
            return ["FADD R3, R4", "FADD R3, R3"], ["FADD R3, R4", "FADD R3, R3"]
        return ["FADD R2, R3, R4", "FADD R2, R3, R3"], ["FADD R5, R3, R4", "FADD R6, R3, R3"]

    ids = np.array([0, 0, 0, 3], dtype=np.int32)
    names = ("FADD", "FFMA", "FOO", "EXIT")
    assert renamed_words(before, after, ids, names, _operands(), texts=texts) is told
    assert asked == [2]


def test_a_predicate_that_is_turned_round() -> None:
    none, first, second = (program((0x7301 | 2 << 16, bits << 23), EXIT) for bits in (0, 6, 5))
    shapes = _operands().shapes(first)
    assert _operands().registers(first, shapes).numbers[0].tolist()[:3] == [-1, 2, 1]
    assert _told(first, second) is True
    assert _told(none, first) is None


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        ("FADD R2, R3, R4", "FADD R5, R3.reuse, R4", Kind.NOTHING),
        ("MOV R2, 0x5", "MOV R2, 0x6", Kind.IMMEDIATE),
        ("LDC R2, c[0x0][0x28]", "LDC R2, c[0x3][0x28]", Kind.BANK),
        ("LDC R2, c[0x0][0x28]", "LDC R2, c[0x0][0x2c]", Kind.OFFSET),
        ("@P0 BRA \x01+0x40", "@P0 BRA \x01-0x40", Kind.TARGET),
        ("@P0 BRA \x01+0x40", "@!P0 BRA \x01+0x40", Kind.OTHER),
        ("FADD R2, R3, R4", "FADD.FTZ R2, R3, R4", Kind.MNEMONIC),
    ],
)
def test_what_differs_between_two_lines(one: str, other: str, kind: str) -> None:
    assert difference(read(one), read(other)) == kind


def _variants(words: Words, arch: str, chosen: random.Random) -> Iterator[Words]:
    """Registers moved by blocks, exchanged one by one, and single bits turned round."""
    operands = operands_for(arch)
    assert operands is not None
    record = shipped_operands(arch)
    assert record is not None
    places = operands.shapes(words).tolist()
    for number in range(12):
        block = 8 if number % 2 else 1
        edited = words.copy()
        moves = {}
        for kind, top in ((R, 248), (P, 6), (CLASSES.index("UR"), 56)):
            order = list(range(0, top, block if kind != P else 1))
            mixed = chosen.sample(order, len(order)) if number % 3 else order
            moves[kind] = {
                start + step: target + step
                for start, target in zip(order, mixed, strict=True)
                for step in range(block if kind != P else 1)
            }
        for row, place in enumerate(places):
            if place == UNSHAPED:
                continue
            word = int(edited[row, 0]) | int(edited[row, 1]) << 64
            for item in record.shapes[place].fields:
                old = item.value(word)
                if old != item.zero and old in moves.get(item.register_class, {}):
                    word = item.put(word, moves[item.register_class][old])
            edited[row] = (word & 2**64 - 1, word >> 64)
        if number >= 8:
            row = chosen.randrange(len(words))
            bit = chosen.randrange(12, 105)
            edited[row, bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
        yield edited


LEARNED = (75, 80, 86, 89, 90, 100, 110, 120, 121)


@pytest.mark.oracle
@pytest.mark.parametrize("sm", LEARNED)
def test_words_and_text_agree(disassembler: Disassembler, tmp_path: Path, sm: int) -> None:
    chosen = random.Random(sm)
    cubin, _ = material.ptxas(
        material.CALLS + material.ARITHMETIC + material.pressure("many", 60), sm, tmp_path
    )
    arch = f"sm_{sm}"
    operands = operands_for(arch)
    assert operands is not None
    pairs: list[tuple[Words, Words]] = []
    for kernel in material.kernels(cubin).values():
        words = np.frombuffer(kernel.code, "<u8").reshape(-1, 2)
        pairs += [(words, variant) for variant in _variants(words, arch, chosen)]
    decoded = disassembler.opcodes([(arch, words.tobytes()) for pair in pairs for words in pair])
    disassembler.normal_texts(arch, np.concatenate([words for pair in pairs for words in pair]))
    seen: Counter[tuple[bool, bool | None]] = Counter()

    def texts(left: Words, right: Words) -> tuple[Sequence[str], Sequence[str]]:
        return disassembler.normal_texts(arch, left), disassembler.normal_texts(arch, right)

    for (before, after), one, other in zip(pairs, decoded[::2], decoded[1::2], strict=True):
        assert one is not None
        assert other is not None
        if not np.array_equal(one.opcodes, other.opcodes):
            continue
        told = renamed_words(before, after, one.opcodes, one.names, operands)
        text = renamed(*texts(before, after))
        assert told in {text, None}
        mixed = renamed_words(before, after, one.opcodes, one.names, operands, texts=texts)
        assert mixed in {text, None}
        assert told in {mixed, None}
        seen[text, mixed] += 1
    assert seen[True, True] > 3, seen
    assert seen[False, None] + seen[False, False] > 3, seen


def test_a_byte_of_a_register_is_no_barrier() -> None:
    assert [item.number for item in read("I2F.U8 R2, R3.B1").registers] == [2, 3]
    assert renamed(["I2F.U8 R2, R3.B1"], ["I2F.U8 R2, R3.B2"]) is False
