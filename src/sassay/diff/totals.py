"""Sums of many censuses at once, one table over all rows and states."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from sassay.isa.counted import flatten

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from sassay.model.kernel import Census, Kernel

Values = tuple[int | None, ...]


class Totals(msgspec.Struct, frozen=True):
    """One row's totals, one value a state.

    Attributes:
        by_name: Of every name that occurs in the row, sorted.
        whole: Of all names together.
    """

    by_name: dict[str, Values]
    whole: Values


def row_totals(
    rows: Sequence[Sequence[Sequence[Kernel]]], census: Callable[[Kernel], Census | None]
) -> list[Totals | None]:
    """For every row, the total of every name that occurs in it.

    A state with a kernel whose census is unknown has None throughout: a sum over the known
    kernels alone would look like a total and be none. No kernels make zero. A row of which no
    state knows anything is None.

    Args:
        rows: For every row the kernels of each state; all rows have as many states.
        census: What to sum.
    """
    censuses: list[Census] = []
    ends: list[list[int]] = []
    unknown: set[tuple[int, int]] = set()
    for row, parts in enumerate(rows):
        ends.append([])
        for state, part in enumerate(parts):
            known = [counts for kernel in part if (counts := census(kernel)) is not None]
            if len(known) < len(part):
                unknown.add((row, state))
            censuses += known
            ends[row].append(len(censuses))
    names, places, values, lengths = flatten(censuses)
    firsts = [0, *lengths.cumsum().tolist()]
    sums = _Sums(names, places, values)
    out: list[Totals | None] = []
    start = 0
    for row, bounds in enumerate(ends):
        if start == bounds[-1]:
            out.append(None)
            continue
        spans = [firsts[place] for place in (start, *bounds)]
        out.append(sums.of(spans, [(row, state) in unknown for state in range(len(bounds))]))
        start = bounds[-1]
    return out


class _Sums:
    """Adds up spans of flattened censuses."""

    def __init__(
        self, names: Sequence[str], places: NDArray[np.intp], values: NDArray[np.integer]
    ) -> None:
        self._names = names
        self._places = places
        self._values = values
        self._places_in_row = np.zeros(len(names), np.intp)

    def of(self, spans: Sequence[int], unknown: Sequence[bool]) -> Totals:
        """The totals of one row.

        Args:
            spans: Where each state's part begins, and the end of the last.
            unknown: Of which states not all is known.
        """
        met = self._places[spans[0] : spans[-1]]
        distinct = np.unique(met) if len(met) < len(self._names) else self._distinct(met)
        self._places_in_row[distinct] = np.arange(len(distinct))
        sides: list[list[int] | None] = []
        for state, hidden in enumerate(unknown):
            part = slice(spans[state], spans[state + 1])
            total = np.zeros(len(distinct), np.int64)
            np.add.at(total, self._places_in_row.take(self._places[part]), self._values[part])
            sides.append(None if hidden else total.tolist())
        nothing = [None] * len(distinct)
        by_name = zip(*[nothing if side is None else side for side in sides], strict=True)
        labels = map(self._names.__getitem__, distinct.tolist())
        return Totals(
            dict(zip(labels, by_name, strict=True)),
            tuple(None if side is None else sum(side) for side in sides),
        )

    def _distinct(self, places: NDArray[np.intp]) -> NDArray[np.intp]:
        """The different places, ascending, of so many that all names are looked through."""
        held = np.zeros(len(self._names), np.bool_)
        held[places] = True
        return held.nonzero()[0]
