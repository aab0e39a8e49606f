"""Runs the example cases that a policy carries."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from sassay.policy.cases import case_diff, case_state
from sassay.policy.evaluate import evaluate

if TYPE_CHECKING:
    from sassay.model.finding import Check, Finding
    from sassay.policy import schema


class CaseResult(msgspec.Struct, frozen=True):
    """What became of one example case.

    Attributes:
        problems: What is not as expected, one line each; empty where the case holds.
    """

    name: str
    passed: bool
    problems: tuple[str, ...] = ()


def run_policy_tests(policy: schema.Policy) -> tuple[CaseResult, ...]:
    """Judge every example case of a policy and compare with what it expects.

    Args:
        policy: The policy.

    Raises:
        PolicyError: A rule names a group that the policy does not define.
    """
    results = []
    for case in policy.tests:
        problems = _problems(case.expect, judge_case(policy, case))
        results.append(CaseResult(name=case.name, passed=not problems, problems=problems))
    return tuple(results)


def judge_case(policy: schema.Policy, case: schema.TestCase) -> Check:
    """The judgement that a case gets."""
    states = tuple(case_state(state) for state in case.states)
    return evaluate(
        policy,
        states,
        case_diff(case.states, states),
        today=dt.date.fromisoformat(case.today),
    )


def _problems(expect: schema.Expectation, check: Check) -> tuple[str, ...]:
    lines: list[str] = []
    if expect.verdict is not None and check.verdict is not expect.verdict:
        lines.append(f"verdict is {check.verdict.value}, expected {expect.verdict.value}")
        lines.extend(f"  {rule.rule}: {rule.outcome.value}: {rule.why}" for rule in check.rules)
    outcomes = {rule.rule: rule.outcome for rule in check.rules}
    lines.extend(
        f"rule {name} is {outcomes[name].value if name in outcomes else 'absent'}, "
        f"expected {outcome.value}"
        for name, outcome in sorted(expect.rules.items())
        if outcomes.get(name) is not outcome
    )
    if expect.findings is not None:
        lines.extend(_compare(expect.findings, check.findings))
    return tuple(lines)


def _compare(expected: tuple[schema.ExpectedFinding, ...], found: tuple[Finding, ...]) -> list[str]:
    """Match expectations with findings, the most exact expectation first."""
    left = list(found)
    lines: list[str] = []
    ranked = sorted(expected, key=lambda e: -sum(v is not None for v in msgspec.structs.astuple(e)))
    for each in ranked:
        hit = next((finding for finding in left if _fits(each, finding)), None)
        if hit is None:
            lines.append(f"missing finding: {_say(each)}")
        else:
            left.remove(hit)
    for text, count in sorted(Counter(_describe(finding) for finding in left).items()):
        lines.append(f"unexpected finding: {text}" + (f" ({count} times)" if count > 1 else ""))
    return lines


def _fits(expected: schema.ExpectedFinding, finding: Finding) -> bool:
    actual = {
        "rule": finding.rule,
        "family": finding.family,
        "arch": finding.arch,
        "layer": finding.layer,
        "count": finding.count,
        "waived": finding.waived is not None,
    }
    wanted = msgspec.structs.asdict(expected)
    return all(value is None or actual[name] == value for name, value in wanted.items())


def _say(expected: schema.ExpectedFinding) -> str:
    wanted = msgspec.structs.asdict(expected)
    return ", ".join(f"{name} {value}" for name, value in wanted.items() if value is not None)


def _describe(finding: Finding) -> str:
    layer = f", layer {finding.layer}" if finding.layer else ""
    waived = ", waived" if finding.waived else ""
    return (
        f"rule {finding.rule}, family {finding.family}, arch {finding.arch}{layer}, "
        f"count {finding.count}{waived}"
    )
