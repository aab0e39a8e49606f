"""States: their summaries side by side, one state in full, and tables of a release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.report.markdown.spelling import named, prose
from sassay.report.names import label, markdown_code
from sassay.report.numbers import count, evidence, plural, size
from sassay.report.release import coverage_grid
from sassay.report.select import summaries
from sassay.report.sheet import Sheet, table_row

if TYPE_CHECKING:
    from sassay.model.state import State
    from sassay.report.bundle import Report
    from sassay.report.release import Grid


def states_table(report: Report) -> str:
    """Summaries of all states, side by side."""
    items = summaries(report)
    if not items:
        return ""
    rows = [
        ["kernels", *(count(item.kernels) for item in items)],
        ["families", *(count(item.families) for item in items)],
    ]
    if any(item.code_bytes for item in items):
        rows.append(["code", *(size(item.code_bytes) for item in items)])
    for name in sorted({name for item in items for name in item.evidence}):
        cards = [item.evidence.get(name) for item in items]
        units = list(dict.fromkeys(card.unit for card in cards if card and card.unit))
        unit = f" ({', '.join(prose(unit, 40) for unit in units)})" if units else ""
        figures = (f"**{prose(evidence(card), 60)}**" for card in cards)
        rows.append([prose(name, 80) + unit, *figures])
    head = ["", *(markdown_code(label(item.label)) for item in items)]
    rule = ["---", *("---:" for _ in items)]
    return "\n".join(map(table_row, (head, rule, *rows)))


def state_section(sheet: Sheet, state: State, report: Report) -> None:
    """One state's evidence and kernels, for `sassay show`."""
    limit = report.options.limit
    sheet.note(f"## sassay: {markdown_code(label(state.label))}")
    sheet.table(
        ("evidence", "value", "unit"),
        [
            [prose(name, 80), prose(evidence(card), 80), prose(card.unit or "", 40)]
            for name, card in sorted(state.evidence.items())
        ],
        "measurements",
        None,
    )
    if report.coverage is not None:
        everything = report.coverage_alone or report.options.all
        matrix = coverage_grid(report.coverage, everything=everything, limit=limit)
        if matrix is not None:
            grid_table(sheet, matrix)
        if report.coverage_alone:
            return
    rows = []
    for kernel in state.kernels:
        sass, ptx = kernel.instructions.sass, kernel.instructions.ptx
        rows.append(
            [
                named(kernel.name),
                named(kernel.id),
                named(kernel.arch),
                "-" if ptx is None else count(sum(ptx.values())),
                "-" if sass is None else count(sum(sass.values())),
                count(kernel.resources.registers),
                count(kernel.resources.shared_bytes),
            ]
        )
    head = ("kernel", "id", "arch", "PTX", "SASS", "registers", "shared bytes")
    sheet.note(plural(len(state.kernels), "kernel"))
    sheet.table(head, rows, "kernels", limit, right_from=3)


def grid_table(sheet: Sheet, grid: Grid) -> None:
    """One table for release managers."""
    sheet.note(f"**{grid.title}**: {grid.note}")
    rows = [
        [
            *(named(cell) for cell in row[: grid.left]),
            *(prose(cell, 80) for cell in row[grid.left :]),
        ]
        for row in grid.rows
    ]
    sheet.table(grid.heads, rows, "rows", None, right_from=grid.left)
    if grid.more:
        sheet.note(prose(grid.more, 300))
