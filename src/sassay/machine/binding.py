"""Binds operands to registers and constants: how an operation fetches and stores values."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.errors import MissingForm
from sassay.machine.names import Passed
from sassay.machine.operands import SINK, Address, Name, Number, Operand, Vector
from sassay.machine.program import SINK_SLOT, Source
from sassay.machine.types import TYPES, WORDS, Array, PtxType, constant, seen_as, word

if TYPE_CHECKING:
    from collections.abc import Callable

    from sassay.machine.lanes import Lanes
    from sassay.machine.names import Names
    from sassay.machine.program import Fetch

    Store = Callable[[Lanes, Array, Array | None], None]


class Binder:
    """Operands of one instruction.

    Attributes:
        reads: Slots that were bound for reading.
        writes: Slots that were bound for writing.
        sources: Operands that were bound for reading, in order.
        targets: Slots that were bound for writing, in order, sinks among them.
    """

    def __init__(self, names: Names, scope: int, dynamic: list[Array]) -> None:
        """Binds names of a scope.

        Args:
            names: Of the body.
            scope: That the instruction stands in.
            dynamic: Collects constants that become the address of dynamic shared memory.
        """
        self.names = names
        self.scope = scope
        self.reads: list[int] = []
        self.writes: list[int] = []
        self.sources: list[Source] = []
        self.targets: list[int] = []
        self._dynamic = dynamic

    def slot(self, name: str) -> int:
        """The slot of a register.

        Raises:
            MissingForm: The name is no register.
        """
        found = self.names.register(self.scope, name)
        if found is None:
            raise MissingForm(f"register {name}")
        return found

    def read_slot(self, slot: int, kind: PtxType) -> Fetch:
        """Fetches a register as a type."""
        self.reads.append(slot)
        self.sources.append(Source(kind.name, slot))
        if self.names.slots.widths[slot] == kind.dtype.itemsize * 8 or kind.bits == 1:
            dtype = kind.dtype
            if WORDS.get(self.names.slots.widths[slot]) == dtype:
                return lambda lanes: lanes.get(slot)
            if kind.bits == 1:
                raise MissingForm("a register that is no predicate where one is needed")
            return lambda lanes: lanes.get(slot).view(dtype)
        if self.names.slots.widths[slot] == 1:
            raise MissingForm("a predicate where a number is needed")
        return lambda lanes: seen_as(lanes.get(slot), kind)

    def fetch(self, operand: Operand, type_name: str) -> Fetch:
        """Fetches a register, a constant or the address of a variable as a type.

        Raises:
            MissingForm: The operand is of another kind.
        """
        kind = TYPES.get(type_name)
        if kind is None:
            raise MissingForm(f"type {type_name}")
        if isinstance(operand, Number):
            value = self._constant(operand.value, kind)
            self.sources.append(Source(kind.name, value=value))
            return lambda _lanes: value
        if not isinstance(operand, Name):
            raise MissingForm(f"operand {operand}")
        slot = self.names.register(self.scope, operand.text)
        if slot is None:
            address = self.address_of(operand.text, kind)
            self.sources.append(Source(kind.name, value=address))
            return lambda _lanes: address
        plain = self.read_slot(slot, kind)
        if operand.negated:
            self.sources[-1] = replace(self.sources[-1], negated=True)
            return lambda lanes: ~plain(lanes)
        return plain

    def _constant(self, value: float, kind: PtxType) -> Array:
        if kind.kind == "p":
            return constant(bool(value), kind.dtype)
        if isinstance(value, int) and kind.dtype.kind == "f":
            # An integer as a float operand is its bits only for untyped words; here a number.
            return constant(float(value), kind.dtype)
        if isinstance(value, float) and kind.dtype.kind != "f":
            bits = {32: np.float32, 64: np.float64, 16: np.float16}.get(kind.bits)
            if bits is None:
                raise MissingForm(f"constant {value} as {kind.name}")
            with np.errstate(over="ignore"):
                found = np.array([[value]], bits)
            if np.isinf(found).any() and np.isfinite(value):
                raise MissingForm(f"constant {value} as {kind.name}")
            return found.view(kind.dtype)
        return constant(value, kind.dtype)

    def address_of(self, name: str, kind: PtxType) -> Array:
        """The address of a variable in its space.

        Raises:
            MissingForm: The name is no variable, or one whose address nothing may take.
        """
        place = self.names.place(self.scope, name)
        if place is None:
            raise MissingForm(f"symbol {name}")
        if isinstance(place, Passed):
            raise MissingForm(f"the address of {name}, a parameter of a call")
        value = constant(place[1], WORDS[kind.bits])
        if place[0] == "dynamic":
            self._dynamic.append(value)
        return value.view(kind.dtype)

    def store(self, operand: Operand) -> Store:
        """Stores words into a register; a narrower value is extended.

        Raises:
            MissingForm: The operand is no register.
        """
        if not isinstance(operand, Name):
            raise MissingForm(f"destination {operand}")
        if operand.text == SINK:
            self.targets.append(SINK_SLOT)
            return lambda _lanes, _value, _where: None
        return self.write_slot(self.slot(operand.text))

    def write_slot(self, slot: int) -> Store:
        """Stores words into a slot."""
        self.writes.append(slot)
        self.targets.append(slot)
        bits = self.names.slots.widths[slot]

        def run(lanes: Lanes, value: Array, where: Array | None) -> None:
            lanes.put(slot, word(value, bits), where)

        return run

    def address(self, operand: Operand) -> tuple[Fetch, str | None]:
        """Fetches an address, and the space of the variable that it names, if it does.

        Raises:
            MissingForm: The operand is no address.
        """
        if not isinstance(operand, Address):
            raise MissingForm(f"address {operand}")
        offset = operand.offset
        if operand.base is None:
            fixed = constant(offset, WORDS[64])
            self.sources.append(Source("u64", value=fixed))
            return (lambda _lanes: fixed), None
        slot = self.names.register(self.scope, operand.base)
        if slot is not None:
            bits = self.names.slots.widths[slot]
            kind = TYPES["u64" if bits == 64 else "u32"]
            plain = self.read_slot(slot, kind)
            if not offset:
                return plain, None
            moved = constant(offset, kind.dtype)
            self.sources[-1] = replace(self.sources[-1], offset=offset)
            return (lambda lanes: plain(lanes) + moved), None
        base = self.address_of(operand.base, TYPES["u64"])
        place = self.names.place(self.scope, operand.base)
        space = place[0] if isinstance(place, tuple) else None
        self.sources.append(Source("u64", value=base, offset=offset))
        if not offset:
            return (lambda _lanes: base), space
        step = constant(offset, WORDS[64])
        return (lambda _lanes: base + step), space

    def passed(self, operand: Operand) -> tuple[Passed, int] | None:
        """The parameter of a call that an address names, and the offset in it."""
        if isinstance(operand, Address) and operand.base is not None:
            place = self.names.place(self.scope, operand.base)
            if isinstance(place, Passed):
                return place, operand.offset
        return None

    def piece(self, passed: Passed, offset: int, bits: int) -> int:
        """The slot of a piece of a call's parameter; where pieces overlap, that is noted."""
        for at, (slot, size) in passed.pieces.items():
            if at == offset and size == bits:
                return slot
            if at < offset + bits // 8 and offset < at + size // 8:
                self.names.slots.mixed.add(passed.line)
        slot = self.names.slots.new(bits)
        passed.pieces[offset] = (slot, bits)
        return slot

    def items(self, operand: Operand) -> tuple[Operand, ...]:
        """The elements of a vector; anything else is one."""
        return operand.items if isinstance(operand, Vector) else (operand,)
