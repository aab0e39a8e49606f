"""Families ranked by how much their numerical execution moved.

The score adds, over the kernels of one pair of states, up to 10 points a kernel: a kernel of a
family that came or went counts by the numerical structure that it carries, one of a family that
grew or shrank by half of that, and one that changed in place by its tier and by the part of its
precision-sensitive instructions that moved. Kernels of one family add up with their square
root, since forty instances of one change are one change to look at. It ranks; it measures no error.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from sassay.diff import numerics, wording
from sassay.isa.sensitivity import sensitive_kind
from sassay.model.change import FamilyRow, FamilyStatus, PairLabels, SensitiveMove, Suspect
from sassay.model.layers import Layer, Tier

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sassay.diff.pairing import Compared, FamilyComparison, FamilyKey, PairComparison
    from sassay.model.kernel import Kernel

_POINTS = 10.0
_WHOLE_FAMILY = {FamilyStatus.ADDED, FamilyStatus.REMOVED}
_TIER_WEIGHTS: Mapping[Tier | None, float] = {
    Tier.RECOMPOSED: 1.0,
    Tier.REORDERED: 0.5,
    Tier.RENAMED: 0.05,
}
_REORDERED_SHARE = 0.1
"""Movement of a kernel whose sensitive instructions kept their counts and not their order: most
often ptxas scheduled independent ones otherwise."""


class _Scored(msgspec.Struct, frozen=True):
    score: float
    status: FamilyStatus
    why: str


def suspects(
    rows: Sequence[FamilyRow],
    labels: Sequence[PairLabels],
    pairs: Sequence[PairComparison],
    limit: int | None = None,
) -> tuple[Suspect, ...]:
    """The families whose numerical execution moved, most suspect first.

    A family is judged by the pair of states in which it moved most.

    Args:
        rows: One a family.
        labels: Labels of each pair.
        pairs: What was compared, in the same order.
        limit: At most so many.
    """
    out = []
    shared = [_shared_archs(pair) for pair in pairs]
    for row in rows:
        key = (row.family, row.arch)
        best: _Scored | None = None
        for position in _by_interest(len(pairs)):
            comparison = pairs[position].get(key)
            if comparison is None or row.arch not in shared[position]:
                continue
            scored = _score(row.pairs[position].status, comparison)
            if scored is not None and (best is None or scored.score > best.score + 1e-9):
                words = scored.why
                if len(pairs) > 1:
                    words = f"{labels[position][0]} -> {labels[position][1]}: {words}"
                best = _Scored(scored.score, scored.status, words)
        if best is not None:
            out.append(
                Suspect(
                    family=row.family,
                    arch=row.arch,
                    status=best.status,
                    score=round(best.score, 2),
                    why=best.why,
                    moves=tuple(_moves(row)),
                )
            )
    out.sort(key=lambda suspect: (-suspect.score, suspect.family, suspect.arch))
    return tuple(out if limit is None else out[:limit])


def _shared_archs(pair: PairComparison) -> set[str]:
    """Architectures that both states hold: building for another one moves no number.

    Where they share none, all: then nothing else is to be told.
    """
    before, after = set[str](), set[str]()
    for (_, arch), family in pair.items():
        if family.compared or family.removed:
            before.add(arch)
        if family.compared or family.added:
            after.add(arch)
    return before & after or before | after


def _by_interest(count: int) -> Iterable[int]:
    """The last pair first: it is first to last where there are more than two states.

    Then the others in their order, so that what came and went is told as what came.
    """
    return (count - 1, *range(count - 1))


def _score(status: FamilyStatus, family: FamilyComparison) -> _Scored | None:
    if status is FamilyStatus.UNCHANGED:
        return None
    words = []
    factor = 1.0 if status in _WHOLE_FAMILY else 0.5
    score = 0.0
    for kernels, verb in ((family.removed, "gone"), (family.added, "new")):
        points, text = _one_sided(kernels, verb)
        score += factor * points
        words += text
    changed = [item for item in family.compared if not item.unchanged]
    points, text = _in_place(changed)
    score += points
    words += text
    return _Scored(score, status, "; ".join(words)) if score > 0 else None


def _one_sided(kernels: Sequence[Kernel], verb: str) -> tuple[float, list[str]]:
    layer = numerics.known_layer(kernels)
    if layer is None:
        return 0.0, []
    structures = [numerics.structure(layer, numerics.total([kernel], layer)) for kernel in kernels]
    if not any(structures):
        return 0.0, []
    counts = numerics.total(kernels, layer)
    noun = "1 kernel with" if len(kernels) == 1 else f"{len(kernels)} kernels, each with"
    if len(kernels) > 1 and len({_shape(kernel, layer) for kernel in kernels}) > 1:
        noun = f"{len(kernels)} kernels, on average with"
    text = f"{verb}: {noun} {wording.spell_counts(layer, counts, len(kernels))}"
    return _POINTS * _damped(structures), [text]


def _shape(kernel: Kernel, layer: Layer) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(numerics.total([kernel], layer).items()))


def _in_place(changed: Sequence[Compared]) -> tuple[float, list[str]]:
    """Points and words for kernels that changed in place."""
    parts = [(_moved_part(item), item) for item in changed]
    points = _POINTS * _damped([part for part, _ in parts])
    if points <= 0:
        return 0.0, []
    moved = [item for part, item in parts if part > 0]
    sides = {
        layer: (
            numerics.total([item.before for item in moved], layer),
            numerics.total([item.after for item in moved], layer),
        )
        for layer in _speaking_layers(moved)
    }
    text = wording.spell_moves(sides, len(moved))
    words = [text] if text else []
    if not words:
        noun = "kernel" if len(moved) == 1 else "kernels"
        words.append(
            f"{len(moved)} {noun}: equal counts of precision-sensitive instructions, "
            "in another order or with other operands"
        )
    return points, words


def _speaking_layers(items: Sequence[Compared]) -> list[Layer]:
    """PTX names types and roundings, SASS what ptxas contracted: both where both are known."""
    kernels = [kernel for item in items for kernel in (item.before, item.after)]
    return [
        layer
        for layer in (Layer.PTX, Layer.SASS)
        if all(kernel.instructions.of(layer) is not None for kernel in kernels)
    ]


def _moved_part(item: Compared) -> float:
    """0 to 1: the weight of the deeper tier times the part that moved."""
    out = 0.0
    for layer, tier in ((Layer.PTX, item.depth.ptx_tier), (Layer.SASS, item.depth.tier)):
        before = numerics.sensitive(layer, item.before.instructions.of(layer))
        after = numerics.sensitive(layer, item.after.instructions.of(layer))
        factor = _TIER_WEIGHTS.get(tier, 0.0)
        if before is None or after is None or not factor:
            continue
        part = numerics.movement(layer, before, after)
        if not part and before and tier is Tier.REORDERED:
            part = _REORDERED_SHARE
        out = max(out, factor * part)
    return out


def _damped(parts: Sequence[float]) -> float:
    """A mean times the square root of the count."""
    return math.fsum(parts) / math.sqrt(len(parts)) if parts else 0.0


def _moves(row: FamilyRow) -> list[SensitiveMove]:
    """Sensitive opcodes whose totals are not the same in all states, heaviest movement first."""
    out: list[tuple[float, SensitiveMove]] = []
    for layer in (Layer.PTX, Layer.SASS):
        for opcode, counts in (row.opcodes.of(layer) or {}).items():
            kind = sensitive_kind(layer, opcode)
            known = [count for count in counts if count is not None]
            if kind is None or len(known) < 2 or min(known) == max(known):
                continue
            heavy = numerics.weight(layer, opcode) * (max(known) - min(known))
            out.append((heavy, SensitiveMove(layer.value, opcode, kind, counts)))
    out.sort(key=lambda item: (-item[0], item[1].layer, item[1].opcode))
    return [move for _, move in out]


def suspects_by_key(found: Iterable[Suspect]) -> dict[FamilyKey, Suspect]:
    """Suspects by family and architecture."""
    return {(suspect.family, suspect.arch): suspect for suspect in found}
