from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from tests.report import samples
from tests.report.cases import cases, large

from sassay.report import render
from sassay.report.names import plain

_VOID = {"meta", "br", "input", "link", "img"}


class _Page(HTMLParser):
    """Elements, ids, links and text of a page; fails on tags that do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID and tag != "rect":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.setdefault(self.open[-1] if self.open else "", []).append(data)


@pytest.mark.parametrize("name", sorted(cases()))
def test_pages_are_whole_and_reach_for_nothing(name: str) -> None:
    page = _Page(render("html", cases()[name]))
    allowed = {"html", "head", "meta", "title", "style", "body", "script", "svg", "rect"}
    names = {tag for tag, _ in page.tags}
    assert not names & {"img", "link", "iframe", "object", "embed", "base", "form"}
    assert allowed <= names | {"svg", "rect"}
    assert sum(tag == "script" for tag, _ in page.tags) == 1
    for _, attributes in page.tags:
        assert not any(key.startswith("on") or key in {"src", "style"} for key in attributes)
        assert (attributes.get("href") or "#").startswith("#")
    ids = [attributes["id"] for _, attributes in page.tags if attributes.get("id")]
    assert len(ids) == len(set(ids))
    links = {attributes["href"] for tag, attributes in page.tags if tag == "a"}
    assert {f"#{one}" for one in ids} >= links


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


def test_hostile_names_are_text() -> None:
    page = _Page(render("html", cases()["hostile"]))
    words = [text.strip() for texts in page.text.values() for text in texts]
    for name in samples.HOSTILE_NAMES:
        assert plain(name) in words
    assert "alert(1)" not in "".join(page.text["script"])


def test_families_have_deep_links_and_bars_scaled_by_row() -> None:
    text = render("html", cases()["router"])
    assert re.search(r'<details class="family" id="family-gemma-qkv-rmsnorm-kernel-sm-90a-', text)
    row = re.search(
        r"<code>cvt\.rn\.bf16\.f32</code></th><td class=\"dim\">.*?</tr>", text, re.DOTALL
    )
    assert row
    later = re.findall(r'class="fill" width="([\d.]+)"', text[text.index("<caption>SASS cat") :])
    assert "64" in later[:3]
    assert "0.445" in text
    assert "stands until attached" in text.lower()


def test_five_thousand_kernels_stay_small() -> None:
    text = render("html", large())
    assert len(text.encode()) < 15_000_000
    assert (
        text.count('<tr><th scope="row"><a href=')
        + text.count('<tr><th scope="row"><code>namespace')
        == 500
    )
    assert "more families&#39; details are left out" in text
