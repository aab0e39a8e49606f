"""Stores whose address is the same for every thread of the grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.lint.access import global_stores
from sassay.lint.dependence import ATOMIC, CALL, UNKNOWN
from sassay.lint.rule import Hit, Level, Options, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sassay.lint.subject import Subject

INDICES = ("%tid", "%ctaid", "%laneid", "%warpid", "%clusterid", "%cluster_cta", "%lanemask")


def check(subject: Subject, options: Options) -> Iterator[Hit]:
    """One hit for each store that no index reaches: neither its address nor what guards it."""
    del options
    dependence = subject.dependence
    for op in global_stores(subject):
        address = subject.values.address(op)
        if address < 0:
            continue
        # `elect.sync` picks one thread, and so does the answer of an atomic operation.
        roots = dependence.far[address] | dependence.guard(op)
        names = dependence.roots.spell(roots)
        if any(name.startswith(INDICES) or name in {ATOMIC, CALL, UNKNOWN} for name in names):
            continue
        yield Hit(
            f"`{op.opcode.text}` through `{subject.pointer(address)}`: every thread writes there",
            op,
        )


RULE = Rule(
    id="store-one-place",
    level=Level.REVIEW,
    check=check,
)
