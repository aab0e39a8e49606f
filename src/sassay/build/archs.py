"""Architectures that kernels are compiled for."""

from __future__ import annotations

import re

NUMBERS: tuple[int, ...] = (75, 80, 86, 87, 88, 89, 90, 100, 101, 103, 110, 120, 121)
"""Compute capabilities from Turing on; what a given ptxas knows is its own affair."""

_SPELLING = re.compile(r"(?:sm_?)?(\d{2,3})[af]?")


def canonical_arch(spelling: str) -> str | None:
    """`sm_90` for `90`, `sm90`, `sm_90` and `sm_90a`; None for what is no known architecture.

    Triton chooses the `a` variant itself from sm_90 on.
    """
    found = _SPELLING.fullmatch(spelling.strip())
    if found is None or int(found.group(1)) not in NUMBERS:
        return None
    return f"sm_{found.group(1)}"


def arch_number(arch: str) -> int:
    """90 for `sm_90`."""
    return int(arch.removeprefix("sm_"))


def expected() -> str:
    """What a wrong architecture is answered with."""
    return "expected one of " + ", ".join(f"sm_{number}" for number in NUMBERS)
