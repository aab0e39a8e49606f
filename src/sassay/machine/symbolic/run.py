"""Runs a program on symbols."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from sassay.errors import UsageError
from sassay.machine.flow import meeting_points
from sassay.machine.launch import Pointer
from sassay.machine.memory import GlobalMemory, TrapError
from sassay.machine.run import (
    array_bytes,
    check_launch,
    place_arguments,
    place_variables,
    slice_blocks,
    slice_memory,
    trap_of,
)
from sassay.machine.symbolic import hashing
from sassay.machine.symbolic.handlers import Handlers, refuse_unfollowed
from sassay.machine.symbolic.lanes import DependsOnDataError
from sassay.machine.symbolic.memory import SymbolicMemory
from sassay.machine.symbolic.notes import Notes
from sassay.machine.symbolic.overlay import Leaves, Overlay
from sassay.machine.symbolic.record import Recorder
from sassay.machine.symbolic.result import Leaf, SymbolicResult
from sassay.machine.symbolic.slices import Run, SymbolicSlice
from sassay.machine.symbolic.symbol import Piece, Symbol
from sassay.machine.types import WORDS, constant

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sassay.machine.launch import Argument, Launch
    from sassay.machine.memory import Allocation
    from sassay.machine.program import Op, Program
    from sassay.machine.result import Trap
    from sassay.machine.symbolic.expression import Expression
    from sassay.machine.types import Array

SLICE_THREADS = 1 << 14
"""Threads that run together: their hashes are larger than numbers."""

RECORDED_WHOLE = 1 << 21
"""Thread-instructions up to which a run is recorded whole."""


def run_symbolic(
    program: Program,
    launch: Launch,
    *,
    leaves: Mapping[int, Leaf] | None = None,
    concrete: Collection[int] = (),
) -> SymbolicResult:
    """Runs an entry on expressions.

    Args:
        program: The entry.
        launch: How many threads, with which arguments. The content of arrays and the value of
            float scalars are not looked at, unless addresses or branches depend on them.
        leaves: What arguments are called, by position.
        concrete: Positions of arguments whose content counts as it is.

    Raises:
        UsageError: The launch does not fit the entry.
        LimitError: Blocks that have to run together need too much memory.
        UnsupportedInstruction: Instructions that are not followed.
    """
    check_launch(program, launch)
    refuse_unfollowed(program)
    for position in (*(leaves or {}), *concrete):
        if not 0 <= position < len(program.params):
            raise UsageError(f"{program.name} has no argument {position}")
    job = _Job(program, launch, dict(leaves or {}), frozenset(concrete))
    while True:
        try:
            return job.result()
        except _AgainError as again:
            job = again.job


class _AgainError(Exception):
    """The run has to start again with more that is known."""

    def __init__(self, job: _Job) -> None:
        super().__init__()
        self.job = job


@dataclass(frozen=True)
class _Finished:
    """Memory after a run."""

    kept: list[tuple[Argument, Allocation | None]]
    overlays: dict[int, Overlay]
    trap: Trap | None
    instructions: int


class _Job:
    def __init__(
        self,
        program: Program,
        launch: Launch,
        leaves: dict[int, Leaf],
        concrete: frozenset[int],
        *,
        folds: bool = False,
        fill: Fill | None = None,
    ) -> None:
        self.program = program
        self.fill: Fill = fill or ("leaf" if program.undefined else "zeros")
        self.launch = launch
        self.leaves = leaves
        self.concrete = concrete
        self.folds = folds
        self.notes = Notes()
        self._recorded: tuple[Recorder, _Finished] | None = None

    def leaf(self, position: int) -> Leaf:
        return self.leaves.get(position, Leaf(f"argument {position}"))

    def result(self) -> SymbolicResult:
        finished = self._execute(self.notes, None)
        outputs, written = self._left(finished)
        if self.program.undefined:
            self._note_undefined(finished, outputs)
        return SymbolicResult(
            outputs=tuple(outputs),
            written=tuple(written),
            caveats=tuple(self.notes.caveats.values()),
            trap=finished.trap,
            instructions=finished.instructions,
            _explain=lambda position, flat: self._explain(
                position, flat, outputs, finished.instructions
            ),
        )

    def _note_undefined(self, finished: _Finished, outputs: list[Array | None]) -> None:
        """Says what depends on registers that nobody wrote: what changes if they hold others."""
        bit = _undefined_bit(self.program)
        if self.fill == "leaf" and not any(each.taint & bit for each in finished.overlays.values()):
            return
        other: Fill = "other leaf" if self.fill == "leaf" else "ones"
        job = _Job(
            self.program, self.launch, self.leaves, self.concrete, folds=self.folds, fill=other
        )
        what = ""
        try:
            again = job._execute(Notes(), None)
        except DependsOnDataError:
            what = "what the program does"
        else:
            found, _ = job._left(again)
            if (again.trap is None) != (finished.trap is None):
                what = "whether the program traps"
            for position, (one, two) in enumerate(zip(outputs, found, strict=True)):
                if one is not None and two is not None and (one != two).any():
                    count = int(np.count_nonzero(one != two))
                    what = f"{count} elements of {self._called(position)}"
                    break
        if what:
            op = self.program.undefined[0][1]
            message = f"a register that nobody wrote before it is read decides {what}"
            self.notes.add("undefined", message, op)

    def _left(self, finished: _Finished) -> tuple[list[Array | None], list[Array | None]]:
        """The hash of each element of arrays, and whether it was written."""
        outputs: list[Array | None] = []
        written: list[Array | None] = []
        for given, allocation in finished.kept:
            array = given.array if isinstance(given, Pointer) else given
            if allocation is None or not isinstance(array, np.ndarray):
                outputs.append(None)
                written.append(None)
                continue
            over = finished.overlays.get(id(allocation.data))
            width = _width(array)
            if over is None:
                words = array_bytes(allocation).view(f"u{width}")
                hashes, marks = hashing.constant(words), np.zeros(words.size, np.bool_)
            else:
                hashes, marks = over.elements(allocation.data, width)
            shape = array.shape if width == array.dtype.itemsize else (-1,)
            outputs.append(hashes.reshape(shape))
            written.append(marks.reshape(shape))
        return outputs, written

    def _explain(
        self,
        position: int,
        elements: Sequence[int],
        outputs: list[Array | None],
        instructions: int,
    ) -> tuple[Expression, ...]:
        hashes = outputs[position]
        assert hashes is not None  # noqa: S101 - checked by `explain_all`
        wanted = [int(hashes.reshape(-1)[each]) for each in elements]
        if self._recorded is not None:
            recorder, finished = self._recorded
        else:
            blocks: list[int] | None = None
            if instructions > RECORDED_WHOLE:
                notes = Notes(watched=(position, elements))
                self._execute(notes, None)
                blocks = sorted(notes.writers)
            recorder = Recorder()
            token = hashing.TAPE.set(recorder)
            try:
                finished = self._execute(Notes(), recorder, blocks)
            finally:
                hashing.TAPE.reset(token)
            if blocks is None:
                self._recorded = recorder, finished
        token = hashing.TAPE.set(recorder)
        try:
            given, allocation = finished.kept[position]
            array = given.array if isinstance(given, Pointer) else given
            if allocation is not None and isinstance(array, np.ndarray):
                over = finished.overlays.get(id(allocation.data))
                recorder.chosen = None
                width = _width(array)
                for flat in elements:
                    if over is not None:
                        over.elements(allocation.data, width, only=flat)
                    else:
                        hashing.constant(array_bytes(allocation).view(f"u{width}")[flat : flat + 1])
        finally:
            hashing.TAPE.reset(token)
        return tuple(recorder.expression(each) for each in wanted)

    def _execute(
        self, notes: Notes, recorder: Recorder | None, blocks: list[int] | None = None
    ) -> _Finished:
        program, launch = self.program, self.launch
        memory = GlobalMemory()
        arguments, kept = place_arguments(program, launch, memory)
        place_variables(program, memory)
        overlays = self._overlays(kept)
        if notes.watched is not None:
            position, elements = notes.watched
            given, allocation = kept[position]
            array = given.array if isinstance(given, Pointer) else given
            if allocation is not None and isinstance(array, np.ndarray):
                width = _width(array)
                notes.watched = id(allocation.data), [each * width for each in elements]
        run = Run(
            Handlers(program, notes, folds=self.folds, whole=self._whole()),
            notes,
            # Only branches on data ask for it.
            lru_cache(maxsize=1)(lambda: meeting_points(program.blocks)),
            recorder,
        )
        counted, trap = 0, None
        with np.errstate(all="ignore"):
            size = slice_blocks(program, launch, SLICE_THREADS)
            for first in range(0, launch.blocks, size):
                count = min(size, launch.blocks - first)
                plain = slice_memory(program, launch, memory, arguments, count)
                seen = SymbolicMemory(plain, overlays, notes)
                self._scalars(seen)
                notes.first = first
                part = SymbolicSlice(program, launch, seen, (first, count), run)
                self._undefined(part)
                if recorder is not None and blocks is not None:
                    here = [each - first for each in blocks if first <= each < first + count]
                    recorder.chosen = np.array(here, np.int64)
                try:
                    part.run()
                except TrapError as error:
                    trap = trap_of(part, error, first)
                except DependsOnDataError as error:
                    raise _AgainError(self._knowing(error, part.op)) from error
                # Module variables may have got hashes of their own.
                globals_ = {id(each.data) for each in memory.allocations}
                overlays |= {key: over for key, over in seen.overlays.items() if key in globals_}
                counted += part.instructions
                if trap is not None:
                    break
        return _Finished(kept, overlays, trap, counted)

    def _overlays(self, kept: list[tuple[Argument, Allocation | None]]) -> dict[int, Overlay]:
        found: dict[int, Overlay] = {}
        for position, (given, allocation) in enumerate(kept):
            array = given.array if isinstance(given, Pointer) else given
            if (
                allocation is None
                or not isinstance(array, np.ndarray)
                or position in self.concrete
                or id(allocation.data) in found
            ):
                continue
            width = _width(array)
            leaf = self.leaf(position)
            content = Leaves(leaf, width)
            found[id(allocation.data)] = Overlay(
                allocation.size, width, content, 1 << (position + 1)
            )
        return found

    def _undefined(self, part: SymbolicSlice) -> None:
        """Gives registers that may be read before they are written what nobody can know."""
        for slot, _ in self.program.undefined:
            bits = self.program.widths[slot]
            if self.fill == "ones":
                part.registers.set(slot, constant((1 << bits) - 1, WORDS[bits]))
            elif self.fill != "zeros":
                name = "undefined" if self.fill == "leaf" else "undefined again"
                index = np.full((1, 1), slot, np.int64)
                hash_ = hashing.leaf(hashing.name_hash(f"leaf {name}"), index)
                piece = Piece(bits, hash_)
                part.registers.symbols[slot] = Symbol((piece,), _undefined_bit(self.program))

    def _scalars(self, memory: SymbolicMemory) -> None:
        """Float scalars become leaves."""
        data = memory.bytes.uniform("param")
        over: Overlay | None = None
        for position, (param, offset, given) in enumerate(
            zip(self.program.params, self.program.offsets, self.launch.arguments, strict=True)
        ):
            floats = isinstance(given, (float, np.floating)) or param.type in {"f16", "f32", "f64"}
            if not floats or given is None or param.size is not None or position in self.concrete:
                continue
            bits = int(param.type[1:]) if param.type[1:].isdigit() else 32
            name = hashing.name_hash(f"leaf scalar {self.leaf(position).name}")
            hash_ = hashing.leaf(name, np.zeros((1, 1), np.int64))
            if over is None:
                over = Overlay(data.size, bits // 8, None, 0)
                memory.overlays[id(data)] = over
            symbol = Symbol((Piece(bits, hash_),), 1 << (position + 1))
            over.write(data, np.full((1, 1), offset, np.int64), [symbol], None)

    def _knowing(self, error: DependsOnDataError, op: Op | None) -> _Job:
        """The same with what an address or a branch depends on as numbers."""
        if error.taint & _undefined_bit(self.program) and self.fill == "leaf":
            # It may decide nothing: that is found out by zeros and ones.
            return _Job(
                self.program,
                self.launch,
                self.leaves,
                self.concrete,
                folds=self.folds,
                fill="zeros",
            )
        asked = [
            position
            for position in range(len(self.program.params))
            if error.taint >> (position + 1) & 1 and position not in self.concrete
        ]
        integers = [each for each in asked if self._integer(each)]
        chosen = frozenset(integers or asked)
        again = _Job(
            self.program,
            self.launch,
            self.leaves,
            self.concrete | chosen,
            folds=self.folds or not chosen,
            fill=self.fill,
        )
        again.notes.caveats |= self.notes.caveats
        what = error.what or "an address or a branch"
        if op is not None and chosen:
            names = ", ".join(self._called(each) for each in sorted(chosen))
            again.notes.add(
                "given-values",
                f"{what} depends on the content of {names}, so this holds for that content only",
                op,
                tuple(sorted(chosen)),
            )
        elif op is not None:
            again.notes.add(
                "approximation",
                f"{what} depends on an approximate instruction, computed in double precision",
                op,
            )
        return again

    def _called(self, position: int) -> str:
        name = self.leaf(position).name
        plain = f"argument {position}"
        return plain if name == plain else f"{plain} ({name})"

    def _whole(self) -> int:
        """What integer arguments taint whose content is not looked at yet, and nobody wrote."""
        found = _undefined_bit(self.program)
        for position in range(len(self.program.params)):
            if position not in self.concrete and self._integer(position):
                found |= 1 << (position + 1)
        return found

    def _integer(self, position: int) -> bool:
        given = self.launch.arguments[position]
        array = given.array if isinstance(given, Pointer) else given
        return isinstance(array, np.ndarray) and (
            (array.dtype.kind in "iub" and array.dtype.itemsize >= 4) or array.dtype.kind in "ib"
        )


Fill = Literal["leaf", "other leaf", "zeros", "ones"]
"""What registers hold that nobody wrote: a leaf that nothing else has, or bits."""


def _undefined_bit(program: Program) -> int:
    """The bit of a taint that stands for registers that nobody wrote."""
    return 1 << (len(program.params) + 1)


def _width(array: Array) -> int:
    """Bytes of the elements that have a hash of their own."""
    return array.dtype.itemsize if array.dtype.itemsize in (1, 2, 4, 8) else 1
