"""Markdown that fits a pull request's comment on GitHub.

GitHub refuses comments over 65,536 characters. Sections are written in the order of their worth,
rows in the records' order, and what does not fit is counted in a line that says where it is. The
first line is a hidden marker by which a workflow finds the comment that it should update.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.errors import UsageError
from sassay.report.digest import kinds
from sassay.report.markdown.code import code_section
from sassay.report.markdown.details import details_section
from sassay.report.markdown.families import (
    families_section,
    migrations_table,
    story_section,
    suspects_list,
)
from sassay.report.markdown.findings import findings_table
from sassay.report.markdown.spelling import folded, prose
from sassay.report.markdown.states import grid_table, state_section, states_table
from sassay.report.names import elide, label, markdown_code
from sassay.report.numbers import ARROW, arrows, plural
from sassay.report.release import release_grids
from sassay.report.select import (
    diagnostics,
    labels,
    moved_families,
    note_field,
    note_values,
    one_arch,
    summaries,
    verdict_note,
)
from sassay.report.sheet import ELSEWHERE, Sheet

if TYPE_CHECKING:
    from sassay.model.change import Diff
    from sassay.report.bundle import Report

MARKER = "<!-- sassay -->"
MAX_CHARACTERS = 65_536
_KINDS = 20


def render(report: Report) -> str:
    """The report as a GitHub comment of at most 65,536 characters.

    Args:
        report: A diff, a check, a state, or code diffs; and how much to show.

    Raises:
        UsageError: The report holds nothing.
    """
    sheet = Sheet()
    sheet.note(MARKER)
    if report.command == "show":
        for state in report.states:
            state_section(sheet, state, report)
    elif report.diff is not None or report.check is not None:
        _judged(sheet, report)
    elif report.code_diffs:
        sheet.note("## sassay: code")
        code_section(sheet, report)
    else:
        raise UsageError("there is nothing to report")
    if report.diff is None:
        _diagnostics(sheet, report)
    return sheet.text()


def _judged(sheet: Sheet, report: Report) -> None:
    """What a reviewer must see stands open and fits a screen; the rest is folded away."""
    diff, check, options = report.diff, report.check, report.options
    names = ARROW.join(markdown_code(label(name)) for name in labels(report)[:12])
    arch = one_arch(diff) if diff else None
    sheet.note(f"## sassay: {check.verdict.value if check else _headline(diff)}")
    where = f" on {markdown_code(elide(arch, 40))}" if arch else ""
    why = f": {prose(verdict_note(check), 200)}" if check else ""
    sheet.note(f"{names}{where}{why}")
    if check is not None:
        findings_table(sheet, check, options.limit)
    if diff is not None:
        _notes(sheet, report, diff)
        story_section(sheet, diff)
        for grid in release_grids(
            diff.libraries, everything=options.all or options.rendering == "full",
            limit=options.limit,
        ):  # fmt: skip
            grid_table(sheet, grid)
        migrations_table(sheet, diff, options.limit)
        if options.rendering != "summary":
            suspects_list(sheet, diff, options.limit)
    if any(item.evidence for item in summaries(report)):
        sheet.add(states_table(report))
    else:
        folded(sheet, "States", states_table(report))
    if diff is None:
        return
    if options.rendering != "summary":
        families_section(sheet, report, diff)
    if diff.next_steps:
        steps = "\n".join(f"- {markdown_code(elide(step, 300))}" for step in diff.next_steps[:8])
        folded(sheet, "What to look at next", steps)
    _diagnostics(sheet, report)
    if options.rendering != "summary":
        details_section(sheet, diff, options.limit)
        code_section(sheet, report)


def _notes(sheet: Sheet, report: Report, diff: Diff) -> None:
    names = labels(report)
    notes = [
        f"> **{prose(note_field(note), 60)}** {prose(note_values(note, names), 300)}: "
        f"{prose(arrows(note.note))}"
        for note in diff.comparability[:8]
    ]
    if notes:
        sheet.add("\n>\n".join(notes))
    sheet.left_out(len(diff.comparability) - len(notes), "comparability notes")


def _headline(diff: Diff | None) -> str:
    if diff is None or not diff.pairs:
        return "no comparison"
    moved = len(moved_families(diff))
    return f"{plural(moved, 'family', 'families')} moved" if moved else "no family changed"


def _diagnostics(sheet: Sheet, report: Report) -> None:
    found = kinds(diagnostics(report))
    lines = [f"- {kind.first.level.value}: {prose(kind.text)}" for kind in found[:_KINDS]]
    if len(found) > _KINDS:
        lines.append(f"- {len(found) - _KINDS:,} more kinds of message; {ELSEWHERE}")
    folded(sheet, plural(len(found), "kind of message", "kinds of message"), "\n".join(lines))
