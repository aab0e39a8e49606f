"""`cvt` in IR: what `machine.numeric.convert` computes with numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.machine.compiled import floats as f
from sassay.machine.compiled.arithmetic import one
from sassay.machine.compiled.code import Value, number
from sassay.machine.compiled.helpers import directed
from sassay.machine.compiled.whole import clip
from sassay.machine.types import TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sassay.machine.compiled.arithmetic import Emit, One
    from sassay.machine.compiled.code import Code
    from sassay.machine.numeric.kernel import Modifiers

_FLOATS = frozenset({"f16", "bf16", "f32", "f64"})
_WHOLE = {"rni": "rn", "rzi": "rz", "rmi": "rm", "rpi": "rp"}
_ROUND = {"rn": "rint", "rz": "trunc", "rm": "floor", "rp": "ceil"}
_PAIRS = frozenset({"f16x2", "bf16x2", "e4m3x2", "e5m2x2"})
_LIMITS = {"f16": 0x7BFF, "bf16": 0x7F7F, "tf32": 0x7F7FE000}
_INTEGERS = frozenset(f"{kind}{bits}" for kind in "usb" for bits in (8, 16, 32, 64))


_ENDLESS = number(0x7F800000, 32)


def _range(kind: str) -> tuple[int, int]:
    bits = TYPES[kind].bits
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if kind[0] == "s" else (0, (1 << bits) - 1)


def _between_integers(target: str, source: str, *, saturates: bool) -> One:
    bits, signed = TYPES[target].bits, source[0] == "s"

    def run(code: Code, v: Sequence[Value]) -> Value:
        value = v[0]
        if saturates:
            (low, high), (least, most) = _range(target), _range(source)
            letter = "s" if signed else "u"
            for bound, condition in ((max(low, least), "lt"), (min(high, most), "gt")):
                limit = number(bound, value.bits)
                value = code.choose(code.test(letter + condition, value, limit), limit, value)
        return code.resize(value, bits, signed=signed)

    return run


def _to_integer(target: str, source: str, mode: str, *, ftz: bool) -> One:
    bits, signed = TYPES[target].bits, target[0] == "s"
    low, high = _range(target)
    nan = 0 if bits < 64 and source != "f64" else 1 << bits - 1
    # The largest double that does not exceed the type's largest number.
    most = float(high) if bits < 64 else float(high + 1 - (1 << 10 if signed else 1 << 11))
    held = 64 if bits == 64 or (bits == 32 and not signed) else 32

    def run(code: Code, v: Sequence[Value]) -> Value:
        value = f.widen(code, v[0], source)
        if ftz:
            value = f.flush(code, value)
        whole = code.cast("fpext", code.intrinsic(_ROUND[mode], [value]), "double")
        least, top = f.float64(code, float(low)), f.float64(code, most)
        inside = code.choose(code.test("ogt", whole, least), whole, least)
        inside = code.choose(code.test("olt", inside, top), inside, top)
        name = "fptoui" if bits == 64 and not signed else "fptosi"
        result = code.resize(code.cast(name, inside, f"i{held}"), bits)
        if bits == 64:
            result = code.choose(code.test("ogt", whole, top), number(high, 64), result)
        return code.choose(f.is_nan(code, whole), number(nan, bits), result)

    return run


def _from_integer(target: str, source: str, mode: str) -> One:
    name = "sitofp" if source[0] == "s" else "uitofp"
    wide = TYPES[source].bits == 64
    if mode == "rn" and target in {"f32", "f64"}:
        kind = "float" if target == "f32" else "double"
        return lambda code, v: code.as_bits(code.cast(name, v[0], kind))

    def run(code: Code, v: Sequence[Value]) -> Value:
        if wide:
            upper, lower = _parts(code, v[0], name)
            if target == "f64":
                return code.as_bits(directed(code, "add", mode, [upper, lower]))
            value = f.sum_to_odd(code, upper, lower)
        else:
            value = code.cast(name, v[0], "double")
        if target == "f64":
            return code.as_bits(value)
        if target == "f32":
            return code.as_bits(f.narrow32(code, value, mode))
        return _narrowed(code, code.as_float(f.odd32(code, value)), target, mode)

    return run


def _parts(code: Code, value: Value, name: str) -> tuple[Value, Value]:
    """A 64-bit integer as two float64 whose sum it is."""
    shift = "ashr" if name == "sitofp" else "lshr"
    upper = code.cast(name, code.op(shift, value, number(32, 64)), "double")
    upper = code.op("fmul", upper, f.float64(code, 2.0**32))
    low = code.op("and", value, number(0xFFFFFFFF, 64))
    return upper, code.cast("uitofp", low, "double")


def _narrowed(code: Code, value: Value, target: str, mode: str) -> Value:
    """Words of a float32, exact or rounded to odd, in a narrower type."""
    if target in f.SMALL:
        return f.float_to_small(code, value, target)
    if target == "f16":
        return f.float_to_half(code, value) if mode == "rn" else _cut_half(code, value, mode)
    if target == "bf16" and mode == "rn":
        return f.float_to_brain(code, value)
    bits = code.as_bits(value)
    drop, nan = (16, f.NAN16) if target == "bf16" else (13, f.NAN32)
    if mode == "rn":
        cut = f.nearest(code, bits, drop)
    elif mode == "rna":
        moved = code.op("add", bits, number(1 << drop - 1, 32))
        cut = code.op("and", moved, number(-1 << drop, 32))
    else:
        cut = code.op("and", bits, number(-1 << drop, 32))
        if mode != "rz":
            # Away from zero where something was cut and the sign asks for it.
            some = code.test("ne", cut, bits)
            finite = code.test("ne", code.op("and", bits, number(0x7FFFFFFF, 32)), _ENDLESS)
            side = code.test("slt" if mode == "rm" else "sge", bits, number(0, 32))
            away = code.op("and", code.op("and", some, side), finite)
            cut = code.choose(away, code.op("add", cut, number(1 << drop, 32)), cut)
    if target == "bf16":
        cut = code.resize(code.op("lshr", cut, number(16, 32)), 16)
    return code.choose(f.is_nan(code, value), number(nan, cut.bits), cut)


def _cut_half(code: Code, value: Value, mode: str) -> Value:
    """Words of float16, rounded in a direction."""
    words = f.float_to_half(code, value)
    back = f.half_to_float(code, words)
    if mode == "rz":
        wrong = code.test("ogt", f.magnitude(code, back), f.magnitude(code, value))
        return code.choose(wrong, code.op("sub", words, number(1, 16)), words)
    wrong = code.test("ogt" if mode == "rm" else "olt", back, value)
    empty = code.test("eq", code.op("and", words, number(0x7FFF, 16)), number(0, 16))
    negative = code.test("slt", words, number(0, 16))
    if mode == "rp":
        negative = code.op("xor", negative, number(1, 1))
    step = code.choose(negative, number(1, 16), number(-1, 16))
    first = number(0x8001 if mode == "rm" else 1, 16)
    moved = code.choose(empty, first, code.op("add", words, step))
    return code.choose(wrong, moved, words)


def _known_mode(form: Modifiers, target: str, mode: str) -> None:
    known = {
        "f32": {"rn", "rz", "rm", "rp"},
        "f64": {"rn", "rz", "rm", "rp"},
        "f16": {"rn", "rz", "rm", "rp"},
        "bf16": {"rn", "rz", "rm", "rp"},
        "tf32": {"rn", "rz", "rna"},
        "e4m3": {"rn"},
        "e5m2": {"rn"},
    }
    if mode not in known[target]:
        raise form.missing()


def _between_floats(form: Modifiers, target: str, source: str, mode: str) -> One:
    ftz, saturates, relu = form.flag("ftz"), form.flag("sat"), form.flag("relu")
    finite = form.flag("satfinite")
    whole = form.pick(*_WHOLE)
    form.end()
    if finite and target not in {"tf32", *f.SMALL, "f16", "bf16"}:
        raise form.missing()
    _known_mode(form, target, mode)
    plain = not (whole or saturates or relu or ftz or finite) and mode == "rn"
    if plain and (source, target) == ("bf16", "f32"):
        return lambda code, v: code.as_bits(f.brain_to_float(code, v[0]))

    def run(code: Code, v: Sequence[Value]) -> Value:
        value = f.widen(code, v[0], source)
        if ftz and source == "f32":
            value = f.flush(code, value)
        if whole:
            value = code.intrinsic(_ROUND[_WHOLE[whole]], [value])
        if saturates:
            value = f.saturate(code, value)
        if relu:
            value = f.clear_negative(code, value)
        result = _stored(code, value, target, mode)
        if ftz and target == "f32":
            single = code.as_float(result)
            if source == "f64":
                exact = value
                single = f.flush_tiny(code, single, lambda: exact, mode)
            result = code.as_bits(f.flush(code, single))
        if finite and target in _LIMITS:
            result = _bounded(code, result, target)
        return result

    return run


def _stored(code: Code, value: Value, target: str, mode: str) -> Value:
    if target == "f64":
        return code.as_bits(code.cast("fpext", value, "double"))
    if value.type == "double":
        if target == "f32":
            return f.canonical(code, f.narrow32(code, value, mode))
        wrong = f.is_nan(code, value)
        single = code.as_float(f.odd32(code, value))
        value = code.choose(wrong, f.float32(code, f.NAN32), single)
    if target == "f32":
        return f.canonical(code, value)
    return _narrowed(code, value, target, mode)


def _bounded(code: Code, words: Value, target: str) -> Value:
    """Infinities as the largest number."""
    top = 1 << words.bits - 1
    size = code.op("and", words, number(top - 1, words.bits))
    infinity = {"f16": 0x7C00, "bf16": 0x7F80, "tf32": 0x7F800000}[target]
    sign = code.op("and", words, number(top, words.bits))
    limit = code.op("or", sign, number(_LIMITS[target], words.bits))
    return code.choose(code.test("eq", size, number(infinity, words.bits)), limit, words)


def _scalar(form: Modifiers, target: str, source: str) -> One:
    mode = form.pick("rn", "rz", "rm", "rp", "rna")
    if target in _INTEGERS and source in _INTEGERS:
        saturates = form.flag("sat")
        form.end()
        return _between_integers(target, source, saturates=saturates)
    if target in _INTEGERS and source in _FLOATS:
        whole, ftz = form.pick(*_WHOLE), form.flag("ftz")
        form.flag("sat")
        form.end()
        if whole is None or (ftz and source != "f32"):
            raise form.missing()
        return _to_integer(target, source, _WHOLE[whole], ftz=ftz)
    if source in _INTEGERS and target in _FLOATS and mode:
        form.flag("ftz")
        if form.flag("sat"):
            raise form.missing()
        form.end()
        return _from_integer(target, source, mode)
    if source in _FLOATS and target in _FLOATS | {"tf32"}:
        return _between_floats(form, target, source, mode or "rn")
    raise form.missing()


def _pack(form: Modifiers, target: str) -> One:
    half = target.removesuffix("x2")
    mode = form.pick("rn", "rz")
    run = _between_floats(form, half, "f32", mode or "rn")
    bits = TYPES[half].bits

    def both(code: Code, v: Sequence[Value]) -> Value:
        high, low = (code.resize(run(code, [each]), 2 * bits) for each in v)
        return code.op("or", code.op("shl", high, number(bits, 2 * bits)), low)

    return both


def _repack(form: Modifiers, target: str, source: str) -> One:
    form.pick("rn")
    run = _between_floats(form, target.removesuffix("x2"), source.removesuffix("x2"), "rn")
    given, made = (TYPES[each.removesuffix("x2")].bits for each in (source, target))

    def both(code: Code, v: Sequence[Value]) -> Value:
        parts = []
        for index in range(2):
            word = code.op("lshr", v[0], number(given * index, 2 * given))
            parts.append(code.resize(run(code, [code.resize(word, given)]), 2 * made))
        return code.op("or", parts[0], code.op("shl", parts[1], number(made, 2 * made)))

    return both


def _pack_integers(form: Modifiers) -> One:
    """`cvt.pack.sat`: two integers saturated, above them what the third source brings."""
    last = form.last()
    third = last == "b32"
    source, target = (form.last() if third else last), form.last()
    saturates = form.flag("sat")
    form.end()
    if not saturates or source != "s32" or target not in {"u16", "s16", "u8", "s8"}:
        raise form.missing()
    bits = TYPES[target].bits
    low, high = _range(target)

    def run(code: Code, v: Sequence[Value]) -> Value:
        a, b = (
            code.op("and", clip(code, each, low, high), number((1 << bits) - 1, 32))
            for each in v[:2]
        )
        pair = code.op("or", code.op("shl", a, number(bits, 32)), b)
        if not third:
            return pair
        return code.op("or", pair, code.op("shl", v[2], number(2 * bits, 32)))

    return run


def convert(form: Modifiers) -> Emit:
    """`cvt` of one value or of a pair."""
    if form.flag("pack"):
        return one(_pack_integers(form))
    source, target = form.last(), form.last()
    make: Callable[[Modifiers, str, str], One] = _scalar
    if target in _PAIRS and source == "f32":
        return one(_pack(form, target))
    if target in _PAIRS and source in _PAIRS:
        make = _repack
    return one(make(form, target, source))
