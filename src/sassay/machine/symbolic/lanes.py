"""Registers and threads of the symbolic mode: a register is known, or a symbol."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.lanes import WARP, Lanes, Registers, merge
from sassay.machine.symbolic.symbol import Symbol, choose, negate, of, select_words
from sassay.machine.types import constant

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import DTypeLike

    from sassay.machine.program import Source
    from sassay.machine.types import Array


class DependsOnDataError(Exception):
    """An address, a branch or the like depends on data.

    Attributes:
        taint: On what, as in `Symbol`.
        what: That depends on it.
    """

    def __init__(self, taint: int, what: str = "") -> None:
        super().__init__(what)
        self.taint = taint
        self.what = what


class SymbolicRegisters(Registers):
    """Registers of a slice, with the symbols of those that are not known.

    Attributes:
        symbols: By slot; None where the register is known.
    """

    def __init__(self, widths: tuple[int, ...], shape: tuple[int, int]) -> None:
        super().__init__(widths, shape)
        self.symbols: list[Symbol | None] = [None] * len(widths)

    def set(self, slot: int, value: Array) -> None:
        """Replaces a register of all threads by a known value."""
        super().set(slot, value)
        self.symbols[slot] = None

    def clear(self, slot: int) -> None:
        """Forgets a register that nobody reads any more."""
        super().clear(slot)
        self.symbols[slot] = None


class SymbolicLanes(Lanes):
    """Threads that run together, on symbols.

    Attributes:
        symbols: Registers that are not known, by slot.
        condition: A predicate under which they do what they do, where data decides it.
    """

    _registers: SymbolicRegisters

    def __init__(
        self,
        registers: SymbolicRegisters,
        active: Array | None,
        *,
        rows: Array | None = None,
        together: bool = False,
    ) -> None:
        super().__init__(registers, active, rows=rows, together=together)
        self._plain: Callable[[int], Array] = self.get
        self.symbols = registers.symbols
        self.get = self._get_known
        self.condition: Symbol | None = None

    def _get_known(self, slot: int) -> Array:
        symbol = self.symbols[slot]
        if symbol is None:
            return self._plain(slot)
        return self.known_value(self.symbol(slot))

    def known_value(self, symbol: Symbol) -> Array:
        """The bits of a symbol that has to be known in all threads that run.

        Raises:
            DependsOnDataError: It is not.
        """
        piece = symbol.one()
        if piece.value is None:
            raise DependsOnDataError(symbol.taint)
        if piece.known is not None:
            unknown = ~piece.known if self.active is None else ~piece.known & self.active
            if unknown.any():
                raise DependsOnDataError(symbol.taint)
        return piece.value

    def symbol(self, slot: int) -> Symbol:
        """A register as these threads see it."""
        found = self.symbols[slot]
        if found is None:
            return of(self._plain(slot))
        if self.rows is None:
            return found
        return Symbol(tuple(each.map(self.take) for each in found.pieces), found.taint)

    def source(self, source: Source) -> Symbol:
        """An operand: a register or a constant, negated where the instruction says so."""
        if source.slot is None:
            value = source.value
            assert value is not None  # noqa: S101 - an operand is one of the two
            return of(value.view(f"u{value.dtype.itemsize}") if value.dtype.kind in "if" else value)
        return self.symbol(source.slot)

    def seen(self, source: Source, bits: int) -> Symbol:
        """An operand as so many bits, negated where the instruction says so."""
        found = self.source(source).low(bits)
        return Symbol((negate(found.one()),), found.taint) if source.negated else found

    def address(self, source: Source) -> Array:
        """The address that an operand gives.

        Raises:
            DependsOnDataError: It is not known.
        """
        value = source.value if source.slot is None else self.get(source.slot)
        assert value is not None  # noqa: S101 - an operand is one of the two
        return value + constant(source.offset, value.dtype) if source.offset else value

    def put(self, slot: int, value: Array, where: Array | None) -> None:
        """Writes a register with what is known."""
        if self.condition is not None:
            self.put_symbol(slot, of(value), where)
            return
        if self.symbols[slot] is None or (self.rows is None and merge(self._kept, where) is None):
            super().put(slot, value, where)
        else:
            self.put_symbol(slot, of(value), where)

    def put_symbol(self, slot: int, new: Symbol, where: Array | None) -> None:
        """Writes a register.

        Args:
            slot: Of the register.
            new: Of its width.
            where: Threads whose guard holds, None for all.
        """
        if self.condition is not None:
            old = self.symbol(slot)
            new = select_words(self.condition.one(), new, old, self.condition.taint)
        if new.fixed:
            value = new.one().value
            assert value is not None  # noqa: S101 - known words have bits
            if self.symbols[slot] is None or (
                self.rows is None and merge(self._kept, where) is None
            ):
                super().put(slot, value, where)
                return
        registers = self._registers
        kept = merge(self._kept, where)
        if self.rows is None and kept is None:
            registers.clear(slot)
            registers.symbols[slot] = new
            return
        old = registers.symbols[slot] or of(registers.values[slot])
        unit = min(new.unit, old.unit)
        new, old = new.cut(unit), old.cut(unit)
        taint = new.taint | old.taint
        if self.rows is None:
            assert kept is not None  # noqa: S101 - seen above
            pieces = [choose(kept, a, b) for a, b in zip(new.pieces, old.pieces, strict=True)]
        else:
            everywhere = np.ones(self.shape, np.bool_) if kept is None else kept
            mask = self.scatter(np.broadcast_to(everywhere, self.shape), np.bool_)
            pieces = [
                choose(mask, a.map(self._scattered), b)
                for a, b in zip(new.pieces, old.pieces, strict=True)
            ]
        registers.clear(slot)
        found = Symbol(tuple(pieces), taint)
        if found.fixed:
            value = found.one().value
            assert value is not None  # noqa: S101 - known words have bits
            registers.set(slot, value)
        else:
            registers.symbols[slot] = found

    def _scattered(self, value: Array) -> Array:
        return self.scatter(np.broadcast_to(value, self.shape), value.dtype)

    def scatter(self, value: Array, dtype: DTypeLike) -> Array:
        """A value of these rows as one of the slice, zero elsewhere."""
        full = np.zeros(self._registers.shape, dtype)
        full.reshape(-1, WARP)[self.rows] = value
        return full
