"""`rcp.approx.ftz.f64` and `rsqrt.approx.ftz.f64` as an H100 computes them.

`MUFU.RCP64H` and `MUFU.RSQ64H` see the upper word of a double and give one, with zeros below it: so
a table holds the results for all 20 bits of the fraction there, and the other exponents follow by
scaling. That agreed with all 2^32 results of both. A double is a NaN for them if its upper word is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.approximate.tables import table

if TYPE_CHECKING:
    from collections.abc import Callable

    from sassay.machine.types import Array

_SIGN, _FRACTION = np.uint32(1 << 31), np.uint32((1 << 20) - 1)
_INFINITY, _NAN = np.uint32(0x7FF00000), np.uint32(0x7FFFFFFF)
_BIAS, _TOP = 1023, 2047


def _scaled(words: Array, power: Array) -> Array:
    """Positive results times a power of two; too small is zero."""
    exponent = (words >> np.uint32(20)).astype(np.int32) + power
    moved = (words & _FRACTION) | (np.clip(exponent, 0, _TOP).astype(np.uint32) << np.uint32(20))
    return np.where(exponent <= 0, np.uint32(0), moved)


def _rcp(words: Array) -> Array:
    sign, exponent = words & _SIGN, ((words & ~_SIGN) >> np.uint32(20)).astype(np.int32)
    fraction = words & _FRACTION
    found = _scaled(np.take(table("rcp64"), fraction), _BIAS - exponent) | sign
    found = np.where(exponent == 0, sign | _INFINITY, found)
    special = np.where(fraction == 0, sign, _NAN)
    return np.where(exponent == _TOP, special, found)


def _rsqrt(words: Array) -> Array:
    sign, exponent = words & _SIGN, ((words & ~_SIGN) >> np.uint32(20)).astype(np.int32)
    fraction = words & _FRACTION
    odd = (exponent & 1) == 1
    found = np.where(
        odd, np.take(table("rsqrt64_odd"), fraction), np.take(table("rsqrt64_even"), fraction)
    )
    found = _scaled(found, (np.where(odd, _BIAS, _BIAS - 1) - exponent) >> 1)
    special = np.where(fraction == 0, np.uint32(0), _NAN)
    found = np.where(exponent == _TOP, special, found)
    found = np.where(sign != 0, _NAN, found)
    return np.where(exponent == 0, sign | _INFINITY, found)


def _of_doubles(run: Callable[[Array], Array]) -> Callable[[Array], Array]:
    def whole(value: Array) -> Array:
        words = (value.view(np.uint64) >> np.uint64(32)).astype(np.uint32)
        return (run(words).astype(np.uint64) << np.uint64(32)).view(np.float64)

    return whole


UPPER: dict[str, Callable[[Array], Array]] = {"rcp64": _rcp, "rsqrt64": _rsqrt}
"""By upper words."""
DOUBLE: dict[str, Callable[[Array], Array]] = {
    "rcp": _of_doubles(_rcp),
    "rsqrt": _of_doubles(_rsqrt),
}
"""By doubles."""
