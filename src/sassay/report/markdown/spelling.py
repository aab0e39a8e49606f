"""Text, names and folds as GitHub's Markdown spells them: escaped, and cut to a length."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.report.names import elide, markdown_code, markdown_text

if TYPE_CHECKING:
    from sassay.report.sheet import Sheet

NAME = 160
"""Characters of a name that are shown."""
ROWS = 100
"""Rows of a table unless `--limit` says otherwise, so that details have room too."""
_PROSE = 600


def prose(text: str, most: int = _PROSE) -> str:
    """Prose as Markdown, cut to `most` characters."""
    return markdown_text(elide(text, most))


def named(text: str) -> str:
    """A name as code."""
    return markdown_code(elide(text, NAME))


def folded(sheet: Sheet, title: str, body: str) -> None:
    """A block that a reader opens."""
    if body:
        sheet.add(f"<details><summary>{title}</summary>\n\n{body}\n\n</details>")
