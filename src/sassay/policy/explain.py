"""Says step by step, in words, how a rule came to its outcome."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from sassay.policy import schema
from sassay.policy.conditions import walk
from sassay.policy.evaluate import evaluate, make_scene
from sassay.policy.globs import has_wildcard
from sassay.policy.judge import Cell, Judgement, judge_rule
from sassay.policy.loader import EXPIRED_WAIVER
from sassay.policy.words import condition_words

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping, Sequence

    from sassay.model.change import Diff
    from sassay.model.finding import Check, Finding
    from sassay.model.state import State
    from sassay.policy.scene import Scene

_MAX_QUIET = 10
_MAX_REASONS = 5


def explain(
    policy: schema.Policy,
    states: Sequence[State],
    diff: Diff | None,
    *,
    today: dt.date,
    only: str | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
    baseline: str | None = None,
) -> tuple[str, ...]:
    """Explain every rule, one rule, or one finding.

    Args:
        policy: The policy.
        states: Oldest first; the last is the candidate.
        diff: Their comparison, None for a single state.
        today: The date on which waivers are judged.
        only: A rule id or a finding id; None: all rules and the verdict.
        groups: Groups of the command line.
        baseline: Label of the state to compare with; None: the first.

    Returns:
        Lines of text; none where `only` names no rule and no finding.
    """
    check = evaluate(policy, states, diff, today=today, groups=groups, baseline=baseline)
    scene = make_scene(policy, states, diff, groups=groups, baseline=baseline)
    lines: list[str] = []
    for rule in policy.rules:
        own = [finding for finding in check.findings if finding.rule == rule.id]
        chosen = [finding for finding in own if finding.id == only]
        if only is None or only == rule.id or chosen:
            lines.extend(_rule(rule, scene, check, chosen or own, narrow=bool(chosen)))
    for finding in check.findings:
        if finding.rule == EXPIRED_WAIVER and only in {None, EXPIRED_WAIVER, finding.id}:
            lines.append(f"{EXPIRED_WAIVER} -> {finding.effect.value}: {finding.reason}")
            lines.extend(f"  {line}" for line in finding.details)
    if only is None:
        lines.append(f"verdict: {check.verdict.value}")
    return tuple(lines)


def _rule(
    rule: schema.Rule, scene: Scene, check: Check, findings: Sequence[Finding], *, narrow: bool
) -> Iterator[str]:
    judgement = judge_rule(rule, scene)
    outcome = next(each for each in check.rules if each.rule == rule.id)
    yield f"{rule.id} ({rule.effect.value}): {outcome.outcome.value}"
    yield f"  asks for: {condition_words(rule.match)}"
    if scene.baseline is not None:
        yield f"  compares: {scene.baseline.label} -> {scene.candidate.label}"
    yield f"  {_selection(judgement, scene)}"
    if not judgement.selected and not judgement.selected_before:
        yield from _near(rule.match, scene)
    by_place = {(f.family, f.arch, f.layer or ""): f for f in findings}
    for cell in judgement.cells:
        finding = by_place.get((cell.family, cell.arch, cell.layer.value if cell.layer else ""))
        if cell.fires and (finding is not None or not narrow):
            yield from _cell(cell, finding)
    if not narrow:
        yield from _others(judgement)
        for reason in judgement.unknown[:_MAX_REASONS]:
            yield f"  not known: {reason}"
        if len(judgement.unknown) > _MAX_REASONS:
            yield f"  not known: and {len(judgement.unknown) - _MAX_REASONS} more reasons"
    yield f"  outcome: {outcome.why}"


def _selection(judgement: Judgement, scene: Scene) -> str:
    words = f"matched {judgement.selected} of {len(scene.after)} kernels"
    if scene.baseline is not None:
        words += f" (baseline: {judgement.selected_before} of {len(scene.before)})"
    families = judgement.families
    if families:
        more = f" and {len(families) - 5} more" if len(families) > 5 else ""
        words += f" in {', '.join(families[:5])}{more}"
    return words


def _near(match: schema.Condition, scene: Scene) -> Iterator[str]:
    """The family names that come closest to a pattern that matched nothing."""
    families = sorted({subject.kernel.family for subject in (*scene.after, *scene.before)})
    for part in walk(match):
        if not isinstance(part, schema.KernelGlob) or part.field not in {
            schema.KernelField.FAMILY,
            schema.KernelField.KERNEL,
        }:
            continue
        for pattern in part.patterns:
            bare = pattern.replace("*", "").replace("?", "") if has_wildcard(pattern) else pattern
            ranked = sorted(families, key=lambda name: (-_likeness(bare, name), name))
            if ranked:
                yield f"  closest family names to {pattern}: {', '.join(ranked[:3])}"


def _likeness(bare: str, name: str) -> float:
    """How much of a pattern's letters a name holds in order, case aside."""
    matcher = difflib.SequenceMatcher(None, bare.lower(), name.lower(), autojunk=False)
    common = sum(block.size for block in matcher.get_matching_blocks())
    return common / max(1, len(bare)) + matcher.ratio() / 10


def _cell(cell: Cell, finding: Finding | None) -> Iterator[str]:
    layer = f", {cell.layer.value.upper()}" if cell.layer else ""
    settled = "" if finding else " (settled by evidence)"
    yield f"  {cell.family} ({cell.arch}{layer}): fires{settled}"
    for step in cell.steps:
        yield f"    {step}"
    if finding is None:
        return
    for detail in finding.details:
        if detail not in cell.steps:
            yield f"    {detail}"
    if finding.waived:
        waived = finding.waived
        yield f"    waived until {waived.expires} by {waived.owner}: {waived.reason}"
    if finding.requires:
        yield f"    stands until this evidence is attached: {', '.join(finding.requires)}"
    yield f"    finding {finding.id}: {finding.effect.value}, count {finding.count}"


def _others(judgement: Judgement) -> Iterator[str]:
    quiet = [cell for cell in judgement.cells if not cell.fires]
    # What is not known comes first: it is what the reader has to act on.
    quiet.sort(key=lambda cell: cell.fires is False)
    for cell in quiet[:_MAX_QUIET]:
        layer = f", {cell.layer.value.upper()}" if cell.layer else ""
        word = "quiet" if cell.fires is False else "not known"
        steps = "; ".join(cell.steps)
        why = f" because {'; '.join(cell.why)}" if cell.why else ""
        yield f"  {cell.family} ({cell.arch}{layer}): {word}: {steps}{why}"
    if len(quiet) > _MAX_QUIET:
        yield f"  and {len(quiet) - _MAX_QUIET} more where it does not fire"
