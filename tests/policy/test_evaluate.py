"""Waivers, evidence, gaps in what was read, baselines, ids and explanations."""

# ruff: noqa: E501 - one case a line reads as a table

from __future__ import annotations

import datetime as dt

import msgspec
import pytest
from tests.policy.builders import TODAY, judge, one_rule, policy_of, scene_of

from sassay.errors import PolicyError
from sassay.model.state import Diagnostic, Level
from sassay.policy import evaluate, explain
from sassay.policy.clock import resolve_today
from sassay.policy.resources import register_warps

STORES = """
- kernels: [{family: gemm, ptx: {st.shared.b32: 4}}]
- kernels: [{family: gemm, ptx: {st.shared.b32: 8}}]
"""
WAIVED = """
rules: [{id: stores, effect: fail, reason: staging, match: {operation: st.shared.*}}]
waivers:
  - {rule: stores, family: g*, reason: known, owner: ada, expires: 2026-03-01}
  - {rule: stores, family: other, reason: unused, owner: ada, expires: 2026-03-01}
"""


def test_waived_until_the_last_day_and_counted_again_after() -> None:
    policy = policy_of(WAIVED)
    last = judge(policy, STORES, today=dt.date(2026, 3, 1))
    assert last.verdict.value == "PASS"
    assert [f.waived.owner for f in last.findings if f.waived] == ["ada"]
    assert [d.message for d in last.diagnostics] == [
        "the waiver of stores for other covers nothing"
    ]
    after = judge(policy, STORES, today=dt.date(2026, 3, 2))
    assert after.verdict.value == "FAIL"
    assert [(f.rule, f.effect.value, f.waived) for f in after.findings] == [
        ("stores", "fail", None),
        ("expired-waiver", "review", None),
        ("expired-waiver", "review", None),
    ]
    assert len({f.id for f in after.findings}) == 3


@pytest.mark.parametrize(
    ("evidence", "verdict", "requires"),
    [
        ("{}", "REVIEW", ("gsm8k", "profile")),
        ("{gsm8k: 0.445}", "REVIEW", ("profile",)),
        ("{gsm8k: 0.445, profile: null}", "PASS", None),
        ("{gsm8k: 0.445, profile: false}", "REVIEW", ("profile",)),
    ],
)
def test_required_evidence_settles_a_finding(
    evidence: str, verdict: str, requires: tuple[str, ...] | None
) -> None:
    rule = one_rule("match: {operation: st.*}\nrequires: [gsm8k, profile]")
    states = f"- {{kernels: [{{family: gemm, ptx: {{st.shared.b32: 8}}}}], evidence: {evidence}}}"
    check = judge(rule, states)
    assert check.verdict.value == verdict
    assert [f.requires for f in check.findings] == ([] if requires is None else [requires])
    if requires is None:
        assert "settled by attached evidence" in check.rules[0].why


def test_an_unknown_rule_that_only_records_leaves_the_verdict() -> None:
    single = "- kernels: [{family: gemm, ptx: {st.shared.b32: 8}}]"
    assert judge(one_rule("match: {family: '*'}", "pass"), single).verdict.value == "PASS"
    assert judge(one_rule("match: {family: '*'}", "fail"), single).verdict.value == "UNKNOWN"


def test_missing_layer_makes_only_what_needs_it_unknown() -> None:
    policy = policy_of("""
    rules:
      - {id: sass, effect: review, reason: r, match: {layer: sass, operation: HMMA*}}
      - {id: new, effect: review, reason: r, match: {layer: sass, operation: HMMA*, arch: sm_9*}}
      - {id: ptx, effect: review, reason: r, match: {operation: mma.*}}
      - {id: failing, effect: fail, reason: r, match: {operation: STS}}
    """)
    check = judge(
        policy,
        """
        - kernels:
            - {family: a, arch: sm_70, ptx: {add.f32: 1}}
            - {family: a, arch: sm_90, ptx: {add.f32: 1}, sass: {STS: 1}}
          missing: [{place: a.cubin, message: no disassembler, arch: sm_70, layer: sass}]
        """,
    )
    outcomes = {rule.rule: (rule.outcome.value, rule.why) for rule in check.rules}
    assert outcomes["sass"][0] == "unknown"
    assert "a.cubin: no disassembler" in outcomes["sass"][1]
    assert outcomes["new"][0] == "quiet"
    assert outcomes["ptx"][0] == "quiet"
    assert outcomes["failing"][0] == "unknown"
    assert outcomes["failing"][1].startswith("fired on a (sm_90); could not judge the rest")
    assert check.verdict.value == "FAIL"


@pytest.mark.parametrize(
    ("level", "arch", "layer", "unknown"),
    [
        (Level.ERROR, None, None, True),
        (Level.ERROR, "sm_80", None, False),
        (Level.WARNING, None, None, False),
        (Level.WARNING, "sm_90", None, True),
        (Level.WARNING, None, "sass", True),
        (Level.WARNING, None, "ptx", False),
        (Level.NOTE, "sm_90", "sass", False),
    ],
)
def test_which_diagnostics_are_gaps(
    level: Level, arch: str | None, layer: str | None, *, unknown: bool
) -> None:
    states, _ = scene_of("- kernels: [{family: a, sass: {FADD: 1}}]")
    diagnostic = Diagnostic(level, "lib.so", "cut short", arch=arch, layer=layer)
    state = msgspec.structs.replace(states[0], diagnostics=(diagnostic,))
    rule = one_rule("match: {layer: sass, operation: STS, arch: sm_90}")
    check = evaluate(rule, [state], None, today=TODAY)
    assert (check.verdict.value == "UNKNOWN") is unknown


THREE = """
- label: a
  kernels: [{family: gemm, ptx: {st.shared.b32: 4}}]
- label: b
  kernels: [{family: gemm, ptx: {st.shared.b32: 9}}]
- label: c
  kernels: [{family: gemm, ptx: {st.shared.b32: 8}}]
"""


def test_first_state_is_the_baseline_unless_another_is_chosen() -> None:
    states, diff = scene_of(THREE)
    rule = one_rule("match: {operation: st.*}\nwhen: {delta: {gt: 0}}")
    first = evaluate(rule, states, diff, today=TODAY)
    assert first.findings[0].details == ("st.shared.b32 4 -> 8",)
    assert evaluate(rule, states, diff, today=TODAY, baseline="b").findings == ()


def test_ids_are_stable_and_do_not_hang_on_counts() -> None:
    rule = one_rule("match: {operation: st.*}")
    one = judge(rule, "- kernels: [{family: gemm, ptx: {st.shared.b32: 4}}]").findings[0]
    other = judge(rule, STORES).findings[0]
    assert one.id == other.id == "7f532ab33665"
    assert judge(rule, STORES) == judge(rule, STORES)


def test_changes_of_a_finding_are_those_of_the_diff() -> None:
    states, diff = scene_of(STORES)
    assert diff is not None
    check = evaluate(one_rule("match: {family: '*'}"), states, diff, today=TODAY)
    assert check.findings[0].changes == (diff.changes[0].id,)
    assert check.findings[0].kernels == (states[1].kernels[0].id,)


def test_groups_of_the_command_line_win() -> None:
    policy = policy_of("""
    groups: {norm: ["*rmsnorm*"]}
    rules: [{id: r, effect: review, reason: r, match: {group: norm, layer: ptx}}]
    """)
    states, diff = scene_of("""
    - kernels: [{family: qkv_rmsnorm, ptx: {add.f32: 1}}, {family: layernorm, ptx: {add.f32: 2}}]
    """)
    own = evaluate(policy, states, diff, today=TODAY)
    given = evaluate(policy, states, diff, today=TODAY, groups={"norm": ("layer*",)})
    assert [f.family for f in own.findings] == ["qkv_rmsnorm"]
    assert [f.family for f in given.findings] == ["layernorm"]
    with pytest.raises(PolicyError, match="no group is called 'nrom'"):
        evaluate(one_rule("match: {group: nrom}"), states, diff, today=TODAY)


def test_explain_a_finding_step_by_step() -> None:
    states, diff = scene_of(STORES)
    rule = one_rule("match: {kernel: gemm, operation: st.*}\nwhen: {delta_pct: {gte: 50}}")
    finding = evaluate(rule, states, diff, today=TODAY).findings[0]
    assert explain(rule, states, diff, today=TODAY, only=finding.id) == (
        "r (review): fired",
        "  asks for: kernel gemm and operation st.*",
        "  compares: before -> after",
        "  matched 1 of 1 kernels (baseline: 1 of 1) in gemm",
        "  gemm (sm_90, PTX): fires",
        "    delta_pct is 100 (PTX instructions 4 -> 8): gte 50 holds",
        "    st.shared.b32 4 -> 8",
        f"    finding {finding.id}: review, count 8",
        "  outcome: fired on gemm (sm_90)",
    )


def test_explain_a_quiet_rule_names_what_is_close() -> None:
    states, diff = scene_of(STORES)
    lines = explain(one_rule("match: {family: Gem, operation: st.*}"), states, diff, today=TODAY)
    assert "  matched 0 of 2 kernels" not in lines
    assert "  closest family names to Gem: gemm" in lines
    assert lines[-1] == "verdict: PASS"
    assert explain(one_rule("match: {family: g}"), states, diff, today=TODAY, only="nothing") == ()


def test_today_comes_from_the_caller_then_the_build() -> None:
    assert resolve_today("2026-02-03", {"SOURCE_DATE_EPOCH": "0"}) == dt.date(2026, 2, 3)
    assert resolve_today(None, {"SOURCE_DATE_EPOCH": "86400"}) == dt.date(1970, 1, 2)


@pytest.mark.parametrize(
    ("arch", "registers", "warps"),
    [("sm_90a", 32, 64), ("sm_90", 33, 48), ("sm_80", 128, 16), ("sm_80", 129, 12), ("sm_80", 255, 8),
     ("sm_75", 16, 32), ("sm_86", 32, 48), ("sm_999", 32, None), ("compute_90", 32, None)],
)  # fmt: skip
def test_register_warps(arch: str, registers: int, warps: int | None) -> None:
    assert register_warps(arch, registers) == warps
