"""Bits in IR: what `machine.numeric.bits` computes with numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.machine.compiled.arithmetic import one
from sassay.machine.compiled.code import Value, number
from sassay.machine.numeric.bits import BYTE_MODES
from sassay.machine.types import TYPES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.machine.compiled.arithmetic import Emit
    from sassay.machine.compiled.code import Code
    from sassay.machine.numeric.kernel import Modifiers


def _kind(form: Modifiers, *known: str) -> tuple[str, int]:
    kind = form.last()
    if kind not in known:
        raise form.missing()
    return kind, TYPES[kind].bits


def logic(form: Modifiers) -> Emit:
    """`and`, `or`, `xor`, `not`, `cnot`."""
    _, bits = _kind(form, "pred", "b16", "b32", "b64")
    form.end()
    if form.base == "not":
        return one(lambda code, v: code.op("xor", v[0], number(-1, bits)))
    if form.base == "cnot":
        return one(lambda code, v: code.resize(code.test("eq", v[0], number(0, bits)), bits))
    return one(lambda code, v: code.op(form.base, v[0], v[1]))


def lop3(form: Modifiers) -> Emit:
    """`lop3`, whose table is a constant."""
    if form.last() != "b32":
        raise form.missing()
    form.end()

    def run(code: Code, v: Sequence[Value]) -> Value:
        a, b, c, table = v
        if not table.constant:
            raise form.missing()
        result = number(0, 32)
        for row in range(8):
            if int(table.text) >> row & 1:
                term = number(-1, 32)
                for each, bit in ((a, 4), (b, 2), (c, 1)):
                    given = each if row & bit else code.op("xor", each, number(-1, 32))
                    term = code.op("and", term, given)
                result = code.op("or", result, term)
        return result

    return one(run)


def shifted(code: Code, name: str, value: Value, count: Value) -> Value:
    """A shift by a 32-bit count, which may go beyond the width."""
    bits = value.bits
    if count.constant and not count.wide:
        amount = int(count.text)
        if name == "ashr":
            amount = min(amount, bits - 1)
        elif amount >= bits:
            return code.op("and", value, number(0, bits))
        return code.op(name, value, number(amount, bits))
    inside = code.test("ult", count, number(bits, 32))
    if name == "ashr":
        count = code.choose(inside, count, number(bits - 1, 32))
        return code.op(name, value, code.resize(count, bits))
    low = code.resize(code.op("and", count, number(bits - 1, 32)), bits)
    return code.choose(inside, code.op(name, value, low), number(0, bits))


def shift(form: Modifiers) -> Emit:
    """`shl` and `shr`."""
    kind = form.last()
    form.end()
    if kind not in TYPES or TYPES[kind].bits not in {16, 32, 64} or TYPES[kind].kind not in "usb":
        raise form.missing()
    name = "shl" if form.base == "shl" else "ashr" if kind[0] == "s" else "lshr"
    return one(lambda code, v: shifted(code, name, v[0], v[1]))


def funnel(form: Modifiers) -> Emit:
    """`shf`."""
    side, mode = form.pick("l", "r"), form.pick("wrap", "clamp")
    if form.last() != "b32" or side is None or mode is None:
        raise form.missing()
    form.end()

    def run(code: Code, v: Sequence[Value]) -> Value:
        a, b, count = v
        if mode == "wrap":
            count = code.op("and", count, number(31, 32))
        else:
            most = number(32, 32)
            count = code.choose(code.test("ult", count, most), count, most)
        high = code.op("shl", code.resize(b, 64), number(32, 64))
        pair = code.op("or", high, code.resize(a, 64))
        far = code.resize(count, 64)
        if side == "r":
            return code.resize(code.op("lshr", pair, far), 32)
        return code.resize(code.op("lshr", code.op("shl", pair, far), number(32, 64)), 32)

    return one(run)


def counting(form: Modifiers) -> Emit:
    """`popc`, `clz`, `brev`."""
    _kind(form, "b32", "b64")
    form.end()
    if form.base == "brev":
        return one(lambda code, v: code.intrinsic("bitreverse", [v[0]]))
    if form.base == "popc":
        return one(lambda code, v: code.resize(code.intrinsic("ctpop", [v[0]]), 32))
    return one(lambda code, v: code.resize(code.intrinsic("ctlz", [v[0]], extra="i1 false"), 32))


def find(form: Modifiers) -> Emit:
    """`bfind`."""
    kind, bits = _kind(form, "u32", "s32", "u64", "s64")
    amount = form.flag("shiftamt")
    form.end()

    def run(code: Code, v: Sequence[Value]) -> Value:
        value = v[0]
        if kind[0] == "s":
            flipped = code.op("xor", value, number(-1, bits))
            value = code.choose(code.test("slt", value, number(0, bits)), flipped, value)
        zeros = code.resize(code.intrinsic("ctlz", [value], extra="i1 false"), 32)
        found = zeros if amount else code.op("sub", number(bits - 1, 32), zeros)
        nothing = code.test("eq", zeros, number(bits, 32))
        return code.choose(nothing, number(-1, 32), found)

    return one(run)


def _ones(code: Code, count: Value, bits: int) -> Value:
    """So many ones at the low end."""
    return code.op("sub", shifted(code, "shl", number(1, bits), count), number(1, bits))


def extract(form: Modifiers) -> Emit:
    """`bfe`."""
    kind, bits = _kind(form, "u32", "s32", "u64", "s64")
    form.end()

    def run(code: Code, v: Sequence[Value]) -> Value:
        byte = number(255, 32)
        start, size = code.op("and", v[1], byte), code.op("and", v[2], byte)
        moved = shifted(code, "lshr", v[0], start)
        some = code.test("ne", size, number(0, 32))
        kept = code.op("and", moved, _ones(code, size, bits))
        field = code.choose(some, kept, number(0, bits))
        if kind[0] == "u":
            return field
        top = number(bits - 1, 32)
        last = code.op("sub", code.op("add", start, size), number(1, 32))
        last = code.choose(code.test("ult", last, top), last, top)
        sign = code.op("and", shifted(code, "lshr", v[0], last), number(1, bits))
        whole = number(bits, 32)
        inside = code.choose(code.test("ult", start, whole), start, whole)
        left = code.op("sub", whole, inside)
        held = code.choose(code.test("ult", size, left), size, left)
        above = code.op("xor", _ones(code, held, bits), number(-1, bits))
        below = code.op("and", some, code.test("ne", sign, number(0, bits)))
        return code.choose(below, code.op("or", field, above), field)

    return one(run)


def insert(form: Modifiers) -> Emit:
    """`bfi`."""
    _, bits = _kind(form, "b32", "b64")
    form.end()

    def run(code: Code, v: Sequence[Value]) -> Value:
        byte = number(255, 32)
        start, size = code.op("and", v[2], byte), code.op("and", v[3], byte)
        mask = shifted(code, "shl", _ones(code, size, bits), start)
        kept = code.op("and", v[1], code.op("xor", mask, number(-1, bits)))
        return code.op("or", kept, code.op("and", shifted(code, "shl", v[0], start), mask))

    return one(run)


def field_mask(form: Modifiers) -> Emit:
    """`bmsk`."""
    mode = form.pick("clamp", "wrap")
    if form.last() != "b32" or mode is None:
        raise form.missing()
    form.end()

    def run(code: Code, v: Sequence[Value]) -> Value:
        start, size = v
        if mode == "wrap":
            start, size = (code.op("and", each, number(31, 32)) for each in v)
        return shifted(code, "shl", _ones(code, size, 32), start)

    return one(run)


def _selected(code: Code, pair: Value, pick: Value) -> Value:
    """The byte of a pair of words that four bits choose, the highest of them for its sign."""
    far = code.op("shl", code.op("and", pick, number(7, 32)), number(3, 32))
    value = code.resize(code.op("lshr", pair, code.resize(far, 64)), 8)
    sign = code.op("ashr", value, number(7, 8))
    return code.resize(code.choose(code.test("ugt", pick, number(7, 32)), sign, value), 32)


def permute(form: Modifiers) -> Emit:
    """`prmt`."""
    mode = form.pick(*BYTE_MODES)
    kind = form.last()
    if kind in BYTE_MODES:
        mode, kind = kind, form.last()
    form.end()
    if kind != "b32":
        raise form.missing()

    def picked(code: Code, control: Value, index: int) -> Value:
        if mode is None:
            return code.op("and", code.op("lshr", control, number(4 * index, 32)), number(15, 32))
        found = number(0, 32)
        low = code.op("and", control, number(3, 32))
        for at in range(4):
            wanted = number(BYTE_MODES[mode](at, index) & 7, 32)
            found = code.choose(code.test("eq", low, number(at, 32)), wanted, found)
        return found

    def run(code: Code, v: Sequence[Value]) -> Value:
        a, b, control = v
        high = code.op("shl", code.resize(b, 64), number(32, 64))
        pair = code.op("or", high, code.resize(a, 64))
        result = number(0, 32)
        for index in range(4):
            value = _selected(code, pair, picked(code, control, index))
            result = code.op("or", result, code.op("shl", value, number(8 * index, 32)))
        return result

    return one(run)


def sign_extend(form: Modifiers) -> Emit:
    """`szext`."""
    mode = form.pick("clamp", "wrap")
    kind, _ = _kind(form, "u32", "s32")
    form.end()
    if mode is None:
        raise form.missing()

    def run(code: Code, v: Sequence[Value]) -> Value:
        most = number(32, 32)
        if mode == "wrap":
            size = code.op("and", v[1], number(31, 32))
        else:
            size = code.choose(code.test("ult", v[1], most), v[1], most)
        away = code.op("sub", most, size)
        moved = shifted(code, "shl", v[0], away)
        back = shifted(code, "ashr" if kind[0] == "s" else "lshr", moved, away)
        return code.choose(code.test("eq", size, number(0, 32)), number(0, 32), back)

    return one(run)
