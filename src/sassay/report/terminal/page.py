"""A page of terminal text: aligned, within its width, and safe whatever is put on it.

Everything that reaches a line passes `names.plain` here, so no renderer can forget it; markup is
never interpreted, because a span carries its style beside its text.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from rich.color import ColorSystem
from rich.style import Style

from sassay.report.names import cells, elide, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

Span = tuple[str, str]
"""Text and a rich style (`bold red`), empty for none."""
Cell = str | Span
"""One cell of a table."""

STYLES: dict[str, str] = {
    "FAIL": "bold red",
    "UNKNOWN": "bold magenta",
    "REVIEW": "bold yellow",
    "PASS": "bold green",
    "added": "green",
    "removed": "red",
    "expanded": "green",
    "shrunk": "red",
    "changed": "yellow",
    "unchanged": "dim",
    "error": "bold red",
    "warning": "yellow",
    "note": "dim",
}
_GAP = 2
_PART = 16
"""Part of a line that stays of its longest piece before the next longest gives way too."""
_NARROWEST = 30
"""A table whose names would get fewer columns than this puts each name on a line of its own."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        title: Heading; empty headings in all columns leave the heading line out.
        right: Whether figures are aligned right.
        wrap: Prose that takes the columns left and as many lines as it needs; the last column
            only.
    """

    title: str = ""
    right: bool = False
    wrap: bool = False


class Page:
    """Lines of a report, in order.

    Attributes:
        width: Columns that no line exceeds.
    """

    def __init__(self, width: int, *, color: bool) -> None:
        """An empty page.

        Args:
            width: Columns.
            color: Whether styles become ANSI colours.
        """
        self.width = max(40, width)
        self._color = color
        self._lines: list[str] = []

    def text(self) -> str:
        """The page, ending in one newline."""
        return "\n".join(self._lines).strip("\n") + "\n"

    def blank(self) -> None:
        """An empty line, never two in a row."""
        if self._lines and self._lines[-1]:
            self._lines.append("")

    def heading(self, title: str, note: str = "") -> None:
        """A section's title after an empty line."""
        self.blank()
        if note:
            self.line((title, "bold"), "  ", (note, "dim"))
        else:
            self.line((title, "bold"))

    def line(self, *parts: Cell, indent: int = 0) -> None:
        """One line; what does not fit is elided, the longest part first."""
        spans = [_span(part) for part in parts]
        room = self.width - indent
        while (over := sum(cells(text) for text, _ in spans) - room) > 0:
            index = max(range(len(spans)), key=lambda i: cells(spans[i][0]))
            text, style = spans[index]
            keep = max(cells(text) - over, min(cells(text) - 1, _PART))
            spans[index] = (elide(text, max(1, keep)), style)
            if all(cells(text) <= 1 for text, _ in spans):
                break
        self._put(" " * indent + "".join(self._paint(*span) for span in spans))

    def paragraph(
        self,
        text: str,
        *,
        indent: int = 0,
        style: str = "",
        lead: Cell = "",
        hang: int | None = None,
    ) -> None:
        """Prose wrapped at words, behind `lead`.

        Args:
            text: What to write.
            indent: Columns to the left of all.
            style: Of the text.
            lead: What stands in front of it.
            hang: Columns to the left of further lines; None: those of the text's own start.
        """
        first, lead_style = _span(lead)
        first = elide(first, max(1, self.width - indent if hang is not None else self.width // 2))
        start = indent + cells(first)
        below = start if hang is None else hang
        rows = _wrap(plain(text), max(20, self.width - below), taken=start - below)
        for number, row in enumerate(rows):
            pad = " " * indent + self._paint(first, lead_style) if not number else " " * below
            self._put(pad + self._paint(row, style))

    def items(
        self, parts: Sequence[str], *, indent: int = 0, lead: Cell = "", most: int | None = None
    ) -> None:
        """Parts with commas between them, wrapped between parts only, behind `lead`.

        Args:
            parts: What to write.
            indent: Columns to the left of all.
            lead: What stands in front.
            most: Columns that `lead` may take; None: half of the page.
        """
        first, lead_style = _span(lead)
        first = elide(first, max(1, self.width // 2 - indent if most is None else most))
        hang = indent + cells(first)
        room = max(20, self.width - hang)
        rows = [""]
        for index, part in enumerate(parts):
            text = plain(part) + ("," if index < len(parts) - 1 else "")
            row = f"{rows[-1]} {text}" if rows[-1] else text
            if rows[-1] and cells(row) > room:
                rows.append(elide(text, room))
            else:
                rows[-1] = elide(row, room)
        for number, row in enumerate(rows):
            start = " " * indent + self._paint(first, lead_style) if not number else " " * hang
            self._put(start + row)

    def table(
        self, columns: Sequence[Column], rows: Sequence[Sequence[Cell]], *, indent: int = 2
    ) -> None:
        """Aligned columns. The first holds names and gives way; others keep their width.

        Args:
            columns: Headings and alignment.
            rows: One cell a column.
            indent: Columns to the left.
        """
        if not rows:
            return
        grid = [[_span(cell) for cell in row] for row in rows]
        titles = [column.title for column in columns]
        widths = [
            max(cells(title), *(cells(row[index][0]) for row in grid))
            for index, title in enumerate(titles)
        ]
        if columns[-1].wrap:
            taken = sum(widths[1:-1]) + _GAP * (len(widths) - 1)
            widths[0] = min(widths[0], max(_NARROWEST, (self.width - indent - taken) // 2))
            widths[-1] = max(_PART, self.width - indent - taken - widths[0])
        rest = sum(widths[1:]) + _GAP * (len(widths) - 1)
        room = self.width - indent - rest
        if widths[0] > room and room < _NARROWEST:
            self._stacked(columns, grid, widths, indent)
            return
        widths[0] = min(widths[0], max(1, room))
        if any(titles):
            self._row(columns, [(title, "dim") for title in titles], widths, indent)
        for row in grid:
            first, *more = _wrap(row[-1][0], widths[-1]) if columns[-1].wrap else [row[-1][0]]
            self._row(columns, [*row[:-1], (first, row[-1][1])], widths, indent)
            for text in more:
                self._put(" " * (indent + rest - widths[-1] + widths[0]) + text)

    def _stacked(
        self, columns: Sequence[Column], grid: list[list[Span]], widths: list[int], indent: int
    ) -> None:
        inner, below = columns[1:], indent + max(4, cells(plain(columns[0].title)) + _GAP)
        narrow = _fit(widths[1:], self.width - below - _GAP * (len(inner) - 1))
        if any(column.title for column in inner):
            lead = Column(), *inner
            heads = [(column.title, "dim") for column in columns]
            self._row(lead, heads, [below - indent - _GAP, *narrow], indent)
        for row in grid:
            self.line(row[0], indent=indent)
            self._row(inner, row[1:], narrow, below)

    def _row(
        self, columns: Sequence[Column], row: Sequence[Span], widths: Sequence[int], indent: int
    ) -> None:
        parts = [" " * indent]
        for index, (column, (text, style), width) in enumerate(
            zip(columns, row, widths, strict=True)
        ):
            shown = elide(text, width)
            pad = " " * (width - cells(shown))
            painted = self._paint(shown, style)
            parts.append(pad + painted if column.right else painted + pad)
            if index < len(columns) - 1:
                parts.append(" " * _GAP)
        self._put("".join(parts))

    def _put(self, line: str) -> None:
        self._lines.append(line.rstrip())

    def _paint(self, text: str, style: str) -> str:
        if not (self._color and style and text.strip()):
            return text
        return _style(style).render(text, color_system=ColorSystem.STANDARD)


def _span(cell: Cell) -> Span:
    text, style = (cell, "") if isinstance(cell, str) else cell
    return plain(text), style


@cache
def _style(name: str) -> Style:
    return Style.parse(name)


def _fit(widths: list[int], room: int) -> list[int]:
    """Widths that fit in `room`, the widest giving way first."""
    fitted = list(widths)
    while fitted and sum(fitted) > room and max(fitted) > 1:
        fitted[fitted.index(max(fitted))] -= 1
    return fitted


def _wrap(text: str, width: int, taken: int = 0) -> list[str]:
    """Lines of at most `width` columns, broken at spaces, in long words where there is none.

    Args:
        text: Plain text.
        width: Columns of a line.
        taken: Columns of the first line that something else holds.
    """
    rows: list[str] = []
    row = ""
    room = width - taken
    for whole in text.split(" "):
        word = whole
        if row and cells(row) + 1 + cells(word) <= room:
            row += " " + word
            continue
        if row or (taken and not rows and cells(word) > room):
            rows.append(row)
            room = width
        while cells(word) > room:
            cut = room
            while cells(word[:cut]) > room:
                cut -= 1
            rows.append(word[:cut])
            word = word[cut:]
        row = word
    if row:
        rows.append(row)
    return rows or [""]
