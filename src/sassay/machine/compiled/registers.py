"""Registers of a warp in IR: a place on the stack for each, which LLVM makes values of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.machine.compiled.code import LANES, Code, Value, number
from sassay.machine.errors import MissingForm
from sassay.machine.program import SINK_SLOT
from sassay.machine.types import TYPES

if TYPE_CHECKING:
    from sassay.machine.compiled.divergence import Divergence
    from sassay.machine.program import Op, Program, Source


class Registers:
    """Reads and writes registers.

    Attributes:
        mask: Lanes that run, as a word; None while all lanes of the warp do.
        lanes: The same as a predicate.
    """

    def __init__(self, code: Code, program: Program, found: Divergence) -> None:
        self._code = code
        self._widths = program.widths
        self._found = found
        self.mask: Value | None = None
        self.lanes: Value | None = None
        self._guard: Value | None = None

    def spelled(self, slot: int) -> str:
        """The type of a register in IR."""
        bits = self._widths[slot]
        return f"<{LANES} x i{bits}>" if slot in self._found.varying else f"i{bits}"

    def declare(self, slot: int) -> None:
        """Gives a register its place."""
        self._code.heads.append(f"%s{slot} = alloca {self.spelled(slot)}, align 32")

    def get(self, slot: int) -> Value:
        """Reads a register."""
        wide = slot in self._found.varying
        kind = f"i{self._widths[slot]}"
        align = max(self._widths[slot] // 8, 1)
        return self._code.load(self.spelled(slot), f"%s{slot}", kind, wide=wide, align=align)

    def put(self, slot: int, value: Value) -> None:
        """Writes a register for all lanes."""
        if slot in self._found.varying:
            value = self._code.splat(value)
        elif value.wide:
            raise MissingForm("a register that varies although nothing says so")
        self._code.emit(f"store {value.spelled} {value.text}, ptr %s{slot}, align 1")

    def fetch(self, source: Source) -> Value:
        """A source operand as a word of its type."""
        bits = 1 if source.kind == "pred" else TYPES[source.kind].bits
        if source.slot is None:
            if source.value is None:
                raise MissingForm("an operand without a value")
            word = source.value if bits == 1 else source.value.view(f"u{bits // 8}")
            value = number(int(word.flat[0]), bits)
        else:
            value = self._code.resize(self.get(source.slot), bits)
        if source.negated:
            value = self._code.op("xor", value, number(-1, bits))
        if source.offset:
            value = self._code.op("add", value, number(source.offset, bits))
        return value

    def begin(self, op: Op) -> None:
        """Starts an operation: its guard holds for what it stores and touches."""
        self._guard = None
        if op.guard is not None:
            held = self.get(op.guard)
            self._guard = self._code.op("xor", held, number(1, 1)) if op.negated else held

    def store(self, slot: int, value: Value, kind: str) -> None:
        """Stores a result of a type where the guard holds; narrower ones are extended."""
        if slot == SINK_SLOT:
            return
        code = self._code
        signed = kind != "pred" and TYPES[kind].dtype.kind == "i"
        value = code.resize(value, self._widths[slot], signed=signed)
        where = self._guard
        if self.lanes is not None and slot in self._found.kept:
            where = self.lanes if where is None else code.op("and", self.lanes, where)
        if where is not None:
            if where.wide and slot not in self._found.varying:
                raise MissingForm("a register that varies although nothing says so")
            value = code.choose(where, value, self.get(slot))
        self.put(slot, value)

    def running(self) -> Value:
        """Lanes that run and for which the guard holds, as a word."""
        code = self._code
        mask = self.mask if self.mask is not None else Value("%full", "i32")
        if self._guard is None:
            return mask
        if self._guard.wide:
            return code.op("and", mask, code.mask(self._guard))
        return code.choose(self._guard, mask, number(0, 32))
