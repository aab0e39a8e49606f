"""Which elements of two results are too far apart, and the first of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sassay.machine.parity.contract import Claim
from sassay.machine.parity.formats import bits_of, is_nan, ulps, values_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from sassay.machine.parity.contract import Contract
    from sassay.machine.parity.formats import Format

    Array = NDArray[Any]


def shared(contract: Contract) -> list[str]:
    """The buffers that both sides have to agree on."""
    return [name for name, spec in contract.buffers.items() if spec.compared]


def first_of(bad: Mapping[str, NDArray[np.bool_]]) -> tuple[str, int, int]:
    """Buffer and flat place of the first difference, and how many there are."""
    name = next(iter(bad))
    count = sum(int(np.count_nonzero(each)) for each in bad.values())
    return name, int(np.argmax(bad[name].reshape(-1))), count


def index_of(element: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A flat place by dimension."""
    return tuple(int(each) for each in np.unravel_index(element, shape))


def apart(
    contract: Contract, left: Array, right: Array, form: Format
) -> tuple[NDArray[np.bool_], float]:
    """Which elements break the claim, and the largest distance in the unit that it bounds."""
    unlike = bits_of(left) != bits_of(right)
    # Which NaN an operation gives is not for a kernel to choose.
    unlike &= ~(is_nan(left, form) & is_nan(right, form))
    if contract.claim is Claim.BITWISE or not unlike.any():
        return unlike, 0.0
    a, b = values_of(left, form), values_of(right, form)
    with np.errstate(all="ignore"):
        gap = np.abs(a - b)
        relative = gap / np.maximum(np.abs(a), np.abs(b))
        far = unlike.copy()
        steps = ulps(left, right, form)
        for bound, measure in (
            (contract.ulp, steps), (contract.relative, relative), (contract.absolute, gap),
        ):  # fmt: skip
            if bound is not None:
                far &= ~(measure <= bound)
    unit = steps if contract.ulp is not None else relative if contract.relative is not None else gap
    inside = unit[unlike & np.isfinite(unit)]
    return far, float(inside.max()) if inside.size else 0.0


def distance_text(contract: Contract, worst: float) -> str:
    """A distance in the unit that the claim bounds; empty where it bounds none."""
    if contract.claim is not Claim.CLOSE:
        return ""
    if contract.ulp is not None:
        return f"{worst:.0f} ulp"
    return f"{worst:.3g} {'relative' if contract.relative is not None else 'absolute'}"
