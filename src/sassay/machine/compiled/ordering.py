"""Minimum, maximum, signs and kinds of floats in IR."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.machine.compiled import floats as f
from sassay.machine.compiled.arithmetic import finished, halves, one
from sassay.machine.compiled.code import number
from sassay.machine.types import TYPES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.machine.compiled.arithmetic import Emit, One
    from sassay.machine.compiled.code import Code, Value
    from sassay.machine.numeric.kernel import Modifiers


def _ordered(code: Code, base: str, a: Value, b: Value, *, nan: bool) -> Value:
    """The smaller or larger one, as words; -0 is below +0."""
    x, y = (f.half_to_float(code, each) if each.type == "half" else each for each in (a, b))
    first, second = code.as_bits(a), code.as_bits(b)
    first_wins = code.test("olt" if base == "min" else "ogt", x, y)
    picked = code.choose(first_wins, first, second)
    if nan:
        wrong = code.test("uno", x, y)
        either = code.choose(f.is_nan(code, x), first, second)
        picked = code.choose(wrong, either, picked)
    else:
        picked = code.choose(f.is_nan(code, y), first, picked)
    same = code.op("or" if base == "min" else "and", first, second)
    return code.choose(code.test("oeq", x, y), same, picked)


def extreme(form: Modifiers, kind: str, *, loose: bool) -> Emit:
    """`min` and `max`."""
    ftz, nan = form.flag("ftz"), form.flag("NaN")
    signed = form.flag("xorsign") and form.flag("abs")
    form.end()
    base, plain = form.base, kind.removesuffix("x2")
    if ftz and plain not in {"f32", "f16"}:
        raise form.missing()

    def run(code: Code, given: Sequence[Value]) -> Value:
        a, b = given
        if not signed:
            return code.as_float(_ordered(code, base, a, b, nan=nan))
        top = number(1 << a.bits - 1, a.bits)
        sign = code.op("and", code.op("xor", code.as_bits(a), code.as_bits(b)), top)
        found = _ordered(code, base, f.magnitude(code, a), f.magnitude(code, b), nan=nan)
        rest = code.op("and", found, number((1 << a.bits - 1) - 1, a.bits))
        return code.as_float(code.op("or", rest, sign))

    def brain(code: Code, sources: Sequence[Value]) -> Value:
        found = run(code, [f.brain_to_float(code, each) for each in sources])
        return f.float_to_brain(code, found)

    if plain == "bf16":
        whole: One = brain
    else:
        whole = finished(run, plain, ftz=ftz, loose=loose and kind == "f32")
    return one(halves(whole, TYPES[plain].bits) if kind != plain else whole)


def sign(form: Modifiers, kind: str, *, loose: bool) -> Emit:  # noqa: ARG001 - of one kind with the others
    """`neg` and `abs`: the sign bits alone; NaNs of the half formats become canonical."""
    ftz = form.flag("ftz")
    form.end()
    bits = TYPES[kind].bits
    mask = (1 << 63) | (1 << 31) if kind == "f32x2" else 1 << bits - 1
    plain = kind.removesuffix("x2")
    if ftz and kind != "f32":
        raise form.missing()

    def turned(code: Code, words: Value, top: int) -> Value:
        if form.base == "neg":
            return code.op("xor", words, number(top, words.bits))
        return code.op("and", words, number(~top, words.bits))

    def run(code: Code, sources: Sequence[Value]) -> Value:
        words = sources[0]
        if ftz:
            words = code.as_bits(f.flush(code, code.as_float(words)))
        return turned(code, words, mask)

    def half(code: Code, sources: Sequence[Value]) -> Value:
        words = sources[0]
        size = code.op("and", words, number(0x7FFF, 16))
        infinity = number(0x7C00 if plain == "f16" else 0x7F80, 16)
        wrong = code.test("ugt", size, infinity)
        return code.choose(wrong, number(f.NAN16, 16), turned(code, words, 1 << 15))

    if plain in {"f16", "bf16"}:
        return one(half if kind == plain else halves(half, 16))
    return one(run)


def copysign(form: Modifiers, kind: str, *, loose: bool) -> Emit:  # noqa: ARG001 - see `sign`
    """The second source with the sign of the first."""
    form.end()
    if kind not in {"f32", "f64"}:
        raise form.missing()
    bits = TYPES[kind].bits
    top = 1 << bits - 1

    def run(code: Code, sources: Sequence[Value]) -> Value:
        kept = code.op("and", sources[1], number(top - 1, bits))
        return code.op("or", kept, code.op("and", sources[0], number(top, bits)))

    return one(run)


def test_property(form: Modifiers, kind: str, *, loose: bool) -> Emit:  # noqa: ARG001 - see `sign`
    """`testp`."""
    asked = form.pick("finite", "infinite", "number", "notanumber", "normal", "subnormal")
    form.end()
    if kind not in {"f32", "f64"} or asked is None:
        raise form.missing()
    bits = TYPES[kind].bits
    infinity, tiny = (0x7F800000, 1 << 23) if bits == 32 else (0x7FF << 52, 1 << 52)

    def run(code: Code, sources: Sequence[Value]) -> Value:
        size = code.op("and", sources[0], number((1 << bits - 1) - 1, bits))
        limit, least, zero = number(infinity, bits), number(tiny, bits), number(0, bits)
        if asked == "finite":
            return code.test("ult", size, limit)
        if asked == "infinite":
            return code.test("eq", size, limit)
        if asked == "number":
            return code.test("ule", size, limit)
        if asked == "notanumber":
            return code.test("ugt", size, limit)
        some = code.test("ne", size, zero)
        small = code.op("and", code.test("ult", size, least), some)
        if asked == "subnormal":
            return small
        whole = code.test("ult", size, limit)
        return code.op("and", whole, code.op("xor", small, number(1, 1)))

    return one(run)
