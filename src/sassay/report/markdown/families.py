"""Families that moved: the story by name, migrations, suspects, and their figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.report.entries import entries, ranked, spell_archs
from sassay.report.markdown.spelling import ROWS, named, prose
from sassay.report.names import markdown_text
from sassay.report.numbers import arrows, delta_text, series
from sassay.report.select import (
    averages,
    migration_matters,
    moved_families,
    one_arch,
    row_layer,
    short_answer,
    status_word,
    status_words,
    totals,
)
from sassay.report.story import story

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.model.change import Diff, FamilyRow
    from sassay.report.bundle import Report
    from sassay.report.sheet import Sheet

_STORY = 12
_SUSPECTS = 5


def story_section(sheet: Sheet, diff: Diff) -> None:
    """What came, went and changed, by name."""
    for chapter in story(diff):
        lines = [f"**{markdown_text(chapter.title)}**: {chapter.kernels}"]
        lines += [f"- {prose(line)}" for line in chapter.built]
        for status, items in chapter.families:
            shown = [
                named(one.name) + (f" ({prose(one.note, 120)})" if one.note else "")
                for one in items[:_STORY]
            ]
            if len(items) > _STORY:
                shown.append(f"and {len(items) - _STORY:,} more")
            lines.append(f"- {status}: {', '.join(shown)}")
        if not chapter.families:
            lines.append("- no family changed")
        sheet.add("\n".join(lines))


def migrations_table(sheet: Sheet, diff: Diff, limit: int | None) -> None:
    """What each family does on the new architecture: tensor path and memory path."""
    if not diff.migrations:
        return
    rows = [
        [
            named(item.family), _yes(short_answer(item.tensor_path)),
            _yes(short_answer(item.memory_path)), prose(arrows(item.why)),
        ]
        for item in diff.migrations
        if migration_matters(item)
    ]  # fmt: skip
    sheet.table(
        ("family", "tensor path moved", "memory path moved", "why"),
        rows, "families", limit or ROWS, right_from=4,
    )  # fmt: skip
    others = [named(item.family) for item in diff.migrations if not migration_matters(item)]
    if others:
        sheet.add(f"Use neither path: {', '.join(others[:ROWS])}")


def _yes(word: str) -> str:
    return f"**{word}**" if word == "no" else prose(word, 40)


def suspects_list(sheet: Sheet, diff: Diff, limit: int | None) -> None:
    """Families by how much their numerical execution moved."""
    items = [item for item in ranked(entries(diff, diff.families)) if item.suspect]
    if not items:
        return
    with_arch = one_arch(diff) is None
    lines = ["**Suspects**, by how much their numerical execution moved"]
    for rank, item in enumerate(items[: limit or _SUSPECTS], start=1):
        why = item.suspect.why if item.suspect else ""
        where = f" {named(spell_archs(item.archs))}" if with_arch else ""
        lines.append(
            f"{rank}. {named(item.row.family)}{where} {prose(status_words(item.row), 200)}: "
            f"{prose(arrows(why))}"
        )
    sheet.add("\n".join(lines))
    sheet.left_out(len(items) - (len(lines) - 1), "suspects")


def families_section(sheet: Sheet, report: Report, diff: Diff) -> None:
    """Groups and families in figures, folded."""
    options = report.options
    everything = options.all or options.rendering == "full"
    rows = moved_families(diff, everything=everything)
    for title, table in (("Groups in figures", diff.groups), ("Families in figures", rows)):
        if table and sheet.add(f"<details><summary>{title}</summary>"):
            _families(sheet, table, diff, report)
            sheet.note("</details>")


def _families(sheet: Sheet, rows: Sequence[FamilyRow], diff: Diff, report: Report) -> None:
    with_arch = one_arch(diff) is None
    lines = []
    for item in entries(diff, rows):
        row = item.row
        layer = row_layer(row, report.options.layer)
        sums = totals(row, layer)
        where = [named(spell_archs(item.archs))] if with_arch else []
        cells = [named(row.family), *where, status_word(row)]
        cells += [
            series(row.kernels),
            f"{series(sums, kernels=row.kernels)} {layer}",
            delta_text(sums),
            series(averages(row, layer), kernels=row.kernels),
        ]
        lines.append(cells)
    head = ["family", *(["arch"] if with_arch else []), "status"]
    head += ["kernels", "instructions", "delta", "a kernel"]
    sheet.table(head, lines, "families", report.options.limit or ROWS, right_from=2 + with_arch)
