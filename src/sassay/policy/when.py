"""Compares the numbers of one family with the thresholds of a rule."""

from __future__ import annotations

from dataclasses import dataclass

from sassay.policy import schema
from sassay.policy.measure import (
    Judged,
    absent,
    all_hold,
    any_holds,
    compare_all,
    compare_at_least,
    relative,
    resource_test,
    resource_values,
)
from sassay.policy.scene import Subject


@dataclass(frozen=True)
class Tally:
    """The numbers of one family, architecture and layer.

    Attributes:
        noun: What is counted.
        after: Count in the candidate; a lower bound where `after_unknown` has reasons.
        before: Count in the baseline, likewise.
        delta_unknown: Why even the difference is not known.
        kernels: Selected kernels of the candidate.
        selection_unknown: Why more kernels may be selected.
    """

    noun: str
    after: int
    before: int
    after_unknown: tuple[str, ...] = ()
    before_unknown: tuple[str, ...] = ()
    delta_unknown: tuple[str, ...] = ()
    kernels: tuple[Subject, ...] = ()
    selection_unknown: tuple[str, ...] = ()


Result = tuple[bool | None, tuple[str, ...], tuple[str, ...], tuple[Subject, ...]]
"""Whether it holds, why it is not known, the steps in words, the kernels that pass."""


def judge_when(when: schema.When, tally: Tally, if_absent: schema.IfAbsent) -> Result:
    """Whether the numbers make a rule fire.

    Args:
        when: The thresholds; all must hold.
        tally: The numbers.
        if_absent: What to make of a percentage of nothing.
    """
    parts: list[Judged] = []
    steps: list[str] = []
    hits: tuple[Subject, ...] = ()
    for threshold in when.thresholds:
        judged = _threshold(threshold, tally, if_absent)
        parts.append(judged)
        steps.append(
            f"{_numbers(threshold, tally)}: {_demand(threshold.comparisons)} {_word(judged)}"
        )
    if when.resources:
        judged, hits = _resources(when.resources, tally, if_absent)
        parts.append(judged)
        steps.append(_resource_step(when.resources, tally, hits, judged))
    if when.any:
        alternatives = [judge_when(each, tally, if_absent) for each in when.any]
        parts.append(any_holds((holds, why) for holds, why, _, _ in alternatives))
        for position, (_, _, inner, found) in enumerate(alternatives, 1):
            steps.extend(f"alternative {position}: {step}" for step in inner)
            known = {id(subject) for subject in hits}
            hits += tuple(subject for subject in found if id(subject) not in known)
    holds, why = all_hold(parts)
    return holds, why, tuple(steps), hits if holds else ()


def _threshold(threshold: schema.Threshold, tally: Tally, if_absent: schema.IfAbsent) -> Judged:
    comparisons = threshold.comparisons
    if threshold.measure is schema.Measure.COUNT:
        if not tally.after_unknown:
            return compare_all(tally.after, comparisons), ()
        holds = compare_at_least(tally.after, comparisons)
        return holds, tally.after_unknown if holds is None else ()
    if threshold.measure is schema.Measure.DELTA:
        if tally.delta_unknown:
            return None, tally.delta_unknown
        return compare_all(tally.after - tally.before, comparisons), ()
    if tally.after_unknown or tally.before_unknown:
        return None, (*tally.before_unknown, *tally.after_unknown)
    if tally.before == tally.after == 0:
        return False, ()
    value = relative(threshold.measure, tally.before, tally.after)
    if value is None:
        return absent(
            if_absent, f"the baseline has no {tally.noun} to take a percentage or ratio of"
        )
    return compare_all(value, comparisons), ()


def _resources(
    tests: tuple[schema.ResourceTest, ...], tally: Tally, if_absent: schema.IfAbsent
) -> tuple[Judged, tuple[Subject, ...]]:
    hits: list[Subject] = []
    each: list[Judged] = []
    for subject in tally.kernels:
        judged = all_hold(resource_test(subject, test, if_absent) for test in tests)
        each.append(judged)
        if judged[0]:
            hits.append(subject)
    if tally.selection_unknown:
        each.append((None, tally.selection_unknown))
    return any_holds(each), tuple(hits)


def _numbers(threshold: schema.Threshold, tally: Tally) -> str:
    more = "at least " if tally.after_unknown else ""
    if threshold.measure is schema.Measure.COUNT:
        return f"count is {more}{tally.after} {tally.noun}"
    moved = f"{tally.noun} {tally.before} -> {more}{tally.after}"
    if threshold.measure is schema.Measure.DELTA:
        return f"delta is {tally.after - tally.before:+d} ({moved})"
    value = relative(threshold.measure, tally.before, tally.after)
    if value is None:
        return f"{threshold.measure.value} of nothing ({moved})"
    return f"{threshold.measure.value} is {value:.4g} ({moved})"


def _demand(comparisons: tuple[schema.Comparison, ...]) -> str:
    return " and ".join(f"{each.operator.value} {each.number:g}" for each in comparisons)


def _word(judged: Judged) -> str:
    return {True: "holds", False: "does not hold", None: "is not known"}[judged[0]]


def _resource_step(
    tests: tuple[schema.ResourceTest, ...],
    tally: Tally,
    hits: tuple[Subject, ...],
    judged: Judged,
) -> str:
    demand = ", ".join(
        f"{test.name}{'' if test.measure is schema.Measure.VALUE else ' ' + test.measure.value} "
        f"{_demand(test.comparisons)}"
        for test in tests
    )
    if judged[0] is None:
        return f"{demand}: is not known"
    example = ""
    if hits:
        values = []
        for name in dict.fromkeys(test.name for test in tests):
            before, after = resource_values(hits[0], name)
            values.append(f"{name} {'' if before is None else f'{before} -> '}{after}")
        example = f", such as {hits[0].kernel.name} ({', '.join(values)})"
    return f"{demand}: holds for {len(hits)} of {len(tally.kernels)} kernels{example}"
