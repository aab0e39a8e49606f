"""Small states and diffs, written as the inline kernels of a policy's example cases."""

from __future__ import annotations

import datetime as dt
import textwrap
from typing import TYPE_CHECKING

from sassay.policy import Policy, evaluate, parse_policy
from sassay.policy.cases import case_diff, case_state

if TYPE_CHECKING:
    from sassay.model.change import Diff
    from sassay.model.finding import Check
    from sassay.model.state import State

TODAY = dt.date(2026, 1, 1)


def policy_of(text: str, name: str = "policy.yaml") -> Policy:
    return parse_policy("version: v1\n" + textwrap.dedent(text), artifact=name)


def one_rule(body: str, effect: str = "review") -> Policy:
    """A policy with one rule `r`; `body` is its match, exclude, when and so on."""
    rule = textwrap.indent(textwrap.dedent(body).strip(), "    ")
    return policy_of(f"rules:\n  - id: r\n    effect: {effect}\n    reason: because\n{rule}\n")


def scene_of(states: str) -> tuple[tuple[State, ...], Diff | None]:
    """States and their diff from a YAML list of inline states."""
    body = textwrap.indent(textwrap.dedent(states).strip(), "      ")
    policy = policy_of(
        "rules: [{id: x, effect: pass, reason: x, match: {family: x}}]\n"
        f"tests:\n  - name: t\n    expect: {{verdict: PASS}}\n    states:\n{body}\n"
    )
    cases = policy.tests[0].states
    built = tuple(case_state(case) for case in cases)
    return built, case_diff(cases, built)


def judge(policy: Policy, states: str, *, today: dt.date = TODAY) -> Check:
    built, diff = scene_of(states)
    return evaluate(policy, built, diff, today=today)
