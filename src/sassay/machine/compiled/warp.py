"""The control flow of a warp in IR.

Code that all lanes run together is plain. Parted code runs block by block in the program's order,
in which the lanes that lag behind come first: each block has a word of the lanes that wait for it.
At a barrier a warp keeps its registers in a frame and returns; called again, it goes on there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.machine.compiled import layout
from sassay.machine.compiled.access import pointer_at, word_at
from sassay.machine.compiled.code import LANES, Code, Unit, Value, number
from sassay.machine.compiled.divergence import Divergence, alive_after, alive_before
from sassay.machine.compiled.exchange import lane_numbers
from sassay.machine.compiled.layout import Word
from sassay.machine.compiled.operations import Operations
from sassay.machine.compiled.registers import Registers
from sassay.machine.errors import MissingForm
from sassay.machine.flow import bits_of, slots_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sassay.machine.compiled.access import Site
    from sassay.machine.program import Block, Op, Program

_ZERO = number(0, 32)
_NAMED = frozenset({"shfl", "vote", "match", "redux", "elect"})
"""Instructions of warps that name the lanes that take part; others are for all lanes."""


class Warp:
    """Writes the function that runs a warp.

    Attributes:
        sites: Its accesses.
        frame_bytes: Of the frame of a warp.
    """

    def __init__(
        self, unit: Unit, program: Program, found: Divergence, block: tuple[int, int, int]
    ) -> None:
        """Prepares.

        Args:
            unit: That the function goes into.
            program: The entry.
            found: What varies in it.
            block: Threads of a block by dimension.
        """
        self._program = program
        self._found = found
        self._block = block
        threads = block[0] * block[1] * block[2]
        self._code = Code(unit)
        self._registers = Registers(self._code, program, found)
        self._operations = Operations(self._code, self._registers, program, threads)
        self._last = len(program.blocks) - 1
        self._alive = alive_before(program.blocks)
        self._resumes: list[str] = []
        self._given = set(program.specials.values()) - {program.specials.get("%carry", -1)}

    @property
    def sites(self) -> list[Site]:
        """Accesses in the order of their records."""
        return self._operations.sites

    @property
    def frame_bytes(self) -> int:
        """Of the frame of a warp."""
        return layout.FRAME_HEAD + layout.REGISTER_BYTES * len(self._program.widths)

    def text(self) -> str:
        """The function.

        Raises:
            MissingForm: Something in the program is not compiled.
        """
        code = self._code
        for slot in range(len(self._program.widths)):
            self._registers.declare(slot)
        code.heads.append("%count = alloca i64, align 8")
        code.heads.append("%gone = alloca i32, align 4")
        code.heads.append("%here = alloca i32, align 4")
        code.heads += [f"%m{at} = alloca i32, align 4" for at in sorted(self._found.parted)]
        self._enter()
        for at, block in enumerate(self._program.blocks[:-1]):
            self._write(at, block)
        code.label(f"b{self._last}")
        self._count_out()
        code.emit(f"ret i32 {layout.EXITED}")
        code.label("giveup")
        code.emit(f"ret i32 {layout.GIVES_UP}")
        for at in sorted(self._found.parted):
            self._look(at)
        cases = " ".join(
            f"i32 {number_}, label %{label}" for number_, label in enumerate(self._resumes, 1)
        )
        body = [line.replace("; resumes", cases) for line in code.lines]
        code.lines[:] = body
        params = "ptr %ctx, ptr %frame, i32 %warp, i32 %full, i32 %cx, i32 %cy, i32 %cz"
        return code.function(f"internal i32 @warp({params}) noinline")

    def _enter(self) -> None:
        code, program = self._code, self._program
        for name, index in (
            ("param", Word.PARAM),
            ("sites", Word.SITES),
            ("visited", Word.VISITED),
        ):
            place = code.at("%ctx", 8 * index)
            code.emit(f"%{name} = load ptr, ptr {place}, align 8")
        code.emit("store i64 0, ptr %count, align 8")
        code.emit("store i32 0, ptr %gone, align 4")
        for at in sorted(self._found.parted):
            code.emit(f"store i32 0, ptr %m{at}, align 4")
        self._specials()
        starts = pointer_at(code, Word.FIRST_VALUES)
        undefined = {slot for slot, _ in program.undefined}
        for slot, bits in enumerate(program.widths):
            if slot in undefined:
                word = word_at(code, starts, slot)
                self._registers.put(slot, code.resize(word, bits))
            elif slot not in self._given:
                self._registers.put(slot, number(0, bits))
        resume = code.load("i32", "%frame", "i32", wide=False, align=4)
        code.emit(f"switch i32 {resume.text}, label %first [ ; resumes ]")
        code.label("first")
        self._go(0)

    def _specials(self) -> None:
        code, program, put = self._code, self._program, self._registers.put
        x, y, z = self._block
        lane = lane_numbers(code)
        warp = Value("%warp", "i32")
        thread = code.op("add", code.op("shl", warp, number(5, 32)), lane)
        bit = code.op("shl", number(1, 32), lane)
        below = code.op("sub", bit, number(1, 32))
        ones = number(-1, 32)
        blocks = {axis: Value(f"%c{axis}", "i32") for axis in "xyz"}
        found: dict[str, Value | int] = {
            "%laneid": lane,
            "%warpid": warp,
            "%nwarpid": -(-(x * y * z) // LANES),
            "%nsmid": 1,
            "%lanemask_eq": bit,
            "%lanemask_lt": below,
            "%lanemask_le": code.op("or", below, bit),
            "%lanemask_gt": code.op("xor", code.op("or", below, bit), ones),
            "%lanemask_ge": code.op("xor", below, ones),
            "%cluster_nctarank": 1,
        }
        parts = (
            code.op("urem", thread, number(x, 32)),
            code.op("urem", code.op("udiv", thread, number(x, 32)), number(y, 32)),
            code.op("udiv", thread, number(x * y, 32)),
        )
        for axis, part, size, index in zip("xyz", parts, self._block, range(3), strict=True):
            found[f"%tid.{axis}"] = part
            found[f"%ntid.{axis}"] = size
            found[f"%ctaid.{axis}"] = found[f"%clusterid.{axis}"] = blocks[axis]
            grid = code.resize(word_at(code, "%ctx", Word.GRID_X + index), 32)
            found[f"%nctaid.{axis}"] = found[f"%nclusterid.{axis}"] = grid
            found[f"%cluster_nctaid.{axis}"] = 1
        dynamic = code.resize(word_at(code, "%ctx", Word.DYNAMIC_SHARED), 32)
        total = code.op("add", dynamic, number(program.shared_bytes, 32))
        found |= {"%dynamic_smem_size": dynamic, "%total_smem_size": total}
        found["%aggr_smem_size"] = total
        for name, slot in program.specials.items():
            if slot in self._given:
                value = found.get(name, 0)
                bits = program.widths[slot]
                put(slot, number(value, bits) if isinstance(value, int) else value)

    # Blocks.

    def _write(self, at: int, block: Block) -> None:
        code, registers = self._code, self._registers
        code.label(f"b{at}")
        parted = at in self._found.parted
        registers.mask = registers.lanes = None
        running = Value("%full", "i32")
        if parted:
            running = code.load("i32", f"%m{at}", "i32", wide=False, align=4)
            code.emit(f"store i32 0, ptr %m{at}, align 4")
            registers.mask, registers.lanes = running, code.unmask(running)
        seen = code.at("%visited", at)
        code.emit(f"store i8 1, ptr {seen}, align 1")
        self._count(block, running)
        for op in block.ops:
            if op.members is not None and parted:
                self._all_here(op, running)
            if op.barrier is not None:
                running = self._barrier(op, running, block)
            else:
                self._operations.write(op)
        self._leave(at, block, running)

    def _count(self, block: Block, running: Value) -> None:
        code = self._code
        lanes = code.resize(code.intrinsic("ctpop", [running]), 64)
        step = code.op("mul", lanes, number(block.size, 64))
        before = code.load("i64", "%count", "i64", wide=False, align=8)
        total = code.op("add", before, step)
        code.emit(f"store i64 {total.text}, ptr %count, align 8")

    def _count_out(self) -> None:
        code = self._code
        here = code.load("i64", "%count", "i64", wide=False, align=8)
        place = code.at("%ctx", 8 * Word.INSTRUCTIONS)
        total = code.op("add", code.load("i64", place, "i64", wide=False, align=8), here)
        code.emit(f"store i64 {total.text}, ptr {place}, align 8")

    def _gone(self) -> Value:
        return self._code.load("i32", "%gone", "i32", wide=False, align=4)

    def _present(self) -> Value:
        """Lanes that have not exited."""
        code = self._code
        stay = code.op("xor", self._gone(), number(-1, 32))
        return code.op("and", Value("%full", "i32"), stay)

    def _all_here(self, op: Op, running: Value) -> None:
        """Gives up unless all lanes that an operation of the warp asks for are here."""
        code, registers = self._code, self._registers
        registers.begin(op)
        where = registers.running()
        away = code.op("and", self._present(), code.op("xor", running, number(-1, 32)))
        members = number(-1, 32)
        if op.base in _NAMED or op.form == "bar.warp.sync":
            # The members are the last source; elect's is followed by the lane's number.
            members = registers.fetch(op.sources[0 if op.base == "elect" else -1])
        missing = code.test("ne", code.op("and", members, away), _ZERO)
        if missing.wide:
            missing = code.test("ne", code.op("and", code.mask(missing), where), _ZERO)
        else:
            missing = code.op("and", missing, code.test("ne", where, _ZERO))
        self._operations.give_up_if(missing)

    # Where a block goes on.

    def _go(self, target: int) -> None:
        """All lanes go on at a block."""
        if target in self._found.parted:
            self._code.emit(f"store i32 %full, ptr %m{target}, align 4")
        self._code.emit(f"br label %b{target}")

    def _check_steps(self) -> None:
        """At a jump back: gives up if the run takes too long."""
        code = self._code
        here = code.load("i64", "%count", "i64", wide=False, align=8)
        before = word_at(code, "%ctx", Word.INSTRUCTIONS)
        limit = word_at(code, "%ctx", Word.LIMIT)
        total = code.op("add", here, before)
        self._operations.give_up_if(code.test("ugt", total, limit))

    def _leave(self, at: int, block: Block, running: Value) -> None:
        if any(target <= at for target in block.targets):
            self._check_steps()
        shares = self._shares(block)
        if at in self._found.parted:
            self._part(at, shares, running)
        elif len(set(block.targets)) == 1:
            self._go(block.targets[0])
        elif any(each.wide for _, each in shares):
            self._part(at, shares, running)
        else:
            self._choose(shares)

    def _shares(self, block: Block) -> list[tuple[int, Value]]:
        """Targets, each with the predicate of the lanes that go there."""
        code = self._code
        if block.index is not None:
            slots = block.index_slots
            given = self._registers.get(slots[0]) if slots else None
            if given is None:
                raise MissingForm("brx.idx by a constant")
            index = code.resize(given, 32)
            last = len(block.targets) - 1
            shares = []
            for at, target in enumerate(block.targets):
                condition = "uge" if at == last else "eq"
                shares.append((target, code.test(condition, index, number(at, 32))))
            return shares
        if block.guard is None:
            return [(block.targets[0], number(1, 1))]
        held = self._registers.get(block.guard)
        other = code.op("xor", held, number(1, 1))
        if block.negated:
            held, other = other, held
        return [(block.targets[0], held), (block.targets[1], other)]

    def _choose(self, shares: list[tuple[int, Value]]) -> None:
        """A branch that all lanes take together, out of code that all run."""
        code = self._code
        for target, where in shares[:-1]:
            take, after = code.fresh("take"), code.fresh("on")
            code.emit(f"br i1 {where.text}, label %{take}, label %{after}")
            code.label(take)
            self._go(target)
            code.label(after)
        self._go(shares[-1][0])

    def _part(self, at: int, shares: list[tuple[int, Value]], running: Value) -> None:
        """Each lane waits for the block that it takes; the lowest of them runs next."""
        code, parted = self._code, self._found.parted
        for target, where in shares:
            if target not in parted and target != self._last:
                continue
            share = code.op("and", running, code.mask(where))
            place = f"%m{target}" if target in parted else "%gone"
            before = code.load("i32", place, "i32", wide=False, align=4)
            total = code.op("or", before, share)
            code.emit(f"store i32 {total.text}, ptr {place}, align 4")
        if at not in parted:
            # Out of code that all run: whatever is parted there may be first.
            target = next(target for target, _ in shares if target in parted)
            code.emit(f"br label %look{self._found.regions[target]}")
            return
        for target in sorted({target for target, _ in shares if target in parted}):
            if target <= at:
                waits = code.load("i32", f"%m{target}", "i32", wide=False, align=4)
                some, after = code.test("ne", waits, _ZERO), code.fresh("on")
                code.emit(f"br i1 {some.text}, label %b{target}, label %{after}")
                code.label(after)
        code.emit(f"br label %{self._next(at)}")

    def _next(self, at: int) -> str:
        """Where to look for waiting lanes after a block."""
        region = self._found.regions
        later = [each for each in region if each > at and region[each] == region[at]]
        return f"look{min(later)}" if later else f"b{self._found.exits[at]}"

    def _look(self, at: int) -> None:
        code = self._code
        code.label(f"look{at}")
        waits = code.load("i32", f"%m{at}", "i32", wide=False, align=4)
        some = code.test("ne", waits, _ZERO)
        code.emit(f"br i1 {some.text}, label %b{at}, label %{self._next(at)}")

    # Barriers.

    def _barrier(self, op: Op, running: Value, block: Block) -> Value:
        """Waits for other warps; gives the lanes that run afterwards."""
        code, registers, barrier = self._code, self._registers, op.barrier
        if barrier is None or not barrier.waits:
            raise MissingForm(op.form)
        registers.begin(op)
        come = registers.running()
        named = registers.fetch(op.sources[-1])
        count = registers.fetch(op.sources[0]) if barrier.count is not None else _ZERO
        if named.wide or count.wide:
            raise MissingForm(f"{op.form} that differs between lanes")
        after = code.fresh("passed")
        code.emit(f"store i32 {running.text}, ptr %here, align 4")
        if op.guard is not None:
            arrive = code.fresh("arrive")
            some = code.test("ne", come, _ZERO)
            code.emit(f"br i1 {some.text}, label %{arrive}, label %{after}")
            code.label(arrive)
        # Lanes that come one by one are for the interpreter.
        self._operations.give_up_if(code.test("ne", come, self._present()))
        held = _ZERO
        if barrier.source is not None:
            pred = code.op("and", code.mask(registers.fetch(op.sources[-2])), come)
            held = code.intrinsic("ctpop", [pred])
        lanes = code.intrinsic("ctpop", [come])
        named = code.op("and", named, number(15, 32))
        self._resumes.append(code.fresh("resume"))
        for offset, value in (
            (layout.RESUME, number(len(self._resumes), 32)),
            (layout.NUMBER, named),
            (layout.EXPECTED, count),
            (layout.ARRIVED, lanes),
            (layout.HELD, held),
            (layout.GONE, self._gone()),
        ):
            code.emit(f"store i32 {value.text}, ptr {code.at('%frame', offset)}, align 4")
        kept = self._kept(block, op)
        self._frame(kept, self._save)
        self._count_out()
        code.emit(f"ret i32 {layout.ARRIVES}")
        code.label(self._resumes[-1])
        self._frame(kept, self._restore)
        gone = code.load("i32", code.at("%frame", layout.GONE), "i32", wide=False, align=4)
        code.emit(f"store i32 {gone.text}, ptr %gone, align 4")
        code.emit(f"store i32 {self._present().text}, ptr %here, align 4")
        self._reduced(op)
        code.emit(f"br label %{after}")
        code.label(after)
        here = code.load("i32", "%here", "i32", wide=False, align=4)
        return running if registers.mask is None else here

    def _kept(self, block: Block, op: Op) -> list[int]:
        alive = alive_after(block, self._alive)
        if op.barrier is not None and op.barrier.target is not None and op.guard is None:
            alive &= ~bits_of(op.writes)
        return [slot for slot in slots_of(alive) if slot not in self._given]

    def _frame(self, slots: list[int], do: Callable[[int, str], None]) -> None:
        for slot in slots:
            place = layout.FRAME_HEAD + layout.REGISTER_BYTES * slot
            do(slot, self._code.at("%frame", place))

    def _save(self, slot: int, place: str) -> None:
        value = self._registers.get(slot)
        if value.type == "i1":
            value = self._code.mask(value) if value.wide else self._code.resize(value, 32)
        self._code.emit(f"store {value.spelled} {value.text}, ptr {place}, align 8")

    def _restore(self, slot: int, place: str) -> None:
        code, spelled = self._code, self._registers.spelled(slot)
        bits = self._program.widths[slot]
        wide = spelled.startswith("<")
        if bits == 1:
            word = code.load("i32", place, "i32", wide=False, align=8)
            value = code.unmask(word) if wide else code.resize(word, 1)
        else:
            value = code.load(spelled, place, f"i{bits}", wide=wide, align=8)
        self._registers.put(slot, value)

    def _reduced(self, op: Op) -> None:
        """The result of a barrier that reduces."""
        code, barrier = self._code, op.barrier
        if barrier is None or barrier.reduce is None or barrier.target is None:
            return
        base = pointer_at(code, Word.BARRIERS)
        named = code.load("i32", code.at("%frame", layout.NUMBER), "i32", wide=False, align=4)
        entry = code.at(
            base, code.resize(code.op("mul", named, number(layout.BARRIER_BYTES, 32)), 64)
        )
        held = code.load("i32", code.at(entry, 12), "i32", wide=False, align=4)
        total = code.load("i32", code.at(entry, 16), "i32", wide=False, align=4)
        if barrier.reduce == "popc":
            self._registers.store(barrier.target, held, "b32")
        elif barrier.reduce == "or":
            self._registers.store(barrier.target, code.test("ne", held, _ZERO), "pred")
        else:
            self._registers.store(barrier.target, code.test("eq", held, total), "pred")
