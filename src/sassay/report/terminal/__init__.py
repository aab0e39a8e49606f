"""Terminal text: the first screen says the verdict, why, what changed and what to do next.

`page` keeps lines within the width and names harmless; the other files each write one part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.errors import UsageError
from sassay.report.digest import kinds, quiet_notes
from sassay.report.select import diagnostics, labels, left_out, moved_families, summaries
from sassay.report.terminal import families, findings, header, release, state
from sassay.report.terminal.code import code_diffs
from sassay.report.terminal.page import STYLES, Page

if TYPE_CHECKING:
    from sassay.model.change import Diff
    from sassay.report.bundle import Report

_DIAGNOSTICS = 6


def render(report: Report) -> str:
    """The report as lines of at most `options.width` columns.

    Args:
        report: The records, and how much of them to show.

    Raises:
        UsageError: The report holds nothing that its command should have.
    """
    page = Page(report.options.width, color=report.options.color)
    if report.command == "show":
        _show(page, report)
    elif report.command == "code":
        code_diffs(page, report)
        return page.text()
    elif report.diff is not None or report.check is not None:
        _judged(page, report)
    else:
        raise UsageError("there is nothing to report")
    _diagnostics(page, report)
    return page.text()


def _show(page: Page, report: Report) -> None:
    if not report.states:
        raise UsageError("there is no state to show")
    if report.kernel is not None:
        state.kernel_page(page, report, report.kernel)
        return
    for item in report.states:
        page.blank()
        state.state(page, item, report.options, report.coverage, alone=report.coverage_alone)


def _judged(page: Page, report: Report) -> None:
    options, diff, check = report.options, report.diff, report.check
    names = labels(report)
    header.title(page, report, names)
    header.verdict(page, report)
    if check is not None:
        findings.findings(page, check, options)
    if diff is not None:
        header.comparability(page, diff.comparability, names, options)
        header.chapters(page, diff, options)
        release.libraries(page, diff.libraries, options)
        families.migrations(page, diff, options)
        if options.rendering != "summary":
            families.suspects(page, diff, options)
        if diff.next_steps:
            page.heading("Next")
            for step in diff.next_steps:
                page.paragraph(step, indent=2)
    header.states(page, summaries(report), full=options.rendering == "full")
    if diff is not None and options.rendering != "summary":
        _compared(page, report, diff)


def _compared(page: Page, report: Report, diff: Diff) -> None:
    options = report.options
    if diff.groups:
        families.table(page, "Groups", diff.groups, diff, options)
    everything = options.all or options.rendering == "full"
    rows = moved_families(diff, everything=everything)
    if rows:
        families.table(page, "Families", rows, diff, options)
    families.blocks(page, diff, options)
    code_diffs(page, report)


def _diagnostics(page: Page, report: Report) -> None:
    items = diagnostics(report)
    options = report.options
    everything = options.all or options.rendering == "full"
    found = kinds(items, notes=everything)
    quiet = None if everything else quiet_notes(items)
    if not found and not quiet:
        return
    page.blank()
    limit = len(found) if everything else options.limit or _DIAGNOSTICS
    for kind in found[:limit]:
        word = kind.first.level.value
        page.paragraph(kind.text, lead=(f"{word}: ", STYLES[word]))
    rest = [left_out(limit, len(found), "kinds of message", "--all shows them"), quiet]
    for line in rest:
        if line:
            page.line((line, "dim"))
