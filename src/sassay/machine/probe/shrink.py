"""Makes a row that flips a choice as small as it goes: fewer values, then rounder ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from sassay.machine.parity.formats import values_of, words_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sassay.machine.parity.formats import Format

    Array = NDArray[Any]

Flips = Callable[["Array"], "NDArray[np.bool_]"]
"""For each of many rows, whether the two sides choose other sets."""

MAX_ROUNDS = 60
MAX_BATCH = 512


def shrink(row: Array, form: Format, flips: Flips) -> Array:
    """The smallest row that still flips, as far as sampling and greedy steps find it.

    A few of its values are kept at random, more and more of them until some choice flips. Then
    values become zero, in ever smaller stretches, then rounder, as long as the sets still differ.

    Args:
        row: Words of a row that flips.
        form: Their type.
        flips: Runs both sides on candidates.
    """
    zero = words_of(np.zeros(1), form)[0]
    row = _sampled(row, form, flips)
    rounds = MAX_ROUNDS
    size = max(len(row) // 2, 1)
    while rounds and size:
        rounds -= 1
        kept = np.flatnonzero(values_of(row, form) != 0)
        parts = [kept[at : at + size] for at in range(0, len(kept), size)][:MAX_BATCH]
        found = _first(row, [(part, np.full(len(part), zero)) for part in parts], flips)
        if found is None:
            size //= 2
        else:
            row = found
            size = min(size, max(int(np.count_nonzero(values_of(row, form))) // 2, 1))
    for digits in (1, 2, 3):
        for place in np.flatnonzero(values_of(row, form) != 0).tolist():
            if not rounds:
                return row
            value = values_of(row[place : place + 1], form)[0]
            rounder = words_of(np.array([float(f"{value:.{digits - 1}e}")]), form)
            if rounder[0] == row[place]:
                continue
            rounds -= 1
            found = _first(row, [(np.array([place]), rounder)], flips)
            row = row if found is None else found
    return row


def _sampled(row: Array, form: Format, flips: Flips) -> Array:
    """A row with few of the values that flips, all others zero; the row itself if none is."""
    kept = np.flatnonzero(values_of(row, form) != 0)
    random = np.random.default_rng(0)
    zero = words_of(np.zeros(1), form)[0]
    size = 1
    while size <= len(kept) // 2:
        places = np.argsort(random.random((MAX_BATCH, len(kept))), axis=1)[:, :size]
        candidates = np.full((MAX_BATCH, len(row)), zero)
        chosen = kept[places]
        np.put_along_axis(candidates, chosen, row[chosen], axis=1)
        good = np.flatnonzero(flips(candidates))
        if good.size:
            found: Array = candidates[good[0]]
            return found
        size *= 2
    return row


def _first(row: Array, changes: list[tuple[Array, Array]], flips: Flips) -> Array | None:
    """The row after all changes that keep it flipping together, else after the first that does."""
    if not changes:
        return None
    candidates = np.repeat(row[None, :], len(changes), axis=0)
    for number, (places, words) in enumerate(changes):
        candidates[number, places] = words
    good = np.flatnonzero(flips(candidates))
    if not good.size:
        return None
    together = row.copy()
    for number in good.tolist():
        together[changes[number][0]] = changes[number][1]
    if good.size > 1 and bool(flips(together[None, :])[0]):
        return together
    found: Array = candidates[good[0]]
    return found
