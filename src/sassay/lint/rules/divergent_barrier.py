"""Barriers of the whole block that only some of its threads reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.lint.rule import Hit, Level, Options, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sassay.lint.program import Op
    from sassay.lint.subject import Subject

_INDICES = ("%tid", "%laneid", "%warpid", "%lanemask")


def _waits_for_all(op: Op) -> bool:
    """Whether every thread of the block has to come: no count of threads is given."""
    opcode = op.opcode
    if opcode.head not in {"bar", "barrier"} or {"cluster", "warp", "arrive"} & set(opcode.words):
        return False
    operands = len(op.data) - (1 if "red" in opcode.words else 0)
    return operands <= 1


def check(subject: Subject, options: Options) -> Iterator[Hit]:
    """One hit for each barrier under a condition that depends on the thread."""
    del options
    values, flow = subject.values, subject.flow
    for op in subject.ops:
        if not _waits_for_all(op) or not subject.runs(op):
            continue
        guard = values.guards[op.index]
        if guard >= 0 and subject.divergence.values[guard]:
            yield Hit(f"`{op.opcode.text}` is skipped by some threads{_why(subject, guard)}", op)
            continue
        branch = subject.divergence.entered_by_some(flow.block_of[op.index])
        if branch is None:
            continue
        last = flow.last(branch)
        guard = values.guards[last.index] if last is not None else -1
        yield Hit(f"`{op.opcode.text}` is reached by some threads only{_why(subject, guard)}", op)


def _why(subject: Subject, guard: int) -> str:
    if guard < 0:
        return ""
    names = subject.dependence.specials(subject.dependence.far[guard], _INDICES)
    return f": the condition depends on {', '.join(names)}" if names else ""


RULE = Rule(
    id="divergent-barrier",
    level=Level.FAIL,
    check=check,
)
