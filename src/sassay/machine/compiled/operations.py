"""Operations in IR, one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.machine.access import split_access
from sassay.machine.compiled import access, exchange
from sassay.machine.compiled.code import LANES, Code, Value, number
from sassay.machine.compiled.forms import emitter
from sassay.machine.compiled.reductions import update_of
from sassay.machine.errors import MissingForm
from sassay.machine.instructions import IGNORED
from sassay.machine.memory import WINDOWS
from sassay.machine.numeric import blind_to_nans
from sassay.machine.types import TYPES

if TYPE_CHECKING:
    from collections.abc import Callable

    from sassay.machine.compiled.registers import Registers
    from sassay.machine.program import Op, Program


class Operations:
    """Writes operations of a program.

    Attributes:
        sites: Accesses that were written.
    """

    def __init__(self, code: Code, registers: Registers, program: Program, threads: int) -> None:
        self._code = code
        self._registers = registers
        self._program = program
        self._threads = threads
        self._loose = _loose(program)
        self.sites: list[access.Site] = []

    def write(self, op: Op) -> None:
        """Writes one.

        Raises:
            MissingForm: It is not compiled.
        """
        self._registers.begin(op)
        first = op.form.split(".", 1)[0]
        if op.kernel is not None:
            self._compute(op)
        elif op.base in {"mov", "moves"}:
            self._move(op)
        elif op.base in _WRITERS:
            _WRITERS[op.base](self, op)
        elif op.form == "bar.warp.sync" or (not op.base and first in IGNORED):
            pass
        elif op.base == "trap" or (not op.base and first.split()[0] == "call"):
            self.give_up_if(self._code.test("ne", self._registers.running(), number(0, 32)))
        elif op.base == "createpolicy":
            self._store(op, 0, number(0, 64), "b64")
        else:
            raise MissingForm(op.form)

    def give_up_if(self, where: Value) -> None:
        """Leaves compiled code if something is so."""
        after = self._code.fresh("on")
        self._code.emit(f"br i1 {where.text}, label %giveup, label %{after}")
        self._code.label(after)

    def _store(self, op: Op, index: int, value: Value, kind: str) -> None:
        if index < len(op.targets):
            self._registers.store(op.targets[index], value, kind)

    def _sources(self, op: Op) -> list[Value]:
        return [self._registers.fetch(each) for each in op.sources]

    def _compute(self, op: Op) -> None:
        kernel = op.kernel
        if kernel is None:
            raise MissingForm(op.form)
        extra = "out" in kernel.carries
        loose = bool(op.targets) and op.targets[0] in self._loose
        emit = emitter(op.form, len(op.targets) - extra, loose=loose)
        found = emit(self._code, self._sources(op))
        kinds = [*kernel.results[: len(op.targets) - extra], *(["pred"] if extra else [])]
        for index, (value, kind) in enumerate(zip(found, kinds, strict=False)):
            self._store(op, index, value, kind)

    def _move(self, op: Op) -> None:
        code, given = self._code, self._sources(op)
        kinds = [each.kind for each in op.sources]
        if len(given) == len(op.targets):
            for index, (value, kind) in enumerate(zip(given, kinds, strict=True)):
                self._store(op, index, value, kind)
        elif len(op.targets) == 1:
            bits = given[0].bits * len(given)
            joined = code.resize(given[0], bits)
            for at, value in enumerate(given[1:], 1):
                moved = code.op("shl", code.resize(value, bits), number(at * value.bits, bits))
                joined = code.op("or", joined, moved)
            self._store(op, 0, joined, f"b{bits}")
        else:
            width = given[0].bits // len(op.targets)
            for at in range(len(op.targets)):
                moved = code.op("lshr", given[0], number(at * width, given[0].bits))
                self._store(op, at, code.resize(moved, width), f"b{width}")

    # Memory.

    def _site(self, op: Op, space: str, *, writes: bool, reads: bool) -> str:
        kind = access.kind_of(space, writes=writes, reads=reads)
        self.sites.append(access.Site(space, kind, id(op)))
        return access.site_place(self._code, len(self.sites) - 1)

    def _address(self, op: Op, space: str, size: int, mask: Value) -> Value:
        """The address as 64 bits; of local memory that in the memory of all threads."""
        code = self._code
        address = code.resize(self._registers.fetch(op.sources[0]), 64)
        if space != "local":
            return address
        most = self._program.local_bytes - size
        if most < 0:
            raise MissingForm(f"{op.form} where there is no local memory")
        beyond = code.mask(code.test("ugt", address, number(most, 64)))
        self.give_up_if(code.test("ne", code.op("and", beyond, mask), number(0, 32)))
        stride = -(-self._program.local_bytes // 16) * 16
        lane = code.op("mul", exchange.lane_numbers(code, 64), number(stride, 64))
        warp = code.resize(Value("%warp", "i32"), 64)
        base = code.op("mul", warp, number(stride * LANES, 64))
        # One thread's memory is no neighbour of another's words.
        return code.op("add", code.op("add", lane, base), address)

    def _call(self, name: str, site: str, address: Value, mask: Value, room: str) -> None:
        """Calls an access unless no lane runs; gives up if it fails."""
        code = self._code
        do, after = code.fresh("do"), code.fresh("on")
        if mask.text != "%full":
            some = code.test("ne", mask, number(0, 32))
            code.emit(f"br i1 {some.text}, label %{do}, label %{after}")
            code.label(do)
        if address.wide:
            place = code.scratch("addresses", 8 * LANES)
            code.emit(f"store {address.spelled} {address.text}, ptr {place}, align 32")
            given = f"ptr {place}, i32 {mask.text}"
        else:
            given = f"i64 {address.text}"
        good = code.let(
            f"call i1 @{name}(ptr %ctx, ptr {site}, {given}, ptr {room})", "i1", wide=False
        )
        code.emit(f"br i1 {good.text}, label %{after}, label %giveup")
        code.label(after)

    def load(self, op: Op) -> None:
        """`ld` and `ldu`."""
        code = self._code
        space, _, kind = split_access(op.form)
        width, count = TYPES[kind].dtype.itemsize, len(op.targets)
        if width * count > 32:
            raise MissingForm(op.form)
        mask = self._registers.running()
        address = self._address(op, space, width * count, mask)
        word = f"i{8 * width}"
        if space == "param" and address.constant and not address.wide:
            self._load_parameter(op, int(address.text), (width, kind))
            return
        site = self._site(op, space, writes=False, reads=True)
        alike = not address.wide
        room = code.scratch("words", LANES * width * count)
        make = access.loads_alike if alike else access.loads
        self._call(make(code.unit, width, count), site, address, mask, room)
        spelled = word if alike else f"<{LANES} x {word}>"
        step = width if alike else LANES * width
        for index in range(count):
            place = code.at(room, index * step)
            value = code.load(spelled, place, word, wide=not alike, align=width)
            self._store(op, index, value, kind)

    def _load_parameter(self, op: Op, start: int, what: tuple[int, str]) -> None:
        width, kind = what
        size = width * len(op.targets)
        if start % size or start + size > self._program.param_bytes:
            raise MissingForm(f"{op.form} beyond the parameters")
        for index in range(len(op.targets)):
            place = self._code.at("%param", start + index * width)
            value = self._code.load(f"i{8 * width}", place, f"i{8 * width}", wide=False, align=1)
            self._store(op, index, value, kind)

    def save(self, op: Op) -> None:
        """`st`."""
        code = self._code
        space, _, kind = split_access(op.form)
        width, count = TYPES[kind].bits // 8, len(op.sources) - 1
        if width * count > 32:
            raise MissingForm(op.form)
        mask = self._registers.running()
        values = self._sources(op)[1:]
        address = self._address(op, space, width * count, mask)
        if not address.wide and not any(each.wide for each in values):
            # The same word to the same place: once is enough.
            mask = code.op("and", mask, code.op("sub", number(0, 32), mask))
        site = self._site(op, space, writes=True, reads=False)
        room = self._room_of(values)
        name = access.stores(code.unit, width, count)
        self._call(name, site, code.splat(address), mask, room)

    def _room_of(self, values: list[Value]) -> str:
        code, bits = self._code, values[0].bits
        room = code.scratch("words", LANES * len(values) * bits // 8)
        for index, value in enumerate(values):
            wide = code.splat(value)
            place = code.at(room, index * LANES * bits // 8)
            code.emit(f"store {wide.spelled} {wide.text}, ptr {place}, align 32")
        return room

    def atomic(self, op: Op) -> None:
        """`atom` and `red` whose result is that of any order, or whose order is that of lanes."""
        code = self._code
        space, left, kind = split_access(op.form)
        left = [each for each in left if each != "noftz"]
        update = update_of(left[0], kind, space)
        width = TYPES[kind].dtype.itemsize
        mask = self._registers.running()
        values = self._sources(op)[1:]
        values += [values[0]] * (2 - len(values))
        address = code.splat(self._address(op, space, width, mask))
        site = self._site(op, space, writes=True, reads=True)
        room = self._room_of(values)
        flushes = "" if space == "shared" else ".global"
        name = access.updates(code.unit, f"atom.{left[0]}.{kind}{flushes}", 8 * width, update)
        self._call(name, site, address, mask, room)
        if op.targets:
            spelled = f"<{LANES} x i{8 * width}>"
            old = code.load(spelled, room, f"i{8 * width}", wide=True, align=width)
            self._store(op, 0, old, f"b{8 * width}")

    def space(self, op: Op) -> None:
        """`cvta` and `isspacep`."""
        code = self._code
        base, *words = op.form.split(".")
        value = self._registers.fetch(op.sources[0])
        if base == "isspacep":
            window = WINDOWS.get(words[0].split("::")[0], 0) >> 48
            found = code.op("lshr", value, number(48, 64))
            self._store(op, 0, code.test("eq", found, number(window, 64)), "pred")
            return
        kind = words.pop()
        start = WINDOWS.get(words[-1].split("::")[0], 0)
        step = -start if words[0] == "to" else start
        self._store(op, 0, code.op("add", value, number(step, value.bits)), kind)

    # Between lanes.

    def shuffle(self, op: Op) -> None:
        """`shfl.sync`."""
        value, offset, clamp = self._sources(op)[:3]
        found = exchange.shuffle(self._code, op.form.split(".")[2], value, offset, clamp)
        self._store(op, 0, found[0], "b32")
        self._store(op, 1, found[1], "pred")

    def vote(self, op: Op) -> None:
        """`vote.sync`."""
        mode = op.form.split(".")[2]
        held = self._registers.fetch(op.sources[0])
        found = exchange.vote(self._code, mode, held, self._registers.running())
        self._store(op, 0, found, "b32" if mode == "ballot" else "pred")

    def reduce(self, op: Op) -> None:
        """`redux.sync`."""
        words = op.form.split(".")
        value = self._registers.fetch(op.sources[0])
        running = self._registers.running()
        found = exchange.reduce(self._code, words[2], value, running, signed=words[3] == "s32")
        if found is None:
            raise MissingForm(op.form)
        self._store(op, 0, found, words[3])

    def match(self, op: Op) -> None:
        """`match.sync`."""
        code = self._code
        value = self._registers.fetch(op.sources[0])
        same, alike = exchange.match(code, value, self._registers.running())
        if op.form.split(".")[1] == "all":
            self._store(op, 0, alike, "b32")
            self._store(op, 1, code.test("ne", alike, number(0, 32)), "pred")
        else:
            self._store(op, 0, same, "b32")

    def elect(self, op: Op) -> None:
        """`elect.sync`."""
        code = self._code
        lowest = exchange.lowest(code, self._registers.running())
        self._store(op, 0, lowest, "b32")
        self._store(op, 1, code.test("eq", exchange.lane_numbers(code), lowest), "pred")

    def active(self, op: Op) -> None:
        """`activemask`."""
        self._store(op, 0, self._registers.running(), "b32")


_WRITERS: dict[str, Callable[[Operations, Op], None]] = {
    "ld": Operations.load,
    "ldu": Operations.load,
    "st": Operations.save,
    "atom": Operations.atomic,
    "red": Operations.atomic,
    "cvta": Operations.space,
    "isspacep": Operations.space,
    "shfl": Operations.shuffle,
    "vote": Operations.vote,
    "redux": Operations.reduce,
    "match": Operations.match,
    "elect": Operations.elect,
    "activemask": Operations.active,
}


def _loose(program: Program) -> frozenset[int]:
    """Slots that only instructions read which treat all NaNs alike."""
    strict: set[int] = set()
    for block in program.blocks:
        strict.update(block.index_slots)
        for op in block.ops:
            if not blind_to_nans(op.form):
                strict.update(op.reads)
    return frozenset(range(len(program.widths))) - strict
