"""Terminal text: the first screen says the verdict, why, what changed and what to do next.

`page` keeps lines within the width and names harmless; the other files each write one part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.errors import UsageError
from sassay.report.numbers import plural
from sassay.report.select import diagnostics, labels, left_out, moved_families, summaries
from sassay.report.terminal import families, findings, header, state
from sassay.report.terminal.code import code_diffs
from sassay.report.terminal.page import STYLES, Page

if TYPE_CHECKING:
    from sassay.model.change import Diff
    from sassay.report.bundle import Report

_DIAGNOSTICS = 8


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
        state.state(page, item, report.options)


def _judged(page: Page, report: Report) -> None:
    options, diff, check = report.options, report.diff, report.check
    names = labels(report)
    header.title(page, report, names)
    header.verdict(page, report)
    if diff is not None:
        header.comparability(page, diff.comparability, names)
    if check is not None:
        findings.findings(page, check, options)
    header.states(page, summaries(report), full=options.rendering == "full")
    if diff is not None:
        header.pairs(page, diff.pairs)
        if options.rendering != "summary":
            _compared(page, report, diff)
        if diff.next_steps:
            page.heading("Next")
            for step in diff.next_steps:
                page.paragraph(step, indent=2)


def _compared(page: Page, report: Report, diff: Diff) -> None:
    options = report.options
    if diff.groups:
        families.table(page, "Groups", diff.groups, diff, options)
    everything = options.all or options.rendering == "full"
    rows = moved_families(diff, everything=everything)
    if rows:
        families.table(page, "Families", rows, diff, options)
    elif diff.families:
        page.blank()
        page.line("No family changed.")
    families.migrations(page, diff, options)
    families.suspects(page, diff, options)
    families.blocks(page, diff, options)
    code_diffs(page, report)


def _diagnostics(page: Page, report: Report) -> None:
    items = diagnostics(report)
    if not items:
        return
    options = report.options
    limit = (
        len(items)
        if options.all or options.rendering == "full"
        else (options.limit or _DIAGNOSTICS)
    )
    page.heading("Diagnostics", plural(len(items), "message"))
    if options.rendering == "summary":
        counts: dict[str, int] = {}
        for item in items:
            counts[item.level.value] = counts.get(item.level.value, 0) + 1
        page.line(", ".join(plural(number, level) for level, number in counts.items()), indent=2)
        return
    for item in items[:limit]:
        style = STYLES[item.level.value]
        page.paragraph(
            f"{item.place}: {item.message}", indent=2, lead=(f"{item.level.value}: ", style)
        )
    rest = left_out(limit, len(items), "messages", "--all shows them")
    if rest:
        page.line((rest, "dim"), indent=2)
