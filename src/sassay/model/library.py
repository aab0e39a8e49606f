"""What a release manager asks of a wheel: its libraries, its architectures, its largest movers."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class LibraryRow(msgspec.Struct, frozen=True):
    """One shared object and architecture, in the first (or baseline) state and in the last.

    A kernel that lies in several libraries counts in each of them.

    Attributes:
        library: Its place in the input, empty where it is the input itself.
        arch: `sm_90a`; `compute_90` for PTX fallbacks.
        kernels: Kernels before and after; compared + removed, and compared + added.
        code_bytes: Code before and after.
        unchanged: Compared kernels that did not change.
        added: Kernels that only the state after holds here.
        removed: Kernels that only the state before holds here.
        tiers: Changed kernels by tier; `launch` for those of equal code with another launch or
            other resources, `unknown` where the code could not be compared.
    """

    library: str
    arch: str
    kernels: tuple[int, int]
    code_bytes: tuple[int, int]
    unchanged: int
    added: int
    removed: int
    tiers: Mapping[str, int] = {}

    @property
    def changed(self) -> int:
        """Compared kernels that changed."""
        return sum(self.tiers.values())


class Mover(msgspec.Struct, frozen=True):
    """One family of one architecture whose code grew, shrank, came or went.

    Attributes:
        kernels: Kernels before and after.
        code_bytes: Code before and after.
        changed: Compared kernels that changed.
        tier: The deepest of their tiers.
    """

    family: str
    arch: str
    kernels: tuple[int, int]
    code_bytes: tuple[int, int]
    changed: int
    tier: str | None = None


class ArchRow(msgspec.Struct, frozen=True):
    """One architecture: kernels, families and bytes of code of each state, oldest first."""

    arch: str
    kernels: tuple[int, ...]
    families: tuple[int, ...]
    code_bytes: tuple[int, ...]


class LibraryReport(msgspec.Struct, frozen=True):
    """The libraries of two states side by side.

    Attributes:
        libraries: Sorted by library and architecture.
        movers: By the bytes that they moved, most first; a family whose kernels changed without
            moving a byte comes last.
        archs: All architectures of all states.
    """

    libraries: tuple[LibraryRow, ...] = ()
    movers: tuple[Mover, ...] = ()
    archs: tuple[ArchRow, ...] = ()


class CoveragePattern(msgspec.Struct, frozen=True):
    """Families that exist for the same architectures.

    Attributes:
        archs: Those architectures.
        ptx: The PTX fallbacks that they have, `compute_90` and the like.
        families: Their names, sorted.
        kernels: Kernels of all of them together, by architecture.
        code_bytes: Code of all of them together, by architecture.
    """

    archs: tuple[str, ...]
    ptx: tuple[str, ...]
    families: tuple[str, ...]
    kernels: Mapping[str, int]
    code_bytes: Mapping[str, int]


class Coverage(msgspec.Struct, frozen=True):
    """Which families of a state exist for which architecture.

    Attributes:
        archs: All architectures with code, in their order.
        ptx: All architectures with PTX fallbacks.
        patterns: Most families first; each family stands in exactly one.
    """

    archs: tuple[str, ...]
    ptx: tuple[str, ...]
    patterns: tuple[CoveragePattern, ...]
