"""Batched kernels that do not select their row by a block index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.lint.access import global_writes
from sassay.lint.rule import Hit, Level, Options, Rule, Setting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sassay.lint.subject import Subject

_INDICES = ("%ctaid", "%clusterid", "%cluster_ctaid")


def check(subject: Subject, options: Options) -> Iterator[Hit]:
    """One hit for a kernel that never reads the index, else one for each write that ignores it."""
    if not subject.named(options.text("kernels")):
        return
    axis = options.text("axis")
    axes = "xyz" if axis == "any" else axis
    wanted = {f"{name}.{each}" for name in _INDICES for each in axes}
    shown = "a block index" if axis == "any" else f"%ctaid.{axis}"
    if not any(wanted.intersection(op.sources) for op in subject.ops if subject.runs(op)):
        yield Hit(f"the kernel never reads {shown}")
        return
    dependence = subject.dependence
    mask = dependence.mask(wanted)
    for op in global_writes(subject):
        address = subject.values.address(op)
        if address >= 0 and not dependence.far[address] & mask:
            yield Hit(
                f"`{op.opcode.text}` through `{subject.pointer(address)}`: the address does not "
                f"depend on {shown}",
                op,
            )


RULE = Rule(
    id="batch-row-select",
    level=Level.REVIEW,
    check=check,
    settings=(
        Setting("kernels", "*batch*", "globs of the kernels that take one row a block"),
        Setting("axis", "y", "the axis that selects the row", ("x", "y", "z", "any")),
    ),
)
