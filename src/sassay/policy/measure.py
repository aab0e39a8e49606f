"""Three-valued comparisons: a number holds, does not, or is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.model.change import KernelStatus
from sassay.policy import schema
from sassay.policy.resources import resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sassay.policy.scene import Subject

Judged = tuple[bool | None, tuple[str, ...]]
"""Whether it holds (None: not known), and why it is not known."""


def compare(value: float, comparison: schema.Comparison) -> bool:
    """Whether one comparison holds."""
    number = comparison.number
    match comparison.operator:
        case schema.Operator.GTE:
            return value >= number
        case schema.Operator.GT:
            return value > number
        case schema.Operator.LTE:
            return value <= number
        case schema.Operator.LT:
            return value < number
        case schema.Operator.EQ:
            return value == number


def compare_all(value: float, comparisons: Sequence[schema.Comparison]) -> bool:
    """Whether all comparisons hold."""
    return all(compare(value, each) for each in comparisons)


def compare_at_least(low: float, comparisons: Sequence[schema.Comparison]) -> bool | None:
    """Whether all comparisons hold for a number of which only a lower bound is known."""
    result: bool | None = True
    for each in comparisons:
        holds = compare(low, each)
        rising = each.operator in {schema.Operator.GTE, schema.Operator.GT}
        if rising and holds:
            continue
        if (
            not rising
            and not holds
            and (each.operator is not schema.Operator.EQ or low > each.number)
        ):
            return False
        result = None
    return result


def all_hold(parts: Iterable[Judged]) -> Judged:
    """False if any is false, else unknown if any is, else true."""
    reasons: tuple[str, ...] = ()
    unknown = False
    for holds, why in parts:
        if holds is False:
            return False, ()
        unknown = unknown or holds is None
        reasons += why
    return (None, reasons) if unknown else (True, ())


def any_holds(parts: Iterable[Judged]) -> Judged:
    """True if any is true, else unknown if any is, else false."""
    reasons: tuple[str, ...] = ()
    unknown = False
    for holds, why in parts:
        if holds:
            return True, ()
        unknown = unknown or holds is None
        reasons += why
    return (None, reasons) if unknown else (False, ())


def absent(if_absent: schema.IfAbsent, why: str) -> Judged:
    """What a rule makes of having nothing to compare with."""
    match if_absent:
        case schema.IfAbsent.FIRE:
            return True, ()
        case schema.IfAbsent.QUIET:
            return False, ()
        case schema.IfAbsent.UNKNOWN:
            return None, (f"{why} (if_absent: fire or quiet settles that)",)


def relative(measure: schema.Measure, before: float, after: float) -> float | None:
    """A delta, a percentage or a ratio; None where it would be one of nothing."""
    if measure is schema.Measure.DELTA:
        return after - before
    if before == 0:
        return None
    if measure is schema.Measure.RATIO:
        return after / before
    # Multiplied first, so that 40 to 44 is exactly 10 percent.
    return (after - before) * 100 / before


def resource_values(subject: Subject, name: str) -> tuple[int | None, int | None]:
    """A resource in the kernel before and the kernel after; None: no kernel, or not known."""
    before, after = subject.pair
    return (
        resource(before, name) if before is not None else None,
        resource(after, name) if after is not None else None,
    )


def resource_test(
    subject: Subject, test: schema.ResourceTest, if_absent: schema.IfAbsent
) -> Judged:
    """Whether the resources of a kernel, or of its matched pair, pass a test.

    Args:
        subject: The kernel.
        test: The test.
        if_absent: What to make of a kernel without counterpart and of a percentage of nothing.
    """
    where = f"{subject.kernel.family} ({subject.arch})"
    if test.measure is schema.Measure.VALUE:
        value = resource(subject.kernel, test.name)
        if value is None:
            return None, (f"{test.name} of {where} is not known",)
        return compare_all(value, test.comparisons), ()
    if subject.status in {KernelStatus.ADDED, KernelStatus.REMOVED}:
        return absent(
            if_absent, f"a kernel of {where} has no counterpart to compare {test.name} with"
        )
    before, after = resource_values(subject, test.name)
    if before is None or after is None:
        if subject.status is not KernelStatus.UNCHANGED:
            return None, (f"{test.name} of {where} is not known on both sides",)
        # The code is the same, so nothing moved, whatever the value is.
        before = after = 0
    if before == after:
        still = 1 if test.measure is schema.Measure.RATIO else 0
        return compare_all(still, test.comparisons), ()
    value_moved = relative(test.measure, before, after)
    if value_moved is None:
        return absent(if_absent, f"{test.name} of {where} was 0 in the baseline")
    return compare_all(value_moved, test.comparisons), ()
