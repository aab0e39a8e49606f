"""Families: which came, went and changed, what moved in them, suspects and migrations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.report.entries import entries, ranked, spell_archs
from sassay.report.numbers import ARROW, arrows, delta_text, plural, series, size
from sassay.report.select import (
    STATUS_MARK,
    averages,
    categories,
    layers_of,
    left_out,
    migration_matters,
    moved_families,
    moved_resources,
    movements,
    one_arch,
    opcodes,
    row_layer,
    short_answer,
    status_kind,
    status_word,
    status_words,
    totals,
)
from sassay.report.terminal.changes import changes
from sassay.report.terminal.page import STYLES, Column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.model.change import Diff, FamilyRow, Suspect
    from sassay.report.bundle import ReportOptions
    from sassay.report.entries import Entry
    from sassay.report.terminal.page import Cell, Page

_ROWS = 20
_BLOCKS = 8
_SUSPECTS = 5
_MOVES = 6
_STATES_IN_A_CELL = 3


def mark(row: FamilyRow) -> str:
    """One character for the status, so that nothing depends on colour."""
    return STATUS_MARK[status_word(row)]


def table(
    page: Page, title: str, rows: Sequence[FamilyRow], diff: Diff, options: ReportOptions
) -> None:
    """Totals and averages of families side by side; one line where architectures moved alike."""
    items = entries(diff, rows)
    limit = len(items) if options.all else options.limit or _ROWS
    with_arch = one_arch(diff) is None
    archs = len({row.arch for row in diff.families})
    layers = {row_layer(item.row, options.layer) for item in items}
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
    for item in items[:limit]:
        row = item.row
        layer = row_layer(row, options.layer)
        sums = totals(row, layer)
        known = any(value is not None for value in row.code_bytes)
        tag = f" ({layer})" if len(layers) > 1 else ""
        lines.append(
            [
                (f"{mark(row)} {row.family}", STYLES[status_kind(row)]),
                status_word(row),
                *([spell_archs(item.archs, archs)] if with_arch else []),
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
    rest = left_out(limit, len(items), "families", "--all shows them, --family GLOB picks some")
    if rest:
        page.line((rest, "dim"))


def blocks(page: Page, diff: Diff, options: ReportOptions) -> None:
    """Family by family: what moved in categories, precision-sensitive opcodes and kernels."""
    items = ranked(entries(diff, moved_families(diff)))
    if not items:
        return
    limit = len(items) if options.all else options.limit or _BLOCKS
    page.heading("What moved", "most suspect first" if diff.suspects else "")
    for item in items[:limit]:
        row = item.row
        page.line(
            (f"{mark(row)} ", STYLES[status_kind(row)]),
            (row.family, "bold"),
            (f"  {row.arch}  {status_words(row)}", "dim"),
            indent=2,
        )
        _moves(page, item, options)
        changes(page, item, options)
    rest = left_out(limit, len(items), "families", "--all shows them, --family GLOB picks some")
    if rest:
        page.line((rest, "dim"), indent=2)


def _moves(page: Page, item: Entry, options: ReportOptions) -> None:
    row, suspect = item.row, item.suspect
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
        parts = sensitive_parts(suspect, row, options, full=full)
        page.items(parts, indent=4, lead=("precision  ", "yellow"))
    resources = [
        f"{name.replace('_', ' ')} {_moved(values, row)}" for name, values in moved_resources(row)
    ]
    if resources:
        page.items(resources, indent=4, lead=("largest  ", "dim"))
    if full:
        _opcodes(page, row, options)


def sensitive_parts(
    suspect: Suspect, row: FamilyRow, options: ReportOptions, *, full: bool
) -> list[str]:
    """Precision-sensitive opcodes that moved, of one layer unless everything is wanted."""
    wanted = options.layer or next(
        (layer for layer in ("ptx", "sass") if any(m.layer == layer for m in suspect.moves)), None
    )
    moves = [move for move in suspect.moves if full or move.layer == wanted]
    keep = len(moves) if full else _MOVES
    parts = [f"{move.opcode} {_moved(move.counts, row)}" for move in moves[:keep]]
    if len(moves) > keep:
        parts.append(f"and {len(moves) - keep} more")
    return parts


def _moved(values: Sequence[int | None], row: FamilyRow) -> str:
    # What came or went whole needs no difference: it is the figure itself.
    known = all(row.kernels[:1] + row.kernels[-1:])
    moved = delta_text(values) if known else ""
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
    items = [item for item in ranked(entries(diff, diff.families)) if item.suspect is not None]
    limit = len(items) if options.all else options.limit or _SUSPECTS
    page.heading("Suspects", "whose numerical execution moved most")
    with_arch = one_arch(diff) is None
    archs = len({row.arch for row in diff.families})
    for rank, item in enumerate(items[:limit], start=1):
        if item.suspect is None:
            continue
        where = f"  {spell_archs(item.archs, archs)}" if with_arch else ""
        page.line(
            f"{rank}. ",
            (item.row.family, "bold"),
            (f"{where}  {status_words(item.row)}", "dim"),
            indent=2,
        )
        why = arrows(item.suspect.why)
        page.paragraph(f"{item.suspect_arch}: {why}" if len(item.archs) > 1 else why, indent=5)
    rest = left_out(limit, len(items), "suspects", "--all shows them")
    if rest:
        page.line((rest, "dim"), indent=2)


def migrations(page: Page, diff: Diff, options: ReportOptions) -> None:
    """For two architectures: which families moved to the newer tensor and memory paths."""
    if not diff.migrations:
        return
    first = diff.migrations[0]
    told = [item for item in diff.migrations if migration_matters(item)]
    limit = len(told) if options.all else options.limit or _ROWS
    page.heading(
        "Migration", f"{first.before_arch}{ARROW}{first.after_arch}: who moved to the newer paths"
    )
    styles = {"yes": "green", "no": "bold red"}
    page.table(
        [Column("family"), Column("tensor"), Column("memory"), Column("why", wrap=True)],
        [
            [
                item.family,
                (short_answer(item.tensor_path), styles.get(item.tensor_path, "dim")),
                (short_answer(item.memory_path), styles.get(item.memory_path, "dim")),
                arrows(item.why),
            ]
            for item in told[:limit]
        ],
    )
    rest = left_out(limit, len(told), "families", "--all shows them")
    if rest:
        page.line((rest, "dim"), indent=2)
    others = [item.family for item in diff.migrations if not migration_matters(item)]
    if others:
        page.items(others[:_ROWS], indent=2, lead=("use neither path: ", "dim"))
