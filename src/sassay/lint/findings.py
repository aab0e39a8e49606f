"""Findings: what a rule says of one family and architecture, with every place it says it of."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sassay.lint.limits import MAX_PLACES
from sassay.model.finding import CodePlace, Effect, Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.lint.profile import Active
    from sassay.lint.rule import Hit
    from sassay.lint.subject import Subject
    from sassay.model.kernel import Kernel


@dataclass(frozen=True)
class Said:
    """One thing that a rule said of a kernel.

    Attributes:
        rule: The rule's name.
        kernel: The kernel.
        effect: What it asks for.
        opcode: What the finding's matches count; empty for none.
        count: Instructions that it stands for.
        place: Where, and what.
    """

    rule: str
    kernel: Kernel
    effect: Effect
    opcode: str
    count: int
    place: CodePlace


def say(active: Active, subject: Subject, hit: Hit) -> Said:
    """A hit, without the analysis that it came of."""
    return Said(
        active.rule.id,
        subject.kernel,
        Effect.PASS if hit.records else active.level.effect,
        hit.op.opcode.text if hit.op is not None else hit.opcode,
        hit.count,
        _place(subject, hit),
    )


_EFFECTS = {Effect.FAIL: 0, Effect.REVIEW: 1, Effect.PASS: 2}


def findings(said: Sequence[Said], active: Sequence[Active]) -> tuple[Finding, ...]:
    """One finding for each rule, family and architecture; apart what only records.

    Args:
        said: By kernel.
        active: The rules that ran.
    """
    rules = {each.rule.id: each for each in active}
    groups: dict[tuple[str, Effect, str, str], list[Said]] = {}
    for each in said:
        key = (each.rule, each.effect, each.kernel.family, each.kernel.arch)
        groups.setdefault(key, []).append(each)
    found = [_finding(rules[key[0]], key, items) for key, items in groups.items()]
    return tuple(sorted(found, key=lambda f: (_EFFECTS[f.effect], f.rule, f.family, f.arch)))


def _finding(active: Active, key: tuple[str, Effect, str, str], items: list[Said]) -> Finding:
    rule, effect, family, arch = key
    matches: Counter[str] = Counter()
    for each in items:
        if each.opcode:
            matches[each.opcode] += each.count
    messages = Counter(each.place.message for each in items)
    lines = {each.place.location for each in items if each.place.location is not None}
    layers = {each.place.layer for each in items}
    return Finding(
        id=active.fingerprint(family, arch, recorded=effect is not active.level.effect),
        rule=rule,
        effect=effect,
        reason=active.rule.title,
        family=family,
        arch=arch,
        kernels=tuple(sorted({each.kernel.id for each in items})),
        count=sum(each.count for each in items),
        layer=layers.pop() if len(layers) == 1 else None,
        matches=dict(sorted(matches.items())),
        details=tuple(
            f"{count} x {message}" if count > 1 else message for message, count in messages.items()
        ),
        source_lines=tuple(sorted(lines)),
        places=tuple(each.place for each in items[:MAX_PLACES]),
    )


def _place(subject: Subject, hit: Hit) -> CodePlace:
    kernel = subject.kernel
    if hit.op is None:
        sass = hit.offset is not None or bool(hit.opcode)
        return CodePlace(
            kernel=kernel.id,
            layer="sass" if sass else None,
            offset=hit.offset,
            text="",
            message=hit.message,
            location=kernel.location,
        )
    return CodePlace(
        kernel=kernel.id,
        layer="ptx",
        offset=hit.op.line,
        text=hit.op.text,
        message=hit.message,
        location=subject.location(hit.op) or kernel.location,
    )
