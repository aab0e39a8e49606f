"""The exit status of every case that the design names, and what it says beside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.cli.inputs import GATE
from tests.cli.running import run

if TYPE_CHECKING:
    from pathlib import Path

UNKNOWN_RULE = """\
version: v1
rules:
  - id: spills
    effect: fail
    match:
      arch: compute_*
    when:
      resource:
        spill_store_bytes: {gt: 0}
    reason: Spills.
"""
CASES = [
    # PASS, REVIEW and FAIL
    ("check after --policy quiet.yaml", 0, "PASS"),
    ("check before after", 0, "REVIEW"),
    ("check before after --fail-on review", 1, "REVIEW"),
    ("check before after --fail-on fail", 0, "REVIEW"),
    ("check after --policy gate.yaml", 1, "FAIL"),
    ("check after --policy gate.yaml --fail-on review", 1, "FAIL"),
    ("check after --policy gate.yaml --allow-unknown", 1, "FAIL"),
    # UNKNOWN prints its report; FAIL beside it wins
    ("check after", 2, "UNKNOWN"),
    ("check after --allow-unknown", 0, "UNKNOWN"),
    ("check after --fail-on review --allow-unknown", 0, "UNKNOWN"),
    ("check lone.ptx --policy unknown.yaml", 2, "UNKNOWN"),
    ("check mixed --policy quiet.yaml", 2, "UNKNOWN"),
    ("check mixed --policy gate.yaml", 1, "FAIL"),
    ("check mixed --policy gate.yaml --allow-unknown", 1, "FAIL"),
    ("check before mixed --allow-unknown --fail-on review", 1, "UNKNOWN"),
    # waived findings do not count until the waiver's last day is over
    ("check before after --policy waived.yaml --today 2026-06-30", 0, "PASS"),
    ("check before after --policy waived.yaml --today 2026-07-01", 1, "FAIL"),
    # diff
    ("diff before after", 0, None),
    ("diff before after --exit-code", 1, None),
    ("diff before before --exit-code", 0, None),
    ("diff before after --family copy_rows --exit-code", 0, None),
    ("diff before after --fail-on review", 0, None),
    ("diff before after --policy default --fail-on review", 1, "REVIEW"),
    ("diff before after --policy gate.yaml", 1, "FAIL"),
    ("diff before mixed --policy quiet.yaml", 2, "UNKNOWN"),
    ("diff before after --policy quiet.yaml --exit-code", 1, "PASS"),
    # a bad file among many
    ("show mixed", 0, None),
    ("diff before mixed", 0, None),
    # what keeps sassay from judging
    ("check before after --policy broken.yaml", 2, None),
    ("check before after --policy nothing.yaml", 2, None),
    ("check before nothing", 2, None),
    ("diff before", 2, None),
    ("diff before none", 2, None),
    ("diff hopper=before ampere=after --across-arch sm_80:sm_75", 2, None),
    ("show before --layer ptx nobody", 2, None),
    ("no-such-command", 2, None),
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("status")
    for item in inputs.iterdir():
        (place / item.name).symlink_to(item)
    (place / "unknown.yaml").write_text(UNKNOWN_RULE)
    return place


@pytest.mark.parametrize(("line", "status", "verdict"), CASES, ids=[case[0] for case in CASES])
def test_status(line: str, status: int, verdict: str | None, folder: Path) -> None:
    result = run(*line.split(), cwd=folder)
    assert result.status == status, result
    assert "Traceback" not in result.stderr
    if verdict:
        assert any(row.startswith(f"{verdict} ") for row in result.stdout.splitlines()), result
    elif status == 2:
        assert result.stdout == ""
        assert result.error


def test_no_architecture_in_common_points_at_across_arch(inputs: Path) -> None:
    result = run(
        "diff", "a=before", "b=rows.fatbin", "--arch", "sm_80", "--policy", "quiet.yaml",
        cwd=inputs,
    )  # fmt: skip
    assert result.status == 0
    result = run("diff", "before", "lone.ptx", cwd=inputs)
    assert result.status == 2
    assert "--across-arch" in result.error
    assert result.stdout == ""


def test_a_policy_that_requires_evidence_is_quiet_with_it(workplace: Path) -> None:
    (workplace / "p.yaml").write_text(
        GATE.replace("effect: fail", "effect: fail\n    requires: [gsm8k]")
    )
    assert run("check", "after", "--policy", "p.yaml", cwd=workplace).status == 1
    line: tuple[str, ...]
    line = ("check", "after", "--policy", "p.yaml", "--evidence", "gsm8k.json", "--fail-on")
    assert run(*line, "review", cwd=workplace).status == 0
    (workplace / "other.json").write_text('{"mmlu": 0.7}')
    line = ("check", "after", "--policy", "p.yaml", "--evidence", "other.json")
    assert run(*line, cwd=workplace).status == 1


def test_policy_tests_fail_a_build(workplace: Path) -> None:
    case = """\
tests:
  - name: a gate that never fires
    states:
      - kernels:
          - family: gemm
            sass: {LDGSTS.E: 1}
    expect:
      verdict: PASS
"""
    (workplace / "p.yaml").write_text(GATE + case)
    result = run("policy", "test", "p.yaml", cwd=workplace)
    assert result.status == 1, result
    assert "FAIL" in result.stdout
    result = run("policy", "test", "gate.yaml", cwd=workplace)
    assert (result.status, result.stdout) == (2, "")
    assert "no example cases" in result.error
