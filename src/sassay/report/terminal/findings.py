"""Why the verdict is what it is: findings by rule, then the rules that could not judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.model.finding import Effect, Outcome
from sassay.report.entries import spell_archs
from sassay.report.names import location_text
from sassay.report.numbers import arrows, plural
from sassay.report.select import left_out
from sassay.report.terminal.page import STYLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.model.finding import Check, CodePlace, Finding
    from sassay.report.bundle import ReportOptions
    from sassay.report.terminal.page import Page

_PER_RULE = 6
_INDENT = 10
_MESSAGES = 3


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
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in check.findings:
        groups.setdefault((finding.effect.value, finding.rule, finding.reason), []).append(finding)
    for (effect, rule, reason), items in groups.items():
        _rule(page, (effect, rule, reason), items, options)
    reasons: dict[str, list[str]] = {}
    for outcome in unknown:
        reasons.setdefault(outcome.why, []).append(outcome.rule)
    for why, rules in reasons.items():
        first = rules[0] if len(rules) == 1 else plural(len(rules), "rule")
        page.line(("UNKNOWN ", STYLES["UNKNOWN"]), (first, "bold"), indent=2)
        page.paragraph(arrows(why), indent=_INDENT)
        if len(rules) > 1:
            page.items(rules, indent=_INDENT)
    page.blank()


def _rule(
    page: Page, key: tuple[str, str, str], items: list[Finding], options: ReportOptions
) -> None:
    effect, rule, reason = key
    word = effect.upper()
    merged = _by_family(items)
    note = plural(len(merged), "family", "families")
    waived = sum(item.waived is not None for item in items)
    if waived:
        note += ", waived" if waived == len(items) else f", {waived:,} of {len(items):,} waived"
    style = STYLES[word] if any(item.waived is None for item in items) else "dim"
    page.line((f"{word:<8}", style), (rule, "bold"), (f"  {note}", "dim"), indent=2)
    page.paragraph(reason, indent=_INDENT)
    missing = list(dict.fromkeys(name for item in items for name in item.requires))
    if missing:
        page.paragraph(", ".join(missing), indent=_INDENT, lead=("stands until attached: ", "bold"))
    full = options.rendering == "full"
    # What only records is not why the verdict is what it is.
    quiet = items[0].effect is Effect.PASS and not (full or options.all)
    if options.rendering == "summary" or quiet:
        if quiet and items[0].places:
            page.line(("recorded; --all shows where", "dim"), indent=_INDENT)
        return
    limit = len(merged) if options.all else options.limit or _PER_RULE
    for same in merged[:limit]:
        _family(page, same, full=full)
    rest = left_out(limit, len(merged), "families", "--all shows them")
    if rest:
        page.line((rest, "dim"), indent=_INDENT)


def _by_family(items: Sequence[Finding]) -> list[list[Finding]]:
    """Findings that differ in nothing but the architecture, together."""
    groups: dict[object, list[Finding]] = {}
    for item in items:
        said = tuple(sorted({place.message for place in item.places}))
        key = (item.family, item.layer, item.waived, item.count, tuple(sorted(item.matches)), said)
        groups.setdefault(key, []).append(item)
    return list(groups.values())


def _family(page: Page, same: Sequence[Finding], *, full: bool) -> None:
    finding = same[0]
    archs = spell_archs([item.arch for item in same])
    if finding.places:
        _places(page, finding, archs, full=full)
        _waiver(page, finding)
        return
    each = " each" if len(same) > 1 else ""
    page.line(
        finding.family,
        (f"  {archs}", "dim"),
        f"  {_matches(finding)}{each}" if not finding.matches else "",
        *_where(finding),
        indent=_INDENT,
    )
    if finding.matches:
        page.paragraph(_matches(finding) + each, indent=_INDENT + 2)
    # Without a baseline the first detail says no more than the matches do.
    shown = [line for line in finding.details[:1] if " -> " in line or not finding.matches]
    for line in finding.details if full else shown:
        page.paragraph(arrows(line), indent=_INDENT + 2, style="dim")
    _waiver(page, finding)


def _waiver(page: Page, finding: Finding) -> None:
    if finding.waived is not None:
        waived = finding.waived
        page.paragraph(
            f"{waived.reason} ({waived.owner}, until {waived.expires})",
            indent=_INDENT + 2,
            lead=("waived: ", "bold"),
        )


def _places(page: Page, finding: Finding, archs: str, *, full: bool) -> None:
    """A finding about instructions: what is said of them, and where the first of each stands."""
    kernels = plural(len(finding.kernels), "kernel") if len(finding.kernels) > 1 else ""
    page.line(finding.family, (f"  {archs}", "dim"), f"  {kernels}", indent=_INDENT)
    shown = len(finding.details) if full else _MESSAGES
    for detail in finding.details[:shown]:
        page.paragraph(detail, indent=_INDENT + 2)
        places = [place for place in finding.places if detail.endswith(place.message)]
        for place in places if full else places[:1]:
            spot = _spot(place, full=full)
            if spot:
                page.line((spot, "dim"), indent=_INDENT + 4)
    rest = left_out(shown, len(finding.details), "things", "--full shows them")
    if rest:
        page.line((rest, "dim"), indent=_INDENT + 2)


def _spot(place: CodePlace, *, full: bool) -> str:
    parts = [location_text(place.location)] if place.location is not None else []
    if place.offset is not None and place.layer is not None:
        at = f"line {place.offset:,}" if place.layer == "ptx" else f"{place.offset:#x}"
        parts.append(f"{place.layer} {at}")
    if place.text:
        parts.append(place.text)
    return "  ".join(parts) if full else ", ".join(parts[:2])


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
