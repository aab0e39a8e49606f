"""`sassay lint` as its user runs it: formats, exit status, waivers, what changed, bad input."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from tests.cli.running import Result, run
from tests.lint.cases import FOLDER

from sassay.lint import RULE_IDS

if TYPE_CHECKING:
    from pathlib import Path

BARRIER = FOLDER / "divergent-barrier.ptx"
SHARED = FOLDER / "shared-address-64bit.ptx"
HEAD = ".version 8.4\n.target sm_90a\n.address_size 64\n"
PLAIN = ".visible .entry k(.param .u64 x)\n{\n.reg .f32 %f<9>;\n.reg .b64 %rd<9>;\n"
LOAD = "ld.param.u64 %rd1, [x];\nld.global.f32 %f1, [%rd1];\n"
STORE = "st.global.f32 [%rd1], %f2;\nret;\n}\n"


def lint(*arguments: str | Path, cwd: Path | None = None) -> Result:
    return run("lint", *arguments, cwd=cwd)


def test_a_fault_fails() -> None:
    result = lint(BARRIER)
    assert result.status == 1
    assert "FAIL    divergent-barrier  4 families" in result.stdout
    assert "the condition depends on %tid.x" in result.stdout
    assert "ptx line 16, bar.sync 0;" in result.stdout
    assert result.stderr == ""


def test_review_passes_unless_asked() -> None:
    assert lint(SHARED).status == 0
    assert lint(SHARED, "--fail-on", "review").status == 1
    assert lint(SHARED, "--setting", "shared-address-64bit.level=fail").status == 1
    assert lint(SHARED, "--ignore", "shared-address-64bit", "--fail-on", "review").status == 0


def test_json_holds_places(tmp_path: Path) -> None:
    result = lint(BARRIER, "--json", tmp_path / "out.json", "--summary")
    document = json.loads((tmp_path / "out.json").read_text())
    assert result.status == 1
    assert document["schema"] == "check/1"
    assert document["verdict"] == "FAIL"
    found = {each["family"]: each for each in document["findings"]}
    assert set(found) == {"half", "guarded", "nested", "uneven_loop"}
    (place,) = found["half"]["places"]
    assert place["offset"] == 16
    assert place["layer"] == "ptx"
    assert place["text"] == "bar.sync 0;"
    assert found["half"]["matches"] == {"bar.sync": 1}
    assert {rule["rule"] for rule in document["rules"]} < set(RULE_IDS)
    assert len({each["id"] for each in document["findings"]}) == 4


def test_other_formats(tmp_path: Path) -> None:
    text = HEAD + '.file 1 "kernels.py"\n' + PLAIN
    text += "ld.param.u64 %rd1, [x];\n.loc 1 7 1\nst.global.f32 [%rd1], 0f00000000;\n"
    text += ".loc 1 9 1\nst.global.f32 [%rd1+4], 0f00000000;\nret;\n}\n"
    (tmp_path / "k.ptx").write_text(text)
    files = {name: tmp_path / f"out.{name}" for name in ("sarif", "junit", "markdown", "html")}
    options = [word for name, path in files.items() for word in (f"--{name}", path)]
    result = lint(tmp_path / "k.ptx", *options)
    assert result.status == 0
    log = json.loads(files["sarif"].read_text())["runs"][0]
    lines = [
        each["locations"][0]["physicalLocation"]["region"]["startLine"] for each in log["results"]
    ]
    assert lines == [7, 9]
    assert len({each["partialFingerprints"]["sassayFinding/v1"] for each in log["results"]}) == 2
    rules = {rule["id"]: rule for rule in log["tool"]["driver"]["rules"]}
    rule = rules["store-one-place"]
    assert rule["helpUri"] == "docs/rules/store-one-place.md"
    assert rule["defaultConfiguration"]["level"] == "warning"
    assert "every thread writes" in rule["shortDescription"]["text"]
    suite = ET.fromstring(files["junit"].read_text())
    assert suite.get("failures") == "1"
    assert "every thread writes there" in files["markdown"].read_text()
    assert "every thread writes there" in files["html"].read_text()


def test_a_policy_sets_and_waives(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    waiver = "rule: divergent-barrier, reason: known, owner: me"
    text = f"""\
version: v1
lint:
  divergent-barrier: {{level: review}}
  store-one-place: off
waivers:
  - {{{waiver}, family: "half", expires: 2030-01-01}}
  - {{{waiver}, family: "guarded", expires: 2020-01-01}}
"""
    policy.write_text(text)
    result = lint(BARRIER, "--policy", policy, "--today", "2026-01-01", "-f", "json")
    document = json.loads(result.stdout)
    assert document["verdict"] == "REVIEW"
    waived = {each["family"] for each in document["findings"] if each["waived"]}
    assert waived == {"half"}
    rules = [each["rule"] for each in document["findings"]]
    assert rules == ["divergent-barrier"] * 4 + ["expired-waiver"]
    assert "store-one-place" not in {each["rule"] for each in document["rules"]}


def test_check_lints_where_its_policy_says_so(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("version: v1\nlint: {divergent-barrier: fail}\n")
    assert run("check", BARRIER, "--policy", policy).status == 1
    assert run("check", SHARED, "--policy", policy).status == 0
    rule = "{id: any, effect: review, match: {operation: bar.sync}, reason: Look.}"
    policy.write_text(f"version: v1\nrules:\n  - {rule}\n")
    assert run("check", BARRIER, "--policy", policy).status == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lint: {divergent-barier: fail}", "line 2, lint.divergent-barier: unknown lint rule (did"),
        ("lint: {divergent-barrier: loud}", "line 2, lint.divergent-barrier: must be one of a few"),
        ("lint:\n  batch-row-select: {axes: x}", "line 3, lint.batch-row-select: batch-row-select"),
        ("lint:\n  batch-row-select: {axis: 1.5}", "must be text, a whole number, true or false"),
        ("waivers: []", "rules is missing"),
    ],
)
def test_a_wrong_policy_says_where(text: str, said: str, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(f"version: v1\n{text}\n")
    result = lint(BARRIER, "--policy", policy)
    assert result.status == 2
    assert said in result.error


def test_only_what_changed(tmp_path: Path) -> None:
    one = LOAD + "ex2.approx.f32 %f2, %f1;\n"
    two = LOAD + "ex2.approx.f32 %f2, %f1;\nex2.approx.f32 %f2, %f2;\nrcp.approx.f32 %f2, %f2;\n"
    for name, body in (("base", one), ("head", two)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "k.ptx").write_text(HEAD + PLAIN + body + STORE)
        shutil.copy(BARRIER, tmp_path / name)
    every = lint("base", "head", "--changed", "-f", "json", cwd=tmp_path)
    (finding,) = json.loads(every.stdout)["findings"]
    assert finding["rule"] == "approximate-math"
    assert finding["matches"] == {"ex2.approx.f32": 1, "rcp.approx.f32": 1}
    # The barriers were there before, in kernels that did not change.
    assert every.status == 0
    assert lint("base", "head", cwd=tmp_path).status == 1
    same = lint("base", "base", "--changed", "-f", "json", cwd=tmp_path)
    assert json.loads(same.stdout)["findings"] == []


def test_what_is_wrong_with_a_command_line_or_an_input(tmp_path: Path) -> None:
    assert "lint needs a state" in lint().error
    assert "--changed needs a state before" in lint(BARRIER, "--changed").error
    assert "two states at most" in lint(BARRIER, BARRIER, BARRIER).error
    assert "did you mean block-race?" in lint(BARRIER, "--select", "blockrace").error
    (tmp_path / "bad.ptx").write_text(HEAD + ".visible .entry k()\n{\nbar.sync 0\nret;\n}\n")
    broken = lint(tmp_path / "bad.ptx")
    assert broken.status == 2
    assert "line " in broken.stderr
    assert "Traceback" not in broken.stderr


def test_what_cannot_be_followed_is_unknown(tmp_path: Path) -> None:
    depth = 3_000
    body = ["mov.u32 %r1, %tid.x;", *(f"L{n}:\nadd.u32 %r1, %r1, 1;" for n in range(depth))]
    body += [f"setp.gt.u32 %p1, %r1, {n};\n@%p1 bra L{n};" for n in reversed(range(depth))]
    text = "\n".join([".reg .pred %p<3>; .reg .b32 %r<9>;", *body, "ret;"])
    (tmp_path / "deep.ptx").write_text(f"{HEAD}.visible .entry deep()\n{{\n{text}\n}}\n")
    result = lint(tmp_path / "deep.ptx")
    assert result.status == 2
    assert "1 kernel: too large to follow: branches are nested too deeply" in result.stdout
    assert lint(tmp_path / "deep.ptx", "--allow-unknown").status == 0


def test_pages_and_the_list() -> None:
    assert lint("--list").stdout.count("\n") == len(RULE_IDS)
    page = lint("--explain", "misaligned-access")
    assert page.stdout.startswith("# misaligned-access\n")
    assert page.status == 0


def test_the_same_input_gives_the_same_bytes() -> None:
    first, second = (lint(FOLDER, "-f", "json").stdout for _ in range(2))
    assert first == second
    assert first.count('"rule"') > 20
