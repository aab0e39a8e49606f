"""What is known of a value in each lane: a sum of shared terms and a number for each thread.

A value is taken as a sum of things that all threads share, whose values are not known, and of a
number for each thread, which is: `%tid.x` is known, and so is what shifts, masks and constants
make of it. What does not fit is None: nothing is said of it, and no rule fires on it. Sums are
taken not to wrap around.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LANES = 64
"""Threads that are looked at: two warps."""
_MAX_TERMS = 32
_FAR = 1 << 62

Terms = tuple[tuple[int, int], ...]
"""Values that all threads share, with their factors, sorted by value; a negative number stands for
a product of such values."""


@dataclass(frozen=True, eq=False)
class Form:
    """What a value is: a sum of shared terms, and a number for each lane."""

    terms: Terms
    lanes: NDArray[np.int64]

    @property
    def is_shared(self) -> bool:
        """Whether all lanes hold the same."""
        return bool((self.lanes == self.lanes[0]).all())

    @property
    def constant(self) -> int | None:
        """The number that it is, None if it is not one number for all."""
        return None if self.terms or not self.is_shared else int(self.lanes[0])

    @property
    def spread(self) -> NDArray[np.int64]:
        """How far each lane is from the first."""
        difference: NDArray[np.int64] = self.lanes - self.lanes[0]
        return difference

    @property
    def align(self) -> int:
        """A power of two that the shared terms are a multiple of."""
        found = _FAR
        for _, factor in self.terms:
            found = min(found, factor & -factor)
        return found


def plain(lanes: NDArray[np.int64]) -> Form:
    """Numbers that are known for every lane."""
    return Form((), lanes)


def number(value: int) -> Form | None:
    """One number for all lanes; None where it is too large."""
    if abs(value) >= _FAR:
        return None
    return plain(np.full(LANES, value, dtype=np.int64))


def add(left: Form, right: Form, sign: int = 1) -> Form | None:
    """A sum, or with `sign` -1 a difference; None where it grows too large to follow."""
    if right.terms:
        terms = dict(left.terms)
        for value, factor in right.terms:
            terms[value] = terms.get(value, 0) + sign * factor
        if len(terms) > _MAX_TERMS:
            return None
        joined = tuple(sorted((v, f) for v, f in terms.items() if f))
    else:
        joined = left.terms
    return _checked(Form(joined, left.lanes + sign * right.lanes))


def times(form: Form, factor: int) -> Form | None:
    """A product with a number; None where it grows too large."""
    if factor == 0:
        return number(0)
    if abs(factor) >= _FAR or any(abs(f * factor) >= _FAR for _, f in form.terms):
        return None
    if int(np.abs(form.lanes).max()) * abs(factor) >= _FAR:
        return None
    return Form(tuple((v, f * factor) for v, f in form.terms), form.lanes * factor)


def _checked(form: Form) -> Form | None:
    return None if int(np.abs(form.lanes).max()) >= _FAR else form
