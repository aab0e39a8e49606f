"""Code as a store keeps it: what tiers, aligned diffs and listings read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from sassay.model.lines import LineSections


class Relocation(msgspec.Struct, frozen=True, order=True):
    """One relocation of a code section.

    Attributes:
        offset: Byte offset in the section.
        kind: `R_CUDA_*` number.
        symbol: Symbol that the linker would put there.
        addend: Constant part.
    """

    offset: int
    kind: int
    symbol: str
    addend: int = 0


class SassCode(msgspec.Struct, frozen=True):
    """The code section of one kernel and what its words refer to.

    Attributes:
        arch: `sm_90a`.
        code: Section bytes, 16 an instruction.
        relocations: Sorted by offset.
        constants: Bank number and bytes of the constants that the kernel owns or refers to
            (banks 2, 3, 4: user constants, compiler constants, address tables), sorted.
        constant_symbols: For linked address tables: `(bank, offset, symbol)`, sorted.
    """

    arch: str
    code: bytes
    relocations: tuple[Relocation, ...] = ()
    constants: tuple[tuple[int, bytes], ...] = ()
    constant_symbols: tuple[tuple[int, int, str], ...] = ()


class CodeStore(Protocol):
    """Reads code by digest. Raises `errors.InputError` for a digest that it does not hold."""

    def sass(self, digest: str) -> SassCode:
        """The code section kept under `digest`."""
        ...

    def ptx(self, digest: str) -> str:
        """The PTX module kept under `digest`."""
        ...

    def lines(self, digest: str) -> LineSections:
        """The line tables kept under `digest`."""
        ...
