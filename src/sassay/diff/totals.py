"""Sums of many censuses at once, one table over all rows and states."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from sassay.isa.counted import flatten

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sassay.model.kernel import Census, Kernel

Values = tuple[int | None, ...]
_INT64 = np.int64


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
    where: list[tuple[int, int]] = []
    unknown: set[tuple[int, int]] = set()
    filled: set[int] = set()
    for row, parts in enumerate(rows):
        for state, part in enumerate(parts):
            for kernel in part:
                counts = census(kernel)
                if counts is None:
                    unknown.add((row, state))
                else:
                    censuses.append(counts)
                    where.append((row, state))
                    filled.add(row)
    if not censuses:
        return [None] * len(rows)
    names, places, values, lengths = flatten(censuses)
    place = np.array(where, dtype=_INT64)
    keys = np.repeat(place[:, 0], lengths) * len(names) + places
    distinct, inverse = np.unique(keys, return_inverse=True)
    table = np.zeros((len(rows[0]), len(distinct)), dtype=_INT64)
    np.add.at(table, (np.repeat(place[:, 1], lengths), inverse.reshape(-1)), values)
    bounds = np.searchsorted(distinct, np.arange(len(rows) + 1) * len(names)).tolist()
    labels = np.array(names, dtype=object)[distinct % len(names)].tolist()
    out: list[Totals | None] = []
    for row in range(len(rows)):
        if row not in filled:
            out.append(None)
            continue
        low, high = bounds[row], bounds[row + 1]
        sides = [
            None if (row, state) in unknown else table[state, low:high].tolist()
            for state in range(len(table))
        ]
        nothing = [None] * (high - low)
        values_by_name = zip(*[nothing if side is None else side for side in sides], strict=True)
        out.append(
            Totals(
                dict(zip(labels[low:high], values_by_name, strict=True)),
                tuple(None if side is None else sum(side) for side in sides),
            )
        )
    return out
