"""The top of the page: verdict, what makes states hard to compare, states and kernel counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.report.names import elide, label
from sassay.report.numbers import ARROW, count, evidence, scalar, size
from sassay.report.select import one_arch, pair_statuses, tier_counts, verdict_note
from sassay.report.terminal.page import STYLES, Column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sassay.model.change import Comparability, Diff, Pair, StateSummary
    from sassay.report.bundle import Report
    from sassay.report.terminal.page import Cell, Page

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
    """One line that says what to think: the verdict and its counts, or what changed."""
    if report.check is not None:
        word = report.check.verdict.value
        page.line((word, STYLES[word]), "  ", verdict_note(report.check))
    if report.diff is not None:
        for pair, note in diff_notes(report.diff):
            page.line(pair, f"  {note}")


def diff_notes(diff: Diff) -> list[tuple[str, str]]:
    """For each pair of states which families came, went and changed, in words."""
    notes = []
    names = [f"{label(pair.before)}{ARROW}{label(pair.after)}" for pair in diff.pairs]
    width = max(map(len, names), default=0)
    for index, name in enumerate(names):
        counts = pair_statuses(diff, index)
        quiet = counts.pop("unchanged", 0)
        text = ", ".join(f"{number:,} {word}" for word, number in counts.items())
        text = f"families: {text or 'none changed'}" + (f", {quiet:,} unchanged" if quiet else "")
        notes.append((f"{name:<{width}}", text))
    return notes


def comparability(page: Page, notes: Sequence[Comparability], labels: Sequence[str]) -> None:
    """What makes the states hard to compare, before any figure."""
    if not notes:
        return
    page.heading("Read this first")
    for note in notes:
        page.paragraph(note.note, indent=2, lead=(f"! {note.field}: ", "yellow"))
        if len(set(note.values)) > 1:
            pairs = (
                f"{label(name)} {value}" for name, value in zip(labels, note.values, strict=False)
            )
            page.paragraph("; ".join(pairs), indent=4, style="dim")


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


def environment(page: Page, values: Mapping[str, object]) -> None:
    """One state's environment, a line each."""
    for name in sorted(values):
        page.paragraph(str(values[name]), indent=2, lead=(f"{name}: ", "dim"))


def pairs(page: Page, items: Sequence[Pair]) -> None:
    """Kernel counts of each pair of states, and the tiers of those compared."""
    if not items:
        return
    page.blank()
    columns = [
        Column("Kernels"),
        *(
            Column(word, right=True)
            for word in ("compared", "unchanged", "changed", "added", "removed")
        ),
    ]
    rows: list[list[Cell]] = [
        [
            f"{label(pair.before)}{ARROW}{label(pair.after)}",
            count(pair.compared),
            count(pair.unchanged),
            (count(pair.changed), STYLES["changed"] if pair.changed else ""),
            (count(pair.added), STYLES["added"] if pair.added else ""),
            (count(pair.removed), STYLES["removed"] if pair.removed else ""),
        ]
        for pair in items
    ]
    page.table(columns, rows, indent=0)
    if len({tier for pair in items for tier in pair.tiers}) > 1:
        for pair in items:
            shown = ", ".join(f"{tier} {number:,}" for tier, number in tier_counts(pair))
            name = f"{label(pair.before)}{ARROW}{label(pair.after)}"
            page.paragraph(shown, lead=f"{name}: ", indent=2, style="dim")
