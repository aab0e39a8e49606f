"""Which architectures a family lacks, of those that a rule expects."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from sassay.policy import schema
from sassay.policy.globs import matches_any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sassay.model.kernel import Kernel

_PTX = "compute_"
_NUMBER = re.compile(r"(?:sm|compute)_(\d+)([af]?)")


def held_archs(kernels: Iterable[Kernel]) -> Mapping[str, tuple[str, ...]]:
    """The architectures of every family of a state, PTX fallbacks among them, sorted."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for kernel in kernels:
        found[kernel.family].add(kernel.arch)
    return {family: tuple(sorted(archs)) for family, archs in found.items()}


def lacking(condition: schema.CoverageLacks, held: tuple[str, ...]) -> tuple[str, ...]:
    """What a family lacks, in the rule's words.

    Args:
        condition: What is expected.
        held: The family's architectures.
    """
    code = [arch for arch in held if not arch.startswith(_PTX)]
    ptx = [arch for arch in held if arch.startswith(_PTX)]
    missing = [
        pattern
        for pattern in condition.archs
        if not matches_any((pattern,), code)
        and not (condition.ptx is schema.PtxFallback.ACCEPTED and _serves(ptx, pattern))
    ]
    if condition.ptx is schema.PtxFallback.REQUIRED and not ptx:
        missing.append("a PTX fallback")
    return tuple(missing)


def _serves(ptx: Iterable[str], arch: str) -> bool:
    """Whether the driver can compile one of these texts for an architecture.

    PTX of an older architecture runs on newer ones, unless it is for one architecture (`a`) or
    family (`f`) alone (PTX ISA, `.target`).
    """
    wanted = _NUMBER.fullmatch(arch)
    for text in ptx:
        found = _NUMBER.fullmatch(text)
        if wanted and found and not found[2] and int(found[1]) <= int(wanted[1]):
            return True
    return False
