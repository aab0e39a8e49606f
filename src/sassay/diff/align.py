"""Two long listings aligned: patience first, an exact matcher only where it is cheap.

`difflib` alone is quadratic in what repeats, and a listing of 20,000 instructions repeats a lot.
Here the common ends go first; then lines, or runs of lines, that occur once on both sides pin
the rest (Bram Cohen's patience diff); only small gaps between pins see `difflib`.
"""

from __future__ import annotations

from bisect import bisect_left
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Ids = NDArray[np.int64]
Block = tuple[int, int, int]
"""Start before, start after, length: lines that are equal."""

_RUNS = (1, 2, 4, 8, 16, 32)
_SMALL = 40_000
"""Largest product of two gaps' lengths that `difflib` gets."""
_CHUNK = 160


def align(before: Sequence[str], after: Sequence[str]) -> list[Block]:
    """The equal runs of two sequences, in order, adjacent ones joined.

    Args:
        before: Keys of the lines before.
        after: Keys of the lines after.
    """
    ids: dict[str, int] = {}
    left = np.array([ids.setdefault(key, len(ids)) for key in before], dtype=np.int64)
    right = np.array([ids.setdefault(key, len(ids)) for key in after], dtype=np.int64)
    return _joined(sorted(_blocks(left, right)))


def _joined(blocks: Sequence[Block]) -> list[Block]:
    out: list[Block] = []
    for start, other, length in blocks:
        if out and out[-1][0] + out[-1][2] == start and out[-1][1] + out[-1][2] == other:
            out[-1] = (out[-1][0], out[-1][1], out[-1][2] + length)
        else:
            out.append((start, other, length))
    return out


def _blocks(left: Ids, right: Ids) -> Iterator[Block]:
    work = [(0, len(left), 0, len(right))]
    while work:
        low, high, other_low, other_high = work.pop()
        head = _common(left[low:high], right[other_low:other_high])
        if head:
            yield low, other_low, head
            low, other_low = low + head, other_low + head
        tail = _common(left[low:high][::-1], right[other_low:other_high][::-1])
        if tail:
            high, other_high = high - tail, other_high - tail
            yield high, other_high, tail
        if low == high or other_low == other_high:
            continue
        pins = _pins(left[low:high], right[other_low:other_high])
        if pins:
            edges = [(low + i, other_low + j) for i, j in pins]
            # A pin starts the gap after it, where trimming the common head takes it at once.
            work += [
                (i, k, j, m)
                for (i, j), (k, m) in zip(
                    [(low, other_low), *edges], [*edges, (high, other_high)], strict=True
                )
            ]
        else:
            yield from _gap(left[low:high], right[other_low:other_high], low, other_low)


def _common(left: Ids, right: Ids) -> int:
    """Length of the common head."""
    length = min(len(left), len(right))
    differs = np.flatnonzero(left[:length] != right[:length])
    return int(differs[0]) if len(differs) else length


def _pins(left: Ids, right: Ids) -> list[tuple[int, int]]:
    """Places of lines that occur once on both sides, in an order that both sides agree on.

    Where no line does, of the shortest run of lines that does. The first pin is never (0, 0) of
    the gap, whose first lines differ.
    """
    for run in _RUNS:
        if run > min(len(left), len(right)):
            break
        pins = _unique_in_both(_runs(left, right, run))
        if pins:
            return _longest_increasing(pins)
    return []


def _runs(left: Ids, right: Ids, run: int) -> tuple[Ids, Ids]:
    """Ids of all runs of `run` lines, equal for equal runs."""
    if run == 1:
        return left, right
    windows = np.concatenate(
        [
            np.lib.stride_tricks.sliding_window_view(left, run),
            np.lib.stride_tricks.sliding_window_view(right, run),
        ]
    )
    _, inverse = np.unique(windows, axis=0, return_inverse=True)
    flat = inverse.reshape(-1)
    count = len(left) - run + 1
    return flat[:count], flat[count:]


def _unique_in_both(sides: tuple[Ids, Ids]) -> list[tuple[int, int]]:
    places = []
    for side in sides:
        values, first, counts = np.unique(side, return_index=True, return_counts=True)
        once = counts == 1
        places.append((values[once], first[once]))
    (left_values, left_first), (right_values, right_first) = places
    _, i, j = np.intersect1d(left_values, right_values, assume_unique=True, return_indices=True)
    return sorted(zip(left_first[i].tolist(), right_first[j].tolist(), strict=True))


def _longest_increasing(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest chain in which both places grow; `pairs` are sorted by the first."""
    tops: list[int] = []
    ends: list[int] = []
    previous: list[int] = []
    for index, (_, place) in enumerate(pairs):
        pile = bisect_left(tops, place)
        previous.append(ends[pile - 1] if pile else -1)
        if pile == len(tops):
            tops.append(place)
            ends.append(index)
        else:
            tops[pile] = place
            ends[pile] = index
    chain = []
    index = ends[-1]
    while index >= 0:
        chain.append(pairs[index])
        index = previous[index]
    return chain[::-1]


def _gap(left: Ids, right: Ids, start: int, other: int) -> Iterator[Block]:
    """A gap without pins: exact if it is small, else in chunks at the same relative places."""
    if len(left) * len(right) <= _SMALL:
        matcher = SequenceMatcher(None, left.tolist(), right.tolist(), autojunk=False)
        for i, j, length in matcher.get_matching_blocks():
            if length:
                yield start + i, other + j, length
        return
    chunks = max(2, -(-max(len(left), len(right)) // _CHUNK))
    cuts = [len(left) * n // chunks for n in range(chunks + 1)]
    other_cuts = [len(right) * n // chunks for n in range(chunks + 1)]
    for n in range(chunks):
        some, others = left[cuts[n] : cuts[n + 1]], right[other_cuts[n] : other_cuts[n + 1]]
        if len(some) and len(others):
            yield from _gap(some, others, start + cuts[n], other + other_cuts[n])
