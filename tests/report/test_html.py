from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest
from tests.report import samples, traced
from tests.report.cases import cases, large
from tests.report.page import Page, blobs

from sassay.report import html, render
from sassay.report.names import plain

PAGES = {**cases(), "traced": traced.report(), "hostile-code": traced.hostile()}
ASSETS = Path(html.__file__).parent / "assets"


@pytest.mark.parametrize("name", sorted(PAGES))
def test_pages_are_whole_and_reach_for_nothing(name: str) -> None:
    text = render("html", PAGES[name])
    page = Page(text)
    names = {tag for tag, _ in page.tags}
    assert {"html", "head", "meta", "title", "style", "body", "main", "script"} <= names
    assert not names & {"img", "link", "iframe", "object", "embed", "base", "form"}
    scripts = [attributes for tag, attributes in page.tags if tag == "script"]
    assert sum("type" not in one for one in scripts) == 1
    packed = {one["id"] for one in scripts if one.get("type") == "text/plain"}
    assert packed == set(blobs(text))
    for _, attributes in page.tags:
        assert not any(key.startswith("on") or key in {"src", "style"} for key in attributes)
        assert (attributes.get("href") or "#").startswith("#")
    ids = [attributes["id"] for _, attributes in page.tags if attributes.get("id")]
    assert len(ids) == len(set(ids))
    links = {attributes["href"] for tag, attributes in page.tags if tag == "a"}
    assert {"#", *(f"#{one}" for one in ids)} >= links


def test_the_content_policy_names_exactly_what_the_page_holds() -> None:
    text = render("html", cases()["router"])
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    for kind in ("style", "script"):
        body = re.search(rf"<{kind}>(.*?)</{kind}>", text, re.DOTALL)
        assert body
        digest = base64.b64encode(hashlib.sha256(body[1].encode()).digest()).decode()
        assert f"{kind}-src &#39;sha256-{digest}&#39;" in policy[1].replace("&#43;", "+")
    assert "default-src &#39;none&#39;" in policy[1]
    assert "unsafe" not in policy[1]


def test_the_script_makes_no_markup_out_of_text() -> None:
    for part in sorted(ASSETS.glob("*.js")):
        code = re.sub(r"^\s*//.*$", "", part.read_text(encoding="utf-8"), flags=re.MULTILINE)
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(",
                     "Function(", "fetch(", "XMLHttpRequest", "import(", "</script"):  # fmt: skip
            assert word not in code, (part.name, word)


@pytest.mark.parametrize("name", ["hostile", "hostile-code"])
def test_hostile_names_are_text(name: str) -> None:
    text = render("html", PAGES[name])
    page = Page(text)
    words = [text.strip() for texts in page.text.values() for text in texts]
    for one in samples.HOSTILE_NAMES:
        assert plain(one) in words
    packed = blobs(text)
    families = {family["n"] for family in packed["data"]["families"]}
    assert families == {plain(one) for one in samples.HOSTILE_NAMES}
    everything = "".join(_strings(packed))
    assert all(char.isprintable() for char in everything)
    assert "alert(1)" in everything
    unpacked = re.sub(r'<script type="text/plain".*?</script>', "", text)
    assert "<script>alert" not in unpacked
    assert "<img" not in unpacked


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for one in pair for text in _strings(one)]
    return [text for one in value for text in _strings(one)] if isinstance(value, list) else []


def test_the_data_holds_what_the_diff_holds() -> None:
    report = cases()["router"]
    data = blobs(render("html", report))["data"]
    assert report.diff is not None
    assert data["states"] == [state.label for state in report.diff.states]
    told = {(one["b"], one["c"], one["s"]) for one in data["changes"]}
    assert told == {(one.before, one.after, one.status.value) for one in report.diff.changes}
    by_name = {row["n"]: row for row in data["families"]}
    for row in report.diff.families:
        shown = by_name.get(row.family)
        if shown is None:
            assert row.status.value == "unchanged"
            continue
        assert shown["k"] == list(row.kernels)
        categories = {data["categories"][one[0]]: one[1:] for one in shown["c"]["s"]}
        assert categories == {
            key: list(values) for key, values in (row.categories.sass or {}).items()
        }
    for change in report.diff.changes:
        for kernel in (change.before, change.after):
            assert kernel is None or kernel in data["kernels"]


def test_code_is_packed_by_kernel_and_tied_to_its_lines() -> None:
    report = traced.report()
    packed = blobs(render("html", report))
    data = packed["data"]
    before, after = report.traced
    assert data["coded"] == {before.kernel: 0, after.kernel: 1}
    assert data["paired"] == {f"{before.kernel}|{after.kernel}": 0}
    shown = packed["code-1"]
    assert shown["s"]["t"] == list(after.layers.sass.texts if after.layers.sass else ())
    offset = 0
    for step, wanted in zip(shown["s"]["o"], range(0, 16 * 12, 16), strict=True):
        offset += step
        assert offset == wanted
    assert [data["files"][file] for file, _ in shown["s"]["h"][2]] == [traced.LIBRARY, traced.FILE]
    assert shown["s"]["p"] == [0, 0, 2, 2, 4, 4, 6, 6, 8, 8, 10, 10]
    assert [data["categories"][one] for one in shown["p"]["c"][:2]] == [
        "global_memory", "float_arithmetic"]  # fmt: skip
    assert packed["pair-0"]["s"] == [0, 4, 1, 1, 3, 1, 0, 6]
    texts = {data["files"][file]: (line, rows) for file, line, rows in shown["texts"]}
    assert texts[traced.FILE] == (17, list(traced.SOURCE))


def test_five_thousand_kernels_stay_small() -> None:
    text = render("html", large())
    assert len(text.encode()) < 15_000_000
    data = blobs(text)["data"]
    assert len(data["families"]) == 500
    assert len(data["changes"]) == 5_000


def test_long_code_stays_small() -> None:
    text = render("html", traced.report(20_000))
    assert len(blobs(text)["code-1"]["s"]["t"]) == 20_000
    assert len(text.encode()) < 1_000_000
