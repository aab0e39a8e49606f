"""Runs some blocks of a grid on symbols.

Branches on data are followed on both sides, up to where the sides meet, each side under the
condition that leads to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sassay.machine.numeric import resolve
from sassay.machine.slices import Slice
from sassay.machine.symbolic.compute import apply
from sassay.machine.symbolic.lanes import DependsOnDataError, SymbolicLanes, SymbolicRegisters
from sassay.machine.symbolic.symbol import Symbol, negate

if TYPE_CHECKING:
    from collections.abc import Callable

    from sassay.machine.lanes import Lanes
    from sassay.machine.launch import Launch
    from sassay.machine.program import Block, Op, Program
    from sassay.machine.symbolic.handlers import Handlers
    from sassay.machine.symbolic.memory import SymbolicMemory
    from sassay.machine.symbolic.notes import Notes
    from sassay.machine.symbolic.record import Recorder
    from sassay.machine.types import Array

MAX_REGION = 64
"""Blocks of code between a branch on data and where its sides meet."""


@dataclass(frozen=True)
class Run:
    """What the slices of one run share.

    Attributes:
        handlers: Operations bound to symbols.
        notes: Caveats.
        meets: Gives for each block of code where all ways out of it meet again.
        recorder: Keeps what is hashed; None if nobody asked.
    """

    handlers: Handlers
    notes: Notes
    meets: Callable[[], tuple[int, ...]]
    recorder: Recorder | None = None


class SymbolicSlice(Slice):
    """Some consecutive blocks of a grid."""

    registers: SymbolicRegisters
    memory: SymbolicMemory  # type: ignore[assignment] # what handlers see; nobody else touches it

    def __init__(
        self,
        program: Program,
        launch: Launch,
        memory: SymbolicMemory,
        place: tuple[int, int],
        run: Run,
    ) -> None:
        """Sets up registers.

        Args:
            program: The entry.
            launch: Of it.
            memory: That the slice sees.
            place: Number of its first block in the grid, and how many blocks it has.
            run: That it is a part of.
        """
        super().__init__(program, launch, memory, *place)  # type: ignore[arg-type] # as above
        self._run = run

    def _new_registers(self) -> SymbolicRegisters:
        return SymbolicRegisters(self.program.widths, self.shape)

    def _lanes(
        self, active: Array | None, *, rows: Array | None = None, together: bool = False
    ) -> Lanes:
        return SymbolicLanes(self.registers, active, rows=rows, together=together)

    def _do(self, op: Op, lanes: Lanes) -> None:
        assert isinstance(lanes, SymbolicLanes)  # noqa: S101 - made by `_lanes`
        if self._run.recorder is not None:
            self._run.recorder.enter(op, lanes)
        where = None
        if op.guard is not None:
            guard = self._unknown(lanes, op.guard)
            if guard is not None:
                self._under(op, lanes, _opposite(guard) if op.negated else guard)
                return
            held = self._holds(op, lanes)
            if not held.all():
                running = lanes.running(held)
                if running is None or not running.any():
                    return
                where = held
        self._perform(op, lanes, where)

    def _perform(self, op: Op, lanes: SymbolicLanes, where: Array | None) -> None:
        stops = op.base == "trap" or (op.form.startswith("call") and op.base != "moves")
        if lanes.condition is not None and stops:
            self._run.notes.add("assumption", "whether it traps depends on data: taken not to", op)
            return
        self._run.handlers.of(op)(lanes, self.memory, where)

    @staticmethod
    def _unknown(lanes: SymbolicLanes, slot: int) -> Symbol | None:
        """A predicate, if it is not known in all threads that run."""
        if lanes.symbols[slot] is None:
            return None
        found = lanes.symbol(slot)
        try:
            lanes.known_value(found)
        except DependsOnDataError:
            return found
        return None

    def _under(self, op: Op, lanes: SymbolicLanes, guard: Symbol) -> None:
        """Runs an operation under a condition that data decides."""
        if op.members is not None:
            raise DependsOnDataError(guard.taint, "who takes part in an exchange between threads")
        before = lanes.condition
        lanes.condition = guard if before is None else _both("and", before, guard)
        piece = guard.one()
        where = None
        if piece.known is not None and piece.value is not None:
            where = ~(piece.known & ~piece.value)
        try:
            self._perform(op, lanes, where)
        finally:
            lanes.condition = before

    def _following(self, block: Block, lanes: Lanes) -> Any:
        assert isinstance(lanes, SymbolicLanes)  # noqa: S101 - made by `_lanes`
        if block.guard is None or block.index is not None:
            return super()._following(block, lanes)
        guard = self._unknown(lanes, block.guard)
        if guard is None:
            return super()._following(block, lanes)
        if self._run.recorder is not None and block.ops:
            self._run.recorder.enter(block.ops[-1], lanes)
        return self._both_sides(block, lanes, _opposite(guard) if block.negated else guard)

    def _both_sides(self, block: Block, lanes: SymbolicLanes, guard: Symbol) -> int:
        """Runs both sides of a branch, each under its condition; where they meet.

        Raises:
            DependsOnDataError: A side loops, waits, exchanges or is too long.
        """
        start = self.program.blocks.index(block)
        end = self._run.meets()[start]
        conditions: dict[int, Symbol] = {}

        def lead(target: int, condition: Symbol) -> None:
            if target != end:
                known = conditions.get(target)
                conditions[target] = condition if known is None else _both("or", known, condition)

        self._check(start, end, guard.taint)
        lead(block.targets[0], guard)
        lead(block.targets[1], _opposite(guard))
        done = start
        before = lanes.condition
        while conditions:
            at = min(conditions)
            condition = conditions.pop(at)
            if at <= done:
                raise DependsOnDataError(guard.taint, "how often a loop runs")
            done = at
            each = self._enter(at, self._count)
            lanes.condition = condition if before is None else _both("and", before, condition)
            try:
                for op in each.ops:
                    self.op = op
                    self._do(op, lanes)
                if each.guard is None:
                    lead(each.targets[0], condition)
                else:
                    held = lanes.symbol(each.guard)
                    held = _opposite(held) if each.negated else held
                    lead(each.targets[0], _both("and", condition, held))
                    lead(each.targets[1], _both("and", condition, _opposite(held)))
            finally:
                lanes.condition = before
        return end

    def _check(self, start: int, end: int, taint: int) -> None:
        """Whether what lies between a branch and a block can be run under a condition."""
        todo, seen = list(self.program.blocks[start].targets), set[int]()
        while todo:
            at = todo.pop()
            if at == end or at in seen:
                continue
            seen.add(at)
            block = self.program.blocks[at]
            if at <= start or len(seen) > MAX_REGION or block.index is not None:
                raise DependsOnDataError(taint, "how often a loop runs")
            if any(op.barrier is not None or op.members is not None for op in block.ops):
                raise DependsOnDataError(taint, "who comes to a barrier or an exchange")
            todo += block.targets


def _opposite(predicate: Symbol) -> Symbol:
    return Symbol((negate(predicate.one()),), predicate.taint)


def _both(base: str, first: Symbol, second: Symbol) -> Symbol:
    form = f"{base}.pred"
    pieces = apply(form, resolve(form, 1), [first.one(), second.one()], [1], folds=True)
    return Symbol(tuple(pieces), first.taint | second.taint)
