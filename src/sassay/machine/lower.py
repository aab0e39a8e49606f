"""Lowers an entry: device functions expanded where they are called, blocks put in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.isa.ptx.syntax import Declaration, Instruction, Label, Scope
from sassay.machine import access, instructions
from sassay.machine.async_copy.bulk import tensormap
from sassay.machine.async_copy.cluster import cluster
from sassay.machine.async_copy.copies import copy
from sassay.machine.async_copy.mbarrier import mbarrier
from sassay.machine.async_copy.proxies import fence
from sassay.machine.binding import Binder
from sassay.machine.blocks import EXIT, Go, Item, Key, cut_blocks, in_order, mark_spins
from sassay.machine.calls import Calls, Expansion
from sassay.machine.errors import MissingForm, UnsupportedInstruction
from sassay.machine.flow import mark_deaths
from sassay.machine.matrix.fences import guard_fences
from sassay.machine.matrix.mma import mma
from sassay.machine.matrix.pending import guard_accumulators
from sassay.machine.matrix.rules import gpu_of
from sassay.machine.matrix.wgmma import wgmma
from sassay.machine.matrix.wmma import wmma
from sassay.machine.names import Names, Slots
from sassay.machine.numeric import blind_to_nans
from sassay.machine.operands import Name, Number, parse_operands
from sassay.machine.ordering import orders_of
from sassay.machine.program import Op, Place, Program
from sassay.machine.races import finest_access
from sassay.machine.shape import check_shape
from sassay.machine.tiles import tiles
from sassay.machine.undefined import find_undefined
from sassay.machine.variables import (
    Area,
    ModuleVariables,
    place_parameters,
    place_variables,
)
from sassay.machine.vectors import elements
from sassay.model.artifact import SourceLocation

if TYPE_CHECKING:
    from collections.abc import Callable

    from sassay.isa.ptx import Module, PtxFunction
    from sassay.machine.lowered import Lowered
    from sassay.machine.matrix.rules import Gpu
    from sassay.machine.operands import Operand
    from sassay.machine.program import Run
    from sassay.machine.types import Array

MAX_OPS = 1 << 20
_IGNORED_DIRECTIVES = (".pragma", ".callprototype", ".calltargets", ".alias")


class Lowering:
    """An entry on its way to a program: what its body and those that it calls have become."""

    def __init__(self, module: Module, artifact: str, gpu: Gpu, mixed: frozenset[int]) -> None:
        """Starts with nothing.

        Args:
            module: Of the entry.
            artifact: Name of the module in errors.
            gpu: Whose rules hold where the ISA leaves bits open.
            mixed: Lines of the parameters of calls that are kept byte by byte.
        """
        self.module = module
        self.gpu: Gpu = gpu
        self.artifact = artifact
        self.variables: ModuleVariables = place_variables(module, artifact)
        self.shared = Area(self.variables.shared.size)
        self.local = Area()
        self.slots = Slots(mixed)
        self.dynamic: list[Array] = []
        self.missing: list[tuple[str, int]] = []
        self.items: list[Item] = []
        self.loose: set[int] = set()
        self._expansions = 0
        self.calls = Calls(self)

    def names(self) -> Names:
        """The names of a new expansion."""
        return Names(self.slots, self.variables, self.shared, self.local)

    def number(self) -> int:
        """A new number, for labels of its own."""
        self._expansions += 1
        return self._expansions

    def expand(self, function: PtxFunction, names: Names, after: Key | None) -> None:
        """Adds the items of a body."""
        here = Expansion(self.number(), function, names, after)
        self.calls.stack.append(function.name)
        self._find_scopes(here)
        for each in function.statements:
            if isinstance(each, Label):
                self.items.append((here.number, each.scope, each.name))
            elif isinstance(each, Declaration):
                self._declaration(here, each)
            elif isinstance(each, Instruction):
                try:
                    self.instruction(here, each)
                except MissingForm as error:
                    what = error.form
                    same = what.startswith(each.opcode)
                    self.missing.append((what if same else f"{each.opcode}: {what}", each.line))
            if len(self.items) > MAX_OPS:
                raise UnsupportedInstruction(
                    [(f"more than {MAX_OPS} instructions", 0)], artifact=self.artifact
                )
        self.calls.stack.pop()

    @staticmethod
    def _find_scopes(here: Expansion) -> None:
        label: Label | None = None
        for each in here.function.statements:
            if isinstance(each, Scope) and each.opens:
                here.names.parents[each.scope] = each.parent
            if isinstance(each, Label):
                label = each
                here.labels.add((each.scope, each.name))
            elif isinstance(each, Declaration) and label:
                kind, _, listed = each.text.rstrip("; ").partition(" ")
                if kind in {".branchtargets", ".calltargets"}:
                    names = [part.strip() for part in listed.split(",")]
                    here.tables[label.scope, label.name] = names
                elif kind == ".callprototype":
                    here.prototypes[label.scope, label.name] = listed

    def _declaration(self, here: Expansion, each: Declaration) -> None:
        text = each.text.rstrip("; ")
        if text.startswith((".branchtargets", *_IGNORED_DIRECTIVES)):
            return
        try:
            here.names.declare(each.scope, text, each.line)
        except MissingForm as error:
            self.missing.append((error.form, each.line))

    def place(self, each: Instruction) -> Place:
        """Where an instruction stands."""
        guard = f"@{each.predicate} " if each.predicate else ""
        location = None
        if each.loc and each.loc.line and each.loc.file in self.module.files:
            location = SourceLocation(self.module.files[each.loc.file], each.loc.line)
        text = f"{guard}{each.opcode} {each.operands}".strip()
        return Place(text, each.line, location)

    def instruction(self, here: Expansion, each: Instruction) -> None:
        """Adds what an instruction becomes.

        Raises:
            MissingForm: The machine does not have it.
        """
        binder = Binder(here.names, each.scope, self.dynamic)
        guard, negated = None, False
        if each.predicate:
            negated = each.predicate.startswith("!")
            guard = binder.slot(each.predicate.lstrip("!"))
        base = each.opcode.split(".", 1)[0]
        if base in _CONTROL:
            _CONTROL[base](self, here, each, (guard, negated))
            return
        if base in {"atom", "red"}:
            for element in elements(each):
                self._add(Binder(here.names, each.scope, self.dynamic), element, (guard, negated))
            return
        if base in {"ld", "st"} and self.calls.by_bytes(here, each, binder):
            return
        self._add(binder, each, (guard, negated))

    def _add(self, binder: Binder, each: Instruction, guard: tuple[int | None, bool]) -> None:
        base = each.opcode.split(".", 1)[0]
        if base in instructions.IGNORED:
            run: Run = fence(each.opcode) or instructions.nothing
            op = Op(each.opcode, self.place(each), run)
        else:
            op = self._operation(binder, each, base)
        op.guard, op.negated = guard
        self.items.append(op)

    def _operation(self, binder: Binder, each: Instruction, base: str) -> Op:
        opcode, place = each.opcode, self.place(each)
        operands = parse_operands(each.operands)
        check_shape(opcode, operands)
        op = Op(opcode, place, instructions.nothing)
        if base in _WARP:
            op.run, op.members = _WARP[base](opcode, binder, operands)
        elif base in {"bar", "barrier"}:
            if opcode == "bar.warp.sync":
                op.members = binder.fetch(operands[0], "b32")
            elif opcode.startswith("barrier.cluster"):
                met = cluster(opcode)
                op.run, op.ready = met.run, met.ready
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

    def branch(self, here: Expansion, each: Instruction, guard: tuple[int | None, bool]) -> None:
        """A `bra`."""
        target = self._label(here, each.scope, each.operands.strip())
        self.items.append(Go([target], guard[0] is not None, *guard))

    def indexed(self, here: Expansion, each: Instruction, guard: tuple[int | None, bool]) -> None:
        """A `brx.idx`.

        Raises:
            MissingForm: Its targets are not listed.
        """
        index, table = parse_operands(each.operands)
        if not isinstance(table, Name):
            raise MissingForm(each.opcode)
        found = here.listed(here.tables, each.scope, table.text)
        if not found:
            raise MissingForm(f"{each.opcode} without targets")
        binder = Binder(here.names, each.scope, self.dynamic)
        fetch = binder.fetch(index, "u32")
        targets = [self._label(here, each.scope, name) for name in found]
        go = Go(targets, index=fetch, index_slots=tuple(binder.reads))
        if guard[0] is None:
            self.items.append(go)
            return
        after: Key = (self.number(), 0, "after a jump")
        jumps_over = Go([after], falls=True, guard=guard[0], negated=not guard[1])
        self.items += [jumps_over, go, after]

    def leave(self, here: Expansion, each: Instruction, guard: tuple[int | None, bool]) -> None:
        """A `ret` or an `exit`."""
        after = here.after if each.opcode.startswith("ret") else None
        self.items.append(Go([after or EXIT], guard[0] is not None, *guard))

    def call(self, here: Expansion, each: Instruction, guard: tuple[int | None, bool]) -> None:
        """A `call`."""
        self.calls.lower(here, each, guard)

    @staticmethod
    def _label(here: Expansion, scope: int, name: str) -> Key:
        at: int | None = scope
        while at is not None:
            if (at, name) in here.labels:
                return here.number, at, name
            at = here.names.parents[at]
        raise MissingForm(f"label {name}")


_CONTROL: dict[str, Callable[[Lowering, Expansion, Instruction, tuple[int | None, bool]], None]] = {
    "bra": Lowering.branch,
    "brx": Lowering.indexed,
    "ret": Lowering.leave,
    "exit": Lowering.leave,
    "call": Lowering.call,
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
    "wmma": wmma,
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
    first = _run(module, function, artifact, gpu, (frozenset(), frozenset()))
    mixed = frozenset(first.slots.mixed)
    if mixed:
        first = _run(module, function, artifact, gpu, (frozenset(), mixed))
    if first.missing:
        raise UnsupportedInstruction(first.missing, artifact=artifact)
    loose = _loose_slots(first.items, len(first.slots.widths))
    lowering = _run(module, function, artifact, gpu, (loose, mixed)) if loose else first
    blocks = in_order(cut_blocks(lowering.items))
    mark_deaths(blocks)
    guard_accumulators(blocks)
    guard_fences(blocks)
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
    module: Module,
    function: PtxFunction,
    artifact: str,
    gpu: Gpu,
    known: tuple[frozenset[int], frozenset[int]],
) -> Lowering:
    """Expands an entry, knowing slots that may be loose and parameters that are kept by bytes."""
    lowering = Lowering(module, artifact, gpu, known[1])
    lowering.loose = set(known[0])
    names = lowering.names()
    offsets, _ = place_parameters(function.params)
    for param, offset in zip(function.params, offsets, strict=True):
        names.bind(param.name, ("param", offset))
    lowering.expand(function, names, None)
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
