"""Cheapest pairs first: kernels paired by distance, the same from either side.

Greedy over sorted distances is not the least total cost, but it is what a reader expects (the
closest two belong together), it is stable under the addition of a third, and it mirrors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.diff.distance import Matrix, census_distance, specialization_distance
from sassay.diff.place import places
from sassay.model.kernel import Kernel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BLOCK = 768
"""Kernels of both sides together that are compared each with each."""

_MAX_PASSES = 12

Pairs = list[tuple[Kernel, Kernel]]
_SortKey = tuple[str, str, str, tuple[tuple[str, str], ...]]


def sort_key(kernel: Kernel) -> _SortKey:
    """What breaks ties: name first, then everything that could differ."""
    return (
        kernel.name,
        kernel.symbol,
        kernel.id,
        tuple((source.kind.value, source.path) for source in kernel.sources),
    )


def assign(before: Sequence[Kernel], after: Sequence[Kernel]) -> Pairs:
    """Pairs as many kernels as both sides hold, closest first.

    Closeness is the census distance, then the number of specialization parts that differ, then
    the place, then the names. Memory is bounded: beyond `BLOCK` kernels, only kernels of nearby
    total instruction counts are compared with each other.
    """
    if len(before) == 1 and len(after) == 1:
        return [(before[0], after[0])]
    if not before or not after:
        return []
    ranks = {key: rank for rank, key in enumerate(sorted({sort_key(k) for k in (*before, *after)}))}
    left = [(_total(kernel), ranks[sort_key(kernel)], kernel) for kernel in before]
    right = [(_total(kernel), ranks[sort_key(kernel)], kernel) for kernel in after]
    left.sort(key=lambda item: item[:2])
    right.sort(key=lambda item: item[:2])
    if len(left) + len(right) <= BLOCK:
        return _greedy(left, right)[0]
    return _blocked(left, right)


_Item = tuple[int, int, Kernel]


def _total(kernel: Kernel) -> int:
    census = kernel.instructions.sass
    if census is None:
        census = kernel.instructions.ptx or {}
    return sum(census.values())


def _greedy(left: list[_Item], right: list[_Item]) -> tuple[Pairs, list[_Item], list[_Item]]:
    """Pairs and what is left over on the one side that has more."""
    before = [kernel for _, _, kernel in left]
    after = [kernel for _, _, kernel in right]
    primary = census_distance(before, after)
    secondary = 2 * specialization_distance(before, after) + _other_place(before, after)
    order = _symmetric_order(
        primary,
        secondary,
        np.array([rank for _, rank, _ in left], dtype=np.int64),
        np.array([rank for _, rank, _ in right], dtype=np.int64),
    )
    pairs: Pairs = []
    free_left = [True] * len(left)
    free_right = [True] * len(right)
    wanted = min(len(left), len(right))
    width = len(right)
    for flat in order.tolist():
        row, column = divmod(flat, width)
        if free_left[row] and free_right[column]:
            free_left[row] = free_right[column] = False
            pairs.append((before[row], after[column]))
            if len(pairs) == wanted:
                break
    return (
        pairs,
        [item for item, free in zip(left, free_left, strict=True) if free],
        [item for item, free in zip(right, free_right, strict=True) if free],
    )


def _other_place(before: Sequence[Kernel], after: Sequence[Kernel]) -> NDArray[np.bool_]:
    ids: dict[tuple[str, ...], int] = {}
    left = np.array([ids.setdefault(places(k), len(ids)) for k in before])
    right = np.array([ids.setdefault(places(k), len(ids)) for k in after])
    differs: NDArray[np.bool_] = left[:, None] != right[None, :]
    return differs


def _symmetric_order(
    primary: Matrix, secondary: Matrix, left: NDArray[np.int64], right: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Flat indices of all pairs, cheapest first.

    Ties go by the smaller of the two names, then the larger. That order does not ask which side
    a name is on: two pairs that still tie, (x, y) and (y, x), share no kernel, so that neither
    can take the other's place and the mirrored comparison picks the same pairs.
    """
    low = np.minimum.outer(left, right)
    high = np.maximum.outer(left, right)
    return np.lexsort((high.ravel(), low.ravel(), secondary.ravel(), primary.ravel()))


def _blocked(left: list[_Item], right: list[_Item]) -> Pairs:
    """Windows over both sides in the order of their totals; what is left goes round again."""
    pairs: Pairs = []
    for turn in range(_MAX_PASSES):
        if not left or not right:
            return pairs
        blocks = _windows(left, right, shifted=turn % 2 == 1)
        left, right = [], []
        for some_left, some_right in blocks:
            if some_left and some_right:
                found, rest_left, rest_right = _greedy(some_left, some_right)
                pairs += found
                left += rest_left
                right += rest_right
            else:
                left += some_left
                right += some_right
    # Few are left, all far from a counterpart: in the order of their totals.
    return pairs + [(a[2], b[2]) for a, b in zip(left, right, strict=False)]


def _windows(
    left: list[_Item], right: list[_Item], *, shifted: bool
) -> list[tuple[list[_Item], list[_Item]]]:
    """Cuts both sides at the same places, so that a window holds about `BLOCK` kernels.

    The cuts are (total, name) values, which know no side; equal values stay together.
    """
    keys = sorted([item[:2] for item in left] + [item[:2] for item in right])
    start = BLOCK // 2 if shifted else BLOCK
    cuts = [*dict.fromkeys(keys[i] for i in range(start, len(keys), BLOCK))]
    out = []
    from_left = from_right = 0
    for cut in [*cuts, None]:
        to_left = from_left
        while to_left < len(left) and (cut is None or left[to_left][:2] < cut):
            to_left += 1
        to_right = from_right
        while to_right < len(right) and (cut is None or right[to_right][:2] < cut):
            to_right += 1
        out.append((left[from_left:to_left], right[from_right:to_right]))
        from_left, from_right = to_left, to_right
    return out
