from __future__ import annotations

import re
from dataclasses import replace

import msgspec
import pytest
from tests.report import samples
from tests.report.cases import cases, large, with_options

from sassay.model.kernel import Resources
from sassay.report import Report, render
from sassay.report.names import cells
from sassay.report.terminal.page import Column, Page

_ANSI = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize("width", [60, 80, 100, 140])
@pytest.mark.parametrize("name", sorted(cases()))
def test_no_line_is_wider_than_the_terminal(name: str, width: int) -> None:
    for rendering in ("delta", "full"):
        text = render("terminal", with_options(cases()[name], width=width, rendering=rendering))
        assert max(cells(line) for line in text.splitlines()) <= width
        assert not any(line != line.rstrip() for line in text.splitlines())


@pytest.mark.parametrize("name", sorted(cases()))
def test_colours_change_nothing_but_colours(name: str) -> None:
    plain = render("terminal", cases()[name])
    colored = render("terminal", with_options(cases()[name], color=True))
    assert "\x1b" not in plain
    assert [line.rstrip() for line in _ANSI.sub("", colored).splitlines()] == plain.splitlines()
    if name == "router":
        assert "\x1b[1;31mFAIL" in colored


def test_the_first_screen_answers_the_questions() -> None:
    text = render("terminal", with_options(cases()["check"], width=100))
    screen = "\n".join(text.splitlines()[:70])
    order = [
        "FAIL  router.yaml: 1 fail, 1 review, 1 pass, 1 waived, 1 rule unknown",
        "FAIL    no-new-conversions",
        "UNKNOWN register-growth",
        "! ptxas  ",
        "base → pre-revert  54 kernels compared: 53 unchanged, 1 changed",
        "+ added     _gemma_qkv_rmsnorm_by_head_kernel (2 kernels), _gemma4_topk",
        "- removed   ",
        "> expanded  _gemma_qkv_rmsnorm_kernel (2 → 4 kernels)",
        "Suspects",
        "Next",
        "GSM8K             0.445        0.36     0.445  accuracy",
    ]
    places = [screen.find(words) for words in order]
    assert -1 not in places, order[places.index(-1)]
    assert places == sorted(places)
    assert "cvt.rn.bf16.f32 16 → 18 → 32 (+16)" in text
    assert "_stable_00_kernel" not in text


def test_summary_full_and_all_narrow_and_widen() -> None:
    report = cases()["diff"]
    summary = render("terminal", with_options(report, rendering="summary"))
    delta = render("terminal", report)
    everything = render("terminal", with_options(report, all=True))
    assert "_gemma_qkv_rmsnorm_kernel (2 → 4 kernels)" in summary
    assert "Suspects" not in summary
    assert "conversion" not in summary
    assert "_stable_00_kernel" not in delta
    assert "_stable_00_kernel" in everything
    limited = render("terminal", with_options(report, limit=1))
    assert "2 more families: --all shows them" in limited


def test_many_families_are_cut_and_counted() -> None:
    text = render("terminal", large())
    assert "480 more families" in text
    assert len(text.splitlines()) < 200


def test_an_unknown_figure_is_not_a_zero() -> None:
    state = samples.state("ptx only", [samples.kernel("k", None, {"fma.rn.f32": 3})])
    kernel = state.kernels[0]
    unknown = msgspec.structs.replace(kernel, resources=Resources())
    text = render("terminal", Report(command="show", states=(samples.state("s", [unknown]),)))
    assert re.search(r"^k +1 +3 +- +\? ", text, re.MULTILINE)


def test_long_names_keep_their_ends() -> None:
    page = Page(60, color=False)
    name = "cutlass::device_kernel<" + "Tile<128, 256>, " * 20 + "sm90_instance_7>"
    page.table([Column("kernel"), Column("n", right=True)], [[name, "1"]], indent=0)
    row = page.text().splitlines()[1]
    assert row.startswith("cutlass::device_kernel<Tile")
    assert "instance_7>" in row
    assert cells(row) == 60


def test_code_side_by_side_marks_what_differs() -> None:
    text = render("terminal", with_options(cases()["side-by-side"], width=100))
    rows = [row for row in text.splitlines() if "cvt.r" in row]
    assert len(rows) == 1
    assert re.search(r"42 cvt\.rn\.bf16\.f32 .* \| +42 cvt\.rz\.bf16\.f32", rows[0])
    unified = render("terminal", cases()["code"])
    assert "-     42  cvt.rn.bf16.f32 %rs1, %f9;" in unified
    assert "+     42  cvt.rz.bf16.f32 %rs1, %f9;" in unified


def test_five_thousand_kernels_render() -> None:
    report = with_options(large(), rendering="full", all=True)
    for format_ in ("terminal", "json", "markdown", "html"):
        assert render(format_, replace(report))
