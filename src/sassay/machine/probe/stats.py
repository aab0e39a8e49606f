"""Rates with confidence intervals."""

from __future__ import annotations

from math import exp, lgamma, log, log1p

from sassay.model.parity import Rate

LEVEL = 0.95
_STEPS = 200
_TINY = 1e-300


def rate(count: int, trials: int) -> Rate:
    """A share with its Clopper-Pearson interval, which holds at least 95% whatever the share is.

    Source: Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case
    of the binomial", Biometrika 26 (1934): quantiles of beta distributions.

    Args:
        count: How often it happened.
        trials: Out of how many; 0 leaves everything possible.
    """
    if not trials:
        return Rate(0, 0, 0.0, 1.0)
    tail = (1 - LEVEL) / 2
    low = 0.0 if count == 0 else _quantile(tail, count, trials - count + 1)
    high = 1.0 if count == trials else _quantile(1 - tail, count + 1, trials - count)
    return Rate(count, trials, low, high)


def _quantile(share: float, a: float, b: float) -> float:
    """Where the cumulative beta distribution reaches a share, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if middle in {low, high}:
            break
        if _beta(middle, a, b) < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _beta(x: float, a: float, b: float) -> float:
    """The regularized incomplete beta function, by its continued fraction.

    Source: DLMF 8.17.22, evaluated by Lentz's method on the side where it converges fast.
    """
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(x, a, b) / a
    return 1 - front * _fraction(1 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    c, d = 1.0, 1 - (a + b) * x / (a + 1)
    d = 1 / (d if abs(d) > _TINY else _TINY)
    found = d
    for m in range(1, 10_000):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 + term * d
            d = 1 / (d if abs(d) > _TINY else _TINY)
            c = 1 + term / c
            c = c if abs(c) > _TINY else _TINY
            found *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return found
