"""Comparison and selection in IR: what `machine.numeric.compare` computes with numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.machine.compiled import floats as f
from sassay.machine.compiled.arithmetic import one
from sassay.machine.compiled.code import Value, number
from sassay.machine.types import TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sassay.machine.compiled.arithmetic import Emit
    from sassay.machine.compiled.code import Code
    from sassay.machine.numeric.kernel import Modifiers

    Compare = Callable[[Code, Value, Value], Value]

_FLOAT = {
    **{name: f"o{name}" for name in ("eq", "ne", "lt", "le", "gt", "ge")},
    **{f"{name}u": f"u{name}" for name in ("eq", "ne", "lt", "le", "gt", "ge")},
    "num": "ord",
    "nan": "uno",
}
_PLAIN = {"lo": "lt", "ls": "le", "hi": "gt", "hs": "ge"}
_JOIN = ("and", "or", "xor")


def _compared(form: Modifiers, kind: str) -> Compare:
    name = form.pick(*_FLOAT, *_PLAIN)
    ftz = form.flag("ftz")
    known = TYPES.get(kind)
    if known is None or name is None or known.kind == "p":
        raise form.missing()
    if known.kind != "f":
        plain = _PLAIN.get(name, name)
        if plain not in {"eq", "ne", "lt", "le", "gt", "ge"} or ftz:
            raise form.missing()
        letter = "" if plain in {"eq", "ne"} else "s" if kind[0] == "s" else "u"
        return lambda code, a, b: code.test(letter + plain, a, b)
    if name not in _FLOAT or kind not in {"f16", "bf16", "f32", "f64"}:
        raise form.missing()
    if ftz and kind not in {"f32", "f16"}:
        raise form.missing()
    condition = _FLOAT[name]

    def run(code: Code, a: Value, b: Value) -> Value:
        given = [a, b]
        if ftz:
            given = [code.as_bits(f.flush(code, code.as_float(each))) for each in given]
        return code.test(condition, *(f.widen(code, each, kind) for each in given))

    return run


def set_predicate(form: Modifiers, results: int) -> Emit:
    """`setp`; `results` is how many predicates it writes."""
    kind = form.last()
    pair = kind in {"f16x2", "bf16x2"}
    compare = _compared(form, kind.removesuffix("x2") if pair else kind)
    join = form.pick(*_JOIN)
    form.end()

    def joined(code: Code, found: Value, rest: Sequence[Value]) -> Value:
        return code.op(join, found, rest[0]) if join else found

    def run(code: Code, v: Sequence[Value]) -> list[Value]:
        a, b, *rest = v
        if pair:
            parts = []
            for shift in (0, 16):
                x, y = (
                    code.resize(code.op("lshr", each, number(shift, 32)), 16) for each in (a, b)
                )
                parts.append(joined(code, compare(code, x, y), rest))
            return parts
        found = compare(code, a, b)
        if results == 1:
            return [joined(code, found, rest)]
        other = code.op("xor", found, number(1, 1))
        return [joined(code, found, rest), joined(code, other, rest)]

    return run


def set_value(form: Modifiers) -> Emit:
    """`set` of one value."""
    kind, result = form.last(), form.last()
    if kind.endswith("x2"):
        raise form.missing()
    compare = _compared(form, kind)
    join = form.pick(*_JOIN)
    form.end()
    if result not in {"u32", "s32", "f32", "f16", "bf16", "u16", "s16"}:
        raise form.missing()
    bits = TYPES[result].bits
    true = {"f32": 0x3F800000, "f16": 0x3C00, "bf16": 0x3F80}.get(result, -1)

    def run(code: Code, v: Sequence[Value]) -> Value:
        found = compare(code, v[0], v[1])
        if join:
            found = code.op(join, found, v[2])
        return code.choose(found, number(true, bits), number(0, bits))

    return one(run)


def select(form: Modifiers) -> Emit:
    """`selp`."""
    kind = form.last()
    form.end()
    if kind not in TYPES or kind == "pred":
        raise form.missing()
    return one(lambda code, v: code.choose(v[2], v[0], v[1]))


def select_by_sign(form: Modifiers) -> Emit:
    """`slct`."""
    last, kind, ftz = form.last(), form.last(), form.flag("ftz")
    form.end()
    if last not in {"s32", "f32"} or kind not in TYPES:
        raise form.missing()

    def run(code: Code, v: Sequence[Value]) -> Value:
        if last == "s32":
            above = code.test("sge", v[2], number(0, 32))
        else:
            value = code.as_float(v[2])
            value = f.flush(code, value) if ftz else value
            above = code.test("oge", value, code.as_float(number(0, 32)))
        return code.choose(above, v[0], v[1])

    return one(run)
