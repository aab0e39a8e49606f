"""What a check found: one row a rule, with the families that it fired for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.model.finding import Outcome
from sassay.report.entries import spell_archs
from sassay.report.markdown.spelling import ROWS, named, prose
from sassay.report.names import location_text
from sassay.report.numbers import arrows, plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.model.finding import Check, Finding
    from sassay.report.sheet import Sheet

_FAMILIES = 8


def findings_table(sheet: Sheet, check: Check, limit: int | None) -> None:
    """One row a rule, with its families: a reason is read once."""
    groups: dict[tuple[str, str, str, bool], list[Finding]] = {}
    for finding in check.findings:
        waived = finding.waived is not None
        key = (finding.effect.value, finding.rule, finding.reason, waived)
        groups.setdefault(key, []).append(finding)
    rows = [
        [
            "waived" if waived else f"**{effect.upper()}**",
            named(rule),
            prose(reason) + _missing(items),
            "<br>".join(_evidence(items)),
        ]
        for (effect, rule, reason, waived), items in groups.items()
    ]
    rows += [
        ["**UNKNOWN**", named(rule.rule), prose(arrows(rule.why)), ""]
        for rule in check.rules
        if rule.outcome is Outcome.UNKNOWN
    ]
    sheet.table(("", "rule", "why", "where"), rows, "findings", limit or ROWS, right_from=4)
    if not rows:
        sheet.note(f"{plural(len(check.rules), 'rule')}, none fired.")


def _missing(items: Sequence[Finding]) -> str:
    wanted = list(dict.fromkeys(name for item in items for name in item.requires))
    if not wanted:
        return ""
    return "<br>stands until attached: " + ", ".join(prose(name, 60) for name in wanted)


def _evidence(items: Sequence[Finding]) -> list[str]:
    """A rule's families, those that differ in nothing but the architecture together."""
    groups: dict[object, list[Finding]] = {}
    for item in items:
        key = (item.family, item.layer, item.waived, item.count, tuple(sorted(item.matches)))
        groups.setdefault(key, []).append(item)
    lines = []
    for same in list(groups.values())[:_FAMILIES]:
        finding = same[0]
        archs = spell_archs([item.arch for item in same])
        text = f"{named(finding.family)} {named(archs)}"
        if finding.source_lines:
            text += f" {named(location_text(finding.source_lines[0]))}"
        if finding.places:
            text += f": {prose(finding.details[0], 200)}"
            if len(finding.details) > 1:
                text += f" and {len(finding.details) - 1} more"
        elif finding.matches:
            shown = sorted(finding.matches.items())[:4]
            text += ": " + ", ".join(f"{named(opcode)} {number:,}" for opcode, number in shown)
            if len(finding.matches) > len(shown):
                text += f" and {len(finding.matches) - len(shown)} more opcodes"
        elif finding.details:
            text += f": {prose(arrows(finding.details[0]), 200)}"
        if finding.waived is not None:
            waived = finding.waived
            text += (
                f", waived: {prose(waived.reason)} "
                f"({prose(waived.owner, 80)}, until {prose(waived.expires, 20)})"
            )
        lines.append(text)
    if len(groups) > _FAMILIES:
        lines.append(f"and {len(groups) - _FAMILIES:,} more")
    return lines
