"""Multiplications and additions that ptxas may fuse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.lint.rule import Hit, Level, Options, Rule
from sassay.lint.values import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sassay.lint.program import Op
    from sassay.lint.subject import Subject

_ROUNDED = frozenset({"rn", "rz", "rm", "rp", "rna"})


def _free(op: Op, heads: tuple[str, ...]) -> bool:
    """Whether it is such an operation on floats, and no rounding is written that would hold it."""
    opcode = op.opcode
    return opcode.head in heads and opcode.is_float and not _ROUNDED & set(opcode.words)


def check(subject: Subject, options: Options) -> Iterator[Hit]:
    """One hit for each product that only sums use."""
    del options
    values = subject.values
    for op in subject.ops:
        if not _free(op, ("mul",)) or not subject.runs(op) or not values.written[op.index]:
            continue
        users = values.users[values.written[op.index][0]]
        sums = [values.op(user) for user in users if values.kinds[user] is Kind.OP]
        if (
            sums
            and len(sums) == len(users)
            and all(each is not None and _free(each, ("add", "sub")) for each in sums)
        ):
            first = sums[0]
            text = first.opcode.text if first is not None else "add"
            yield Hit(f"`{op.opcode.text}` and `{text}` may become one rounding", op)


RULE = Rule(
    id="contractible-arithmetic",
    level=Level.INFO,
    check=check,
    default="changed",
)
