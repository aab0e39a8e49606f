"""Judges states under a policy: findings, what became of each rule, and the verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.model.change import Change, Diff, StateSummary
from sassay.model.finding import (
    VERDICT_ORDER,
    Check,
    Effect,
    Finding,
    Judged,
    Outcome,
    RuleOutcome,
    Verdict,
)
from sassay.policy.fingerprint import fingerprint
from sassay.policy.judge import Cell, Judgement, judge_rule
from sassay.policy.loader import EXPIRED_WAIVER
from sassay.policy.places import source_lines
from sassay.policy.scene import Scene, Subject, build_scene
from sassay.policy.waivers import apply_waivers

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence

    from sassay.model.state import Diagnostic, State
    from sassay.policy import schema

MAX_DETAILS = 40
"""Lines of one finding; a family can have a thousand instances."""

_EFFECTS = {Effect.FAIL: 0, Effect.REVIEW: 1, Effect.PASS: 2}


def evaluate(
    policy: schema.Policy,
    states: Sequence[State],
    diff: Diff | None,
    *,
    today: dt.date,
    groups: Mapping[str, Sequence[str]] | None = None,
    baseline: str | None = None,
    also: Judged | None = None,
) -> Check:
    """Judge the last state under a policy.

    Args:
        policy: The policy.
        states: Oldest first; the last is the candidate.
        diff: Their comparison, None for a single state.
        today: The date on which waivers are judged.
        groups: Groups of the command line; they win over the policy's of the same name.
        baseline: Label of the state to compare with; None: the first.
        also: What lint rules judged; waivers and verdict cover it as well.

    Raises:
        PolicyError: A rule names a group that does not exist.
    """
    also = also or Judged()
    scene = make_scene(policy, states, diff, groups=groups, baseline=baseline)
    findings: list[Finding] = list(also.findings)
    outcomes: list[RuleOutcome] = list(also.rules)
    for rule in policy.rules:
        judgement = judge_rule(rule, scene)
        found, settled = _findings(judgement, scene)
        findings.extend(found)
        outcomes.append(_outcome(judgement, found, settled))
    waived = apply_waivers(policy.waivers, findings, today=today, policy=policy.name)
    if waived.expired:
        why = f"{len(waived.expired)} of {len(policy.waivers)} waivers expired"
        outcomes.append(RuleOutcome(EXPIRED_WAIVER, Outcome.FIRED, why))
    counted = sorted((*waived.findings, *waived.expired), key=_order)
    return Check(
        verdict=_verdict(counted, outcomes),
        findings=tuple(counted),
        rules=tuple(outcomes),
        states=diff.states if diff is not None else tuple(_summary(state) for state in states),
        diagnostics=_diagnostics(states, diff, (*waived.notes, *also.diagnostics)),
        policy=policy.name,
        rendering=policy.rendering.value,
    )


def make_scene(
    policy: schema.Policy,
    states: Sequence[State],
    diff: Diff | None,
    *,
    groups: Mapping[str, Sequence[str]] | None,
    baseline: str | None,
) -> Scene:
    """The scene of a policy, with its groups and those of the command line."""
    merged = {**policy.groups, **{name: tuple(globs) for name, globs in (groups or {}).items()}}
    return build_scene(states, diff, groups=merged, baseline=baseline)


def _findings(judgement: Judgement, scene: Scene) -> tuple[list[Finding], tuple[str, ...]]:
    """Findings of a rule, and the evidence that settles them all (then there are none)."""
    rule = judgement.rule
    fired = [cell for cell in judgement.cells if cell.fires]
    missing = tuple(name for name in rule.requires if not _attached(scene.candidate, name))
    if rule.requires and not missing and fired:
        return [], rule.requires
    return [_finding(rule, cell, scene, missing) for cell in fired], ()


def _attached(candidate: State, name: str) -> bool:
    """Evidence counts once it is attached; a gate that says false of itself does not."""
    evidence = candidate.evidence.get(name)
    return evidence is not None and evidence.value is not False


def _finding(rule: schema.Rule, cell: Cell, scene: Scene, missing: tuple[str, ...]) -> Finding:
    layer = cell.layer.value if cell.layer else None
    changes = [subject.change for subject in cell.concerned if subject.change is not None]
    return Finding(
        id=fingerprint(rule.id, cell.family, cell.arch, layer),
        rule=rule.id,
        effect=rule.effect,
        reason=rule.reason,
        family=cell.family,
        arch=cell.arch,
        kernels=tuple(dict.fromkeys(subject.kernel.id for subject in cell.concerned)),
        count=cell.count,
        layer=layer,
        matches=dict(sorted(cell.after.items())),
        changes=tuple(dict.fromkeys(change.id for change in changes)),
        details=_details(cell, scene),
        source_lines=source_lines(cell),
        requires=missing,
    )


def _details(cell: Cell, scene: Scene) -> tuple[str, ...]:
    lines: list[str] = []
    for opcode in sorted(cell.after | cell.before):
        old, new = cell.before[opcode], cell.after[opcode]
        lines.append(f"{opcode} {old} -> {new}" if scene.baseline else f"{opcode} {new}")
    if cell.layer is None:
        lines.extend(cell.steps)
        lines.extend(
            _movement(subject, subject.change) for subject in cell.concerned if subject.change
        )
    if len(lines) > MAX_DETAILS:
        lines[MAX_DETAILS:] = [f"and {len(lines) - MAX_DETAILS} more"]
    return tuple(lines)


def _movement(subject: Subject, change: Change) -> str:
    """One line on what happened to one kernel."""
    name = f"{change.name} [{change.specialization}]" if change.specialization else change.name
    parts = [change.tier.value] if change.tier else []
    before, after = subject.pair
    for resource in sorted(change.deltas.resources):
        old = getattr(before.resources, resource, None) if before else None
        new = getattr(after.resources, resource, None) if after else None
        if old is not None and new is not None:
            parts.append(f"{resource} {old} -> {new}")
    return f"{change.status.value} {name}" + (f": {', '.join(parts)}" if parts else "")


def _outcome(
    judgement: Judgement, found: Sequence[Finding], settled: tuple[str, ...]
) -> RuleOutcome:
    rule = judgement.rule
    unknown = list(judgement.unknown)
    unknown += [reason for cell in judgement.cells if cell.fires is None for reason in cell.why]
    reasons = list(dict.fromkeys(unknown))
    fired = f"fired on {_places(found)}" if found else ""
    if settled:
        count = sum(1 for cell in judgement.cells if cell.fires)
        fired = f"would fire on {count}, settled by attached evidence: {', '.join(settled)}"
    if reasons:
        words = "; ".join(reasons[:3]) + (
            f"; and {len(reasons) - 3} more" if len(reasons) > 3 else ""
        )
        prefix = f"{fired}; could not judge the rest: " if fired else ""
        return RuleOutcome(rule.id, Outcome.UNKNOWN, prefix + words, rule.effect)
    if found:
        return RuleOutcome(rule.id, Outcome.FIRED, fired, rule.effect)
    quiet = fired or f"matched {judgement.selected} kernels, none of which crosses the threshold"
    if not fired and judgement.selected + judgement.selected_before == 0:
        quiet = "matched no kernel"
    return RuleOutcome(rule.id, Outcome.QUIET, quiet, rule.effect)


def _places(found: Sequence[Finding]) -> str:
    places = list(dict.fromkeys(f"{finding.family} ({finding.arch})" for finding in found))
    return ", ".join(places[:3]) + (f" and {len(places) - 3} more" if len(places) > 3 else "")


def _order(finding: Finding) -> tuple[int, str, str, str, str, str]:
    return (
        _EFFECTS[finding.effect],
        finding.rule,
        finding.family,
        finding.arch,
        finding.layer or "",
        finding.id,
    )


def _verdict(findings: Iterable[Finding], outcomes: Iterable[RuleOutcome]) -> Verdict:
    effects = {finding.effect for finding in findings if finding.waived is None}
    reached = {Verdict.PASS}
    if Effect.FAIL in effects:
        reached.add(Verdict.FAIL)
    if Effect.REVIEW in effects:
        reached.add(Verdict.REVIEW)
    # A rule that only records cannot change the verdict, so it cannot make it unknown either.
    if any(o.outcome is Outcome.UNKNOWN and o.effect is not Effect.PASS for o in outcomes):
        reached.add(Verdict.UNKNOWN)
    return next(verdict for verdict in VERDICT_ORDER if verdict in reached)


def _summary(state: State) -> StateSummary:
    sizes = [kernel.code_bytes for kernel in state.kernels if kernel.code_bytes is not None]
    return StateSummary(
        label=state.label,
        kernels=len(state.kernels),
        families=len({kernel.family for kernel in state.kernels}),
        environment=state.environment,
        evidence=state.evidence,
        code_bytes=sum(sizes),
        counts=state.counts,
        tools=state.tools,
    )


def _diagnostics(
    states: Sequence[State], diff: Diff | None, notes: Sequence[Diagnostic]
) -> tuple[Diagnostic, ...]:
    read = diff.diagnostics if diff is not None else ()
    every = {*read, *(each for state in states for each in state.diagnostics), *notes}
    return tuple(
        sorted(
            every,
            key=lambda d: (d.level.value, d.place, d.message, d.arch or "", d.layer or ""),
        )
    )
