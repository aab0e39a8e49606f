"""Architectures that kernels are compiled for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sassay.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def known_archs(names: Sequence[str]) -> tuple[str, ...]:
    """Architectures of the command line in one spelling, sorted, each once.

    Args:
        names: As written, such as `90a` or `sm_90`.

    Raises:
        UsageError: One is unknown.
    """
    found = set()
    for name in names:
        arch = canonical_arch(name)
        if arch is None:
            raise UsageError(f"unknown architecture {name!r}", place="--arch", hint=expected())
        found.add(arch)
    return tuple(sorted(found, key=arch_number))
