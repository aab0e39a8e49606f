"""Why the verdict is what it is: findings by rule, then the rules that could not judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.model.finding import Outcome
from sassay.report.names import location_text
from sassay.report.numbers import plural
from sassay.report.select import left_out
from sassay.report.terminal.page import STYLES

if TYPE_CHECKING:
    from sassay.model.finding import Check, Finding
    from sassay.report.bundle import ReportOptions
    from sassay.report.terminal.page import Page

_PER_RULE = 6


def findings(page: Page, check: Check, options: ReportOptions) -> None:
    """Findings grouped by rule, worst first, and unknown rules.

    Args:
        page: Where to write.
        check: The judgement.
        options: Row limits; `summary` leaves the families out.
    """
    unknown = [rule for rule in check.rules if rule.outcome is Outcome.UNKNOWN]
    if not check.findings and not unknown:
        return
    page.heading("Findings")
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in check.findings:
        groups.setdefault((finding.effect.value, finding.rule, finding.reason), []).append(finding)
    for (effect, rule, reason), items in groups.items():
        _rule(page, (effect, rule, reason), items, options)
    for outcome in unknown:
        page.line(("UNKNOWN ", STYLES["UNKNOWN"]), (outcome.rule, "bold"), indent=2)
        page.paragraph(outcome.why, indent=10)


def _rule(
    page: Page, key: tuple[str, str, str], items: list[Finding], options: ReportOptions
) -> None:
    effect, rule, reason = key
    word = effect.upper()
    note = "" if len(items) == 1 else plural(len(items), "family", "families")
    style = STYLES[word] if any(item.waived is None for item in items) else "dim"
    page.line((f"{word:<8}", style), (rule, "bold"), (f"  {note}" if note else "", "dim"), indent=2)
    page.paragraph(reason, indent=10)
    if options.rendering == "summary":
        return
    limit = len(items) if options.all else options.limit or _PER_RULE
    for finding in items[:limit]:
        _finding(page, finding, full=options.rendering == "full")
    rest = left_out(limit, len(items), "families", "--all shows them")
    if rest:
        page.line((rest, "dim"), indent=10)


def _finding(page: Page, finding: Finding, *, full: bool) -> None:
    page.line(finding.family, (f" {finding.arch}", "dim"), *_where(finding), indent=10)
    evidence = _matches(finding)
    if evidence:
        page.paragraph(evidence, indent=12)
    for line in finding.details[: None if full else 2]:
        page.paragraph(line, indent=12, style="dim")
    if finding.waived is not None:
        waived = finding.waived
        page.paragraph(
            f"{waived.reason} ({waived.owner}, until {waived.expires})",
            indent=12,
            lead=("waived: ", "bold"),
        )
    if finding.requires:
        page.paragraph(
            ", ".join(finding.requires), indent=12, lead=("stands until attached: ", "bold")
        )


def _where(finding: Finding) -> list[tuple[str, str]]:
    if not finding.source_lines:
        return []
    more = len(finding.source_lines) - 1
    text = location_text(finding.source_lines[0]) + (f" and {more} more" if more else "")
    return [(f"  {text}", "dim")]


def _matches(finding: Finding) -> str:
    layer = f"{finding.layer} " if finding.layer else ""
    if not finding.matches:
        return (
            f"{layer}count {finding.count:,}" if finding.layer else plural(finding.count, "kernel")
        )
    shown = ", ".join(
        f"{opcode} {number:,}" for opcode, number in sorted(finding.matches.items())[:8]
    )
    more = len(finding.matches) - 8
    return f"{layer}{finding.count:,}: {shown}" + (f", and {more} more opcodes" if more > 0 else "")
