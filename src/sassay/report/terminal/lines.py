"""Source lines of one kernel, with what each became in both layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.report.names import location_text, plain
from sassay.report.numbers import count, plural
from sassay.report.select import left_out
from sassay.report.terminal.page import Column

if TYPE_CHECKING:
    from sassay.model.layers import Layered
    from sassay.model.lines import KernelLines, LineCensus, LineCounts
    from sassay.report.bundle import ReportOptions
    from sassay.report.terminal.page import Cell, Page

_LINES = 40
_UNKNOWN = "-"


def source_lines(page: Page, lines: KernelLines, options: ReportOptions) -> None:
    """A row a line, as in the file: instructions of both layers, then categories.

    A line that calls what was inlined counts the callee's instructions, too, and so does the
    callee's own line; the columns do not add up to the kernel.
    """
    shown = lines.lines
    limit = len(shown) if options.all else options.limit or _LINES
    note = f"{plural(len(shown), 'line')}, inlined calls counted at both lines"
    page.heading("Source lines", note)
    columns = [
        Column("line"),
        Column("PTX", right=True),
        Column("SASS", right=True),
        Column("categories", wrap=True),
    ]
    page.table(columns, [_row(line) for line in _largest(shown, limit)])
    rest = left_out(limit, len(shown), "lines", "--all shows them")
    if rest:
        page.line((rest, "dim"))
    unknown = [
        f"{sum(counts.instructions.values())} {name}"
        for name, counts in (("PTX", lines.unattributed.ptx), ("SASS", lines.unattributed.sass))
        if counts is not None and counts.instructions
    ]
    if unknown:
        page.line((f"instructions of no line: {', '.join(unknown)}", "dim"), indent=2)


def _largest(lines: tuple[LineCensus, ...], limit: int) -> list[LineCensus]:
    """The lines with the most instructions, in the order of the file."""
    ranked = sorted(lines, key=lambda line: (-_size(line), line.location))
    return sorted(ranked[:limit], key=lambda line: line.location)


def _size(line: LineCensus) -> int:
    return _total(line.inclusive.sass) or _total(line.inclusive.ptx) or 0


def _row(line: LineCensus) -> list[Cell]:
    numbers = [_total(line.inclusive.ptx), _total(line.inclusive.sass)]
    return [
        plain(location_text(line.location)),
        *(_UNKNOWN if number is None else count(number) for number in numbers),
        _categories(line.inclusive),
    ]


def _total(counts: LineCounts | None) -> int | None:
    return None if counts is None else sum(counts.instructions.values())


def _categories(counts: Layered[LineCounts]) -> str:
    """Categories of SASS, or of PTX where no SASS is traced; most instructions first."""
    chosen = counts.sass or counts.ptx
    if chosen is None:
        return ""
    ranked = sorted(chosen.categories.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {number}" for name, number in ranked)
