"""Judges one rule: what it selects, the numbers, and where it fires, stays quiet or cannot tell."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sassay.model.change import KernelStatus
from sassay.model.layers import Layer
from sassay.policy import conditions, schema
from sassay.policy.coverage import lacking
from sassay.policy.scene import CellKey, Scene, Subject
from sassay.policy.select import Selector
from sassay.policy.when import Tally, judge_when

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sassay.model.state import Diagnostic


@dataclass(frozen=True)
class Cell:
    """One rule on one family, architecture and (for instructions) layer.

    Attributes:
        fires: None where it is not known.
        why: Why it is not known.
        steps: The comparisons in words.
        count: What a finding would report.
        concerned: Kernels that it rests on, the candidate's first.
        before: Selected opcodes of the baseline, with counts.
        after: Those of the candidate.
    """

    family: str
    arch: str
    layer: Layer | None
    fires: bool | None
    why: tuple[str, ...]
    steps: tuple[str, ...]
    count: int
    concerned: tuple[Subject, ...]
    before: Counter[str]
    after: Counter[str]


@dataclass(frozen=True)
class Judgement:
    """One rule on everything.

    Attributes:
        selected: Kernels of the candidate that the kernel conditions select.
        selected_before: The same for the baseline.
        unknown: Why the rule as a whole cannot be judged, or not fully.
    """

    rule: schema.Rule
    cells: tuple[Cell, ...] = ()
    selected: int = 0
    selected_before: int = 0
    families: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


@dataclass
class _Group:
    """Kernels of one cell, and why more might belong to it."""

    after: list[Subject] = field(default_factory=list)
    before: list[Subject] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def judge_rule(rule: schema.Rule, scene: Scene) -> Judgement:
    """Judge a rule.

    Args:
        rule: The rule.
        scene: Candidate and baseline.

    Raises:
        PolicyError: The rule names a group that does not exist.
    """
    selector = Selector(rule, scene)
    needs_pair = conditions.needs_pair(rule)
    if needs_pair and scene.baseline is None:
        return Judgement(rule, unknown=(scene.no_baseline,))
    groups = _group(selector, (*scene.after, *(scene.before if needs_pair else ())))
    cells: list[Cell] = []
    for key in sorted(groups):
        group = groups[key]
        if not group.after and not group.unknown and not needs_pair:
            continue
        cells.extend(_cells(rule, selector, key, group))
    selected = [subject for group in groups.values() for subject in group.after]
    return Judgement(
        rule,
        cells=tuple(cells),
        selected=len(selected),
        selected_before=sum(len(group.before) for group in groups.values()),
        families=tuple(sorted({family for family, _ in groups})),
        unknown=_gaps(rule, scene, with_baseline=needs_pair),
    )


def _group(selector: Selector, subjects: Iterable[Subject]) -> dict[CellKey, _Group]:
    groups: defaultdict[CellKey, _Group] = defaultdict(_Group)
    for subject in subjects:
        found = selector.kernel(subject)
        if found.nothing:
            continue
        group = groups[subject.cell]
        if found.something:
            (group.after if subject.in_candidate else group.before).append(subject)
        else:
            group.unknown.extend(found.unknown)
    return dict(groups)


def _cells(rule: schema.Rule, selector: Selector, key: CellKey, group: _Group) -> list[Cell]:
    if conditions.selects_instructions(rule.match):
        layers = [
            layer
            for layer in Layer
            if any(layer in selector.layers(subject) for subject in (*group.after, *group.before))
        ]
        # A family whose every kernel is only perhaps selected still has to be reported as unknown.
        return [_counted(rule, selector, key, group, layer) for layer in layers] or (
            [_counted(rule, selector, key, group, None)] if group.unknown else []
        )
    if rule.when is None and not conditions.names_instructions(rule.match):
        if conditions.names_coverage(rule.match):
            return [_short(rule, selector.scene, key, group)]
        return [_moved(key, group)]
    return [_counted(rule, selector, key, group, None)]


def _moved(key: CellKey, group: _Group) -> Cell:
    """A rule about families: it fires where selected kernels came, went or changed."""
    moved = [s for s in group.after if s.status is not KernelStatus.UNCHANGED]
    moved += [s for s in group.before if s.status is KernelStatus.REMOVED]
    tally = Counter(subject.status.value for subject in moved if subject.status)
    words = ", ".join(f"{tally[status]} {status}" for status in sorted(tally)) or "nothing moved"
    status = next(
        (s.family_status.value for s in (*group.after, *group.before) if s.family_status), ""
    )
    return Cell(
        *key,
        layer=None,
        fires=True if moved else (None if group.unknown else False),
        why=() if moved else _distinct(group.unknown),
        steps=(f"the family is {status}: {words}",),
        count=len(moved),
        concerned=tuple(moved),
        before=Counter(),
        after=Counter(),
    )


def _short(rule: schema.Rule, scene: Scene, key: CellKey, group: _Group) -> Cell:
    """A rule about architectures: it fires on a family that lacks one."""
    held = scene.held_archs.get(key[0], ())
    missing = dict.fromkeys(
        item
        for part in conditions.walk(rule.match)
        if isinstance(part, schema.CoverageLacks)
        for item in lacking(part, held)
    )
    return Cell(
        *key,
        layer=None,
        fires=True if group.after else (None if group.unknown else False),
        why=() if group.after else _distinct(group.unknown),
        steps=(f"exists for {', '.join(held)}; lacks {', '.join(missing)}",),
        count=len(group.after),
        concerned=tuple(group.after),
        before=Counter(),
        after=Counter(),
    )


def _counted(
    rule: schema.Rule, selector: Selector, key: CellKey, group: _Group, layer: Layer | None
) -> Cell:
    """A rule with numbers: instructions of one layer, or kernels."""
    after, after_gaps = _census(selector, group.after, layer)
    before, before_gaps = _census(selector, group.before, layer)
    delta_gaps = _cancel(before_gaps, after_gaps)
    tally = Tally(
        noun=f"{layer.value.upper()} instructions" if layer else "kernels",
        after=sum(sum(counts.values()) for _, counts in after),
        before=sum(sum(counts.values()) for _, counts in before),
        after_unknown=_distinct([*group.unknown, *_reasons(after_gaps)]),
        before_unknown=_distinct([*group.unknown, *_reasons(before_gaps)]),
        delta_unknown=_distinct([*group.unknown, *_reasons(delta_gaps)]),
        kernels=tuple(group.after),
        selection_unknown=_distinct(group.unknown),
    )
    when = rule.when or schema.When(
        thresholds=(
            schema.Threshold(schema.Measure.COUNT, (schema.Comparison(schema.Operator.GTE, 1),)),
        )
    )
    # Thresholds on resources alone are about single kernels, whatever instructions are selected.
    fires, why, steps, hits = judge_when(when, tally, rule.if_absent)
    carriers = [subject for subject, counts in after if counts]
    if hits:
        keep = {id(subject) for subject in hits}
        carriers = [subject for subject in group.after if id(subject) in keep]
    counted = _total(after)
    old = _total(before)
    concerned = carriers or [subject for subject, counts in before if counts] or group.after
    is_instructions = layer is not None
    return Cell(
        *key,
        layer=layer,
        fires=fires,
        why=_distinct(why) if fires is None else (),
        steps=steps,
        count=tally.after if is_instructions or not hits else len(hits),
        concerned=tuple(concerned),
        before=old if is_instructions else Counter(),
        after=counted if is_instructions else Counter(),
    )


_Counts = list[tuple[Subject, Counter[str]]]
_Gaps = list[tuple[Subject, tuple[str, ...]]]


def _census(
    selector: Selector, subjects: Sequence[Subject], layer: Layer | None
) -> tuple[_Counts, _Gaps]:
    """Selected opcodes of each kernel, and the kernels of which more may be selected."""
    counts: _Counts = []
    gaps: _Gaps = []
    for subject in subjects:
        if layer is None:
            counts.append((subject, Counter({"kernel": 1})))
            continue
        if layer not in selector.layers(subject):
            continue
        found = selector.instructions(subject, layer)
        census = subject.kernel.instructions.of(layer)
        unknown = found.unknown
        if census is None and not found.nothing and not unknown:
            unknown = (selector.scene.missing_layer(subject.kernel, layer),)
        if unknown:
            gaps.append((subject, unknown))
        known = census or {}
        opcodes = known if found.opcodes is None else found.opcodes
        counts.append((subject, Counter({op: known[op] for op in opcodes if known.get(op)})))
    return counts, gaps


def _cancel(before: _Gaps, after: _Gaps) -> _Gaps:
    """Gaps that matter for a difference: equal code on both sides takes itself away."""
    old = Counter(subject.kernel.digest for subject, _ in before)
    new = Counter(subject.kernel.digest for subject, _ in after)
    shared = old & new
    left: _Gaps = []
    for gaps in (before, after):
        remaining = shared.copy()
        for subject, why in gaps:
            if remaining[subject.kernel.digest] > 0:
                remaining[subject.kernel.digest] -= 1
            else:
                left.append((subject, why))
    return left


def _reasons(gaps: _Gaps) -> list[str]:
    return [reason for _, why in gaps for reason in why]


def _total(counts: _Counts) -> Counter[str]:
    total: Counter[str] = Counter()
    for _, each in counts:
        total.update(each)
    return total


def _distinct(reasons: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(reasons))


def _gaps(rule: schema.Rule, scene: Scene, *, with_baseline: bool) -> tuple[str, ...]:
    """What was not read and could have mattered to the rule.

    A layer that is missing shows in the kernels themselves; the diagnostic counts by itself only
    where no kernel shows it.
    """
    layers = (
        conditions.possible_layers(rule.match)
        if conditions.names_instructions(rule.match)
        else frozenset()
    )
    subjects = (*scene.after, *scene.before)
    reasons = [
        f"{gap.place}: {gap.message}"
        for gap in scene.gaps(with_baseline=with_baseline)
        if (gap.arch is None or conditions.may_select_arch(rule.match, gap.arch))
        and (gap.layer is None or (gap.layer in layers and not _shows(gap, subjects)))
    ]
    return _distinct(reasons)


def _shows(gap: Diagnostic, subjects: Sequence[Subject]) -> bool:
    layer = Layer(gap.layer) if gap.layer else None
    return layer is not None and any(
        subject.kernel.arch == gap.arch or gap.arch is None
        for subject in subjects
        if subject.kernel.instructions.of(layer) is None
    )
