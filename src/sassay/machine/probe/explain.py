"""Which outputs of a probe can differ in their bits, and why: from the expressions of one row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.parity.trace import Trace, parting, trace

if TYPE_CHECKING:
    from sassay.machine.parity.execute import Case, Sides
    from sassay.machine.probe.spec import ProbeSpec


def explain(spec: ProbeSpec, sides: Sides, case: Case) -> tuple[str, ...]:
    """What the expressions of one row say of each buffer that both sides write.

    Args:
        spec: The probe.
        sides: Finds kernels.
        case: One row.

    Raises:
        SassayError: A kernel cannot be found, bound or followed.
    """
    left, right = trace(sides, spec.left, case), trace(sides, spec.right, case)
    if left.trap or right.trap:
        return (left.trap or right.trap,)
    return tuple(line for name in case.buffers for line in _buffer(name, left, right, case))


def _buffer(name: str, left: Trace, right: Trace, case: Case) -> list[str]:
    both = left.written[name] & right.written[name]
    count = int(np.count_nonzero(both))
    if not count:
        return []
    wrong = both & (left.hashes[name] != right.hashes[name])
    number = int(np.count_nonzero(wrong))
    if not number:
        return [f"{name}: the same bits for every input"]
    if not case.formats[name].is_float:
        return [f"{name}: chosen by other instructions; the counts say how often it shows"]
    product = left.products.get(name) or right.products.get(name)
    if product is not None:
        return [f"{name}: follow from {product.x}, by a matrix product"]
    element = int(np.argmax(wrong.reshape(-1)))
    at = ", ".join(str(int(i)) for i in np.unravel_index(element, wrong.shape))
    found = parting(left, right, name, element, case)
    share = "all" if number == count else f"{number:,} of {count:,}"
    return [
        f"{name}: {share} elements can differ; {name}[{at}] is, where they part,",
        f"left: {found.left} at {found.left_place}".removesuffix(" at "),
        f"right: {found.right} at {found.right_place}".removesuffix(" at "),
    ]
