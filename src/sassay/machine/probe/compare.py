"""What two sides chose, row by row: sets, order, weights aligned by id."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sassay.machine.probe.stats import rate
from sassay.model.parity import ProbeKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


@dataclass(frozen=True)
class Chosen:
    """What a side chose.

    Attributes:
        ids: By row and slot.
        weights: The same shape, in double precision; None where there are none.
        words: Their bits.
    """

    ids: NDArray[np.int64]
    weights: NDArray[np.float64] | None
    words: NDArray[np.uint64] | None


def _by_id(side: Chosen, order: Array) -> Chosen:
    ids = np.take_along_axis(side.ids, order, axis=1)
    if side.weights is None or side.words is None:
        return Chosen(ids, None, None)
    return Chosen(
        ids,
        np.take_along_axis(side.weights, order, axis=1),
        np.take_along_axis(side.words, order, axis=1),
    )


@dataclass
class Counts:
    """Sums over rows of one kind."""

    rows: int = 0
    sets: int = 0
    orders: int = 0
    agreeing: int = 0
    flips: int = 0
    choices: int = 0
    bits: int = 0
    largest: float = 0.0
    largest_at: tuple[int, int] | None = None
    flipped: list[int] = field(default_factory=list)

    def add(self, left: Chosen, right: Chosen, first: int) -> NDArray[np.bool_]:
        """Counts some rows.

        Args:
            left: The left side.
            right: The right side.
            first: Number of the first row.

        Returns:
            Rows on which the sets differ.
        """
        order_left, order_right = (
            np.argsort(side.ids, axis=1, kind="stable") for side in (left, right)
        )
        ids_left = np.take_along_axis(left.ids, order_left, axis=1)
        ids_right = np.take_along_axis(right.ids, order_right, axis=1)
        other: NDArray[np.bool_] = (ids_left != ids_right).any(axis=1)
        self.rows += len(other)
        self.choices += left.ids.size
        self.sets += int(np.count_nonzero(other))
        self.agreeing += int(np.count_nonzero(~other))
        self.orders += int(np.count_nonzero(~other & (left.ids != right.ids).any(axis=1)))
        for row in np.flatnonzero(other).tolist():
            gone = np.isin(left.ids[row], right.ids[row], invert=True)
            self.flips += int(np.count_nonzero(gone))
        self.flipped += [first + row for row in np.flatnonzero(other).tolist()]
        self._weigh(_by_id(left, order_left), _by_id(right, order_right), other, first)
        return other

    def _weigh(self, left: Chosen, right: Chosen, other: NDArray[np.bool_], first: int) -> None:
        """Weights of rows whose sets agree, in the order of their ids."""
        if left.weights is None or right.weights is None:
            return
        a, b = left.weights, right.weights
        unlike = left.words != right.words
        # Weights of two types are compared as numbers.
        unlike &= ~((a == b) | (np.isnan(a) & np.isnan(b)))
        unlike[other] = False
        self.bits += int(np.count_nonzero(unlike.any(axis=1)))
        with np.errstate(invalid="ignore"):
            gap = np.where(unlike, np.abs(a - b), 0.0)
        gap = np.where(np.isnan(gap), np.inf, gap)
        if gap.size and gap.max() > self.largest:
            row, slot = np.unravel_index(int(np.argmax(gap)), gap.shape)
            self.largest = float(gap[row, slot])
            self.largest_at = (first + int(row), int(left.ids[row, slot]))

    def merge(self, other: Counts) -> None:
        """Adds the sums of another kind."""
        for name in ("rows", "sets", "orders", "agreeing", "flips", "choices", "bits"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        if other.largest > self.largest:
            self.largest, self.largest_at = other.largest, other.largest_at

    def record(self, kind: str) -> ProbeKind:
        """The same as rates."""
        return ProbeKind(
            kind=kind,
            rows=self.rows,
            set_disagreement=rate(self.sets, self.rows),
            order_disagreement=rate(self.orders, self.rows),
            expert_flips=rate(self.flips, self.choices),
            weight_bits=rate(self.bits, self.agreeing),
            largest_weight_difference=self.largest if np.isfinite(self.largest) else None,
            largest_at=self.largest_at,
        )
