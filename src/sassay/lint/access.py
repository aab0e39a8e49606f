"""Which instructions reach global memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sassay.lint.program import Op
    from sassay.lint.subject import Subject

_GLOBAL = frozenset({"global", "generic"})


def global_stores(subject: Subject) -> Iterator[Op]:
    """Plain stores to global memory, those through generic addresses too, that control reaches."""
    for op in subject.ops:
        if op.opcode.is_store and op.opcode.space in _GLOBAL and subject.runs(op):
            yield op


def global_loads(subject: Subject) -> Iterator[Op]:
    """Loads from global memory into registers, that control reaches."""
    for op in subject.ops:
        if op.opcode.is_load and op.opcode.space in _GLOBAL and subject.runs(op):
            yield op


def global_writes(subject: Subject) -> Iterator[Op]:
    """Everything that writes global memory through an address: stores and atomic operations."""
    for op in subject.ops:
        head = op.opcode.head
        if head in {"st", "red", "atom"} and op.opcode.space in _GLOBAL and subject.runs(op):
            yield op
