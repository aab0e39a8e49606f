"""The tables of `report.release` on a terminal page."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from sassay.report.release import coverage_grid, release_grids
from sassay.report.terminal.page import Column

if TYPE_CHECKING:
    from sassay.model.library import Coverage, LibraryReport
    from sassay.report.bundle import ReportOptions
    from sassay.report.release import Grid
    from sassay.report.terminal.page import Page


def libraries(page: Page, report: LibraryReport, options: ReportOptions) -> None:
    """Libraries, architectures and largest movers of a diff; nothing without libraries."""
    everything = options.all or options.rendering == "full"
    for grid in release_grids(report, everything=everything, limit=options.limit):
        _grid(page, grid)


def coverage(page: Page, item: Coverage, options: ReportOptions, *, whole: bool = False) -> None:
    """Which families exist for which architecture; nothing where there is only one."""
    grid = coverage_grid(item, everything=whole or options.all, limit=options.limit)
    if grid is not None:
        _grid(page, grid)


def _grouped(page: Page, grid: Grid) -> None:
    """Rows without their first cell, which stands once above those that share it."""
    heads = grid.heads[1:]
    widths = [
        max(len(head), *(len(row[index]) for row in grid.rows))
        for index, head in enumerate(heads, 1)
    ]
    title = None
    for name, rows in groupby(grid.rows, key=lambda row: row[0]):
        page.line((name, "bold"), indent=2)
        shown = heads if title is None else [""] * len(heads)
        title = name
        columns = [Column(head, right=index >= grid.left) for index, head in enumerate(shown, 1)]
        cells = [
            [
                cell.rjust(width) if index >= grid.left else cell.ljust(width)
                for index, (cell, width) in enumerate(zip(row[1:], widths, strict=True), 1)
            ]
            for row in rows
        ]
        page.table(columns, cells, indent=4)


def _grid(page: Page, grid: Grid) -> None:
    page.heading(grid.title, grid.note)
    if grid.grouped and grid.rows:
        _grouped(page, grid)
    else:
        columns = [Column(head, right=index >= grid.left) for index, head in enumerate(grid.heads)]
        page.table(columns, grid.rows)
    if grid.more:
        page.line((grid.more, "dim"), indent=2)
