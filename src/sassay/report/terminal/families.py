"""Families: which came, went and changed, what moved in them, suspects and migrations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.report.numbers import ARROW, delta_text, plural, series, size
from sassay.report.select import (
    STATUS_MARK,
    averages,
    categories,
    changes_by_family,
    layers_of,
    left_out,
    moved_families,
    movements,
    one_arch,
    opcodes,
    row_layer,
    status_words,
    suspects_by_family,
    totals,
)
from sassay.report.terminal.changes import changes
from sassay.report.terminal.page import STYLES, Column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.model.change import Diff, FamilyRow, Suspect
    from sassay.report.bundle import ReportOptions
    from sassay.report.terminal.page import Cell, Page

_ROWS = 20
_BLOCKS = 8
_SUSPECTS = 5
_MOVES = 6
_STATES_IN_A_CELL = 3


def mark(row: FamilyRow) -> str:
    """One character for the status, so that nothing depends on colour."""
    words = status_words(row).split(", ")
    return STATUS_MARK[words[0]] if len(words) == 1 else "*"


def table(
    page: Page, title: str, rows: Sequence[FamilyRow], diff: Diff, options: ReportOptions
) -> None:
    """Totals and averages of families side by side."""
    limit = len(rows) if options.all else options.limit or _ROWS
    with_arch = one_arch(diff) is None
    layers = {row_layer(row, options.layer) for row in rows}
    layer_name = next(iter(layers)).upper() if len(layers) == 1 else "instr."
    columns = [
        Column(title),
        Column("status"),
        *([Column("arch")] if with_arch else []),
        Column("kernels", right=True),
        Column(layer_name, right=True),
        Column("delta", right=True),
        Column("a kernel", right=True),
        Column("code", right=True),
    ]
    most = _STATES_IN_A_CELL
    lines: list[list[Cell]] = []
    for row in rows[:limit]:
        layer = row_layer(row, options.layer)
        words = status_words(row)
        style = STYLES[words.split(", ", maxsplit=1)[0]]
        sums = totals(row, layer)
        known = any(value is not None for value in row.code_bytes)
        tag = f" ({layer})" if len(layers) > 1 else ""
        lines.append(
            [
                (f"{mark(row)} {row.family}", style),
                words,
                *([row.arch] if with_arch else []),
                series(row.kernels, most=most),
                series(sums, kernels=row.kernels, most=most) + tag,
                (delta_text(sums), "bold"),
                series(averages(row, layer), kernels=row.kernels, most=most),
                series(row.code_bytes, size, kernels=row.kernels, most=2) if known else "",
            ]
        )
    if page.width < 110:
        columns, lines = columns[:-1], [line[:-1] for line in lines]
    page.blank()
    page.table(columns, lines, indent=0)
    rest = left_out(limit, len(rows), "families", "--all shows them, --family GLOB picks some")
    if rest:
        page.line((rest, "dim"))


def blocks(page: Page, diff: Diff, options: ReportOptions) -> None:
    """Family by family: what moved in categories, precision-sensitive opcodes and kernels."""
    rows = moved_families(diff)
    suspects = suspects_by_family(diff)
    order = {key: index for index, key in enumerate(suspects)}
    rows = tuple(sorted(rows, key=lambda row: order.get((row.family, row.arch), len(order))))
    if not rows:
        return
    limit = len(rows) if options.all else options.limit or _BLOCKS
    by_family = changes_by_family(diff)
    page.heading("What moved", "most suspect first" if suspects else "")
    for row in rows[:limit]:
        key = (row.family, row.arch)
        page.line(
            (f"{mark(row)} ", STYLES[status_words(row).split(", ", maxsplit=1)[0]]),
            (row.family, "bold"),
            (f"  {row.arch}  {status_words(row)}", "dim"),
            indent=2,
        )
        _moves(page, row, suspects.get(key), options)
        changes(page, by_family.get(key, []), options)
    rest = left_out(limit, len(rows), "families", "--all shows them, --family GLOB picks some")
    if rest:
        page.line((rest, "dim"), indent=2)


def _moves(page: Page, row: FamilyRow, suspect: Suspect | None, options: ReportOptions) -> None:
    full = options.rendering == "full"
    for layer in layers_of(row):
        if options.layer not in {None, layer}:
            continue
        moved = movements(categories(row, layer))
        if not moved:
            continue
        keep = len(moved) if full else _MOVES
        parts = [f"{name} {_moved(values, row)}" for name, values in moved[:keep]]
        if len(moved) > keep:
            parts.append(f"and {plural(len(moved) - keep, 'more category', 'more categories')}")
        page.items(parts, indent=4, lead=(f"{layer:<5}", "dim"))
    if suspect is not None and suspect.moves:
        keep = len(suspect.moves) if full else _MOVES
        parts = [
            f"{move.opcode} {_moved(move.counts, row)}"
            for move in suspect.moves[:keep]
            if options.layer in {None, move.layer}
        ]
        if len(suspect.moves) > keep:
            parts.append(f"and {len(suspect.moves) - keep} more")
        page.items(parts, indent=4, lead=("precision  ", "yellow"))
    resources = [f"{name} {_moved(values, row)}" for name, values in movements(row.resources)]
    if resources:
        page.items(resources, indent=4, lead=("largest  ", "dim"))
    if full:
        _opcodes(page, row, options)


def _moved(values: Sequence[int | None], row: FamilyRow) -> str:
    known = all(row.kernels[:1] + row.kernels[-1:])
    moved = delta_text(values) if known or None not in values else ""
    return series(values, kernels=row.kernels) + (f" ({moved})" if moved else "")


def _opcodes(page: Page, row: FamilyRow, options: ReportOptions) -> None:
    for layer in layers_of(row):
        if options.layer not in {None, layer}:
            continue
        lines: list[list[Cell]] = [
            [name, series(values), delta_text(values)]
            for name, values in movements(opcodes(row, layer))
        ]
        page.table(
            [
                Column(f"{layer} opcode"),
                Column("count", right=True),
                Column("delta", right=True),
            ],
            lines,
            indent=4,
        )


def suspects(page: Page, diff: Diff, options: ReportOptions) -> None:
    """Families ranked by how much their numerical execution moved."""
    if not diff.suspects:
        return
    limit = len(diff.suspects) if options.all else options.limit or _SUSPECTS
    page.heading("Suspects", "whose numerical execution moved most")
    for rank, suspect in enumerate(diff.suspects[:limit], start=1):
        page.line(f"{rank}. ", (suspect.family, "bold"), (f"  {suspect.arch}", "dim"), indent=2)
        page.paragraph(suspect.why, indent=5)
    rest = left_out(limit, len(diff.suspects), "suspects", "--all shows them")
    if rest:
        page.line((rest, "dim"), indent=2)


def migrations(page: Page, diff: Diff, options: ReportOptions) -> None:
    """For two architectures: which families moved to the newer tensor and memory paths."""
    if not diff.migrations:
        return
    first = diff.migrations[0]
    limit = len(diff.migrations) if options.all else options.limit or _ROWS
    page.heading("Migration", f"{first.before_arch}{ARROW}{first.after_arch}")
    styles = {"yes": "green", "no": "bold red"}
    page.table(
        [Column("family"), Column("tensor path"), Column("memory path")],
        [
            [
                item.family,
                (item.tensor_path, styles.get(item.tensor_path, "dim")),
                (item.memory_path, styles.get(item.memory_path, "dim")),
            ]
            for item in diff.migrations[:limit]
        ],
    )
    for item in diff.migrations[:limit]:
        if "no" in {item.tensor_path, item.memory_path}:
            page.paragraph(item.why, indent=2, lead=f"{item.family}: ")
    rest = left_out(limit, len(diff.migrations), "families", "--all shows them")
    if rest:
        page.line((rest, "dim"), indent=2)
