"""Every rule on its table of cases, firing and silent; every case is PTX that ptxas takes."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.lint.cases import FOLDER, Case, read_cases

from sassay.lint import RULE_IDS, find_rule

if TYPE_CHECKING:
    from pathlib import Path

CASES = [case for rule in RULE_IDS for case in read_cases(rule)]


@pytest.mark.parametrize("case", CASES, ids=[f"{case.rule}-{case.name}" for case in CASES])
def test_case(case: Case) -> None:
    rule = find_rule(case.rule)
    hits = list(rule.check(case.subject, rule.options(case.settings)))
    assert {hit.message for hit in hits if not hit.records} == set(case.fires)
    assert {hit.message for hit in hits if hit.records} == set(case.records)


@pytest.mark.parametrize("rule", RULE_IDS)
def test_has_cases_of_both_kinds(rule: str) -> None:
    cases = read_cases(rule)
    assert any(case.fires for case in cases)
    assert any(case.quiet for case in cases) or rule == "new-spills"


@pytest.mark.parametrize("rule", RULE_IDS)
def test_cases_assemble(rule: str, tmp_path: Path) -> None:
    ptxas = pytest.importorskip("triton").knobs.nvidia.ptxas.path
    made = subprocess.run(
        [ptxas, "-arch=sm_90a", FOLDER / f"{rule}.ptx", "-o", tmp_path / "out.cubin"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
