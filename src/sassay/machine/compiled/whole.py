"""Integer arithmetic in IR: what `machine.numeric.integers` computes with numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.machine.compiled.arithmetic import halves, one
from sassay.machine.compiled.code import Value, number
from sassay.machine.types import TYPES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.machine.compiled.arithmetic import Emit, One
    from sassay.machine.compiled.code import Code
    from sassay.machine.numeric.kernel import Modifiers


def _signed(kind: str) -> bool:
    return kind[0] == "s"


def clip(code: Code, value: Value, low: int, high: int) -> Value:
    """A signed integer held between two constants."""
    least, most = number(low, value.bits), number(high, value.bits)
    value = code.choose(code.test("slt", value, least), least, value)
    return code.choose(code.test("sgt", value, most), most, value)


def _saturated(code: Code, name: str, a: Value, b: Value) -> Value:
    wide = [code.resize(each, 64, signed=True) for each in (a, b)]
    return code.resize(clip(code, code.op(name, *wide), -(1 << 31), (1 << 31) - 1), 32)


def add_sub(form: Modifiers, kind: str) -> Emit:
    """`add`, `sub`, `addc`, `subc`."""
    base, out = form.base, form.flag("cc")
    into, minus = base in {"addc", "subc"}, base.startswith("sub")
    name = "sub" if minus else "add"
    if out or into:
        form.end()
        return _carried(name, out=out)
    saturates = form.flag("sat")
    form.end()
    if kind.endswith("x2"):
        return one(halves(lambda code, v: code.op(name, v[0], v[1]), 16))
    if saturates and kind != "s32":
        raise form.missing()
    if saturates:
        return one(lambda code, v: _saturated(code, name, v[0], v[1]))
    return one(lambda code, v: code.op(name, v[0], v[1]))


def _carried(name: str, *, out: bool) -> Emit:
    def run(code: Code, sources: Sequence[Value]) -> list[Value]:
        a, b, *carry = sources
        total = code.op(name, a, b)
        # After a subtraction the flag is set where nothing was borrowed.
        flag = code.test("uge", a, b) if name == "sub" else code.test("ult", total, a)
        if carry:
            before, held = total, carry[0]
            if name == "sub":
                held = code.op("xor", held, number(1, 1))
            total = code.op(name, total, code.resize(held, a.bits))
            if name == "sub":
                flag = code.op("and", flag, code.test("uge", before, total))
            else:
                flag = code.op("or", flag, code.test("ult", total, before))
        return [total, flag] if out else [total]

    return run


def high_product(code: Code, a: Value, b: Value, *, signed: bool) -> Value:
    """The upper half of a product."""
    bits = a.bits
    wide = [code.resize(each, 2 * bits, signed=signed) for each in (a, b)]
    return code.resize(code.op("lshr", code.op("mul", *wide), number(bits, 2 * bits)), bits)


def _product(form: Modifiers, kind: str, part: str) -> One:
    signed = _signed(kind)
    if form.base.endswith("24"):
        ext = "ashr" if signed else "lshr"

        def short(code: Code, v: Sequence[Value]) -> Value:
            given = [
                code.op(ext, code.op("shl", code.resize(each, 64), number(40, 64)), number(40, 64))
                for each in v[:2]
            ]
            product = code.op("mul", *given)
            if part == "hi":
                product = code.op(ext, product, number(16, 64))
            return code.resize(product, 32)

        return short
    if part == "wide":
        bits = TYPES[kind].bits * 2

        def wide(code: Code, v: Sequence[Value]) -> Value:
            return code.op("mul", *(code.resize(each, bits, signed=signed) for each in v[:2]))

        return wide
    if part == "hi":
        return lambda code, v: high_product(code, v[0], v[1], signed=signed)
    return lambda code, v: code.op("mul", v[0], v[1])


def multiply(form: Modifiers, kind: str) -> Emit:
    """`mul`, `mad`, `mul24`, `mad24`, `madc`."""
    short, adds = form.base.endswith("24"), form.base.startswith("mad")
    part = form.pick("lo", "hi", "wide")
    out, into = form.flag("cc"), form.base == "madc"
    saturates = form.flag("sat")
    form.end()
    if part is None or (short and part == "wide") or (saturates and kind != "s32"):
        raise form.missing()
    if (part == "wide" and kind not in {"u16", "s16", "u32", "s32"}) or (
        short and TYPES[kind].bits != 32
    ):
        raise form.missing()
    product = _product(form, kind, part)
    if not adds:
        return one(product)
    if out or into:
        carried = _carried("add", out=out)
        return lambda code, v: carried(code, [product(code, v), *v[2:]])
    if saturates:
        return one(lambda code, v: _saturated(code, "add", product(code, v), v[2]))
    return one(lambda code, v: code.op("add", product(code, v), v[2]))


def _divided(code: Code, a: Value, b: Value, *, signed: bool) -> Value:
    """A quotient toward zero; all ones for a division by zero."""
    bits = a.bits
    empty = code.test("eq", b, number(0, bits))
    safe = code.choose(empty, number(1, bits), b)
    if signed:
        # The one quotient that overflows is what is divided.
        minus = code.test("eq", b, number(-1, bits))
        safe = code.choose(minus, number(1, bits), safe)
        quotient = code.op("sdiv", a, safe)
        quotient = code.choose(minus, code.op("sub", number(0, bits), a), quotient)
    else:
        quotient = code.op("udiv", a, safe)
    return code.choose(empty, number(-1, bits), quotient)


def divide(form: Modifiers, kind: str) -> Emit:
    """`div` and `rem`."""
    form.end()
    signed = _signed(kind)
    if form.base == "div":
        return one(lambda code, v: _divided(code, v[0], v[1], signed=signed))

    def remainder(code: Code, v: Sequence[Value]) -> Value:
        quotient = _divided(code, v[0], v[1], signed=signed)
        rest = code.op("sub", v[0], code.op("mul", quotient, v[1]))
        return code.choose(code.test("eq", v[1], number(0, v[1].bits)), v[0], rest)

    return one(remainder)


def extreme(form: Modifiers, kind: str) -> Emit:
    """`min` and `max`."""
    relu = form.flag("relu")
    form.end()
    signed, letter = _signed(kind), "s" if _signed(kind) else "u"
    condition = letter + ("lt" if form.base == "min" else "gt")

    def run(code: Code, v: Sequence[Value]) -> Value:
        found = code.choose(code.test(condition, v[0], v[1]), v[0], v[1])
        if relu and (signed or kind.endswith("x2")):
            zero = number(0, found.bits)
            found = code.choose(code.test("slt", found, zero), zero, found)
        return found

    return one(halves(run, 16) if kind.endswith("x2") else run)


def absolute(code: Code, value: Value) -> Value:
    """The magnitude of a signed integer."""
    zero = number(0, value.bits)
    return code.choose(code.test("slt", value, zero), code.op("sub", zero, value), value)


def unary(form: Modifiers, kind: str) -> Emit:
    """`abs` and `neg`."""
    form.end()
    if form.base == "abs":
        return one(lambda code, v: absolute(code, v[0]) if _signed(kind) else v[0])
    return one(lambda code, v: code.op("sub", number(0, v[0].bits), v[0]))


def sad(form: Modifiers, kind: str) -> Emit:
    """Sum of absolute differences."""
    form.end()
    condition = "sgt" if _signed(kind) else "ugt"

    def run(code: Code, v: Sequence[Value]) -> Value:
        there, back = code.op("sub", v[0], v[1]), code.op("sub", v[1], v[0])
        return code.op("add", v[2], code.choose(code.test(condition, v[0], v[1]), there, back))

    return one(run)


def dot(form: Modifiers) -> Emit:
    """`dp4a` and `dp2a`."""
    second, first = form.last(), form.last()
    part = form.pick("lo", "hi")
    form.end()
    if not {first, second} <= {"u32", "s32"} or (part is None) != (form.base == "dp4a"):
        raise form.missing()
    width, count = (8, 4) if form.base == "dp4a" else (16, 2)
    start = 16 if part == "hi" else 0

    def piece(code: Code, value: Value, kind: str, at: int, bits: int) -> Value:
        moved = code.op("lshr", value, number(at, 32))
        return code.resize(code.resize(moved, bits), 32, signed=_signed(kind))

    def run(code: Code, v: Sequence[Value]) -> Value:
        total = v[2]
        for index in range(count):
            a = piece(code, v[0], first, index * width, width)
            b = piece(code, v[1], second, start + index * 8, 8)
            total = code.op("add", total, code.op("mul", a, b))
        return total

    return one(run)
