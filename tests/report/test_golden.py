"""Every format of the router case, and every command in the terminal, as a person last saw it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.report.cases import cases, with_options
from tests.report.page import readable

from sassay.report import FORMATS, render

if TYPE_CHECKING:
    from collections.abc import Callable

_ENDINGS = {"terminal": "txt", "markdown": "md", "junit": "xml"}


@pytest.mark.parametrize("format_", sorted(FORMATS))
def test_router_in_every_format(format_: str, golden: Callable[[str, str], None]) -> None:
    text = render(format_, cases()["router"])
    shown = readable(text) if format_ == "html" else text
    golden(f"router.{_ENDINGS.get(format_, format_)}", shown)


@pytest.mark.parametrize(
    "name",
    [
        "check",
        "summary",
        "full",
        "code",
        "side-by-side",
        "show",
        "kernel",
        "migration",
        "unchanged",
    ],
)
def test_every_command_in_the_terminal(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"{name}.txt", render("terminal", with_options(cases()[name], width=80)))


@pytest.mark.parametrize("name", ["check", "code", "kernel"])
def test_every_document_in_json(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"{name}.json", render("json", cases()[name]))
