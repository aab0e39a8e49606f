"""The libraries of two states side by side: what a release changed, by shared object."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from sassay.diff.selection import arch_order
from sassay.model.layers import TIER_ORDER, UNCHANGED_TIERS
from sassay.model.library import ArchRow, LibraryReport, LibraryRow, Mover

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.diff.pairing import Compared, Groups, PairComparison
    from sassay.model.kernel import Kernel

_FATBIN = "!fatbin."
_LAUNCH = "launch"
_UNKNOWN = "unknown"


def library_report(groups: Sequence[Groups], pair: PairComparison) -> LibraryReport:
    """Libraries, movers and architectures of the headline pair; empty without any library.

    Args:
        groups: Kernels of each state, oldest first.
        pair: What was compared.
    """
    libraries = _libraries(pair)
    if not libraries:
        return LibraryReport()
    return LibraryReport(libraries=libraries, movers=_movers(pair), archs=_archs(groups))


def libraries_of(kernel: Kernel) -> tuple[str, ...]:
    """The libraries that hold a kernel, sorted; none for one that lies in no fatbin."""
    return tuple(
        sorted(
            {
                source.path.rpartition(_FATBIN)[0]
                for source in kernel.sources
                if _FATBIN in source.path
            }
        )
    )


class _Tally:
    """One library and architecture while kernels are counted."""

    def __init__(self) -> None:
        self.kernels = [0, 0]
        self.code_bytes = [0, 0]
        self.unchanged = self.added = self.removed = 0
        self.tiers: Counter[str] = Counter()

    def hold(self, side: int, kernel: Kernel) -> None:
        self.kernels[side] += 1
        self.code_bytes[side] += kernel.code_bytes or 0


def _libraries(pair: PairComparison) -> tuple[LibraryRow, ...]:
    tallies: defaultdict[tuple[str, str], _Tally] = defaultdict(_Tally)
    for (_, arch), family in pair.items():
        for item in family.compared:
            before, after = set(libraries_of(item.before)), set(libraries_of(item.after))
            for library in before | after:
                tally = tallies[library, arch]
                if library in before:
                    tally.hold(0, item.before)
                if library in after:
                    tally.hold(1, item.after)
                if library not in after:
                    tally.removed += 1
                elif library not in before:
                    tally.added += 1
                elif item.unchanged:
                    tally.unchanged += 1
                else:
                    tally.tiers[_tier(item)] += 1
        for side, kernels in enumerate((family.removed, family.added)):
            for kernel in kernels:
                for library in libraries_of(kernel):
                    tally = tallies[library, arch]
                    tally.hold(side, kernel)
                    tally.added += side
                    tally.removed += 1 - side
    return tuple(
        LibraryRow(
            library=library,
            arch=arch,
            kernels=(tally.kernels[0], tally.kernels[1]),
            code_bytes=(tally.code_bytes[0], tally.code_bytes[1]),
            unchanged=tally.unchanged,
            added=tally.added,
            removed=tally.removed,
            tiers=dict(sorted(tally.tiers.items())),
        )
        for (library, arch), tally in sorted(
            tallies.items(), key=lambda item: (item[0][0], arch_order(item[0][1]))
        )
    )


def _tier(item: Compared) -> str:
    tier = item.depth.tier
    if tier is None:
        return _UNKNOWN
    return _LAUNCH if tier in UNCHANGED_TIERS else tier.value


def _movers(pair: PairComparison) -> tuple[Mover, ...]:
    found = []
    for (name, arch), family in pair.items():
        changed = [item for item in family.compared if not item.unchanged]
        if not (changed or family.added or family.removed):
            continue
        before = [*(item.before for item in family.compared), *family.removed]
        after = [*(item.after for item in family.compared), *family.added]
        tiers = [item.depth.tier for item in changed if item.depth.tier is not None]
        found.append(
            Mover(
                family=name,
                arch=arch,
                kernels=(len(before), len(after)),
                code_bytes=(_bytes(before), _bytes(after)),
                changed=len(changed),
                tier=max(tiers, key=TIER_ORDER.index).value if tiers else None,
            )
        )
    found.sort(
        key=lambda item: (
            -abs(item.code_bytes[1] - item.code_bytes[0]), item.family, arch_order(item.arch),
        )
    )  # fmt: skip
    return tuple(found)


def _bytes(kernels: Sequence[Kernel]) -> int:
    return sum(kernel.code_bytes or 0 for kernel in kernels)


def _archs(groups: Sequence[Groups]) -> tuple[ArchRow, ...]:
    archs = sorted({arch for state in groups for _, arch in state}, key=arch_order)
    return tuple(
        ArchRow(
            arch=arch,
            kernels=tuple(
                sum(len(kernels) for (_, own), kernels in state.items() if own == arch)
                for state in groups
            ),
            families=tuple(sum(own == arch for _, own in state) for state in groups),
            code_bytes=tuple(
                sum(_bytes(kernels) for (_, own), kernels in state.items() if own == arch)
                for state in groups
            ),
        )
        for arch in archs
    )
