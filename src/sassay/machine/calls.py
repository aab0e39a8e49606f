"""Calls: a device function is expanded where it is called.

A call through a register is expanded for every function that it could reach, and the threads part
by address. A function that is being expanded is no candidate: such a call would be recursive, and
it traps if a thread makes it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import msgspec

from sassay.machine import instructions
from sassay.machine.binding import Binder
from sassay.machine.blocks import Go, Key
from sassay.machine.errors import MissingForm
from sassay.machine.names import Passed
from sassay.machine.operands import (
    Group,
    Name,
    Number,
    Operand,
    parse_operand,
    parse_operands,
    split,
)
from sassay.machine.program import SINK_SLOT, Op
from sassay.machine.types import TYPES

if TYPE_CHECKING:
    from collections.abc import Callable

    from sassay.isa.ptx import PtxFunction
    from sassay.isa.ptx.syntax import Instruction
    from sassay.machine.lower import Lowering
    from sassay.machine.names import Names
    from sassay.machine.program import Fetch

    Guard = tuple[int | None, bool]

_BYTE = 8
_Listed = TypeVar("_Listed")
_TAKEN = re.compile(r"\bmov\.[bu]64\s[^,;]*,\s*([A-Za-z_$%][\w$]*)\s*;", re.ASCII)
_PARAMETER = re.compile(
    r"\.param\s+(?:\.align\s+\d+\s+)?\.(\w+)\s+[\w$%]+(?:\[\s*(\d*)\s*\])?", re.ASCII
)
_WORD = re.compile(r"[A-Za-z_$%][\w$]*", re.ASCII)


@dataclass
class Expansion:
    """One expansion of a body.

    Attributes:
        number: Of it.
        function: Whose body.
        names: That hold in it.
        after: Where it returns to; None at the end of an entry.
        tables: Lists of targets of jumps and calls, by scope and label.
        prototypes: Of calls, by scope and label.
        labels: By scope.
    """

    number: int
    function: PtxFunction
    names: Names
    after: Key | None
    tables: dict[tuple[int, str], list[str]] = field(default_factory=dict)
    prototypes: dict[tuple[int, str], str] = field(default_factory=dict)
    labels: set[tuple[int, str]] = field(default_factory=set)

    def listed(self, kept: dict[tuple[int, str], _Listed], scope: int, name: str) -> _Listed | None:
        """What a label names, from a scope outward."""
        here: int | None = scope
        while here is not None:
            if (here, name) in kept:
                return kept[here, name]
            here = self.names.parents[here]
        return None


class Calls:
    """Lowers the calls of one program.

    Attributes:
        stack: Functions whose expansion has begun and not ended.
    """

    def __init__(self, lowering: Lowering) -> None:
        """Takes the functions of the module.

        Args:
            lowering: Of the program.
        """
        module = lowering.module
        self.stack: list[str] = []
        self._lowering = lowering
        self._functions = {each.name: each for each in module.functions}
        for name, stands_for in module.aliases:
            if stands_for in self._functions:
                self._functions[name] = self._functions[stands_for]
        self._reached: tuple[str, ...] | None = None

    def lower(self, here: Expansion, each: Instruction, guard: Guard) -> None:
        """A `call`.

        Raises:
            MissingForm: Of what is not there, or of itself.
        """
        operands = parse_operands(each.operands)
        returned: tuple[Operand, ...] = ()
        if operands and isinstance(operands[0], Group):
            returned = operands[0].items
            operands = operands[1:]
        if not operands or not isinstance(operands[0], Name):
            raise MissingForm(each.opcode)
        name = operands[0].text
        given = operands[1].items if len(operands) > 1 and isinstance(operands[1], Group) else ()
        after: Key = (self._lowering.number(), 0, "after a call")
        items = self._lowering.items
        if guard[0] is not None:
            items.append(Go([after], falls=True, guard=guard[0], negated=not guard[1]))
        if here.names.register(each.scope, name) is not None:
            table = operands[-1].text if isinstance(operands[-1], Name) else ""
            self._through_register(here, each, (name, table), (returned, given), after)
        else:
            self._named(here, each, name, (returned, given), after)
        items.append(after)

    def by_bytes(self, here: Expansion, each: Instruction, binder: Binder) -> bool:
        """A load or store of a parameter that is kept byte by byte; whether it was one."""
        if not self._lowering.slots.mixed or ".param" not in each.opcode:
            return False
        loads = each.opcode.startswith("ld")
        parts = split(each.operands)
        address, registers = parts[::-1] if loads else parts
        passed = binder.passed(parse_operand(address))
        if passed is None or not passed[0].by_bytes:
            return False
        variable, offset = passed
        kind = each.opcode.rsplit(".", 1)[-1]
        if kind not in TYPES or TYPES[kind].bits < _BYTE:
            raise MissingForm(each.opcode)
        size = TYPES[kind].bits // _BYTE
        opcode = f"mov.b{size * _BYTE}" if size > 1 else f"mov.{kind}"
        for register in split(registers.strip("{}")):
            if loads and size > 1 and kind[0] == "s" and self._wider(binder, register, kind):
                raise MissingForm(f"{each.opcode} into a wider register")
            names = [self._byte(here, binder, variable, at) for at in range(offset, offset + size)]
            joined = "{" + ", ".join(names) + "}" if size > 1 else names[0]
            both = f"{register}, {joined}" if loads else f"{joined}, {register}"
            self._lowering.instruction(
                here, msgspec.structs.replace(each, opcode=opcode, operands=both)
            )
            offset += size
        return True

    def _wider(self, binder: Binder, register: str, kind: str) -> bool:
        return self._lowering.slots.widths[binder.slot(register)] > TYPES[kind].bits

    @staticmethod
    def _byte(here: Expansion, binder: Binder, variable: Passed, at: int) -> str:
        slot = binder.piece(variable, at, _BYTE)
        name = f"%byte${slot}"
        here.names.bind_register(name, slot)
        return name

    def _through_register(
        self,
        here: Expansion,
        each: Instruction,
        named: tuple[str, str],
        passed: tuple[tuple[Operand, ...], tuple[Operand, ...]],
        after: Key,
    ) -> None:
        register, table = named
        lowering, variables = self._lowering, self._lowering.variables
        candidates = here.listed(here.tables, each.scope, table)
        prototype = here.listed(here.prototypes, each.scope, table)
        for name in self._reachable() if candidates is None else candidates:
            function = self._functions.get(name)
            if function is None or name in self.stack:
                continue
            if prototype is not None and not _fits(function, prototype):
                continue
            if (len(function.returns), len(function.params)) != tuple(map(len, passed)):
                continue
            number = lowering.number()
            chosen, following = f"%called{number}", (number, 0, "another function")
            here.names.declare(each.scope, f".reg .pred {chosen}")
            address = variables.functions[name]
            asked = f"{chosen}, {register}, {address}"
            compare = msgspec.structs.replace(
                each, opcode="setp.eq.u64", operands=asked, predicate=None
            )
            lowering.instruction(here, compare)
            slot = here.names.register(each.scope, chosen)
            lowering.items.append(Go([following], falls=True, guard=slot, negated=True))
            self._named(here, each, name, passed, after)
            lowering.items += [Go([after]), following]
        run = instructions.trap("trap", "a call of no function, or of one that calls itself")
        lowering.items.append(Op(each.opcode, lowering.place(each), run))

    def _reachable(self) -> tuple[str, ...]:
        """Functions whose address the module takes, in its order."""
        if self._reached is None:
            module = self._lowering.module
            taken: set[str] = set()
            for variable in module.variables:
                if variable.initializer and variable.space in {"global", "const"}:
                    taken.update(_WORD.findall(variable.initializer))
            if module.functions:
                taken.update(_TAKEN.findall(module.functions[0].module.text))
            self._reached = tuple(name for name in self._functions if name in taken)
        return self._reached

    def _named(
        self,
        here: Expansion,
        each: Instruction,
        name: str,
        passed: tuple[tuple[Operand, ...], tuple[Operand, ...]],
        after: Key,
    ) -> None:
        lowering = self._lowering
        caller = Binder(here.names, each.scope, lowering.dynamic)
        function = self._functions.get(name)
        if function is None:
            self._outside(caller, each, name, passed[0])
            return
        if function.name in self.stack:
            raise MissingForm(f"call {name}, which is recursive")
        names = lowering.names()
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
        lowering.expand(function, names, after)
        if results:
            back: Key = after
            lowering.items.append(back)
            inner = Binder(names, 0, lowering.dynamic)
            for operand, formal in results:
                store = caller.store(operand)
                slot = inner.slot(formal)
                bits = lowering.slots.widths[slot]
                fetch = inner.read_slot(slot, TYPES["pred" if bits == 1 else f"b{bits}"])
                self._append_move(each, fetch, store, (inner, caller))

    def _outside(
        self, caller: Binder, each: Instruction, name: str, returned: tuple[Operand, ...]
    ) -> None:
        if name in {"__assertfail", "__assert_fail"}:
            run = instructions.trap("assert", "an assertion failed")
            self._lowering.items.append(Op(f"call {name}", self._lowering.place(each), run))
        elif name == "vprintf" and len(returned) == 1:
            self._printed(caller, each, returned[0])
        else:
            raise MissingForm(f"call {name}")

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
        inner = Binder(names, 0, self._lowering.dynamic)
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
            self._lowering.place(each),
            lambda lanes, _memory, where: store(lanes, fetch(lanes), where),
        )
        source, target = binders[0].sources[-1], binders[1].targets[-1]
        op.base, op.sources, op.targets = "moves", (source,), (target,)
        op.reads = () if source.slot is None else (source.slot,)
        op.writes = () if target == SINK_SLOT else (target,)
        self._lowering.items.append(op)


def _fits(function: PtxFunction, prototype: str) -> bool:
    """Whether a function has the parameters that a prototype says, by their sizes."""
    wanted = [_size(kind, int(size or 0)) for kind, size in _PARAMETER.findall(prototype)]
    has = [_size(each.type, each.size or 0) for each in (*function.returns, *function.params)]
    return wanted == has


def _size(kind: str, elements: int) -> int:
    return (TYPES[kind].bits if kind in TYPES else 0) * max(elements, 1)
