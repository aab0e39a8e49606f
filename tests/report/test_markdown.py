from __future__ import annotations

import re

import pytest
from tests.report import samples
from tests.report.cases import cases, large, with_options

from sassay.model.finding import Check, Effect, Finding, Outcome, RuleOutcome, Verdict
from sassay.report import Report, render
from sassay.report.markdown import MARKER, MAX_CHARACTERS


def _table_rows(text: str) -> list[str]:
    outside = re.sub(r"<pre>.*?</pre>", "", text, flags=re.DOTALL)
    return [line for line in outside.splitlines() if line.startswith("|")]


@pytest.mark.parametrize("name", sorted(cases()))
def test_every_table_keeps_its_columns(name: str) -> None:
    text = render("markdown", cases()[name])
    assert text.startswith(MARKER + "\n")
    width = 0
    for line in text.splitlines():
        if not line.startswith("|"):
            width = 0
            continue
        width = width or line.count("|")
        assert line.count("|") == width, line


@pytest.mark.parametrize("name", sorted(cases()))
def test_details_are_balanced_and_apart(name: str) -> None:
    text = render("markdown", cases()[name])
    assert text.count("<details>") == text.count("</details>")
    assert text.count("<pre>") == text.count("</pre>")
    for block in re.findall(r"<pre>\n(.*?)\n</pre>", text, re.DOTALL):
        assert "" not in block.split("\n")


def test_a_large_diff_is_cut_and_says_what_is_missing() -> None:
    text = render("markdown", large())
    assert len(text) <= MAX_CHARACTERS
    assert len(text.encode()) <= MAX_CHARACTERS
    families = sum("`namespace_" in row for row in _table_rows(text))
    assert f"_{500 - families:,} families left out here" in text
    details = text.count("<details><summary><code>")
    assert details > 3
    assert f"_{500 - details:,} families' details left out here" in text
    assert "--json FILE" in text


def test_thousands_of_hostile_findings_still_fit() -> None:
    diff = samples.compare(*samples.hostile_states())
    names = [f"{name}{index}" * 40 for index in range(60) for name in samples.HOSTILE_NAMES]
    findings = tuple(
        Finding(name, name, Effect.REVIEW, name, name, name, (), 1, "sass", {name: 1})
        for name in names
    )
    rules = tuple(RuleOutcome(name, Outcome.UNKNOWN, name) for name in names)
    check = Check(Verdict.REVIEW, findings, rules, diff.states, policy=names[2])
    report = Report(command="check", states=samples.hostile_states(), diff=diff, check=check)
    for narrowed in (report, with_options(report, limit=5), with_options(report, limit=4_000)):
        assert len(render("markdown", narrowed).encode()) <= MAX_CHARACTERS


def test_the_verdict_is_the_headline() -> None:
    assert "\n## sassay: FAIL\n" in render("markdown", cases()["check"])
    assert "\n## sassay: 3 families moved\n" in render("markdown", cases()["diff"])
    assert "\n## sassay: no family changed\n" in render("markdown", cases()["unchanged"])


def test_a_reviewer_sees_what_matters_without_opening_anything() -> None:
    text = render("markdown", cases()["check"])
    seen = text[: text.index("<details>")]
    order = [
        "## sassay: FAIL",
        "**FAIL** | `no-new-conversions`",
        "**UNKNOWN** | `register-growth`",
        "- added: `_gemma_qkv_rmsnorm_by_head_kernel` (2 kernels)",
        "- removed: ",
        "1. `_gemma_qkv_rmsnorm_by_head_kernel`",
        "| GSM8K (accuracy) | **0.445** | **0.36** | **0.445** |",
    ]
    places = [seen.find(words) for words in order]
    assert -1 not in places, order[places.index(-1)]
    assert places == sorted(places)
    assert len([line for line in seen.splitlines() if line.strip()]) < 45
