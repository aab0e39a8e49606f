"""The top of the page: verdict, what makes states hard to compare, states and kernel counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.report.names import elide, label
from sassay.report.numbers import ARROW, arrows, count, evidence, plural, scalar, size
from sassay.report.select import (
    STATUS_MARK,
    left_out,
    note_field,
    note_values,
    one_arch,
    verdict_note,
)
from sassay.report.story import story
from sassay.report.terminal.page import STYLES, Column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.model.change import Comparability, Diff, StateSummary
    from sassay.report.bundle import Report, ReportOptions
    from sassay.report.terminal.page import Cell, Page

_NOTES = 6
_NAMES = 12
"""Families named for one status in one pair of states."""
_FACTS = 26
"""Columns that the table of states keeps for what its rows are, and their units."""


def title(page: Page, report: Report, labels: Sequence[str]) -> None:
    """The command, the states, and the architecture where there is only one."""
    arch = one_arch(report.diff) if report.diff else None
    page.line(
        (f"sassay {report.command}", "bold"),
        "  ",
        ARROW.join(map(label, labels)),
        (f"  {arch}" if arch else "", "dim"),
    )
    page.blank()


def verdict(page: Page, report: Report) -> None:
    """The verdict and its counts."""
    if report.check is not None:
        word = report.check.verdict.value
        page.line((word, STYLES[word]), "  ", verdict_note(report.check))
        page.blank()


def comparability(
    page: Page, notes: Sequence[Comparability], labels: Sequence[str], options: ReportOptions
) -> None:
    """What makes the states hard to compare, before any figure: a line each."""
    limit = len(notes) if options.all or options.rendering == "full" else _NOTES
    for note in notes[:limit]:
        page.paragraph(
            f"{note_values(note, labels)}: {arrows(note.note)}",
            lead=(f"! {note_field(note)}  ", "yellow"),
            hang=2,
        )
    rest = left_out(limit, len(notes), "notes", "--all shows them")
    if rest:
        page.line((rest, "dim"))
    if notes:
        page.blank()


def chapters(page: Page, diff: Diff, options: ReportOptions) -> None:
    """What appeared, vanished and changed, pair by pair and by name."""
    everything = options.all or options.rendering == "full"
    for chapter in story(diff):
        page.paragraph(chapter.kernels, lead=(f"{chapter.title}  ", "bold"), hang=2)
        for line in chapter.built:
            page.paragraph(line, indent=2, hang=4)
        for status, items in chapter.families:
            limit = len(items) if everything else options.limit or _NAMES
            shown = [item.text for item in items[:limit]]
            if len(items) > limit:
                shown.append(f"and {plural(len(items) - limit, 'more family', 'more families')}")
            head = f"{STATUS_MARK[status]} {status:<9} "
            page.items(shown, indent=2, lead=(head, STYLES[status]))
        if not chapter.families:
            quiet = plural(chapter.quiet, "family", "families")
            page.line((f"= no family changed ({quiet})", "dim"), indent=2)


def states(page: Page, items: Sequence[StateSummary], *, full: bool) -> None:
    """Counts and evidence, one column a state."""
    if not items:
        return
    rows: list[list[Cell]] = [
        ["kernels", *(count(item.kernels) for item in items), ""],
        ["families", *(count(item.families) for item in items), ""],
    ]
    if any(item.code_bytes for item in items):
        rows.append(["code", *(size(item.code_bytes) for item in items), ""])
    for name in sorted({name for item in items for name in item.evidence}):
        cards = [item.evidence.get(name) for item in items]
        units = list(dict.fromkeys(card.unit for card in cards if card and card.unit))
        figures = [(evidence(card), "bold") for card in cards]
        rows.append([label(name), *figures, (", ".join(units), "dim")])
    if full:
        rows += _environment(items)
    room = max(10, (page.width - _FACTS) // len(items) - 2)
    page.blank()
    page.table(
        [
            Column("States"),
            *(Column(elide(label(item.label), room), right=True) for item in items),
            Column(),
        ],
        rows,
        indent=0,
    )


def _environment(items: Sequence[StateSummary]) -> list[list[Cell]]:
    names = sorted({name for item in items for name in item.environment})
    return [
        [
            (name, "dim"),
            *(
                scalar(item.environment[name]) if name in item.environment else "-"
                for item in items
            ),
            "",
        ]
        for name in names
    ]
