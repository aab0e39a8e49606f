"""Loads that could take the read-only path and do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.lint.access import global_loads, global_writes
from sassay.lint.rule import Hit, Level, Options, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sassay.lint.subject import Subject

_ORDERED = frozenset({"nc", "volatile", "relaxed", "acquire", "mmio"})


def check(subject: Subject, options: Options) -> Iterator[Hit]:
    """One hit for each plain load through a pointer that the kernel never writes through."""
    del options
    dependence = subject.dependence
    written: set[str] = set()
    for op in global_writes(subject):
        address = subject.values.address(op)
        names = dependence.pointers(address) if address >= 0 else ()
        if not names:
            return  # it could write anywhere
        written.update(names)
    if any(op.opcode.category == "tma" for op in subject.ops):
        return
    for op in global_loads(subject):
        address = subject.values.address(op)
        if op.opcode.head != "ld" or op.opcode.space != "global" or address < 0:
            continue
        names = dependence.pointers(address)
        if len(names) == 1 and names[0] not in written and not _ORDERED & set(op.opcode.words):
            yield Hit(
                f"`{op.opcode.text}` through `{subject.pointer(address)}`, which the kernel "
                "never writes",
                op,
            )


RULE = Rule(
    id="readonly-load",
    level=Level.INFO,
    check=check,
    default="asked",
)
