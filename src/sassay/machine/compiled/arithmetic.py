"""Float arithmetic in IR: what `machine.numeric.floats` computes with numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.machine.compiled import floats as f
from sassay.machine.compiled.code import number
from sassay.machine.compiled.helpers import directed
from sassay.machine.compiled.special import divided, unit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sassay.machine.compiled.code import Code, Value
    from sassay.machine.numeric.kernel import Modifiers

    Emit = Callable[[Code, Sequence[Value]], list[Value]]
    One = Callable[[Code, Sequence[Value]], Value]

_ROUNDINGS = ("rn", "rz", "rm", "rp")
_OPS = {"add": "fadd", "sub": "fsub", "mul": "fmul"}


def halves(run: One, bits: int) -> One:
    """The computation of a packed type out of that of its halves.

    Args:
        run: Takes and gives words of half the width.
        bits: Of a half.
    """

    def both(code: Code, sources: Sequence[Value]) -> Value:
        parts = []
        for shift in (0, bits):
            taken = [
                code.resize(code.op("lshr", each, number(shift, 2 * bits)), bits)
                for each in sources
            ]
            parts.append(code.resize(run(code, taken), 2 * bits))
        return code.op("or", parts[0], code.op("shl", parts[1], number(bits, 2 * bits)))

    return both


def finished(
    run: One, kind: str, *, ftz: bool = False, sat: bool = False, relu: bool = False, loose: bool
) -> One:
    """Sources flushed; the result flushed, saturated, its NaN made canonical."""

    def whole(code: Code, sources: Sequence[Value]) -> Value:
        given = [code.as_float(each) for each in sources]
        if ftz:
            given = [f.flush(code, each) for each in given]
        result = run(code, given)
        if ftz:
            result = f.flush(code, result)
        if sat:
            result = f.saturate(code, result)
        if relu:
            result = f.clear_negative(code, result)
        if loose or kind == "f64":
            return code.as_bits(result)
        return f.canonical(code, result)

    return whole


def _nearest(base: str) -> One:
    if base == "fma":
        return lambda code, given: code.intrinsic("fma", given)
    return lambda code, given: code.op(_OPS[base], given[0], given[1])


def _wide(code: Code, base: str, given: Sequence[Value]) -> Value:
    """One operation of float64, exact or rounded to odd."""
    if base == "mul":
        return code.op("fmul", given[0], given[1])
    if base == "fma":
        return f.sum_to_odd(code, code.op("fmul", given[0], given[1]), given[2])
    second = f.negated(code, given[1]) if base == "sub" else given[1]
    return f.sum_to_odd(code, given[0], second)


def _directed(base: str, mode: str) -> One:
    def run(code: Code, given: Sequence[Value]) -> Value:
        exact = _wide(code, base, [code.cast("fpext", each, "double") for each in given])
        result = f.narrow32(code, exact, mode)
        if mode != "rm" or base == "mul":
            return result
        # An exact zero sum of opposite signs is -0 when rounding down.
        left = code.op("fmul", given[0], given[1]) if base == "fma" else given[0]
        right = f.negated(code, given[1]) if base == "sub" else given[-1]
        plus = code.test("eq", code.as_bits(right), number(0, 32))
        plus = code.op("and", plus, code.test("sge", code.as_bits(left), number(0, 32)))
        zero = code.test("oeq", exact, code.as_float(number(0, 64)))
        wrong = code.op("and", zero, code.op("xor", plus, number(1, 1)))
        return code.choose(wrong, f.float32(code, 1 << 31), result)

    return run


def _flushing(run: One, exact: One, mode: str) -> One:
    """Zeros for float32 results that are subnormal before they are rounded to their place."""

    def flushed(code: Code, given: Sequence[Value]) -> Value:
        def whole() -> Value:
            return exact(code, [code.cast("fpext", each, "double") for each in given])

        return f.flush_tiny(code, run(code, given), whole, mode)

    return flushed


def _half(base: str, kind: str, *, ftz: bool, sat: bool, relu: bool) -> One:
    store = f.float_to_brain if kind == "bf16" else f.float_to_half

    def run(code: Code, sources: Sequence[Value]) -> Value:
        if ftz:
            sources = [code.as_bits(f.flush(code, code.as_float(each))) for each in sources]
        given = [f.widen(code, each, kind) for each in sources]
        if base == "fma":
            exact = _wide(code, base, [code.cast("fpext", each, "double") for each in given])
            single = code.as_float(f.odd32(code, exact))
            single = code.choose(f.is_nan(code, exact), f.float32(code, f.NAN32), single)
        else:
            # Float32 has more than twice the bits: rounding twice is rounding once.
            single = code.op(_OPS[base], given[0], given[1])
        words = store(code, single)
        if ftz:
            near = f.half_to_float(code, words)
            near = f.flush_tiny(
                code, near, lambda: code.cast("fpext", single, "double"), "rn", "f16"
            )
            words = store(code, near)
            words = code.as_bits(f.flush(code, code.as_float(words)))
        if sat or relu:
            wide = f.widen(code, words, kind)
            wide = f.saturate(code, wide) if sat else f.clear_negative(code, wide)
            words = store(code, wide)
        return words

    return run


def one(run: One) -> Emit:
    """An emitter of one result."""
    return lambda code, sources: [run(code, sources)]


def arithmetic(form: Modifiers, kind: str, *, loose: bool) -> Emit:
    """`add`, `sub`, `mul`, `fma` and `mad`."""
    base = "fma" if form.base == "mad" else form.base
    mode = form.pick(*_ROUNDINGS) or "rn"
    ftz, sat, relu = form.flag("ftz"), form.flag("sat"), form.flag("relu")
    form.flag("noftz")
    form.end()
    if kind == "f64":
        if ftz or sat or relu:
            raise form.missing()
        return one(_doubles(base, mode))
    if kind in {"f32", "f32x2"}:
        run = _nearest(base) if mode == "rn" else _directed(base, mode)
        if ftz and base in {"mul", "fma"}:
            run = _flushing(run, lambda code, given: _wide(code, base, given), mode)
        loose = loose and kind == "f32"
        whole = finished(run, "f32", ftz=ftz, sat=sat, relu=relu, loose=loose)
        return one(whole if kind == "f32" else halves(whole, 32))
    if mode != "rn" or (ftz and "bf16" in kind):
        raise form.missing()
    half = _half(base, kind.removesuffix("x2"), ftz=ftz, sat=sat, relu=relu)
    return one(halves(half, 16) if kind.endswith("x2") else half)


def _doubles(base: str, mode: str = "rn") -> One:
    """Float64, with the NaN that x86 makes of its first NaN operand, as numpy does."""

    def chosen(code: Code, a: Value, b: Value, result: Value) -> Value:
        quiet = number(1 << 51, 64)
        bits = code.as_bits(result)
        made = code.choose(f.is_nan(code, result), number(0xFFF8 << 48, 64), bits)
        for each in (b, a):
            kept = code.op("or", code.as_bits(each), quiet)
            made = code.choose(f.is_nan(code, each), kept, made)
        return code.as_float(made)

    def run(code: Code, sources: Sequence[Value]) -> Value:
        given = [code.as_float(each) for each in sources]
        if base == "fma":
            a, b, c = given
            product = chosen(code, a, b, code.op("fmul", a, b))
            near = code.intrinsic("fma", given) if mode == "rn" else None
            result = chosen(code, product, c, near or directed(code, base, mode, given))
        elif base == "sub" and mode != "rn":
            a, b = given[0], f.negated(code, given[1])
            result = chosen(code, a, b, directed(code, "add", mode, [a, b]))
        else:
            a, b = given
            near = code.op({**_OPS, "div": "fdiv"}[base], a, b) if mode == "rn" else None
            result = chosen(code, a, b, near or directed(code, base, mode, given))
        return code.as_bits(result)

    return run


def divide(form: Modifiers, kind: str, *, loose: bool) -> Emit:
    """`div.rn` and its relatives, `div.full`, `div.approx`."""
    how = form.pick("approx", "full", *_ROUNDINGS)
    ftz = form.flag("ftz")
    form.end()
    if kind == "f64" and how in _ROUNDINGS and not ftz:
        return one(_doubles("div", how))
    if kind != "f32" or how is None:
        raise form.missing()
    run: One
    if how in {"approx", "full"}:
        run = divided(how, ftz=ftz)
        ftz = False
    else:
        run = _quotient if how == "rn" else _rounded_quotient(how)
        run = _flushing(run, _quotient, how) if ftz else run
    return one(finished(run, kind, ftz=ftz, loose=loose))


def _quotient(code: Code, given: Sequence[Value]) -> Value:
    return code.op("fdiv", given[0], given[1])


def _rounded_quotient(mode: str) -> One:
    def run(code: Code, given: Sequence[Value]) -> Value:
        a, b = (code.cast("fpext", each, "double") for each in given)
        return f.narrow32(code, code.op("fdiv", a, b), mode)

    return run


def _rounded_root(mode: str) -> One:
    def run(code: Code, given: Sequence[Value]) -> Value:
        near = code.intrinsic("sqrt", given)
        wide = code.cast("fpext", near, "double")
        source = code.cast("fpext", given[0], "double")
        rest = code.op("fsub", source, code.op("fmul", wide, wide))
        zero = code.as_float(number(0, 64))
        finite = code.test("ord", rest, code.op("fsub", rest, rest))
        rest = code.choose(finite, rest, zero)
        bits = code.as_bits(near)
        empty = code.test("eq", code.op("and", bits, number(0x7FFFFFFF, 32)), number(0, 32))
        if mode == "rp":
            moved = code.choose(empty, number(1, 32), code.op("add", bits, number(1, 32)))
            wrong = code.test("ogt", rest, zero)
        else:
            lowest = number(0x80000001, 32)
            moved = code.choose(empty, lowest, code.op("add", bits, number(-1, 32)))
            wrong = code.test("olt", rest, zero)
        return code.as_float(code.choose(wrong, moved, bits))

    return run


def special(form: Modifiers, kind: str, *, loose: bool) -> Emit:
    """`rcp`, `sqrt`, `rsqrt`, `lg2`, `ex2`, `tanh` where every bit is known."""
    base, how, ftz = form.base, form.pick("approx", *_ROUNDINGS), form.flag("ftz")
    form.end()
    if how == "approx" and kind.removesuffix("x2") in {"f16", "bf16"}:
        found = unit(f"{base}.approx{'.ftz' if ftz else ''}.{kind.removesuffix('x2')}")
        if found is None:
            raise form.missing()
        return one(halves(found, 16) if kind.endswith("x2") else found)
    if how == "approx" and kind == "f32":
        found = unit(f"{base}.approx{'.ftz' if ftz else ''}.f32")
        if found is None:
            raise form.missing()
        return one(finished(found, kind, loose=loose))
    if base not in {"rcp", "sqrt"} or how is None or how == "approx":
        raise form.missing()
    return one(_rounded_special(form, kind, how, ftz=ftz, loose=loose))


def _rounded_special(form: Modifiers, kind: str, how: str, *, ftz: bool, loose: bool) -> One:
    if kind == "f64":
        if ftz:
            raise form.missing()
        if form.base == "sqrt":
            return lambda code, given: _double_root(code, given[0], how)
        quotient = _doubles("div", how)
        return lambda code, given: quotient(code, [number(0x3FF0 << 48, 64), given[0]])
    if form.base == "sqrt":
        run: One = _rounded_root(how) if how != "rn" else _root
        return finished(run, "f32", ftz=ftz, loose=loose)
    inner = _quotient if how == "rn" else _rounded_quotient(how)

    def reciprocal(code: Code, given: Sequence[Value]) -> Value:
        return inner(code, [f.float32(code, 0x3F800000), given[0]])

    def exact(code: Code, given: Sequence[Value]) -> Value:
        return code.op("fdiv", f.float64(code, 1.0), given[0])

    run = _flushing(reciprocal, exact, how) if ftz else reciprocal
    return finished(run, "f32", ftz=ftz, loose=loose)


def _root(code: Code, given: Sequence[Value]) -> Value:
    return code.intrinsic("sqrt", given)


def _double_root(code: Code, source: Value, mode: str) -> Value:
    value = code.as_float(source)
    result = _root(code, [value]) if mode == "rn" else directed(code, "sqrt", mode, [value])
    kept = code.op("or", source, number(1 << 51, 64))
    made = code.choose(f.is_nan(code, result), number(0xFFF8 << 48, 64), code.as_bits(result))
    return code.choose(f.is_nan(code, value), kept, made)
