"""Stores that give each block's own value to a place that all blocks share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.lint.access import global_stores
from sassay.lint.dependence import ATOMIC, CALL, UNKNOWN
from sassay.lint.rule import Hit, Level, Options, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sassay.lint.subject import Subject

_AXES = "xyz"
_INDICES = ("%ctaid", "%clusterid", "%cluster_ctaid")


def check(subject: Subject, options: Options) -> Iterator[Hit]:
    """One hit for each store whose value follows a block index that its address does not."""
    del options
    dependence = subject.dependence
    quiet = dependence.mask((ATOMIC, CALL, UNKNOWN))
    ranks = dependence.mask(("%cluster_ctarank",))
    for op in global_stores(subject):
        address = subject.values.address(op)
        if address < 0:
            continue
        place = dependence.far[address] | dependence.guard(op)
        if place & quiet:
            continue
        content = 0
        for value in subject.values.data(op):
            content |= dependence.far[value]
        for axis in _AXES:
            index = dependence.mask(f"{name}.{axis}" for name in _INDICES) | ranks
            if content & index and not place & index:
                yield Hit(
                    f"`{op.opcode.text}` through `{subject.pointer(address)}`: what is stored "
                    f"depends on %ctaid.{axis}, where it is stored does not",
                    op,
                )
                break


RULE = Rule(
    id="block-race",
    level=Level.REVIEW,
    check=check,
)
