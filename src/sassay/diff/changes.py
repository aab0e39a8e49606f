"""Kernels that came, went or changed, as records."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sassay.diff.deltas import deltas
from sassay.diff.selection import arch_order
from sassay.diff.specialization import specialization_line, varying_parts
from sassay.diff.tiers import Depth
from sassay.diff.toolchains import toolchain_notes
from sassay.model.change import Change, KernelStatus, PairLabels
from sassay.model.layers import UNCHANGED_TIERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sassay.diff.pairing import Compared, FamilyComparison, FamilyKey, PairComparison
    from sassay.model.kernel import Kernel

_STATUS_ORDER = {status: position for position, status in enumerate(KernelStatus)}
_NO_DEPTH = Depth(None, None)


def pair_changes(
    position: int, labels: PairLabels, pair: PairComparison, *, unchanged: bool
) -> list[Change]:
    """Changes of one pair of states, sorted by status, family, architecture and name.

    Args:
        position: Of the pair, for the changes' fingerprints.
        labels: Of its two states.
        pair: What was compared.
        unchanged: List kernels that did not change too.
    """
    changes = [
        change
        for key, family in pair.items()
        for change in _family_changes(position, labels, key, family, unchanged=unchanged)
    ]
    changes.sort(
        key=lambda c: (
            _STATUS_ORDER[c.status], c.family, arch_order(c.arch), c.name,
            c.after or "", c.before or "", c.id,
        )
    )  # fmt: skip
    return changes


def _family_changes(
    position: int,
    labels: PairLabels,
    key: FamilyKey,
    family: FamilyComparison,
    *,
    unchanged: bool,
) -> Iterator[Change]:
    shown = [item for item in family.compared if unchanged or not item.unchanged]
    if not (shown or family.added or family.removed):
        return
    varying = varying_parts(
        [k for item in family.compared for k in (item.before, item.after)]
        + [*family.added, *family.removed]
    )

    def change(
        status: KernelStatus,
        before: Kernel | None,
        after: Kernel | None,
        depth: Depth,
        notes: tuple[str, ...],
    ) -> Change:
        shown_kernel = after or before
        if shown_kernel is None:
            raise ValueError("a change has a kernel on one side at least")
        locations = [k.location for k in (after, before) if k is not None and k.location]
        return Change(
            id=_fingerprint(position, key, before, after),
            pair=labels,
            family=key[0],
            arch=key[1],
            status=status,
            name=shown_kernel.name,
            tier=depth.tier,
            ptx_tier=depth.ptx_tier,
            before=before.id if before else None,
            after=after.id if after else None,
            deltas=deltas(before, after),
            specialization=specialization_line(shown_kernel, varying),
            location=locations[0] if locations else None,
            notes=notes,
        )

    for item in shown:
        status = KernelStatus.UNCHANGED if item.unchanged else KernelStatus.CHANGED
        yield change(status, item.before, item.after, item.depth, _notes(item))
    for kernel in family.added:
        yield change(KernelStatus.ADDED, None, kernel, _NO_DEPTH, ())
    for kernel in family.removed:
        yield change(KernelStatus.REMOVED, kernel, None, _NO_DEPTH, ())


def _notes(item: Compared) -> tuple[str, ...]:
    notes = item.depth.notes
    if item.unchanged:
        return notes
    if item.depth.tier in UNCHANGED_TIERS and not notes:
        notes = ("same instructions; what changed is below them: launch, resources or encoding",)
    return notes + toolchain_notes(item.before, item.after)


def _fingerprint(position: int, key: FamilyKey, before: Kernel | None, after: Kernel | None) -> str:
    """12 hexadecimal digits, the same on every machine; labels leave it alone.

    The places are in it, since two copies of one kernel in a state would share an id otherwise.
    """
    parts = [str(position), *key]
    for kernel in (before, after):
        parts.append(kernel.id if kernel else "-")
        parts += [source.path for source in kernel.sources] if kernel else []
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:12]
