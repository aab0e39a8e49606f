"""Registers that are spilled now and were not before, and new stack frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.lint.rule import Hit, Level, Options, Rule, Setting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sassay.lint.subject import Subject

_RESOURCES = {
    "spill_store_bytes": "spilled",
    "spill_load_bytes": "read back from spills",
    "stack_bytes": "of stack",
}


def check(subject: Subject, options: Options) -> Iterator[Hit]:
    """One hit for each resource that grew; of a kernel that is new, from nothing."""
    least = options.number("bytes")
    before = subject.before
    for name, words in _RESOURCES.items():
        now = getattr(subject.kernel.resources, name)
        old = getattr(before.kernel.resources, name) if before is not None else 0
        if now is None or old is None or now - old < least:
            continue
        shown = f"{now} bytes a thread" if name == "stack_bytes" else f"{now} bytes"
        was = f", {old} before" if before is not None else " in a kernel that is new"
        yield Hit(f"{shown} {words}{was}", count=now - old)
    if subject.kernel.resources.stack_bytes is None and subject.function is not None:
        now = sum(op.opcode.space == "local" for op in subject.ops)
        old = 0
        if before is not None and before.function is not None:
            old = sum(op.opcode.space == "local" for op in before.ops)
        if now > old:
            yield Hit(f"{now} accesses to local memory, {old} before", count=now - old)


RULE = Rule(
    id="new-spills",
    level=Level.REVIEW,
    check=check,
    default="changed",
    layers=("ptx", "sass"),
    settings=(Setting("bytes", 1, "growth from which on it counts"),),
    compares=True,
)
