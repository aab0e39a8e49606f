"""The same rules on the diff that sassay really computes, not only on that of inline cases."""

# ruff: noqa: E501 - one case a line reads as a table

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.diff.builders import NoCode, kernel, state
from tests.policy.builders import TODAY, one_rule

from sassay.diff import DiffOptions, compare
from sassay.isa.sass import Disassembler
from sassay.policy import evaluate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.model.finding import Check
    from sassay.model.state import State


def check(rule: str, states: Sequence[State], options: DiffOptions | None = None) -> Check:
    diff = compare(states, NoCode(), Disassembler(None), options or DiffOptions())
    return evaluate(one_rule(rule), states, diff, today=TODAY)


def found(judged: Check) -> list[tuple[str, str, int]]:
    return [(finding.family, finding.arch, finding.count) for finding in judged.findings]


BEFORE = state(
    "before",
    [
        kernel("gone", sass={"FADD": 1}),
        kernel("moe", sass={"HMMA.16816": 8}, registers=100),
        kernel("same", sass={"FADD": 2}, registers=10),
    ],
)
AFTER = state(
    "after",
    [
        kernel("came", sass={"FADD": 1}),
        kernel("moe", sass={"FFMA": 8}, registers=110),
        kernel("same", sass={"FADD": 2}, registers=10),
    ],
)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("match: {family: '*'}", [("came", "sm_90a", 1), ("gone", "sm_90a", 1), ("moe", "sm_90a", 1)]),
        ("match: {status: removed}", [("gone", "sm_90a", 1)]),
        ("match: {kernel_status: changed}", [("moe", "sm_90a", 1)]),
        ("match: {category: tensor_core}\nwhen: {count: {eq: 0}, delta: {lt: 0}}", [("moe", "sm_90a", 0)]),
        (
            "match: {family: '*'}\nif_absent: quiet\nwhen: {resource: {registers: {delta_pct: {gte: 10}}}}",
            [("moe", "sm_90a", 1)],
        ),
    ],
)  # fmt: skip
def test_two_states(rule: str, expected: list[tuple[str, str, int]]) -> None:
    assert found(check(rule, (BEFORE, AFTER))) == expected


def test_narrowed_to_one_family() -> None:
    options = DiffOptions(families=("moe",))
    assert found(check("match: {family: '*'}", (BEFORE, AFTER), options)) == [("moe", "sm_90a", 1)]


ONE = state(
    "one",
    [
        kernel("moe", arch="sm_80", sass={"HMMA.16816": 8}),
        kernel("moe", arch="sm_90a", sass={"HGMMA.64x64x16": 2}),
        kernel("moe", arch="sm_75", sass={"FADD": 2}),
    ],
)


def test_one_state_across_two_architectures() -> None:
    options = DiffOptions(across_arch=("sm_80", "sm_90a"))
    rule = "match: {category: tensor_core, arch: sm_90a}\nwhen: {delta: {lt: 0}}"
    judged = check(rule, (ONE,), options)
    assert found(judged) == [("moe", "sm_80:sm_90a", 2)]
    assert judged.findings[0].details == ("HGMMA.64x64x16 0 -> 2", "HMMA.16816 8 -> 0")


def test_a_chosen_baseline() -> None:
    middle = state("middle", [kernel("moe", sass={"HMMA.16816": 4})])
    first = state("first", [kernel("moe", sass={"HMMA.16816": 8})])
    last = state("last", [kernel("moe", sass={"HMMA.16816": 6})])
    rule = "match: {category: tensor_core}\nwhen: {delta: {lt: 0}}"
    states = (first, middle, last)
    assert found(check(rule, states)) == [("moe", "sm_90a", 6)]
    diff = compare(states, NoCode(), Disassembler(None), DiffOptions(baseline="middle"))
    judged = evaluate(one_rule(rule), states, diff, today=TODAY, baseline="middle")
    assert judged.findings == ()
    assert judged.verdict.value == "PASS"
