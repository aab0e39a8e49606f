"""What a rendering shows: choices over records that every format makes alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.diff.specialization import specialization_line, varying_parts
from sassay.model.change import FamilyStatus
from sassay.model.finding import Effect, Outcome
from sassay.model.layers import TIER_ORDER
from sassay.model.state import Level
from sassay.report.names import label
from sassay.report.numbers import ARROW, delta, plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sassay.model.change import (
        Change,
        CodeDiff,
        Comparability,
        Diff,
        FamilyPair,
        FamilyRow,
        Hunk,
        Migration,
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
    "came and went": "*",
    "gone and back": "*",
    "changed and back": "*",
}
EFFECT_ORDER: tuple[Effect, ...] = (Effect.FAIL, Effect.REVIEW, Effect.PASS)
_SHORT = 40
FOLLOWING = frozenset({"constant_bytes", "static_shared_bytes"})
"""Resources that follow from others: parameters, and what `shared_bytes` holds already."""

Values = tuple[int | None, ...]


def moved_families(diff: Diff, *, everything: bool = False) -> tuple[FamilyRow, ...]:
    """Families that changed in any pair, in the diff's order; every family on request.

    Families of architectures that one state alone is built for did not move: they are left out
    unless there are no others.
    """
    if everything:
        return diff.families
    lonely = lonely_archs(diff)
    return tuple(row for row in diff.families if has_moved(row) and row.arch not in lonely)


def lonely_archs(diff: Diff) -> frozenset[str]:
    """Architectures of one state alone, where the states share others."""
    held: dict[str, set[int]] = {}
    for row in diff.families:
        states = {index for index, number in enumerate(row.kernels) if number}
        held.setdefault(row.arch, set()).update(states)
    lonely = {arch for arch, states in held.items() if len(states) < 2}
    return frozenset(lonely if len(lonely) < len(held) else ())


def has_moved(row: FamilyRow) -> bool:
    """Whether a family changed from first to last or in any pair between."""
    return row.status is not FamilyStatus.UNCHANGED or any(
        pair.status is not FamilyStatus.UNCHANGED for pair in row.pairs
    )


def status_words(row: FamilyRow) -> str:
    """`expanded`; over three states or more where: `added in pre, gone in accepted`."""
    steps = _steps(row)
    if len(steps) < 2:
        return row.status.value
    words: list[str] = []
    for step in steps:
        if step.status is FamilyStatus.UNCHANGED:
            continue
        word = "gone" if step.status is FamilyStatus.REMOVED else step.status.value
        if words and row.status is FamilyStatus.UNCHANGED and step is steps[-1]:
            word = word if word in {"gone", "added"} else "back"
        words.append(f"{word} in {label(step.after)}")
    return ", ".join(words) or row.status.value


def status_word(row: FamilyRow) -> str:
    """The status in one or two words: `came and went` where it is only in between."""
    if row.status is not FamilyStatus.UNCHANGED:
        return row.status.value
    between = [pair.status for pair in row.pairs if pair.status is not FamilyStatus.UNCHANGED]
    if not between:
        return row.status.value
    if between[0] is FamilyStatus.ADDED:
        return "came and went"
    return "gone and back" if between[0] is FamilyStatus.REMOVED else "changed and back"


def status_kind(row: FamilyRow) -> str:
    """The status that decides a mark or a colour; what came and went is `changed`."""
    moved = has_moved(row) and row.status is FamilyStatus.UNCHANGED
    return "changed" if moved else row.status.value


def _steps(row: FamilyRow) -> tuple[FamilyPair, ...]:
    """The consecutive pairs, without the one from first to last that follows them."""
    pairs = row.pairs
    spans = (
        len(pairs) > 2
        and pairs[-1].before == pairs[0].before
        and (pairs[-1].after == pairs[-2].after)
    )
    return pairs[:-1] if spans else pairs


def told_changes(changes: Sequence[Change]) -> list[Change]:
    """Changes without those that an earlier pair of states told already."""
    seen: set[tuple[str, str | None, str | None]] = set()
    out = []
    for change in changes:
        key = (change.status.value, change.before, change.after)
        if key not in seen:
            out.append(change)
        seen.add(key)
    return out


def undone(changes: Sequence[Change]) -> set[str]:
    """Ids of the changes that only take an earlier one back."""
    done: set[tuple[str | None, str | None]] = set()
    out = set()
    for change in changes:
        if change.before and change.after and (change.after, change.before) in done:
            out.add(change.id)
        done.add((change.before, change.after))
    return out


def moved_resources(row: FamilyRow) -> list[tuple[str, Values]]:
    """Largest values of a family that moved between known values, and spills that came or went.

    Parameters' constant bank and static shared memory follow from others and are left out.
    """
    out = []
    for name, values in movements(row.resources):
        known = [value for value in values if value is not None]
        whole = len(known) == len(values) and name not in FOLLOWING
        if any(known) and (whole or name.startswith("spill")):
            out.append((name, values))
    return out


def note_field(note: Comparability) -> str:
    """What differs, without the word that it is about the environment."""
    return note.field.removeprefix("environment.")


def note_values(note: Comparability, labels: Sequence[str]) -> str:
    """`V12.8 → V13.0`, one value a state; with labels where values are lists."""
    if len(set(note.values)) == 1:
        return note.values[0]
    if any("," in value or len(value) > _SHORT for value in note.values):
        pairs = zip(labels, note.values, strict=False)
        return "; ".join(f"{label(name)}: {value}" for name, value in pairs)
    return ARROW.join(note.values)


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


def instances(kernels: Iterable[Kernel]) -> dict[str, str]:
    """What tells each kernel from its siblings, by kernel id; empty where its name does that."""
    families: dict[tuple[str, str], list[Kernel]] = {}
    for kernel in kernels:
        families.setdefault((kernel.family, kernel.arch), []).append(kernel)
    return {
        kernel.id: ""
        if kernel.specialization.template_arguments
        else specialization_line(kernel, varying)
        for siblings in families.values()
        for varying in (varying_parts(siblings),)
        for kernel in siblings
    }


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
    rest = total - shown
    if rest == 1:
        noun = "family" if noun == "families" else noun.removesuffix("s")
    return f"{rest:,} more {noun}: {how}"


def migration_matters(item: Migration) -> bool:
    """Whether a family uses tensor or bulk memory paths on either side."""
    return {item.tensor_path, item.memory_path} != {"not applicable"}


def short_answer(word: str) -> str:
    """`yes`, `no`, or `-` for what does not apply."""
    return "-" if word == "not applicable" else word
