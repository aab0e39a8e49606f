"""A table of rules, states and what must come out; rows that expect nothing among them."""

# ruff: noqa: E501 - one case a line reads as a table

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.policy.builders import judge, one_rule

if TYPE_CHECKING:
    from collections.abc import Sequence

from sassay.model.finding import Verdict

ONE = "- kernels: [{family: gemm, ptx: {st.shared.b32: 4, mma.sync: 2}, sass: {STS: 4, HMMA.16816: 2}}]"
GREW = """
- kernels: [{family: gemm, ptx: {st.shared.b32: 4}}]
- kernels: [{family: gemm, ptx: {st.shared.b32: 8}}]
"""
FAMILIES = """
- kernels:
    - {family: gone, sass: {FADD: 1}}
    - {family: shrunk, name: a, sass: {FADD: 1}}
    - {family: shrunk, name: b, sass: {FADD: 2}}
    - {family: grew, name: a, sass: {FADD: 1}}
    - {family: moved, sass: {FADD: 1}}
    - {family: still, sass: {FADD: 1}}
- kernels:
    - {family: came, sass: {FADD: 1}}
    - {family: shrunk, name: a, sass: {FADD: 1}}
    - {family: grew, name: a, sass: {FADD: 1}}
    - {family: grew, name: b, sass: {FADD: 3}}
    - {family: moved, sass: {FADD: 2}}
    - {family: still, sass: {FADD: 1}}
"""
CROSS = """
- kernels:
    - {family: a.gemm, arch: sm_80, source: lib/a.so, sass: {FADD: 3}, facts: {bank: 4, kind: fast}}
    - {family: b_norm, arch: sm_90a, symbol: zed, sass: {FADD: 5}, facts: {bank: 1, kind: slow}}
"""
BARE = "- kernels: [{family: gemm, sass: {STS: 1}}, {family: norm, ptx: {st.shared.b32: 2}}]"
REGS = """
- kernels: [{family: gemm, sass: {FADD: 1}, resources: {registers: 40}}]
- kernels: [{family: gemm, sass: {FADD: 2}, resources: {registers: 44}}]
"""

P, R, U = Verdict.PASS, Verdict.REVIEW, Verdict.UNKNOWN
# rule, states, verdict, findings as (family, layer, count)
ROWS: list[tuple[str, str, Verdict, Sequence[tuple[str, str | None, int]]]] = [
    # instruction conditions; without `layer` each layer is counted apart
    ("match: {operation: st.shared.*}", ONE, R, [("gemm", "ptx", 4)]),
    ("match: {operation: shared}", ONE, P, []),
    ("match: {operation: ST.SHARED.*}", ONE, P, []),
    ('match: {operation: "*"}', ONE, R, [("gemm", "ptx", 6), ("gemm", "sass", 6)]),
    ("match: {category: tensor_core}", ONE, R, [("gemm", "ptx", 2), ("gemm", "sass", 2)]),
    ("match: {category: tensor_core, layer: sass}", ONE, R, [("gemm", "sass", 2)]),
    ("match: {layer: sass}", ONE, R, [("gemm", "sass", 6)]),
    # an instruction counts once in `any`
    ("match: {any: [{operation: STS}, {operation: 'S*'}, {layer: sass}]}", ONE, R, [("gemm", "sass", 6)]),
    ("match: {all: [{operation: 'S*'}, {operation: '*S'}]}", ONE, R, [("gemm", "sass", 4)]),
    ("match: {all: [{layer: sass}, {exclude: {operation: STS}}]}", ONE, R, [("gemm", "sass", 2)]),
    ("match: {layer: sass, exclude: {category: tensor_core}}", ONE, R, [("gemm", "sass", 4)]),
    ("match: {layer: sass}\nexclude: {kernel: gemm}", ONE, P, []),
    ("match: {layer: sass}\nexclude: {kernel: gem}", ONE, R, [("gemm", "sass", 6)]),
    # `not`: kernels that have none
    ("match: {not: {category: tma}}", ONE, R, [("gemm", None, 1)]),
    ("match: {not: {category: tensor_core}}", ONE, P, []),
    ("match: {operation: STS, not: {operation: HMMA.*}}", ONE, P, []),
    ("match: {operation: STS, not: {operation: UTMALDG*}}", ONE, R, [("gemm", "sass", 4)]),
    # kernel conditions
    ("match: {family: A.gemm, layer: sass}", CROSS, P, []),
    ("match: {family: gemm, layer: sass}", CROSS, P, []),
    ("match: {family: '?.g[e]mm', layer: sass}", CROSS, R, [("a.gemm", "sass", 3)]),
    ("match: {family: zed, layer: sass}", CROSS, P, []),
    ("match: {kernel: zed, layer: sass}", CROSS, R, [("b_norm", "sass", 5)]),
    ("match: {arch: [sm_90, sm_90a], layer: sass}", CROSS, R, [("b_norm", "sass", 5)]),
    ("match: {arch: sm_9, layer: sass}", CROSS, P, []),
    ("match: {source: '*.so', layer: sass}", CROSS, R, [("a.gemm", "sass", 3)]),
    ("match: {fact: {kind: 'f*'}, layer: sass}", CROSS, R, [("a.gemm", "sass", 3)]),
    ("match: {fact: {bank: {gte: 1, lt: 4}}, layer: sass}", CROSS, R, [("b_norm", "sass", 5)]),
    ("match: {fact: kind, layer: sass}", CROSS, R, [("a.gemm", "sass", 3), ("b_norm", "sass", 5)]),
    ("match: {fact: absent, layer: sass}", CROSS, U, []),
    # families that moved
    (
        "match: {family: '*'}", FAMILIES, R,
        [("came", None, 1), ("gone", None, 1), ("grew", None, 1), ("moved", None, 1), ("shrunk", None, 1)],
    ),
    ("match: {status: added}", FAMILIES, R, [("came", None, 1)]),
    ("match: {status: removed}", FAMILIES, R, [("gone", None, 1)]),
    ("match: {status: [expanded, shrunk]}", FAMILIES, R, [("grew", None, 1), ("shrunk", None, 1)]),
    ("match: {status: unchanged}", FAMILIES, P, []),
    ("match: {kernel_status: added}", FAMILIES, R, [("came", None, 1), ("grew", None, 1)]),
    ("match: {kernel_status: added, family: '*fused*'}", FAMILIES, P, []),
    ("match: {tier: recomposed}", FAMILIES, R, [("moved", None, 1)]),
    ("match: {tier: renamed}", FAMILIES, P, []),
    ("match: {family: still}", FAMILIES, P, []),
    ("match: {family: grew}\nwhen: {count: {gte: 2}}", FAMILIES, R, [("grew", None, 2)]),
    ("match: {family: '*'}\nwhen: {delta: {lt: 0}}", FAMILIES, R, [("gone", None, 0), ("shrunk", None, 1)]),
    # a single state has no baseline
    ("match: {family: '*'}", ONE, U, []),
    ("match: {status: added, layer: ptx}", ONE, U, []),
    ("match: {layer: ptx}\nwhen: {delta: {gt: 0}}", ONE, U, []),
    # a layer that is not there
    ("match: {operation: st.shared.*}", BARE, U, [("norm", "ptx", 2)]),
    ("match: {operation: st.shared.*, family: norm}", BARE, R, [("norm", "ptx", 2)]),
    ("match: {category: shared_memory}", BARE, R, [("gemm", "sass", 1), ("norm", "ptx", 2)]),
    ("match: {category: shared_memory, layer: sass, family: norm}", BARE, U, []),
    ("match: {not: {operation: HMMA*}, family: norm}", BARE, U, []),
    # every operator on a count, at its boundary
    *[
        (f"match: {{operation: STS}}\nwhen: {{count: {{{test}}}}}", ONE, R if fires else P,
         [("gemm", "sass", 4)] if fires else [])
        for test, fires in (
            ("gte: 4", True), ("gte: 5", False), ("gt: 3", True), ("gt: 4", False),
            ("lte: 4", True), ("lte: 3", False), ("lt: 5", True), ("lt: 4", False),
            ("eq: 4", True), ("eq: 3", False), ("gte: 2, lt: 4", False), ("gte: 2, lte: 4", True),
        )
    ],
    # every measure of a movement, 4 -> 8, at its boundary
    *[
        (f"match: {{operation: st.shared.*}}\nwhen: {{{test}}}", GREW, R if fires else P,
         [("gemm", "ptx", 8)] if fires else [])
        for test, fires in (
            ("delta: {gte: 4}", True), ("delta: {gt: 4}", False), ("delta: {eq: 4}", True),
            ("delta_pct: {gte: 100}", True), ("delta_pct: {gt: 100}", False),
            ("delta_pct: {lt: 100}", False), ("ratio: {gte: 2}", True), ("ratio: {gt: 2}", False),
            ("ratio: {lte: 2}", True), ("ratio: {lt: 2}", False),
            ("count: {gte: 8}, delta: {gte: 5}", False),
            ("any: [{count: {gte: 9}}, {delta: {gte: 4}}]", True),
            ("any: [{count: {gte: 9}}, {delta: {gte: 5}}]", False),
        )
    ],
    # every measure of a resource, 40 -> 44
    *[
        (f"match: {{family: '*'}}\nwhen: {{resource: {{registers: {{{test}}}}}}}", REGS, R if fires else P,
         [("gemm", None, 1)] if fires else [])
        for test, fires in (
            ("gte: 44", True), ("gt: 44", False), ("lte: 43", False), ("lt: 45", True), ("eq: 44", True),
            ("delta: {gte: 4}", True), ("delta: {gt: 4}", False),
            ("delta_pct: {gte: 10}", True), ("delta_pct: {gt: 10}", False),
            ("ratio: {lte: 1.1}", True), ("ratio: {gt: 1.1}", False),
            ("gt: 40, delta: {gt: 4}", False),
        )
    ],
    ("match: {family: '*'}\nwhen: {resource: {barriers: {gt: 0}}}", REGS, U, []),
    ("match: {resource: {registers: {delta: {gt: 3}}}}", REGS, R, [("gemm", None, 1)]),
    ("match: {resource: {registers: {delta: {gt: 4}}}}", REGS, P, []),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "states", "verdict", "findings"), ROWS)
def test_row(
    rule: str, states: str, verdict: Verdict, findings: Sequence[tuple[str, str | None, int]]
) -> None:
    check = judge(one_rule(rule), states)
    assert [(f.family, f.layer, f.count) for f in check.findings] == findings
    assert check.verdict is verdict, check.rules


FROM_NOTHING = """
- kernels: [{family: gemm, ptx: {add.f32: 1}}, {family: idle, ptx: {add.f32: 1}}]
- kernels: [{family: gemm, ptx: {st.shared.b32: 8}}, {family: idle, ptx: {add.f32: 1}}]
"""


@pytest.mark.parametrize("measure", ["delta_pct: {gt: 50}", "ratio: {gt: 2}"])
@pytest.mark.parametrize(
    ("absent", "verdict"), [("", U), ("if_absent: fire", R), ("if_absent: quiet", P)]
)
def test_percentage_of_nothing(measure: str, absent: str, verdict: Verdict) -> None:
    rule = f"match: {{operation: st.shared.*}}\nwhen: {{{measure}}}\n{absent}"
    check = judge(one_rule(rule), FROM_NOTHING)
    assert check.verdict is verdict
    assert [f.family for f in check.findings] == (["gemm"] if verdict is R else [])


@pytest.mark.parametrize(
    ("effect", "verdict"), [("fail", "FAIL"), ("review", "REVIEW"), ("pass", "PASS")]
)
def test_effect_of_a_fired_rule(effect: str, verdict: str) -> None:
    check = judge(one_rule("match: {operation: STS}", effect), ONE)
    assert check.verdict.value == verdict
    assert len(check.findings) == 1


def test_lower_bound_is_enough_to_fire_but_not_to_be_quiet() -> None:
    mixed = """
    - kernels:
        - {family: gemm, name: a, sass: {STS: 4}}
        - {family: gemm, name: b, resources: {registers: 8}}
    """
    low = judge(one_rule("match: {layer: sass, operation: STS}\nwhen: {count: {gte: 4}}"), mixed)
    high = judge(one_rule("match: {layer: sass, operation: STS}\nwhen: {count: {gte: 5}}"), mixed)
    assert [f.count for f in low.findings] == [4]
    assert low.verdict is R
    assert high.verdict is U
    assert "the SASS of gemm (sm_90) is not known" in high.rules[0].why
