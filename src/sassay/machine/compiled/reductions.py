"""What atomics make of the old word, in IR; and which of them do not depend on the order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.machine.atomics import flushes
from sassay.machine.compiled.code import Code, Value, number
from sassay.machine.compiled.forms import emitter
from sassay.machine.errors import MissingForm
from sassay.machine.flow import loops
from sassay.machine.program import SINK_SLOT
from sassay.machine.types import TYPES

if TYPE_CHECKING:
    from sassay.machine.compiled.access import Update
    from sassay.machine.program import Op, Program

_ANY_ORDER = frozenset({"add", "min", "max", "and", "or", "xor"})


def update_of(how: str, kind: str, space: str) -> Update:
    """What an atomic makes of the old word and its sources.

    Raises:
        MissingForm: It is not compiled.
    """
    bits = TYPES[kind].bits
    if how == "exch":
        return lambda _code, _old, new, _other: new
    if how == "cas":
        return lambda code, old, new, other: code.choose(code.test("eq", old, new), other, old)
    if how in {"and", "or", "xor"}:
        return lambda code, old, new, _other: code.op(how, old, new)
    if how == "inc":

        def increment(code: Code, old: Value, new: Value, _other: Value) -> Value:
            more = code.op("add", old, number(1, bits))
            return code.choose(code.test("uge", old, new), number(0, bits), more)

        return increment
    if how == "dec":

        def decrement(code: Code, old: Value, new: Value, _other: Value) -> Value:
            wraps = code.op("or", code.test("eq", old, number(0, bits)), code.test("ugt", old, new))
            return code.choose(wraps, new, code.op("sub", old, number(1, bits)))

        return decrement
    if how not in {"add", "min", "max"}:
        raise MissingForm(f"atom.{how}.{kind}")
    float_ = TYPES[kind].kind == "f"
    rounding = ".rn" if float_ and how == "add" else ""
    ftz = ".ftz" if kind == "f32" and flushes(space) else ""
    plain = kind.replace("b", "u") if not float_ else kind
    emit = emitter(f"{how}{rounding}{ftz}.{plain}", 1, loose=False)
    return lambda code, old, new, _other: emit(code, [old, new])[0]


def refuse_by_order(program: Program) -> None:
    """Refuses atomics whose outcome depends on an order that compiled code does not keep.

    The interpreter takes turns instruction by instruction, compiled code warp by warp. Both are
    the order of threads where a single instruction outside of loops touches a space.

    Raises:
        MissingForm: There is such an atomic.
    """
    looped = set().union(*loops([block.targets for block in program.blocks]))
    found: list[tuple[Op, bool]] = [
        (op, at in looped)
        for at, block in enumerate(program.blocks)
        for op in block.ops
        if op.base in {"atom", "red"}
    ]
    for op, again in found:
        kind = op.form.rsplit(".", 1)[-1]
        free = TYPES[kind].kind != "f" and not any(slot != SINK_SLOT for slot in op.targets)
        free = free and not _ANY_ORDER.isdisjoint(op.form.split("."))
        if not free and (again or len(found) > 1):
            raise MissingForm(f"{op.form}, whose outcome depends on the order of warps")
