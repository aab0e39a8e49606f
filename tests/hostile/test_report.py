"""Names out of hostile files are harmless in every format, and equal records give equal bytes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import unicodedata
import xml.etree.ElementTree as ET
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.report import samples
from tests.report.cases import cases, with_options

from sassay.report import FORMATS, render
from sassay.report.names import (
    cells,
    elide,
    html_text,
    markdown_code,
    markdown_text,
    plain,
    portable_path,
)

_BAD_CATEGORIES = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_HOSTILE = [name for name in sorted(cases()) if name.startswith("hostile")]


@pytest.mark.parametrize("format_", sorted(FORMATS))
@pytest.mark.parametrize("name", _HOSTILE)
def test_nothing_unprintable_comes_out(name: str, format_: str) -> None:
    report = cases()[name]
    if format_ in {"junit", "sarif"} and report.check is None:
        return
    text = render(format_, report)
    found = {char for char in text if unicodedata.category(char) in _BAD_CATEGORIES}
    assert found <= {"\n"}
    text.encode()


def test_json_gives_hostile_names_back_exactly() -> None:
    document = json.loads(render("json", cases()["hostile-show"]))
    assert sorted({kernel["family"] for kernel in document["kernels"]}) == sorted(
        samples.HOSTILE_NAMES
    )


def test_rich_markup_is_never_interpreted() -> None:
    text = render("terminal", with_options(cases()["hostile"], color=True))
    assert "[red]markup[/red]" in text
    assert set(re.findall(r"\x1b(.)", text)) == {"["}
    assert not re.search(r"\x1b\[(?![0-9;]*m)", text)


def _outside_code(text: str) -> str:
    text = re.sub(r"`[^`\n]*`", "", text)
    text = re.sub(r"<code>.*?</code>", "", text)
    return re.sub(r"<pre>.*?</pre>", "", text, flags=re.DOTALL)


@pytest.mark.parametrize("name", _HOSTILE)
def test_markdown_mentions_links_and_tags_nobody(name: str) -> None:
    text = _outside_code(render("markdown", cases()[name]))
    # GitHub looks for mentions and issues in the text of the page, comments being nodes between.
    nodes = [unescape(node) for node in re.split(r"<[^>]*>", text)]
    assert not any(re.search(r"(?<![\w`])@\w", node) for node in nodes)
    assert not any(re.search(r"#\d|GH-\d", node, re.IGNORECASE) for node in nodes)
    assert "http://" not in text
    assert "www." not in text
    tags = set(re.findall(r"</?([a-z]+)", text))
    assert tags <= {"details", "summary", "br"}
    assert "\n# heading" not in text


def test_junit_is_well_formed_and_loses_no_finding() -> None:
    root = ET.fromstring(render("junit", cases()["hostile"]))
    names = {case.attrib["classname"] for case in root.iter("testcase")}
    assert names == {plain(name) for name in samples.HOSTILE_NAMES}


@given(st.text())
def test_plain_text_is_printable_and_kept_where_it_was(text: str) -> None:
    shown = plain(text)
    assert shown.isprintable()
    assert plain(shown) == shown
    if text.isprintable():
        assert shown == text


@given(st.text(), st.integers(1, 40))
def test_elided_text_fits(text: str, width: int) -> None:
    shown = plain(text)
    cut = elide(shown, width)
    assert cells(cut) <= width
    if cells(shown) <= width:
        assert cut == shown


@given(st.text(alphabet="ab`|\\<>@#1&;-!/ \n\u202e*_[]()$", max_size=30))
def test_markdown_code_shows_the_text_and_only_it(text: str) -> None:
    code = markdown_code(text)
    if code.startswith("`"):
        inner = code[1:-1]
        assert "`" not in inner
        assert "|" not in inner
        assert "\\" not in inner
        assert inner == plain(text)
    else:
        inner = code.removeprefix("<code>").removesuffix("</code>")
        assert not re.search(r"[^\w .:&#;]", inner)
        assert unescape(inner) == plain(text)


@given(st.text(max_size=30))
def test_escaped_prose_reads_as_it_was_written(text: str) -> None:
    shown = markdown_text(text)
    assert "|" not in shown
    assert "`" not in shown
    assert unescape(shown.replace("<!-- -->", "")) == plain(text)
    assert unescape(html_text(text)) == plain(text)


@given(st.text(max_size=30))
def test_paths_never_climb_or_start_at_a_root(path: str) -> None:
    shown = portable_path(path)
    assert shown
    assert not shown.startswith("/")
    assert ".." not in shown.split("/")


def test_equal_records_give_equal_bytes_in_another_process() -> None:
    code = (
        "import hashlib, sys; sys.path[:0] = ['src', '.']\n"
        "from tests.report.cases import cases\n"
        "from sassay.report import FORMATS, render\n"
        "text = ''.join(render(name, cases()['router']) for name in sorted(FORMATS))\n"
        "print(hashlib.sha256(text.encode()).hexdigest())\n"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1
