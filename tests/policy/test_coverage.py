"""`coverage`: which families fall short of the architectures that a rule expects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sassay.errors import PolicyError
from sassay.policy import load_policy
from sassay.policy.casetest import run_policy_tests

if TYPE_CHECKING:
    from pathlib import Path

KERNELS = """
      - kernels:
          - {family: both, arch: sm_80, sass: {FADD: 1}}
          - {family: both, arch: sm_90a, sass: {FADD: 1}}
          - {family: both, name: other, arch: sm_90a, sass: {FADD: 2}}
          - {family: old, arch: sm_80, sass: {FADD: 1}}
          - {family: old, arch: compute_80, ptx: {add.f32: 1}}
          - {family: fixed, arch: sm_80, sass: {FADD: 1}}
          - {family: fixed, arch: compute_90a, ptx: {add.f32: 1}}
          - {family: text, arch: compute_75, ptx: {add.f32: 1}}
"""
CASES = {
    "archs: [sm_80, sm_90a]": {"old", "fixed", "text"},
    "archs: sm_90*": {"old", "fixed", "text"},
    "archs: sm_80": {"text"},
    "archs: [sm_80, sm_90a], ptx: accepted": {"fixed"},
    "ptx: required": {"both"},
    "archs: sm_100a, ptx: accepted": {"both", "fixed"},
}


def _policy(path: Path, coverage: str, expected: str) -> Path:
    path.write_text(
        "version: v1\n"
        "rules:\n"
        "  - id: covered\n"
        "    effect: fail\n"
        f"    match: {{coverage: {{{coverage}}}}}\n"
        "    reason: every family on every GPU\n"
        "tests:\n"
        "  - name: families\n"
        f"    states:{KERNELS}"
        f"    expect: {{findings: {expected}}}\n"
    )
    return path


@pytest.mark.parametrize(("coverage", "short"), list(CASES.items()))
def test_families_that_fall_short(coverage: str, short: set[str], tmp_path: Path) -> None:
    expected = ", ".join(f"{{rule: covered, family: {name}}}" for name in sorted(short))
    path = _policy(tmp_path / "p.yaml", coverage, f"[{expected}]")
    (result,) = run_policy_tests(load_policy(str(path)))
    assert result.passed, result


@pytest.mark.parametrize("coverage", ["", "ptx: perhaps", "arch: sm_80"])
def test_what_cannot_be_expected_is_refused(coverage: str, tmp_path: Path) -> None:
    path = _policy(tmp_path / "p.yaml", coverage, "[]")
    with pytest.raises(PolicyError, match="coverage"):
        load_policy(str(path))
