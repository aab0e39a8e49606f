"""Lowers an entry: device functions expanded where they are called, blocks put in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sassay.isa.ptx.syntax import Declaration, Instruction, Label, Scope
from sassay.machine import access, instructions
from sassay.machine.async_copy.bulk import tensormap
from sassay.machine.async_copy.copies import copy
from sassay.machine.async_copy.mbarrier import mbarrier
from sassay.machine.binding import Binder
from sassay.machine.blocks import EXIT, Go, Item, Key, cut_blocks, in_order, mark_spins
from sassay.machine.errors import MissingForm, UnsupportedInstruction
from sassay.machine.flow import mark_deaths
from sassay.machine.matrix.mma import mma
from sassay.machine.matrix.pending import guard_accumulators
from sassay.machine.matrix.rules import gpu_of
from sassay.machine.matrix.wgmma import wgmma
from sassay.machine.names import Names, Passed, Slots
from sassay.machine.numeric import blind_to_nans
from sassay.machine.operands import Group, Name, Number, Operand, parse_operands
from sassay.machine.ordering import orders_of
from sassay.machine.program import SINK_SLOT, Op, Place, Program
from sassay.machine.races import finest_access
from sassay.machine.shape import check_shape
from sassay.machine.tiles import tiles
from sassay.machine.types import TYPES, Array
from sassay.machine.undefined import find_undefined
from sassay.machine.variables import (
    Area,
    ModuleVariables,
    place_parameters,
    place_variables,
)
from sassay.model.artifact import SourceLocation

if TYPE_CHECKING:
    from collections.abc import Callable

    from sassay.isa.ptx import Module, PtxFunction
    from sassay.machine.lowered import Lowered
    from sassay.machine.matrix.rules import Gpu
    from sassay.machine.program import Fetch, Run

MAX_OPS = 1 << 20
_IGNORED_DIRECTIVES = (".pragma", ".callprototype", ".calltargets", ".alias")


@dataclass
class _Expansion:
    """One expansion of a body."""

    number: int
    function: PtxFunction
    names: Names
    after: Key | None
    tables: dict[tuple[int, str], list[str]] = field(default_factory=dict)
    labels: set[tuple[int, str]] = field(default_factory=set)


class _Lowering:
    def __init__(self, module: Module, artifact: str, gpu: Gpu) -> None:
        self.module = module
        self.gpu: Gpu = gpu
        self.artifact = artifact
        self.variables: ModuleVariables = place_variables(module, artifact)
        self.shared = Area(self.variables.shared.size)
        self.local = Area()
        self.slots = Slots()
        self.dynamic: list[Array] = []
        self.missing: list[tuple[str, int]] = []
        self.items: list[Item] = []
        self.loose: set[int] = set()
        self._expansions = 0
        self._functions = {each.name: each for each in module.functions}
        self._declared = {each.name for each in module.declared}
        self._calls: list[str] = []

    def names(self) -> Names:
        return Names(self.slots, self.variables, self.shared, self.local)

    def expand(self, function: PtxFunction, names: Names, after: Key | None) -> None:
        """Adds the items of a body."""
        self._expansions += 1
        here = _Expansion(self._expansions, function, names, after)
        self._calls.append(function.name)
        self._find_scopes(here)
        for each in function.statements:
            if isinstance(each, Label):
                self.items.append((here.number, each.scope, each.name))
            elif isinstance(each, Declaration):
                self._declaration(here, each)
            elif isinstance(each, Instruction):
                try:
                    self._instruction(here, each)
                except MissingForm as error:
                    what = error.form
                    same = what.startswith(each.opcode)
                    self.missing.append((what if same else f"{each.opcode}: {what}", each.line))
            if len(self.items) > MAX_OPS:
                raise UnsupportedInstruction(
                    [(f"more than {MAX_OPS} instructions", 0)], artifact=self.artifact
                )
        self._calls.pop()

    @staticmethod
    def _find_scopes(here: _Expansion) -> None:
        label: Label | None = None
        for each in here.function.statements:
            if isinstance(each, Scope) and each.opens:
                here.names.parents[each.scope] = each.parent
            if isinstance(each, Label):
                label = each
                here.labels.add((each.scope, each.name))
            elif isinstance(each, Declaration) and each.text.startswith(".branchtargets") and label:
                listed = each.text.removeprefix(".branchtargets").rstrip(";")
                names = [part.strip() for part in listed.split(",")]
                here.tables[label.scope, label.name] = names

    def _declaration(self, here: _Expansion, each: Declaration) -> None:
        text = each.text.rstrip("; ")
        if text.startswith((".branchtargets", *_IGNORED_DIRECTIVES)):
            return
        try:
            here.names.declare(each.scope, text)
        except MissingForm as error:
            self.missing.append((error.form, each.line))

    def _place(self, each: Instruction) -> Place:
        guard = f"@{each.predicate} " if each.predicate else ""
        location = None
        if each.loc and each.loc.line and each.loc.file in self.module.files:
            location = SourceLocation(self.module.files[each.loc.file], each.loc.line)
        text = f"{guard}{each.opcode} {each.operands}".strip()
        return Place(text, each.line, location)

    def _instruction(self, here: _Expansion, each: Instruction) -> None:
        binder = Binder(here.names, each.scope, self.dynamic)
        guard, negated = None, False
        if each.predicate:
            negated = each.predicate.startswith("!")
            guard = binder.slot(each.predicate.lstrip("!"))
        base = each.opcode.split(".", 1)[0]
        if base in _CONTROL:
            _CONTROL[base](self, here, each, (guard, negated))
            return
        if base in instructions.IGNORED:
            run: Run = instructions.nothing
            op = Op(each.opcode, self._place(each), run)
        else:
            op = self._operation(binder, each, base)
        op.guard, op.negated = guard, negated
        self.items.append(op)

    def _operation(self, binder: Binder, each: Instruction, base: str) -> Op:
        opcode, place = each.opcode, self._place(each)
        operands = parse_operands(each.operands)
        check_shape(opcode, operands)
        op = Op(opcode, place, instructions.nothing)
        if base in _WARP:
            op.run, op.members = _WARP[base](opcode, binder, operands)
        elif base in {"bar", "barrier"}:
            if opcode == "bar.warp.sync":
                op.members = binder.fetch(operands[0], "b32")
            else:
                op.barrier = instructions.barrier(opcode, binder, operands)
        elif base in _COLLECTIVE:
            found = _COLLECTIVE[base](opcode, binder, operands, self.gpu)
            op.run, op.label = found.run, found.label
            op.members, op.ready = found.members, found.ready
        elif base in _PLAIN:
            op.run = _PLAIN[base](opcode, binder, operands)
        elif base in {"atom", "red"}:
            op.run, op.label = access.atomic(opcode, binder, operands)
        elif base == "trap":
            op.run = instructions.trap("trap", "the program trapped")
        elif base == "createpolicy":
            op.run = instructions.zero(binder, operands[0], "b64")
        else:
            target = operands[0] if operands else None
            loose = (
                isinstance(target, Name)
                and (slot := here_register(binder, target)) is not None
                and slot in self.loose
            )
            op.run, op.kernel = instructions.compute(opcode, binder, operands, loose=loose)
            op.label = op.kernel.label
            if op.kernel.measured not in {None, self.gpu}:
                op.label = "approximate"
        op.reads, op.writes = tuple(binder.reads), tuple(binder.writes)
        op.sources, op.targets = tuple(binder.sources), tuple(binder.targets)
        place_of = {"ld": 1, "st": 0}.get(base)
        passes = place_of is not None and binder.passed(operands[place_of]) is not None
        op.base = "moves" if passes else base
        return op

    # Control flow.

    def branch(self, here: _Expansion, each: Instruction, guard: tuple[int | None, bool]) -> None:
        target = self._label(here, each.scope, each.operands.strip())
        self.items.append(Go([target], guard[0] is not None, *guard))

    def indexed(self, here: _Expansion, each: Instruction, guard: tuple[int | None, bool]) -> None:
        if guard[0] is not None:
            raise MissingForm(f"@ {each.opcode}")
        index, table = parse_operands(each.operands)
        if not isinstance(table, Name):
            raise MissingForm(each.opcode)
        found: list[str] | None = None
        scope: int | None = each.scope
        while scope is not None and found is None:
            found = here.tables.get((scope, table.text))
            scope = here.names.parents[scope]
        if not found:
            raise MissingForm(f"{each.opcode} without targets")
        binder = Binder(here.names, each.scope, self.dynamic)
        fetch = binder.fetch(index, "u32")
        targets = [self._label(here, each.scope, name) for name in found]
        self.items.append(Go(targets, index=fetch, index_slots=tuple(binder.reads)))

    def leave(self, here: _Expansion, each: Instruction, guard: tuple[int | None, bool]) -> None:
        after = here.after if each.opcode.startswith("ret") else None
        self.items.append(Go([after or EXIT], guard[0] is not None, *guard))

    def call(self, here: _Expansion, each: Instruction, guard: tuple[int | None, bool]) -> None:
        operands = parse_operands(each.operands)
        returned: tuple[Operand, ...] = ()
        if operands and isinstance(operands[0], Group):
            returned = operands.pop(0).items  # type: ignore[union-attr] # just seen to be a group
        name = operands.pop(0) if operands else None
        given = operands[0].items if operands and isinstance(operands[0], Group) else ()
        if not isinstance(name, Name):
            raise MissingForm(each.opcode)
        self._expansions += 1
        after: Key = (self._expansions, 0, "after a call")
        if guard[0] is not None:
            self.items.append(Go([after], falls=True, guard=guard[0], negated=not guard[1]))
        self._call(here, each, name.text, (returned, given), after)
        self.items.append(after)

    def _call(
        self,
        here: _Expansion,
        each: Instruction,
        name: str,
        passed: tuple[tuple[Operand, ...], tuple[Operand, ...]],
        after: Key,
    ) -> None:
        caller = Binder(here.names, each.scope, self.dynamic)
        function = self._functions.get(name)
        if function is None:
            self._outside(caller, each, name, passed[0])
            return
        if name in self._calls:
            raise MissingForm(f"call {name}, which is recursive")
        names = self.names()
        results: list[tuple[Operand, str]] = []
        for params, operands in ((function.returns, passed[0]), (function.params, passed[1])):
            if len(params) != len(operands):
                raise MissingForm(f"call {name} with {len(operands)} arguments")
            for param, operand in zip(params, operands, strict=True):
                if not isinstance(operand, (Name, Number)):
                    raise MissingForm(f"call {name} with {operand}")
                place = (
                    here.names.place(each.scope, operand.text)
                    if isinstance(operand, Name)
                    else None
                )
                if place is not None:
                    names.bind(param.name, place)
                    continue
                names.declare(0, f".reg .{param.type or 'b32'} {param.name}")
                if params is function.params:
                    self._copy(each, names, caller, (param.name, operand), param.type)
                else:
                    results.append((operand, param.name))
        self.expand(function, names, after)
        if results:
            back: Key = after
            self.items.append(back)
            inner = Binder(names, 0, self.dynamic)
            for operand, formal in results:
                store = caller.store(operand)
                slot = inner.slot(formal)
                bits = self.slots.widths[slot]
                fetch = inner.read_slot(slot, TYPES["pred" if bits == 1 else f"b{bits}"])
                self._append_move(each, fetch, store, (inner, caller))

    def _outside(
        self, caller: Binder, each: Instruction, name: str, returned: tuple[Operand, ...]
    ) -> None:
        if name in {"__assertfail", "__assert_fail"}:
            run = instructions.trap("assert", "an assertion failed")
            self.items.append(Op(f"call {name}", self._place(each), run))
        elif name == "vprintf" and len(returned) == 1:
            self._printed(caller, each, returned[0])
        else:
            what = name if name in self._declared else "through a register"
            raise MissingForm(f"call {what}")

    def _printed(self, caller: Binder, each: Instruction, result: Operand) -> None:
        place = caller.names.place(caller.scope, result.text) if isinstance(result, Name) else None
        if not isinstance(place, Passed):
            raise MissingForm("call vprintf")
        store = caller.write_slot(caller.piece(place, 0, 32))
        zero = caller.fetch(Number(0), "b32")
        self._append_move(each, zero, store, (caller, caller))

    def _copy(
        self,
        each: Instruction,
        names: Names,
        caller: Binder,
        what: tuple[str, Operand],
        kind: str,
    ) -> None:
        inner = Binder(names, 0, self.dynamic)
        fetch = caller.fetch(what[1], kind or "b32")
        store = inner.store(Name(what[0]))
        self._append_move(each, fetch, store, (caller, inner))

    def _append_move(
        self,
        each: Instruction,
        fetch: Fetch,
        store: Callable[..., None],
        binders: tuple[Binder, Binder],
    ) -> None:
        op = Op(
            each.opcode,
            self._place(each),
            lambda lanes, _memory, where: store(lanes, fetch(lanes), where),
        )
        source, target = binders[0].sources[-1], binders[1].targets[-1]
        op.base, op.sources, op.targets = "moves", (source,), (target,)
        op.reads = () if source.slot is None else (source.slot,)
        op.writes = () if target == SINK_SLOT else (target,)
        self.items.append(op)

    @staticmethod
    def _label(here: _Expansion, scope: int, name: str) -> Key:
        at: int | None = scope
        while at is not None:
            if (at, name) in here.labels:
                return here.number, at, name
            at = here.names.parents[at]
        raise MissingForm(f"label {name}")


_CONTROL: dict[
    str, Callable[[_Lowering, _Expansion, Instruction, tuple[int | None, bool]], None]
] = {
    "bra": _Lowering.branch,
    "brx": _Lowering.indexed,
    "ret": _Lowering.leave,
    "exit": _Lowering.leave,
    "call": _Lowering.call,
}
_WARP = {
    "shfl": instructions.shuffle,
    "vote": instructions.vote,
    "match": instructions.match,
    "redux": instructions.reduce,
    "elect": instructions.elect,
    "ldmatrix": tiles,
    "stmatrix": tiles,
}
_COLLECTIVE: dict[str, Callable[[str, Binder, list[Operand], Gpu], Lowered]] = {
    "cp": copy,
    "mbarrier": mbarrier,
    "mma": mma,
    "tensormap": tensormap,
    "wgmma": wgmma,
}
_PLAIN = {
    "mov": instructions.move,
    "ld": access.load,
    "ldu": access.load,
    "st": access.store,
    "cvta": instructions.address_space,
    "isspacep": instructions.address_space,
    "activemask": instructions.active_mask,
}


def here_register(binder: Binder, name: Name) -> int | None:
    """The slot of a destination, None for a sink."""
    return binder.names.register(binder.scope, name.text)


def lower(module: Module, function: PtxFunction, artifact: str, gpu: Gpu | None = None) -> Program:
    """Lowers an entry.

    Args:
        module: That it stands in.
        function: The entry.
        artifact: Name of the module in errors.
        gpu: Whose rules hold where the ISA leaves bits open; by the module's target if None.

    Raises:
        UnsupportedInstruction: Forms are missing; it lists all of them.
        FormatError: A declaration does not parse.
    """
    gpu = gpu or gpu_of(module.target)
    first = _run(module, function, artifact, gpu, frozenset())
    loose = _loose_slots(first.items, len(first.slots.widths))
    lowering = _run(module, function, artifact, gpu, loose) if loose else first
    blocks = in_order(cut_blocks(lowering.items))
    mark_deaths(blocks)
    guard_accumulators(blocks)
    specials = set(lowering.slots.specials.values())
    for block in blocks:
        # A bare jump counts too, or a loop of nothing would never reach the step limit.
        block.size = max(len(block.ops) + (block.guard is not None or block.index is not None), 1)
        block.forms = tuple(
            sorted({(op.form, op.label) for op in block.ops if op.label != "exact"})
        )
        for op in block.ops:
            op.orders = orders_of(op)
            op.dead = tuple(slot for slot in op.dead if slot not in specials)
    offsets, param_bytes = place_parameters(function.params)
    align = max([16, *lowering.variables.dynamic.values()])
    dynamic = -(-lowering.shared.size // align) * align
    for value in lowering.dynamic:
        value.view(f"u{value.dtype.itemsize}")[...] = dynamic
    return Program(
        name=function.name,
        artifact=artifact,
        target=module.target,
        params=function.params,
        offsets=offsets,
        param_bytes=param_bytes,
        blocks=tuple(blocks),
        widths=tuple(lowering.slots.widths),
        specials=dict(lowering.slots.specials),
        shared_bytes=lowering.shared.size,
        dynamic_offset=dynamic,
        local_bytes=lowering.local.size,
        const=bytes(lowering.variables.const),
        variables=tuple(lowering.variables.globals),
        required_block=function.launch.block,
        resident=mark_spins(blocks),
        cell=finest_access(blocks),
        undefined=find_undefined(blocks, sorted(specials), _starts_from_nothing),
        gpu=gpu,
    )


def _run(
    module: Module, function: PtxFunction, artifact: str, gpu: Gpu, loose: frozenset[int]
) -> _Lowering:
    lowering = _Lowering(module, artifact, gpu)
    lowering.loose = set(loose)
    names = lowering.names()
    offsets, _ = place_parameters(function.params)
    for param, offset in zip(function.params, offsets, strict=True):
        names.bind(param.name, ("param", offset))
    lowering.expand(function, names, None)
    if lowering.missing:
        raise UnsupportedInstruction(lowering.missing, artifact=artifact)
    return lowering


def _starts_from_nothing(op: Op) -> bool:
    """Whether a matrix product does not add to what its accumulators held."""
    if not op.form.startswith("wgmma.mma_async"):
        return False
    scale = parse_operands(op.place.text.partition(" ")[2])[3]
    return scale == Number(0)


def _loose_slots(items: list[Item], count: int) -> frozenset[int]:
    """Slots that only instructions read which treat all NaNs alike."""
    strict: set[int] = set()
    for item in items:
        if isinstance(item, Op) and not blind_to_nans(item.form):
            strict.update(item.reads)
        elif isinstance(item, Go):
            strict.update(item.index_slots)
    return frozenset(range(count)) - strict
