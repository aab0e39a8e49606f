"""Learns where the words of each opcode hold registers, from a table of its mnemonics.

Words of every opcode are made up, each of their bits is flipped, and what that changes in the
printed line says what the bit holds. What was learned is then doubted: registers are exchanged at
random, and an opcode whose lines do not change as they should is looked into once more, and left
out in the end.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sassay.isa.sass.learn.contexts import Context, Reader, bits_of, context, flips, some_words
from sassay.isa.sass.learn.splits import Shapes, fields_of, split
from sassay.isa.sass.shape import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sassay.isa.sass.learn.contexts import Place
    from sassay.isa.sass.shape import Shape
    from sassay.isa.sass.tables.record import OpcodeRecord, TableRecord
    from sassay.isa.sass.tools import Tool

FIRST = 4
"""Contexts of every opcode, in which bits that decide the mnemonic are left alone."""
MORE = 8
"""Further ones of an opcode whose contexts do not agree, by round."""
SIBLINGS = 3
"""Beside them, with other registers, of each way in which it was seen to show its registers."""
MANNERS = 16
"""Such ways of one opcode that are looked into."""
PAIRS = 24
"""Pairs of words by which an opcode is doubted."""
ROUNDS = 3
_SEED = 3


@dataclass
class _Student:
    """One opcode while it is learned."""

    opcode: OpcodeRecord
    bits: list[int]
    contexts: list[Context] = field(default_factory=list)
    shapes: Shapes = field(default_factory=lambda: Shapes((), {}))
    failed: list[int] = field(default_factory=list)


def learn_shapes(
    table: TableRecord,
    arch: str,
    tool: Tool,
    say: Callable[[str], None],
) -> dict[int, Shapes]:
    """Learn the shapes of every opcode of a table.

    Args:
        table: Its mnemonics.
        arch: An architecture of the table.
        tool: The nvdisasm that taught it.
        say: Takes a line of progress.

    Raises:
        ToolError: if nvdisasm fails.
    """
    chosen = random.Random(_SEED)  # noqa: S311 - questions to a disassembler, no secrets
    reader = Reader(arch, tool)
    students = [_Student(opcode, bits_of(opcode)) for opcode in table.opcodes]
    words = {s.opcode.key: some_words(s.opcode, FIRST, chosen) for s in students}
    _study(students, words, reader, few=True)
    say(f"operands: {len(students)} opcodes, {reader.asked} lines asked")
    _doubt(students, chosen, reader)
    for number in range(ROUNDS):
        again = [s for s in students if s.failed or _incomplete(s.shapes)]
        words = {
            s.opcode.key: [*s.failed, *_siblings(s, chosen), *some_words(s.opcode, MORE, chosen)]
            for s in again
        }
        _study(again, words, reader, few=not number)
        _doubt(students, chosen, reader)
        failures = sum(bool(s.failed) for s in students)
        say(
            f"operands, round {number + 1}: {len(again)} opcodes looked into, "
            f"{failures} surprises, {reader.asked} lines asked"
        )
        reader.forget()
        if not failures and not any(_incomplete(s.shapes) for s in students):
            break
    for student in students:
        wrong = {student.shapes.index(word) for word in student.failed}
        kept = {i: s for i, s in student.shapes.by_index.items() if i not in wrong}
        student.shapes = Shapes(student.shapes.bits, kept)
    return {student.opcode.key: student.shapes for student in students}


def _incomplete(shapes: Shapes) -> bool:
    return len(shapes.by_index) < 1 << len(shapes.bits)


def _siblings(student: _Student, chosen: random.Random) -> list[int]:
    """Words with other registers, none of them RZ or PT, of each way to show registers.

    A rare way, such as an address without a descriptor, is then seen often enough to tell what
    bit makes it.
    """
    fields = fields_of(student.contexts)
    first: dict[tuple[Place, ...], Context] = {}
    for item in student.contexts:
        if item.places is not None:
            first.setdefault(item.places, item)
    found = []
    for places, item in list(first.items())[:MANNERS]:
        shown = {fields[place] for place in places}
        hidden = {each for each in fields.values() if each.value(item.word) == each.zero}
        for _ in range(SIBLINGS):
            word = item.word
            for each in sorted(hidden - shown) + sorted(shown):
                numbers = range((1 << each.width) - (each.zero >= 0))
                word = each.put(word, chosen.choice(numbers))
            found.append(word)
    return found


def _study(
    students: list[_Student], words: dict[int, list[int]], reader: Reader, *, few: bool = False
) -> None:
    """Flip every bit of words of each opcode, and find its shapes anew.

    With `few`, bits that decide the mnemonic are left alone: most of those flips are refused, and
    few of them are bits of a register in another mode.
    """
    reader.ask(word for student in students for word in words[student.opcode.key])
    accepted = {
        student.opcode.key: [
            word
            for word in dict.fromkeys(words[student.opcode.key])
            if reader.printed(word) is not None
        ]
        for student in students
    }
    reader.ask(
        flipped
        for student in students
        for word in accepted[student.opcode.key]
        for flipped in flips(word, _asked(student, few=few))
    )
    for student in students:
        for word in accepted[student.opcode.key]:
            found = context(word, _asked(student, few=few), reader)
            if found is not None:
                if few:
                    found.kinds.update(dict.fromkeys(student.opcode.bits, Kind.MNEMONIC))
                student.contexts.append(found)
        student.shapes = split(student.contexts)


def _asked(student: _Student, *, few: bool) -> list[int]:
    return [bit for bit in student.bits if not (few and bit in student.opcode.bits)]


def _doubt(students: Iterable[_Student], chosen: random.Random, reader: Reader) -> None:
    """Exchange registers at random; what does not print as it should is a failure."""
    pairs: list[tuple[_Student, int, int]] = []
    for student in students:
        student.failed = []
        for word in some_words(student.opcode, PAIRS, chosen):
            shape = student.shapes.of(word)
            if shape is not None:
                pairs.append((student, *_exchanged(shape, word, chosen)))
    reader.ask(word for _, one, other in pairs for word in (one, other))
    for student, one, other in pairs:
        shape = student.shapes.of(one)
        if shape is None:
            continue
        first, second = reader.printed(one), reader.printed(other)
        if first is None or second is None:
            continue
        fine = first.skeleton == second.skeleton
        for word, printed in ((one, first), (other, second)):
            expected = [
                (each.register_class, each.value(word), each.form)
                for each in shape.fields
                if each.value(word) != each.zero
            ]
            shown = [(r.register_class, r.number, r.form) for r in printed.registers]
            fine &= expected == shown
        if not fine:
            student.failed += [one, other]


def _exchanged(shape: Shape, word: int, chosen: random.Random) -> tuple[int, int]:
    """Two words that differ in their registers alone, RZ and PT in the same places."""
    one = other = word
    for each in shape.fields:
        if each.zero >= 0 and chosen.random() < 0.2:
            one, other = each.put(one, each.zero), each.put(other, each.zero)
            continue
        values = range((1 << each.width) - (each.zero >= 0))
        one = each.put(one, chosen.choice(values))
        other = each.put(other, chosen.choice(values))
    return one, other
