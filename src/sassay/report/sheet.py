"""A Markdown page of bounded size: blocks in the order of their worth, as many as fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

BUDGET = 63_000
"""UTF-8 bytes for sections; the rest is kept for the lines that say what was left out."""
ELSEWHERE = "the JSON and HTML reports of this run hold everything (`--json FILE`, `--html FILE`)"


class Sheet:
    """Markdown blocks up to the budget."""

    def __init__(self) -> None:
        self._blocks: list[str] = []
        self._used = 0

    def text(self) -> str:
        """The page, ending in one newline."""
        return "\n\n".join(self._blocks) + "\n"

    def fits(self, block: str) -> bool:
        """Whether there is room for a block."""
        return self._used + len(block.encode()) + 2 <= BUDGET

    def add(self, block: str) -> bool:
        """Add a block if it fits."""
        if not self.fits(block):
            return False
        self.note(block)
        return True

    def note(self, block: str) -> None:
        """Add a short block in any case."""
        self._blocks.append(block)
        self._used += len(block.encode()) + 2

    def table(
        self,
        head: Sequence[str],
        rows: Sequence[Sequence[str]],
        noun: str,
        limit: int | None,
        *,
        right_from: int = 1,
    ) -> None:
        """A table of as many rows as fit, and a line for those that do not.

        Args:
            head: Column titles.
            rows: Cells, escaped.
            noun: What a row is, in the plural.
            limit: Most rows, None: as many as fit.
            right_from: Index of the first column of figures.
        """
        if not rows:
            return
        rule = ["---" if index < right_from else "---:" for index in range(len(head))]
        lines = [table_row(head), table_row(rule)]
        used = sum(len(one.encode()) + 1 for one in lines)
        wanted = rows if limit is None else rows[:limit]
        for row in wanted:
            one = table_row(row)
            used += len(one.encode()) + 1
            if self._used + used + 2 > BUDGET:
                break
            lines.append(one)
        shown = len(lines) - 2
        if shown:
            self.note("\n".join(lines))
        self.left_out(len(rows) - shown, noun)

    def left_out(self, number: int, noun: str) -> None:
        """The line that says how much is missing and where it is."""
        if number:
            self.note(f"_{number:,} {noun} left out here; {ELSEWHERE}._")


def table_row(cells: Sequence[str]) -> str:
    """One line of a table."""
    return "| " + " | ".join(cells) + " |"
