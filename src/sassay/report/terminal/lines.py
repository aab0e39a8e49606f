"""Source lines of one kernel, with their text and what each became in both layers."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from sassay.report.names import cells, cut, location_text, plain
from sassay.report.numbers import count, plural
from sassay.report.select import left_out
from sassay.report.terminal.page import Column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.model.layers import Layered
    from sassay.model.lines import KernelLines, LineCensus, LineCounts
    from sassay.report.bundle import ReportOptions
    from sassay.report.terminal.page import Cell, Page

_LINES = 40
_UNKNOWN = "-"
_CATEGORIES = 38
_NARROWEST = 24
_MOST = 3


def source_lines(page: Page, lines: KernelLines, options: ReportOptions) -> None:
    """A row a line, as in the file: instructions of both layers, then categories.

    A line that calls what was inlined counts the callee's instructions, too, and so does the
    callee's own line; the columns do not add up to the kernel.
    """
    limit = len(lines.lines) if options.all else options.limit or _LINES
    note = f"{plural(len(lines.lines), 'line')}, inlined calls counted at both lines"
    page.heading("Source lines", note)
    shown = _largest(lines.lines, limit)
    if any(line.text is not None for line in shown):
        _with_text(page, lines, shown)
    else:
        _numbers_alone(page, shown)
    rest = left_out(limit, len(lines.lines), "lines", "--all shows them")
    if rest:
        page.line((rest, "dim"))
    unknown = [
        f"{sum(counts.instructions.values())} {name}"
        for name, counts in (("PTX", lines.unattributed.ptx), ("SASS", lines.unattributed.sass))
        if counts is not None and counts.instructions
    ]
    if unknown:
        page.line((f"instructions of no line: {', '.join(unknown)}", "dim"), indent=2)
    if not lines.origins:
        page.line(
            ("no source text at hand: --source-root DIR or --source-rev REV names it", "dim"),
            indent=2,
        )


def _numbers_alone(page: Page, shown: Sequence[LineCensus]) -> None:
    columns = [
        Column("line"),
        Column("PTX", right=True),
        Column("SASS", right=True),
        Column("categories", wrap=True),
    ]
    rows: list[list[Cell]] = [
        [
            plain(location_text(line.location)),
            *_numbers(line),
            ", ".join(_categories(line.inclusive)),
        ]
        for line in shown
    ]
    page.table(columns, rows)


def _with_text(page: Page, lines: KernelLines, shown: Sequence[LineCensus]) -> None:
    """The text of each line beside its instructions and their largest categories, by file."""
    for file, group in groupby(shown, key=lambda line: line.location.file):
        rows = list(group)
        origin = lines.origins.get(file)
        page.line((plain(file), "bold"), (f"  {origin or 'no text at hand'}", "dim"), indent=2)
        digits = max(4, len(str(rows[-1].location.line)))
        room = max(_NARROWEST, page.width - digits - _CATEGORIES - 18)
        margin = min((_margin(line.text) for line in rows if line.text), default=0)
        longest = max(cells(plain(line.text or "")) for line in rows) - margin
        room = max(6, min(room, longest))
        hang = digits + room + 18
        heads = f"{'PTX':>5} {'SASS':>5}  {'line':>{digits}}  {'source':<{room}}  categories"
        page.line((heads, "dim"), indent=2)
        for line in rows:
            text = cut(plain((line.text or "")[margin:]), room)
            pad = " " * (room - cells(text))
            ptx, sass = _numbers(line)
            lead = f"{ptx:>5} {sass:>5}  {line.location.line:>{digits}}  {text}{pad}  "
            page.items(_categories(line.inclusive, _MOST), indent=2, lead=lead, most=hang)


def _margin(text: str) -> int:
    return len(text) - len(text.lstrip()) if text.strip() else len(text)


def _largest(lines: tuple[LineCensus, ...], limit: int) -> list[LineCensus]:
    """The lines with the most instructions, in the order of the file."""
    ranked = sorted(lines, key=lambda line: (-_size(line), line.location))
    return sorted(ranked[:limit], key=lambda line: line.location)


def _size(line: LineCensus) -> int:
    return _total(line.inclusive.sass) or _total(line.inclusive.ptx) or 0


def _numbers(line: LineCensus) -> list[str]:
    both = [_total(line.inclusive.ptx), _total(line.inclusive.sass)]
    return [_UNKNOWN if number is None else count(number) for number in both]


def _total(counts: LineCounts | None) -> int | None:
    return None if counts is None else sum(counts.instructions.values())


def _categories(counts: Layered[LineCounts], most: int | None = None) -> list[str]:
    """Categories of SASS, or of PTX where no SASS is traced; most instructions first."""
    chosen = counts.sass or counts.ptx
    if chosen is None:
        return []
    ranked = sorted(chosen.categories.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{name} {number}" for name, number in ranked[:most]]
    if most is not None and len(ranked) > most:
        shown.append(f"{len(ranked) - most} more")
    return shown
