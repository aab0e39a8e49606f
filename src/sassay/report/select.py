"""What a rendering shows: choices over records that every format makes alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.model.change import FamilyStatus
from sassay.model.finding import Effect, Outcome
from sassay.model.layers import TIER_ORDER
from sassay.model.state import Level
from sassay.report.numbers import delta, plural, scalar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sassay.model.change import (
        Change,
        CodeDiff,
        Diff,
        FamilyRow,
        Hunk,
        Pair,
        StateSummary,
        Suspect,
    )
    from sassay.model.finding import Check, Finding
    from sassay.model.kernel import Kernel
    from sassay.model.state import Diagnostic, State
    from sassay.report.bundle import Report

STATUS_MARK: dict[str, str] = {
    "added": "+",
    "removed": "-",
    "expanded": ">",
    "shrunk": "<",
    "changed": "~",
    "unchanged": "=",
}
EFFECT_ORDER: tuple[Effect, ...] = (Effect.FAIL, Effect.REVIEW, Effect.PASS)

Values = tuple[int | None, ...]


def moved_families(diff: Diff, *, everything: bool = False) -> tuple[FamilyRow, ...]:
    """Families that changed in any pair, in the diff's order; every family on request."""
    if everything:
        return diff.families
    return tuple(row for row in diff.families if has_moved(row))


def has_moved(row: FamilyRow) -> bool:
    """Whether a family changed from first to last or in any pair between."""
    return row.status is not FamilyStatus.UNCHANGED or any(
        pair.status is not FamilyStatus.UNCHANGED for pair in row.pairs
    )


def status_words(row: FamilyRow) -> str:
    """The status first to last; for a family that came and went between, both words."""
    if row.status is not FamilyStatus.UNCHANGED:
        return row.status.value
    between = dict.fromkeys(
        pair.status.value for pair in row.pairs if pair.status is not FamilyStatus.UNCHANGED
    )
    return ", ".join(between) or row.status.value


def verdict_note(check: Check) -> str:
    """`router.yaml: 1 fail, 2 review, 1 waived, 1 rule unknown`."""
    counts = []
    for effect in EFFECT_ORDER:
        number = sum(finding.effect is effect for finding in standing(check))
        if number:
            counts.append(f"{number:,} {effect.value}")
    waived = len(check.findings) - len(standing(check))
    if waived:
        counts.append(f"{waived:,} waived")
    unknown = sum(rule.outcome is Outcome.UNKNOWN for rule in check.rules)
    if unknown:
        counts.append(f"{plural(unknown, 'rule')} unknown")
    what = ", ".join(counts) or f"{plural(len(check.rules), 'rule')}, none fired"
    return f"{check.policy}: {what}" if check.policy else what


def tier_counts(pair: Pair) -> list[tuple[str, int]]:
    """Kernels of a pair by tier, shallowest first."""
    known = [
        (tier.value, pair.tiers[tier.value]) for tier in TIER_ORDER if tier.value in pair.tiers
    ]
    order = {tier for tier, _ in known}
    return known + sorted((tier, n) for tier, n in pair.tiers.items() if tier not in order)


def pair_statuses(diff: Diff, index: int) -> dict[str, int]:
    """Families by status in one pair of states, in the order of `FamilyStatus`.

    A family that neither state of the pair holds is not counted.
    """
    counts: dict[str, int] = {}
    for row in diff.families:
        if index < len(row.pairs):
            pair = row.pairs[index]
            if not pair.compared + pair.added + pair.removed:
                continue
            word = pair.status.value
        else:
            word = row.status.value
        counts[word] = counts.get(word, 0) + 1
    return {status.value: counts[status.value] for status in FamilyStatus if status.value in counts}


def row_layer(row: FamilyRow, wanted: str | None = None) -> str:
    """The layer whose figures a table with room for one shows."""
    known = {
        layer
        for layer, values in (("sass", row.instructions.sass), ("ptx", row.instructions.ptx))
        if values is not None and any(value is not None for value in values)
    }
    if wanted in known:
        return str(wanted)
    return "sass" if "sass" in known or not known else "ptx"


def totals(row: FamilyRow, layer: str) -> Values:
    """Instructions of a family, one total a state."""
    values = row.instructions.ptx if layer == "ptx" else row.instructions.sass
    return values or (None,) * len(row.kernels)


def averages(row: FamilyRow, layer: str) -> tuple[float | None, ...]:
    """Instructions a kernel, one average a state."""
    values = row.per_kernel.ptx if layer == "ptx" else row.per_kernel.sass
    return values or (None,) * len(row.kernels)


def categories(row: FamilyRow, layer: str) -> Mapping[str, Values]:
    """Category totals of a family in one layer."""
    return (row.categories.ptx if layer == "ptx" else row.categories.sass) or {}


def opcodes(row: FamilyRow, layer: str) -> Mapping[str, Values]:
    """Opcode totals of a family in one layer."""
    return (row.opcodes.ptx if layer == "ptx" else row.opcodes.sass) or {}


def layers_of(row: FamilyRow) -> tuple[str, ...]:
    """Layers that any state of a family holds, PTX first."""
    return tuple(
        layer for layer in ("ptx", "sass") if any(value is not None for value in totals(row, layer))
    )


def movements(values: Mapping[str, Values]) -> list[tuple[str, Values]]:
    """The entries that are not the same in all states, largest movement first."""
    moved = [(name, item) for name, item in values.items() if len(set(item)) > 1]
    return sorted(moved, key=lambda item: (-_spread(item[1]), item[0]))


def _spread(values: Values) -> int:
    known = [value for value in values if value is not None]
    last = delta(values)
    return max(max(known) - min(known) if known else 0, abs(int(last)) if last else 0)


def suspects_by_family(diff: Diff) -> dict[tuple[str, str], Suspect]:
    """Suspects by family and architecture."""
    return {(suspect.family, suspect.arch): suspect for suspect in diff.suspects}


def changes_by_family(diff: Diff) -> dict[tuple[str, str], list[Change]]:
    """Changes by family and architecture, in the diff's order."""
    grouped: dict[tuple[str, str], list[Change]] = {}
    for change in diff.changes:
        grouped.setdefault((change.family, change.arch), []).append(change)
    return grouped


def instance(kernel: Kernel) -> str:
    """What tells a Triton kernel from its siblings; empty where the name does that."""
    spec = kernel.specialization
    parts = [", ".join(spec.signature.values())] if spec.signature else []
    parts += [
        f"{name}={scalar(value)}"
        for values in (spec.constants, spec.options)
        for name, value in sorted(values.items())
    ]
    return " ".join(parts)


def standing(check: Check) -> tuple[Finding, ...]:
    """Findings that count."""
    return tuple(finding for finding in check.findings if finding.waived is None)


def kernels_by_id(states: Sequence[State]) -> dict[str, Kernel]:
    """Every kernel of every state by id; the last state's spelling where two agree."""
    return {kernel.id: kernel for state in states for kernel in state.kernels}


def summaries(report: Report) -> tuple[StateSummary, ...]:
    """What each state says of itself, from the diff or from the check."""
    if report.diff is not None:
        return report.diff.states
    return report.check.states if report.check is not None else ()


def code_by_change(report: Report) -> dict[tuple[str, str], list[CodeDiff]]:
    """Aligned code by the ids of the two kernels."""
    grouped: dict[tuple[str, str], list[CodeDiff]] = {}
    for code in report.code_diffs:
        grouped.setdefault((code.before, code.after), []).append(code)
    return grouped


def hunk_range(hunk: Hunk) -> str:
    """`@@ -40,4 +40,5 @@`, in instructions from 0."""
    return f"@@ -{hunk.before_start},{hunk.before_count} +{hunk.after_start},{hunk.after_count} @@"


def labels(report: Report) -> tuple[str, ...]:
    """Labels of the states, oldest first."""
    known = summaries(report)
    if known:
        return tuple(state.label for state in known)
    return tuple(state.label for state in report.states)


def diagnostics(report: Report) -> tuple[Diagnostic, ...]:
    """What the states, the comparison and the policy have to say, each thing once."""
    known: dict[Diagnostic, None] = {}
    for state in report.states:
        known.update(dict.fromkeys(state.diagnostics))
    if report.diff is not None:
        known.update(dict.fromkeys(report.diff.diagnostics))
    if report.check is not None:
        known.update(dict.fromkeys(report.check.diagnostics))
    order = {level: index for index, level in enumerate(Level)}
    return tuple(sorted(known, key=lambda item: (order[item.level], item.place, item.message)))


def one_arch(diff: Diff) -> str | None:
    """The architecture, if all families have the same one."""
    archs = {row.arch for row in diff.families}
    return next(iter(archs)) if len(archs) == 1 else None


def left_out(shown: int, total: int, noun: str, how: str) -> str | None:
    """`12 more families: --all shows them`, or None where nothing is left out."""
    if shown >= total:
        return None
    return f"{total - shown:,} more {noun}: {how}"
