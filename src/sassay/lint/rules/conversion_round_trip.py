"""Conversions that are undone at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.lint.opcode import type_bits
from sassay.lint.rule import Hit, Level, Options, Rule, Setting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sassay.lint.program import Op
    from sassay.lint.subject import Subject

_FLOATS = frozenset({"f16", "bf16", "f32", "f64", "tf32"})
_PACKED = {"f16x2": "f16", "bf16x2": "bf16"}


def _ends(op: Op) -> tuple[str, str] | None:
    """What a float conversion gives and takes, None for another instruction."""
    types = [_PACKED.get(name, name) for name in op.opcode.types]
    if op.opcode.head != "cvt" or len(types) != 2 or not _FLOATS.issuperset(types):
        return None
    return (types[0], types[1]) if types[0] != types[1] else None


def check(subject: Subject, options: Options) -> Iterator[Hit]:
    """One hit for each conversion whose input was just converted from what it gives."""
    if not subject.has("cvt."):
        return
    values = subject.values
    for op in subject.ops:
        ends = _ends(op)
        if ends is None or not subject.runs(op):
            continue
        for value in values.data(op):
            source = _source(subject, value)
            if source is None or _ends(source) != (ends[1], ends[0]):
                continue
            rounds = type_bits(ends[1]) < type_bits(ends[0])
            if rounds and not options.flag("rounding"):
                continue
            what = "rounds for nothing else" if rounds else "gives back what was there"
            yield Hit(f"`{source.opcode.text}`, then `{op.opcode.text}`: {what}", op)
            break


def _source(subject: Subject, value: int) -> Op | None:
    """The conversion that a value comes from, moves and unpacking looked through."""
    values = subject.values
    for _ in range(4):
        op = values.op(value)
        if op is None or op.opcode.head != "mov":
            return op
        if len(op.data) != 1:
            return None
        value = values.inputs[value][0]
    return None


RULE = Rule(
    id="conversion-round-trip",
    level=Level.REVIEW,
    check=check,
    settings=(
        Setting(
            "rounding", default=False, about="also where the way there rounds, perhaps on purpose"
        ),
    ),
)
