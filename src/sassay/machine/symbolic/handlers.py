"""What instructions do in the symbolic mode, other than control flow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.machine import warp
from sassay.machine.access import split_access
from sassay.machine.async_copy.mbarrier import in_shared
from sassay.machine.errors import UnsupportedInstruction
from sassay.machine.instructions import IGNORED
from sassay.machine.program import SINK_SLOT
from sassay.machine.symbolic import hashing
from sassay.machine.symbolic.atomics import bind_atomic
from sassay.machine.symbolic.compute import compute, extend
from sassay.machine.symbolic.lanes import DependsOnDataError
from sassay.machine.symbolic.matrix import bind_mma, bind_wgmma
from sassay.machine.symbolic.names import canonical
from sassay.machine.symbolic.symbol import Piece, Symbol, select_words
from sassay.machine.tiles import spots
from sassay.machine.types import TYPES

if TYPE_CHECKING:
    from collections.abc import Callable

    from sassay.machine.program import Op, Program
    from sassay.machine.symbolic.lanes import SymbolicLanes
    from sassay.machine.symbolic.memory import SymbolicMemory
    from sassay.machine.symbolic.notes import Notes
    from sassay.machine.types import Array

    Handler = Callable[[SymbolicLanes, SymbolicMemory, Array | None], None]

_COUNTS = {"v2": 2, "v4": 4, "v8": 8}
_FOLLOWED = frozenset(
    {"moves", "mov", "ld", "ldu", "st", "atom", "red", "shfl", "vote", "redux", "bar", "barrier"}
    | {"ldmatrix", "stmatrix", "mma", "wgmma", "cp", "mbarrier", "tensormap"}
    | {"cvta", "isspacep", "activemask", "elect", "match", "trap", "createpolicy", "call"}
)
"""Operations that do not only compute on registers and that are followed: those of the third
line with sources that are known. All others would move bytes past the hashes."""


def refuse_unfollowed(program: Program) -> None:
    """Refuses a program with instructions that the symbolic mode does not follow.

    Raises:
        UnsupportedInstruction: It lists them.
    """
    missing = [
        (op.form, op.place.line)
        for block in program.blocks
        for op in block.ops
        if op.kernel is None
        and (op.base not in _FOLLOWED or op.form.startswith("cp.reduce"))
        and op.base not in IGNORED
        and op.barrier is None
        and op.base
    ]
    if missing:
        raise UnsupportedInstruction(missing, artifact=program.artifact, mode="symbolic mode")


class Handlers:
    """The operations of a program, bound to symbols; each is bound when it first runs."""

    def __init__(self, program: Program, notes: Notes, *, folds: bool, whole: int) -> None:
        """Binds nothing yet.

        Args:
            program: Whose operations they are.
            notes: Takes what the run should say.
            folds: Approximate instructions are computed where their sources are known.
            whole: What integer arguments taint, as in `Symbol`: if an address depends on these,
                the run starts again with their content as numbers.
        """
        self._whole = whole
        self._program = program
        self._widths = program.widths
        self._notes = notes
        self._folds = folds
        self._bound: dict[int, Handler] = {}

    def of(self, op: Op) -> Handler:
        """What an operation does."""
        found = self._bound.get(id(op))
        if found is None:
            found = self._bound[id(op)] = self._bind(op)
        return found

    def _bind(self, op: Op) -> Handler:
        if op.base in IGNORED:
            return lambda _lanes, _memory, _where: None
        if op.kernel is not None:
            return self._compute(op)
        special: dict[str, Callable[[Op], Handler]] = {
            "moves": self._moves,
            "mov": self._move,
            "ld": self._load,
            "ldu": self._load,
            "st": self._store,
            "atom": lambda op: bind_atomic(op, self._notes, self._widths),
            "red": lambda op: bind_atomic(op, self._notes, self._widths),
            "shfl": self._shuffle,
            "vote": self._vote,
            "redux": self._reduce,
            "ldmatrix": self._tiles,
            "stmatrix": self._tiles,
            "mma": lambda op: bind_mma(op, self._program.gpu),
            "wgmma": lambda op: bind_wgmma(op, self._program.gpu),
            "cp": self._copy,
            "mbarrier": self._copy,
            "tensormap": self._map,
        }
        bind = special.get(op.base, self._plain)
        return bind(op)

    def _plain(self, op: Op) -> Handler:
        """An operation whose sources have to be known."""
        return lambda lanes, memory, where: op.run(lanes, memory.bytes, where)

    @staticmethod
    def _copy(op: Op) -> Handler:
        """A copy that runs beside the threads, or what waits for it: contents go with it."""

        def run(lanes: SymbolicLanes, memory: SymbolicMemory, where: Array | None) -> None:
            if lanes.condition is not None:
                raise DependsOnDataError(lanes.condition.taint, "whether a copy starts or is over")
            op.run(lanes, memory.bytes, where)

        return run

    def _map(self, op: Op) -> Handler:
        """What makes a tensor map: its bytes are known."""
        copies = self._copy(op)
        size = 128 if op.form.startswith("tensormap.cp") else 8
        space = "shared" if ".shared" in op.form and size == 8 else ""

        def run(lanes: SymbolicLanes, memory: SymbolicMemory, where: Array | None) -> None:
            copies(lanes, memory, where)
            start = (
                in_shared(lanes.address(op.sources[0])) if space else lanes.address(op.sources[0])
            )
            for step in range(0, size, 8):
                # A field has four bytes or eight, and stands on a multiple of its size.
                at = (start + start.dtype.type(step)) & ~start.dtype.type(7)
                for part in memory.locate(lanes, space, at, 8, lanes.running(where)):
                    over = memory.overlay(part)
                    if over is not None:
                        over.mark_known(part.offsets, 8, part.where)

        return run

    def _known(self, op: Op, lanes: SymbolicLanes) -> bool:
        symbols = lanes.symbols
        return all(symbols[slot] is None for slot in op.reads)

    def _compute(self, op: Op) -> Handler:
        assert op.kernel is not None  # noqa: S101 - bound only for those
        kinds = (*op.kernel.sources, "pred")
        widths = [TYPES[kind].bits for kind, _ in zip(kinds, op.sources, strict=False)]
        bits = [1 if slot == SINK_SLOT else self._widths[slot] for slot in op.targets]
        results = (*op.kernel.results, *["pred"] * len(bits))
        for at, slot in enumerate(op.targets):
            if slot == SINK_SLOT:
                bits[at] = TYPES[results[at]].bits
        plain = op.label == "exact" or self._folds

        def run(lanes: SymbolicLanes, memory: SymbolicMemory, where: Array | None) -> None:
            if plain and self._known(op, lanes):
                op.run(lanes, memory.bytes, where)
                return
            sources = [
                lanes.seen(source, width) for source, width in zip(op.sources, widths, strict=True)
            ]
            found = compute(op, sources, bits, folds=self._folds)
            for slot, value in zip(op.targets, found, strict=True):
                if slot != SINK_SLOT:
                    lanes.put_symbol(slot, value, where)

        return run

    def _moves(self, op: Op) -> Handler:
        def run(lanes: SymbolicLanes, _memory: SymbolicMemory, where: Array | None) -> None:
            for source, slot in zip(op.sources, op.targets, strict=True):
                kind = TYPES[source.kind]
                value = lanes.seen(source, kind.bits)
                if slot != SINK_SLOT:
                    bits = self._widths[slot]
                    signed = kind.dtype.kind == "i"
                    lanes.put_symbol(slot, extend(value, bits, signed=signed), where)

        return run

    def _move(self, op: Op) -> Handler:
        if len(op.sources) == len(op.targets):
            moves = self._moves(op)
        elif len(op.targets) == 1:
            moves = self._pack(op)
        else:
            moves = self._unpack(op)

        def run(lanes: SymbolicLanes, memory: SymbolicMemory, where: Array | None) -> None:
            if self._known(op, lanes):
                op.run(lanes, memory.bytes, where)
            else:
                moves(lanes, memory, where)

        return run

    def _pack(self, op: Op) -> Handler:
        def run(lanes: SymbolicLanes, _memory: SymbolicMemory, where: Array | None) -> None:
            parts = [lanes.seen(each, TYPES[each.kind].bits) for each in op.sources]
            unit = min(each.unit for each in parts)
            pieces = tuple(piece for each in parts for piece in each.cut(unit).pieces)
            taint = 0
            for each in parts:
                taint |= each.taint
            slot = op.targets[0]
            if slot != SINK_SLOT:
                lanes.put_symbol(slot, Symbol(pieces, taint).low(self._widths[slot]), where)

        return run

    def _unpack(self, op: Op) -> Handler:
        def run(lanes: SymbolicLanes, _memory: SymbolicMemory, where: Array | None) -> None:
            (source,) = op.sources
            value = lanes.seen(source, TYPES[source.kind].bits)
            width = value.bits // len(op.targets)
            cut = value.cut(width)
            each = width // cut.unit
            for at, slot in enumerate(op.targets):
                if slot != SINK_SLOT:
                    part = Symbol(cut.pieces[at * each : (at + 1) * each], value.taint)
                    lanes.put_symbol(slot, part.low(self._widths[slot]), where)

        return run

    # Memory.

    def _load(self, op: Op) -> Handler:
        space, left, kind = split_access(op.form)
        count = _COUNTS.get(left[0], 1) if left else 1
        width = TYPES[kind].bits // 8
        signed = TYPES[kind].dtype.kind == "i"
        via = f"ld.{space}" if space in {"shared", "local"} else ""

        def run(lanes: SymbolicLanes, memory: SymbolicMemory, where: Array | None) -> None:
            active = lanes.running(where)
            try:
                address = lanes.address(op.sources[0])
            except DependsOnDataError as error:
                if space != "global" or error.taint & self._whole or not error.taint:
                    raise
                self._select(op, lanes, memory, where)
                return
            parts = memory.locate(lanes, space, address, width * count, active)
            if lanes.condition is None and all(memory.overlay(part) is None for part in parts):
                op.run(lanes, memory.bytes, where)
                return
            for slot, word in zip(op.targets, memory.read(lanes, parts, width, count), strict=True):
                if slot != SINK_SLOT:
                    value = extend(word, self._widths[slot], signed=signed)
                    if via and not value.fixed:
                        pieces = tuple(each.through(via) for each in value.pieces)
                        value = Symbol(pieces, value.taint)
                    lanes.put_symbol(slot, value, where)

        return run

    def _select(
        self, op: Op, lanes: SymbolicLanes, memory: SymbolicMemory, where: Array | None
    ) -> None:
        """A load from where floats decide: an operation on the address and all global memory.

        Equal addresses in equal memory hold equal bits, whichever they are.
        """
        _, left, kind = split_access(op.form)
        width, signed = TYPES[kind].bits, TYPES[kind].dtype.kind == "i"
        self._notes.add("assumption", "where it reads depends on data: taken to be inside", op)
        place = lanes.source(op.sources[0])
        state = memory.global_state()
        offset = hashing.constant(np.full((1, 1), op.sources[0].offset, np.uint64))
        taint = place.taint
        for each in memory.overlays.values():
            taint |= each.taint
        for at, slot in enumerate(op.targets):
            name = hashing.name_hash(f"select-from.{'.'.join(left) or 'one'}.{at}.b{width}")
            found = hashing.operation(name, [place.one().hashed(), offset, state])
            if slot != SINK_SLOT:
                word = Symbol((Piece(width, found),), taint)
                lanes.put_symbol(slot, extend(word, self._widths[slot], signed=signed), where)

    def _store(self, op: Op) -> Handler:
        space, left, kind = split_access(op.form)
        count = _COUNTS.get(left[0], 1) if left else 1
        width = TYPES[kind].bits // 8

        def run(lanes: SymbolicLanes, memory: SymbolicMemory, where: Array | None) -> None:
            active = lanes.running(where)
            address = lanes.address(op.sources[0])
            parts = memory.locate(lanes, space, address, width * count, active)
            words = [lanes.seen(each, width * 8) for each in op.sources[1:]]
            if lanes.condition is not None:
                old = memory.read(lanes, parts, width, count)
                condition = lanes.condition
                words = [
                    select_words(condition.one(), new, before, condition.taint)
                    for new, before in zip(words, old, strict=True)
                ]
            elif all(each.fixed for each in words):
                op.run(lanes, memory.bytes, where)
                for part in parts:
                    over = memory.overlay(part)
                    if over is not None:
                        over.mark_known(part.offsets, width * count, part.where)
                self._notes.stored(lanes, memory, parts, width * count)
                return
            memory.write(lanes, parts, words, width)
            self._notes.stored(lanes, memory, parts, width * count)

        return run

    def _tiles(self, op: Op) -> Handler:
        """`ldmatrix` and `stmatrix`: words or their halves, spread over a warp."""
        loads, turned = op.base == "ldmatrix", ".trans" in op.form
        space = "shared" if ".shared" in op.form else ""

        def run(lanes: SymbolicLanes, memory: SymbolicMemory, where: Array | None) -> None:
            _together(lanes)
            active = lanes.running(where)
            address = lanes.address(op.sources[0])
            for number in range(len(op.targets) if loads else len(op.sources) - 1):
                places = spots(lanes, address, number, turned=turned)
                located = [
                    (memory.locate(lanes, space, at, width, active), width) for at, width in places
                ]
                if loads:
                    words = [memory.read(lanes, parts, width, 1)[0] for parts, width in located]
                    unit = min(each.unit for each in words)
                    pieces = tuple(piece for each in words for piece in each.cut(unit).pieces)
                    through = tuple(each.through("ld.shared") for each in pieces)
                    taint = words[0].taint | words[-1].taint
                    if op.targets[number] != SINK_SLOT:
                        lanes.put_symbol(op.targets[number], Symbol(through, taint), where)
                    continue
                value = lanes.seen(op.sources[number + 1], 32)
                for half, (parts, width) in enumerate(located):
                    cut = value.cut(width * 8)
                    count = width * 8 // cut.unit
                    pieces = cut.pieces[half * count : (half + 1) * count]
                    memory.write(lanes, parts, [Symbol(pieces, value.taint)], width)

        return run

    # Warps.

    def _shuffle(self, op: Op) -> Handler:
        mode = op.form.split(".")[2]

        def run(lanes: SymbolicLanes, memory: SymbolicMemory, where: Array | None) -> None:
            if self._known(op, lanes):
                op.run(lanes, memory.bytes, where)
                return
            _together(lanes)
            value = lanes.seen(op.sources[0], 32)
            offset, clamp = (lanes.known_value(lanes.seen(each, 32)) for each in op.sources[1:3])
            inside: Array | None = None

            def move(array: Array) -> Array:
                nonlocal inside
                found, inside = warp.shuffle(lanes, mode, array, offset, clamp)
                return found

            step = f"shfl.{mode} {int(offset.flat[0])}" if offset.size == 1 else f"shfl.{mode}"
            pieces = tuple(each.map(move).through(step) for each in value.pieces)
            if op.targets[0] != SINK_SLOT:
                lanes.put_symbol(op.targets[0], Symbol(pieces, value.taint), where)
            if len(op.targets) > 1 and op.targets[1] != SINK_SLOT and inside is not None:
                lanes.put(op.targets[1], inside, where)

        return run

    def _vote(self, op: Op) -> Handler:
        mode = op.form.split(".")[2]
        return self._gathered(op, f"vote.{mode}", by_lane=mode == "ballot")

    def _reduce(self, op: Op) -> Handler:
        return self._gathered(op, canonical(op.form), by_lane=False)

    def _gathered(self, op: Op, form: str, *, by_lane: bool) -> Handler:
        """An operation on what all lanes of a warp bring."""
        name = hashing.name_hash(form)
        lane = np.arange(32, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)

        def run(lanes: SymbolicLanes, memory: SymbolicMemory, where: Array | None) -> None:
            if self._known(op, lanes):
                op.run(lanes, memory.bytes, where)
                return
            _together(lanes)
            source = op.sources[0]
            value = lanes.seen(source, TYPES[source.kind].bits)
            brought = np.broadcast_to(value.one().hashed(), lanes.shape)
            by_warp = lanes.by_warp(brought)
            terms = hashing.finish(by_warp + lane if by_lane else by_warp + name)
            running = lanes.running(where)
            if running is not None:
                held = lanes.by_warp(np.broadcast_to(running, lanes.shape))
                terms = np.where(held, terms, np.uint64(0))
            total = terms.sum(axis=-1, keepdims=True, dtype=np.uint64)
            hash_ = hashing.operation(name, [lanes.by_thread(total)])
            slot = op.targets[0]
            if slot != SINK_SLOT:
                bits = self._widths[slot]
                lanes.put_symbol(slot, Symbol((Piece(bits, hash_),), value.taint), where)

        return run


def _together(lanes: SymbolicLanes) -> None:
    if lanes.condition is not None:
        raise DependsOnDataError(lanes.condition.taint, "an exchange between threads")
