"""The tables of `report.release` on a terminal page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.report.release import coverage_grid, release_grids
from sassay.report.terminal.page import Column

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sassay.model.library import Coverage, LibraryReport
    from sassay.report.bundle import ReportOptions
    from sassay.report.release import Grid
    from sassay.report.terminal.page import Cell, Page


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


def _under_titles(rows: Sequence[Sequence[str]]) -> Iterator[Sequence[Cell]]:
    """Rows without their first cell, which stands once above those that share it."""
    title = None
    for first, second, *rest in rows:
        if first != title:
            title = first
            yield [(first, "bold"), *([""] * len(rest))]
        yield [f"  {second}", *rest]


def _grid(page: Page, grid: Grid) -> None:
    page.heading(grid.title, grid.note)
    columns = [Column(head, right=index >= grid.left) for index, head in enumerate(grid.heads)]
    rows: list[Sequence[Cell]] = list(grid.rows)
    if grid.grouped:
        del columns[1]
        rows = list(_under_titles(grid.rows))
    page.table(columns, rows)
    if grid.more:
        page.line((grid.more, "dim"), indent=2)
