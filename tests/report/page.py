"""Reads an HTML report as a browser does: its elements, its text, its packed data."""

from __future__ import annotations

import base64
import json
import re
import zlib
from html.parser import HTMLParser
from typing import Any

_VOID = {"meta", "br", "input", "link", "img"}
_BLOB = re.compile(r'<script type="text/plain" id="([a-z]+(?:-\d+)?)">([A-Za-z0-9+/=]*)</script>')


class Page(HTMLParser):
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
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.setdefault(self.open[-1] if self.open else "", []).append(data)


def blobs(text: str) -> dict[str, Any]:
    """The packed data of a page by id."""
    return {
        name: json.loads(zlib.decompress(base64.b64decode(blob, validate=True)))
        for name, blob in _BLOB.findall(text)
    }


def readable(text: str) -> str:
    """The page without its style and script, its data unpacked: what a review of it can read."""
    text = re.sub(r"<style>.*?</style>", "<style/>", text, flags=re.DOTALL)
    text = re.sub(r"<script>.*?</script>", "<script/>", text, flags=re.DOTALL)
    text = re.sub(r"sha256-[\w+/=&;#]*?(?=&#39;)", "sha256-...", text)
    found = blobs(text)
    shown = (f"{name}:\n{_lines(value)}\n" for name, value in found.items())
    return _BLOB.sub("", text) + "".join(shown)


def _lines(value: Any) -> str:
    if not isinstance(value, dict):
        return json.dumps(value)
    return "\n".join(f" {key}: {json.dumps(item)}" for key, item in value.items())
