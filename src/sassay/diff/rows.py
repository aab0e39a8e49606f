"""One row a family and architecture, over all states; and the same for groups of families."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from sassay.diff.deltas import RESOURCES
from sassay.diff.pairing import NOTHING, FamilyKey, Groups, PairComparison, family_pair
from sassay.diff.selection import arch_order, matches
from sassay.diff.totals import Totals, Values, row_totals
from sassay.model.change import FamilyPair, FamilyRow, FamilyStatus, PairLabels
from sassay.model.kernel import Census, Kernel
from sassay.model.layers import Layered

_STATUS_ORDER = {status: position for position, status in enumerate(FamilyStatus)}


def family_rows(
    states: Sequence[Groups],
    labels: Sequence[PairLabels],
    pairs: Sequence[PairComparison],
    headline: int,
) -> tuple[FamilyRow, ...]:
    """All families of all states, what moved first.

    Args:
        states: Kernels of each state.
        labels: Labels of each pair.
        pairs: What each pair of states gave, in the same order.
        headline: Position of the pair whose status is the row's.
    """
    keys = sorted({key for groups in states for key in groups})
    return _rows(
        [
            _Outline(
                key,
                [groups.get(key, ()) for groups in states],
                tuple(
                    family_pair(label, (pair.get(key, NOTHING),))
                    for label, pair in zip(labels, pairs, strict=True)
                ),
            )
            for key in keys
        ],
        headline,
    )


def group_rows(
    named: Mapping[str, Sequence[str]],
    states: Sequence[Groups],
    labels: Sequence[PairLabels],
    pairs: Sequence[PairComparison],
    headline: int,
) -> tuple[FamilyRow, ...]:
    """One row a named group and architecture; a group that matches no family has none.

    Args:
        named: Family globs by group name.
        states: Kernels of each state.
        labels: Labels of each pair.
        pairs: What each pair of states gave, in the same order.
        headline: Position of the pair whose status is the row's.
    """
    keys = sorted({key for groups in states for key in groups})
    outlines = []
    for name in sorted(named):
        by_arch: defaultdict[str, list[FamilyKey]] = defaultdict(list)
        for key in keys:
            if named[name] and matches(key[0], named[name]):
                by_arch[key[1]].append(key)
        for arch, members in by_arch.items():
            outlines.append(
                _Outline(
                    (name, arch),
                    [[k for key in members for k in groups.get(key, ())] for groups in states],
                    tuple(
                        family_pair(label, [pair.get(key, NOTHING) for key in members])
                        for label, pair in zip(labels, pairs, strict=True)
                    ),
                    tuple(family for family, _ in members),
                )
            )
    return _rows(outlines, headline)


class _Outline(msgspec.Struct, frozen=True):
    """A row before anything is summed."""

    key: FamilyKey
    parts: Sequence[Sequence[Kernel]]
    pairs: tuple[FamilyPair, ...]
    members: tuple[str, ...] = ()


def _rows(outlines: Sequence[_Outline], headline: int) -> tuple[FamilyRow, ...]:
    """Sorted by status, then family and architecture; what never moved comes last."""
    parts = [outline.parts for outline in outlines]
    opcodes = _layered(parts, lambda kernel: kernel.instructions)
    categories = _layered(parts, lambda kernel: kernel.categories)
    rows = [
        _row(outline, headline, Layered(ptx=a, sass=b), Layered(ptx=c, sass=d))
        for outline, a, b, c, d in zip(outlines, *opcodes, *categories, strict=True)
    ]

    def order(row: FamilyRow) -> tuple[int, bool, str, tuple[str, int, str]]:
        still = all(pair.status is FamilyStatus.UNCHANGED for pair in row.pairs)
        return (_STATUS_ORDER[row.status], still, row.family, arch_order(row.arch))

    return tuple(sorted(rows, key=order))


def _layered(
    parts: Sequence[Sequence[Sequence[Kernel]]], census: Callable[[Kernel], Layered[Census]]
) -> tuple[list[Totals | None], list[Totals | None]]:
    return (
        row_totals(parts, lambda kernel: census(kernel).ptx),
        row_totals(parts, lambda kernel: census(kernel).sass),
    )


def _row(
    outline: _Outline, headline: int, opcodes: Layered[Totals], categories: Layered[Totals]
) -> FamilyRow:
    kernels = tuple(len(part) for part in outline.parts)
    totals = Layered(
        ptx=opcodes.ptx.whole if opcodes.ptx else None,
        sass=opcodes.sass.whole if opcodes.sass else None,
    )
    return FamilyRow(
        family=outline.key[0],
        arch=outline.key[1],
        status=outline.pairs[headline].status,
        kernels=kernels,
        code_bytes=tuple(_sum(kernel.code_bytes for kernel in part) for part in outline.parts),
        instructions=totals,
        per_kernel=Layered(
            ptx=_averages(totals.ptx, kernels), sass=_averages(totals.sass, kernels)
        ),
        categories=_by_name(categories),
        opcodes=_by_name(opcodes),
        resources=_resources(outline.parts),
        pairs=outline.pairs,
        members=outline.members,
        per_kernel_categories=Layered(
            ptx=_averages_by_name(categories.ptx, kernels),
            sass=_averages_by_name(categories.sass, kernels),
        ),
    )


def _by_name(totals: Layered[Totals]) -> Layered[Mapping[str, Values]]:
    return Layered(
        ptx=totals.ptx.by_name if totals.ptx else None,
        sass=totals.sass.by_name if totals.sass else None,
    )


def _averages_by_name(
    totals: Totals | None, kernels: tuple[int, ...]
) -> dict[str, tuple[float | None, ...]] | None:
    if totals is None:
        return None
    out: dict[str, tuple[float | None, ...]] = {}
    for name, values in totals.by_name.items():
        averages = _averages(values, kernels)
        if averages is not None:
            out[name] = averages
    return out


def _averages(totals: Values | None, kernels: tuple[int, ...]) -> tuple[float | None, ...] | None:
    if totals is None:
        return None
    return tuple(
        round(total / count, 2) if total is not None and count else None
        for total, count in zip(totals, kernels, strict=True)
    )


def _sum(values: Iterable[int | None]) -> int | None:
    total = 0
    for value in values:
        if value is None:
            return None
        total += value
    return total


def _resources(parts: Sequence[Sequence[Kernel]]) -> dict[str, Values]:
    """Largest value a state by resource; resources that no state knows are left out."""
    out: dict[str, Values] = {}
    for name in sorted(RESOURCES):
        values = tuple(_largest([getattr(k.resources, name) for k in part]) for part in parts)
        if any(value is not None for value in values):
            out[name] = values
    return out


def _largest(values: Iterable[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)
