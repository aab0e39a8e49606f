"""One row a family and architecture, over all states; and the same for groups of families."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from sassay.diff.deltas import RESOURCES
from sassay.diff.pairing import NOTHING, FamilyKey, Groups, PairComparison, family_pair
from sassay.diff.selection import arch_order, matches
from sassay.model.change import FamilyPair, FamilyRow, FamilyStatus, PairLabels
from sassay.model.kernel import Census, Kernel
from sassay.model.layers import Layer, Layered

Values = tuple[int | None, ...]
_Parts = Sequence[Sequence[Kernel]]

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
    rows = [
        _row(
            key,
            [groups.get(key, ()) for groups in states],
            tuple(
                family_pair(label, (pair.get(key, NOTHING),))
                for label, pair in zip(labels, pairs, strict=True)
            ),
            headline,
        )
        for key in keys
    ]
    return _sorted(rows)


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
    rows = []
    for name in sorted(named):
        by_arch: defaultdict[str, list[FamilyKey]] = defaultdict(list)
        for key in keys:
            if named[name] and matches(key[0], named[name]):
                by_arch[key[1]].append(key)
        for arch, members in by_arch.items():
            rows.append(
                _row(
                    (name, arch),
                    [[k for key in members for k in groups.get(key, ())] for groups in states],
                    tuple(
                        family_pair(label, [pair.get(key, NOTHING) for key in members])
                        for label, pair in zip(labels, pairs, strict=True)
                    ),
                    headline,
                    members=tuple(family for family, _ in members),
                )
            )
    return _sorted(rows)


def _sorted(rows: Iterable[FamilyRow]) -> tuple[FamilyRow, ...]:
    """By status, then family and architecture; what moved only in between before what never did."""

    def order(row: FamilyRow) -> tuple[int, bool, str, tuple[str, int, str]]:
        still = all(pair.status is FamilyStatus.UNCHANGED for pair in row.pairs)
        return (_STATUS_ORDER[row.status], still, row.family, arch_order(row.arch))

    return tuple(sorted(rows, key=order))


def _row(
    key: FamilyKey,
    parts: _Parts,
    pairs: tuple[FamilyPair, ...],
    headline: int,
    members: tuple[str, ...] = (),
) -> FamilyRow:
    kernels = tuple(len(part) for part in parts)
    opcodes = _layered(parts, lambda kernel, layer: kernel.instructions.of(layer))
    categories = _layered(parts, lambda kernel, layer: kernel.categories.of(layer))
    totals = Layered(ptx=_totals(opcodes.ptx), sass=_totals(opcodes.sass))
    return FamilyRow(
        family=key[0],
        arch=key[1],
        status=pairs[headline].status,
        kernels=kernels,
        code_bytes=tuple(_sum(kernel.code_bytes for kernel in part) for part in parts),
        instructions=totals,
        per_kernel=Layered(
            ptx=_averages(totals.ptx, kernels), sass=_averages(totals.sass, kernels)
        ),
        categories=Layered(ptx=_columns(categories.ptx), sass=_columns(categories.sass)),
        opcodes=Layered(ptx=_columns(opcodes.ptx), sass=_columns(opcodes.sass)),
        resources=_resources(parts),
        pairs=pairs,
        members=members,
    )


_Summed = Sequence[Mapping[str, int] | None]


def _layered(parts: _Parts, census: Callable[[Kernel, Layer], Census | None]) -> Layered[_Summed]:
    return Layered(
        ptx=_summed(parts, lambda kernel: census(kernel, Layer.PTX)),
        sass=_summed(parts, lambda kernel: census(kernel, Layer.SASS)),
    )


def _summed(parts: _Parts, census: Callable[[Kernel], Census | None]) -> _Summed | None:
    """Totals a state; None for a state with a kernel that is unknown in the layer.

    A sum over the known kernels alone would look like a total and be none. No kernels make zero.
    """
    out: list[Mapping[str, int] | None] = []
    known = False
    for part in parts:
        censuses = [census(kernel) for kernel in part]
        present = [item for item in censuses if item is not None]
        if len(present) < len(censuses):
            out.append(None)
            continue
        known = known or bool(present)
        out.append(_add(present))
    return out if known else None


def _add(censuses: Sequence[Census]) -> Mapping[str, int]:
    if len(censuses) == 1:
        return censuses[0]
    total: Counter[str] = Counter()
    for census in censuses:
        total.update(census)
    return total


def _totals(summed: _Summed | None) -> Values | None:
    if summed is None:
        return None
    return tuple(None if census is None else sum(census.values()) for census in summed)


def _averages(totals: Values | None, kernels: tuple[int, ...]) -> tuple[float | None, ...] | None:
    if totals is None:
        return None
    return tuple(
        round(total / count, 2) if total is not None and count else None
        for total, count in zip(totals, kernels, strict=True)
    )


def _columns(summed: _Summed | None) -> dict[str, Values] | None:
    if summed is None:
        return None
    names = sorted({name for census in summed if census for name in census})
    if len(summed) == 2 and summed[0] is not None and summed[1] is not None:
        # The common case, without a generator for each name.
        before, after = summed[0].get, summed[1].get
        return {name: (before(name, 0), after(name, 0)) for name in names}
    return {
        name: tuple(None if census is None else census.get(name, 0) for census in summed)
        for name in names
    }


def _sum(values: Iterable[int | None]) -> int | None:
    total = 0
    for value in values:
        if value is None:
            return None
        total += value
    return total


def _resources(parts: _Parts) -> dict[str, Values]:
    """Largest value a state by resource; resources that no state knows are left out."""
    out: dict[str, Values] = {}
    for name in sorted(RESOURCES):
        values = tuple(_largest([getattr(k.resources, name) for k in part]) for part in parts)
        if any(value is not None for value in values):
            out[name] = values
    return out


def _largest(values: Iterable[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)
