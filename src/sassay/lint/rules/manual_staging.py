"""Tiles that pass through registers on their way to shared memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.lint.rule import Hit, Level, Options, Rule, Setting
from sassay.lint.values import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sassay.lint.program import Op
    from sassay.lint.subject import Subject

_FIRST_ARCH = 80
_SMALLEST = 4
"""Bytes: `cp.async` copies 4, 8 or 16; 16 bypass the first-level cache as well."""
_MOST_STEPS = 4_096


def check(subject: Subject, options: Options) -> Iterator[Hit]:
    """One hit for each store to shared memory of nothing but loaded words, in a loop."""
    if subject.arch < _FIRST_ARCH:
        return
    flow = subject.flow
    for op in subject.ops:
        if not op.opcode.is_store or op.opcode.space != "shared" or not subject.runs(op):
            continue
        block = flow.block_of[op.index]
        if not options.flag("anywhere") and not flow.in_loop[block]:
            continue
        if op.opcode.width < max(_SMALLEST, options.number("bytes")):
            continue
        loads = _loads(subject, op)
        if loads is None or not loads:
            continue
        widths = sorted({load.opcode.text for load in loads})
        yield Hit(f"`{op.opcode.text}` stores what `{widths[0]}` loaded, unchanged", op)


def _loads(subject: Subject, store: Op) -> list[Op] | None:
    """Global loads that a stored value is copied from, None where something else is in it."""
    values = subject.values
    found: dict[int, Op] = {}
    seen: set[int] = set()
    todo = list(values.data(store))
    while todo:
        value = todo.pop()
        if value in seen:
            continue
        seen.add(value)
        if len(seen) > _MOST_STEPS:
            return None
        kind = values.kinds[value]
        if kind is Kind.NUMBER:
            continue  # what a guarded load leaves where it does not load
        if kind is Kind.PHI:
            todo += values.inputs[value]
            continue
        if kind is Kind.MERGE:
            todo += values.inputs[value][1:]
            continue
        op = values.op(value)
        if op is None:
            return None
        if op.opcode.is_load and op.opcode.space in {"global", "generic"}:
            if op.opcode.width < _SMALLEST:
                return None
            found[op.index] = op
        elif op.opcode.head == "mov":
            todo += values.inputs[value]
        else:
            return None
    return list(found.values())


RULE = Rule(
    id="manual-staging",
    level=Level.REVIEW,
    check=check,
    settings=(
        Setting("bytes", 16, "bytes of one thread's store from which on it counts, 4 at least"),
        Setting("anywhere", default=False, about="also outside of loops"),
    ),
)
