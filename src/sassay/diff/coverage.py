"""Which families of a state exist for which architecture, and which have a PTX fallback."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from sassay.diff.selection import arch_order
from sassay.model.library import Coverage, CoveragePattern

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sassay.model.kernel import Kernel

PTX_PREFIX = "compute_"


def coverage(kernels: Iterable[Kernel]) -> Coverage:
    """The architectures of every family.

    Args:
        kernels: Of one state.
    """
    counts: defaultdict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    for kernel in kernels:
        held = counts[kernel.family]
        number, size = held.get(kernel.arch, (0, 0))
        held[kernel.arch] = (number + 1, size + (kernel.code_bytes or 0))
    groups: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for family in sorted(counts):
        groups[tuple(sorted(counts[family], key=arch_order))].append(family)
    patterns = [
        CoveragePattern(
            archs=tuple(arch for arch in archs if not arch.startswith(PTX_PREFIX)),
            ptx=tuple(arch for arch in archs if arch.startswith(PTX_PREFIX)),
            families=tuple(families),
            kernels={arch: sum(counts[f][arch][0] for f in families) for arch in archs},
            code_bytes={arch: sum(counts[f][arch][1] for f in families) for arch in archs},
        )
        for archs, families in groups.items()
    ]
    patterns.sort(key=lambda item: (-len(item.families), item.families))
    everything = sorted({arch for archs in groups for arch in archs}, key=arch_order)
    return Coverage(
        archs=tuple(arch for arch in everything if not arch.startswith(PTX_PREFIX)),
        ptx=tuple(arch for arch in everything if arch.startswith(PTX_PREFIX)),
        patterns=tuple(patterns),
    )
