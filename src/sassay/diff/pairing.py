"""Two states side by side, kernel by kernel."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from sassay.diff.deltas import launch_changed
from sassay.diff.match import match
from sassay.diff.tiers import Depth, TierJudge
from sassay.model.change import FamilyPair, FamilyStatus
from sassay.model.kernel import Kernel
from sassay.model.layers import TIER_ORDER, UNCHANGED_TIERS, Tier

if TYPE_CHECKING:
    from sassay.model.state import State

FamilyKey = tuple[str, str]
"""Family and architecture, `before:after` where two architectures are compared."""

Groups = Mapping[FamilyKey, Sequence[Kernel]]


class Compared(msgspec.Struct, frozen=True):
    """One kernel on both sides."""

    before: Kernel
    after: Kernel
    depth: Depth
    unchanged: bool


class FamilyComparison(msgspec.Struct, frozen=True):
    """One family in one pair of states; every kernel of either state is in exactly one list."""

    compared: tuple[Compared, ...]
    removed: tuple[Kernel, ...]
    added: tuple[Kernel, ...]


PairComparison = Mapping[FamilyKey, FamilyComparison]

NOTHING = FamilyComparison((), (), ())


def group_kernels(state: State, across: tuple[str, str] | None) -> Groups:
    """Kernels of a state by family and architecture."""
    label = ":".join(across) if across else None
    groups: defaultdict[FamilyKey, list[Kernel]] = defaultdict(list)
    for kernel in state.kernels:
        groups[kernel.family, label or kernel.arch].append(kernel)
    return groups


def compare_pair(
    before: Groups, after: Groups, judge: TierJudge, *, strict: bool
) -> PairComparison:
    """Matches and judges the kernels of two states.

    Args:
        before: Kernels of the earlier state.
        after: Kernels of the later state.
        judge: Finds tiers.
        strict: Count only `identical` as unchanged.
    """
    unchanged_tiers = {Tier.IDENTICAL} if strict else UNCHANGED_TIERS
    out: dict[FamilyKey, FamilyComparison] = {}
    matchings = {
        key: match(before.get(key, ()), after.get(key, ()))
        for key in sorted(before.keys() | after.keys())
    }
    judge.prepare([pair for matching in matchings.values() for pair in matching.pairs])
    for key, matching in matchings.items():
        compared = []
        for one, other in matching.pairs:
            depth = judge.depth(one, other)
            unchanged = depth.tier in unchanged_tiers and not launch_changed(one, other)
            compared.append(Compared(one, other, depth, unchanged))
        out[key] = FamilyComparison(tuple(compared), matching.removed, matching.added)
    return out


def family_pair(labels: tuple[str, str], parts: Sequence[FamilyComparison]) -> FamilyPair:
    """Counts, status and deepest tier of one family, or of the families of a group.

    Args:
        labels: State before and state after.
        parts: What was compared.
    """
    compared = sum(len(part.compared) for part in parts)
    unchanged = sum(item.unchanged for part in parts for item in part.compared)
    added = sum(len(part.added) for part in parts)
    removed = sum(len(part.removed) for part in parts)
    tiers = [item.depth.tier for part in parts for item in part.compared if item.depth.tier]
    return FamilyPair(
        before=labels[0],
        after=labels[1],
        status=family_status(compared, compared - unchanged, added, removed),
        compared=compared,
        unchanged=unchanged,
        changed=compared - unchanged,
        added=added,
        removed=removed,
        tier=max(tiers, key=TIER_ORDER.index) if tiers else None,
    )


def family_status(compared: int, changed: int, added: int, removed: int) -> FamilyStatus:
    """What happened to a family, from its counts.

    More or fewer kernels say more than a change inside one, so that they go first.
    """
    before, after = compared + removed, compared + added
    if before == 0 and after > 0:
        return FamilyStatus.ADDED
    if after == 0 and before > 0:
        return FamilyStatus.REMOVED
    if after > before:
        return FamilyStatus.EXPANDED
    if after < before:
        return FamilyStatus.SHRUNK
    return FamilyStatus.CHANGED if changed or added or removed else FamilyStatus.UNCHANGED
