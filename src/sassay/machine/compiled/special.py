"""The special function unit in IR: tables by fraction, scalings around them.

What `machine.approximate` computes with numpy; one function of a module for each form. The tables
stay where numpy has them; the code holds their addresses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.machine.approximate.forms import half
from sassay.machine.approximate.models import TANH_STEPS
from sassay.machine.approximate.tables import table
from sassay.machine.approximate.turns import QUARTER
from sassay.machine.compiled import floats as f
from sassay.machine.compiled.code import LANES, Code, Value, number
from sassay.machine.compiled.helpers import called

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sassay.machine.types import Array

    One = Callable[[Code, Sequence[Value]], Value]

_FRACTION = 0x7FFFFF
_INFINITY = 0x7F800000
_kept: dict[str, Array] = {}


def _place(name: str) -> int:
    """Where a table lies; it stays there."""
    if name not in _kept:
        _kept[name] = table(name)
    return int(_kept[name].ctypes.data)


def _look_up(code: Code, index: Value, where: Value | int) -> Value:
    """Words of a table, or of the table of each lane."""
    wide = code.splat(code.resize(index, 64))
    bytes_ = code.op("shl", wide, number(2, 64))
    base = number(where, 64) if isinstance(where, int) else where
    places = code.op("add", bytes_, base)
    pointers = code.let(
        f"inttoptr {places.spelled} {places.text} to <{LANES} x ptr>", "ptr", wide=True
    )
    name = f"llvm.masked.gather.v{LANES}i32.v{LANES}p0"
    words = f"<{LANES} x i32>"
    code.unit.declared.add(
        f"declare {words} @{name}(<{LANES} x ptr>, i32, <{LANES} x i1>, {words})"
    )
    return code.let(
        f"call {words} @{name}(<{LANES} x ptr> {pointers.text}, i32 4, "
        f"<{LANES} x i1> splat (i1 true), {words} poison)",
        "i32",
        wide=True,
    )


class _Parts:
    """Sign, exponent field and fraction of float32."""

    def __init__(self, code: Code, value: Value) -> None:
        self.bits = code.as_bits(value)
        self.sign = code.op("and", self.bits, number(1 << 31, 32))
        field = code.op("lshr", self.bits, number(23, 32))
        self.exponent = code.op("and", field, number(255, 32))
        self.fraction = code.op("and", self.bits, number(_FRACTION, 32))
        self.zero = code.test("eq", self.exponent, number(0, 32))
        self.large = code.test("eq", self.exponent, number(255, 32))
        self.negative = code.test("ne", self.sign, number(0, 32))
        self.nan = f.is_nan(code, value)


def _scaled(code: Code, words: Value, power: Value) -> Value:
    """Positive results times a power of two; too small is zero."""
    exponent = code.op("add", code.op("lshr", words, number(23, 32)), power)
    low = code.test("sle", exponent, number(0, 32))
    clipped = code.choose(code.test("sgt", exponent, number(255, 32)), number(255, 32), exponent)
    field = code.op("shl", clipped, number(23, 32))
    moved = code.op("or", code.op("and", words, number(_FRACTION, 32)), field)
    return code.choose(low, number(0, 32), moved)


def _cases(code: Code, words: Value, cases: Sequence[tuple[Value, Value]]) -> Value:
    for where, value in cases:
        words = code.choose(where, value, words)
    return code.as_float(words)


def _both(code: Code, *parts: Value) -> Value:
    found = parts[0]
    for each in parts[1:]:
        found = code.op("and", found, each)
    return found


def _not(code: Code, value: Value) -> Value:
    return code.op("xor", value, number(1, 1))


def _rcp(code: Code, value: Value) -> Value:
    p = _Parts(code, value)
    power = code.op("sub", number(127, 32), p.exponent)
    words = _scaled(code, _look_up(code, p.fraction, _place("rcp")), power)
    words = code.op("or", words, p.sign)
    infinite = code.op("or", p.sign, number(_INFINITY, 32))
    return _cases(
        code, words, [(p.zero, infinite), (p.large, p.sign), (p.nan, number(f.NAN32, 32))]
    )


def _root(name: str, turn: int) -> Callable[[Code, Value], Value]:
    def run(code: Code, value: Value) -> Value:
        p = _Parts(code, value)
        low = code.op("and", p.exponent, number(1, 32))
        odd = code.test("eq", low, number(1, 32))
        places = code.choose(
            odd, number(_place(f"{name}_odd"), 64), number(_place(f"{name}_even"), 64)
        )
        base = code.choose(odd, number(127, 32), number(128, 32))
        power = code.op("ashr", code.op("sub", p.exponent, base), number(1, 32))
        if turn < 0:
            power = code.op("sub", number(0, 32), power)
        words = _scaled(code, _look_up(code, p.fraction, places), power)
        nan = number(f.NAN32, 32)
        wrong = _both(code, p.negative, _not(code, p.zero))
        infinite = _both(code, p.large, _not(code, p.nan), _not(code, p.negative))
        if turn < 0:
            at_zero, at_infinity = code.op("or", p.sign, number(_INFINITY, 32)), number(0, 32)
        else:
            at_zero, at_infinity = p.sign, number(_INFINITY, 32)
        return _cases(
            code,
            words,
            [(wrong, nan), (p.nan, nan), (p.zero, at_zero), (infinite, at_infinity)],
        )

    return run


def _ex2(code: Code, value: Value) -> Value:
    p = _Parts(code, value)
    significand = code.resize(code.op("or", p.fraction, number(1 << 23, 32)), 64)
    shift = code.op("sub", p.exponent, number(127, 32))
    zero = number(0, 32)
    up = code.choose(code.test("sgt", shift, number(9, 32)), number(9, 32), shift)
    up = code.resize(code.choose(code.test("slt", up, zero), zero, up), 64)
    down = code.op("sub", zero, shift)
    down = code.choose(code.test("sgt", down, number(63, 32)), number(63, 32), down)
    down = code.resize(code.choose(code.test("slt", down, zero), zero, down), 64)
    fixed = code.choose(
        code.test("sge", shift, zero),
        code.op("shl", significand, up),
        code.op("lshr", significand, down),
    )
    part = code.resize(code.op("and", fixed, number(_FRACTION, 64)), 32)
    whole = code.resize(code.op("lshr", fixed, number(23, 64)), 32)
    some = code.test("ne", part, zero)
    turned = code.op("sub", code.op("sub", zero, whole), code.resize(some, 32))
    whole = code.choose(p.negative, turned, whole)
    flipped = _both(code, p.negative, some)
    part = code.choose(flipped, code.op("xor", part, number(_FRACTION, 32)), part)
    words = code.op("and", _look_up(code, part, _place("ex2")), number(_FRACTION, 32))
    field = code.op("add", whole, number(127, 32))
    high = code.test("sge", field, number(255, 32))
    words = code.op("or", words, code.op("shl", field, number(23, 32)))
    return _cases(
        code,
        words,
        [
            (code.test("sle", field, zero), zero),
            (high, number(_INFINITY, 32)),
            (p.zero, number(0x3F800000, 32)),
            (p.nan, number(f.NAN32, 32)),
        ],
    )


def _lg2(code: Code, value: Value) -> Value:
    p = _Parts(code, value)
    below = code.test("slt", p.exponent, number(127, 32))
    places = code.choose(below, number(_place("lg2_below"), 64), number(_place("lg2_above"), 64))
    part = code.as_float(_look_up(code, p.fraction, places))
    base = code.choose(below, number(126, 32), number(127, 32))
    whole = code.cast("sitofp", code.op("sub", p.exponent, base), "double")
    total = code.op("fadd", whole, code.cast("fpext", part, "double"))
    cut = code.op("and", code.as_bits(total), number(-1 << 29, 64))
    words = code.as_bits(code.cast("fptrunc", code.as_float(cut), "float"))
    nan = number(f.NAN32, 32)
    infinite = _both(code, p.large, _not(code, p.nan), _not(code, p.negative))
    return _cases(
        code,
        words,
        [
            (p.negative, nan),
            (p.zero, number(0xFF800000, 32)),
            (infinite, number(_INFINITY, 32)),
            (p.nan, nan),
        ],
    )


def _turned(ahead: int) -> Callable[[Code, Value], Value]:
    """`sin`, or `cos`, which is a quarter of a turn ahead; see `approximate.turns`."""

    def run(code: Code, value: Value) -> Value:
        per_radian = code.cast("fpext", f.float32(code, 0x3E22F983), "double")
        product = code.op("fmul", code.cast("fpext", value, "double"), per_radian)
        cut = code.op("and", code.as_bits(product), number(-1 << 29, 64))
        p = _Parts(code, code.cast("fptrunc", code.as_float(cut), "float"))
        zero, inside = number(0, 32), number((1 << QUARTER) - 1, 64)
        shift = code.op("sub", p.exponent, number(125, 32))
        left = code.choose(code.test("sgt", shift, number(27, 32)), number(27, 32), shift)
        left = code.resize(code.choose(code.test("slt", left, zero), zero, left), 64)
        right = code.op("sub", zero, shift)
        right = code.choose(code.test("sgt", right, number(63, 32)), number(63, 32), right)
        right = code.resize(code.choose(code.test("slt", right, zero), zero, right), 64)
        significand = code.resize(code.op("or", p.fraction, number(1 << 23, 32)), 64)
        fixed = code.choose(
            code.test("sge", shift, zero),
            code.op("shl", significand, left),
            code.op("lshr", significand, right),
        )
        quarter = code.op("add", code.op("lshr", fixed, number(QUARTER, 64)), number(ahead, 64))
        part = code.op("and", fixed, inside)
        odd = code.test("ne", code.op("and", quarter, number(1, 64)), number(0, 64))
        place = code.choose(odd, code.op("xor", part, inside), part)
        half = code.resize(code.op("lshr", quarter, number(1, 64)), 32)
        sign = code.op("shl", code.op("and", half, number(1, 32)), number(31, 32))
        if not ahead:
            sign = code.op("xor", sign, p.sign)
        found = code.op("xor", _look_up(code, place, _place("sin")), sign)
        endless = code.test("eq", _Parts(code, value).exponent, number(255, 32))
        return code.as_float(code.choose(endless, number(f.NAN32, 32), found))

    return run


def _tanh(code: Code, value: Value) -> Value:
    p = _Parts(code, value)
    words = code.op("and", p.bits, number((1 << 31) - 1, 32))
    place, known, start = number(0, 32), number(0, 1), 0
    for exponent, step in TANH_STEPS.items():
        here = code.test("eq", p.exponent, number(exponent, 32))
        at = code.op("add", code.op("lshr", p.fraction, number(step, 32)), number(start, 32))
        place = code.choose(here, at, place)
        known = code.op("or", known, here)
        start += 1 << (23 - step)
    words = code.choose(known, _look_up(code, place, _place("tanh")), words)
    large = code.test("ugt", p.exponent, number(max(TANH_STEPS), 32))
    words = code.choose(large, number(0x3F800000, 32), words)
    return _cases(code, code.op("or", words, p.sign), [(p.nan, number(f.NAN32, 32))])


_PLAIN = frozenset({"sin", "cos", "tanh"})
"""Functions of the unit that PTX has as they are."""

_MODELS: dict[str, Callable[[Code, Value], Value]] = {
    "rcp": _rcp,
    "rsqrt": _root("rsqrt", -1),
    "sqrt": _root("sqrt", 1),
    "ex2": _ex2,
    "lg2": _lg2,
    "sin": _turned(0),
    "cos": _turned(1),
    "tanh": _tanh,
}


def _tiny(code: Code, value: Value) -> Value:
    return code.test("olt", f.magnitude(code, value), f.float32(code, 1 << 23))


def _with_subnormals(name: str) -> Callable[[Code, Value], Value]:
    up = 151 << 23

    def reciprocal(code: Code, value: Value) -> Value:
        large = code.test("ogt", f.magnitude(code, value), f.float32(code, 253 << 23))
        one = f.float32(code, 127 << 23)
        factor = code.choose(large, f.float32(code, 125 << 23), one)
        factor = code.choose(_tiny(code, value), f.float32(code, up), factor)
        return code.op("fmul", _rcp(code, code.op("fmul", value, factor)), factor)

    def power(code: Code, value: Value) -> Value:
        small = code.test("olt", value, f.float32(code, 0xC2FC0000))
        half = code.op("fmul", value, f.float32(code, 126 << 23))
        found = _ex2(code, code.choose(small, half, value))
        return code.choose(small, code.op("fmul", found, found), found)

    def rest(code: Code, value: Value) -> Value:
        small = _tiny(code, value)
        grown = code.op("fmul", value, f.float32(code, up))
        found = _MODELS[name](code, code.choose(small, grown, value))
        if name == "lg2":
            moved = code.op("fsub", found, f.float32(code, 0x41C00000))
        else:
            after = 139 if name == "rsqrt" else 115
            moved = code.op("fmul", found, f.float32(code, after << 23))
        return code.choose(small, moved, found)

    return {"rcp": reciprocal, "ex2": power}.get(name, rest)


def unit(form: str) -> One | None:
    """A form of one source; None if not every bit of it is known.

    Args:
        form: Such as `ex2.approx.ftz.f32`.
    """
    base, *words = form.split(".")
    name = "unit." + form
    if words[-1] != "f32":
        if half(form) is None:
            return None
        return lambda code, given: called(code, name, _by_words(form), given)
    if base not in _MODELS:
        return None
    run = _MODELS[base] if "ftz" in words or base in _PLAIN else _with_subnormals(base)
    return lambda code, given: called(code, name, lambda c, v: run(c, v[0]), given)


def _by_words(form: str) -> Callable[[Code, list[Value]], Value]:
    def build(code: Code, given: list[Value]) -> Value:
        return code.resize(_look_up(code, given[0], _place(form)), 16)

    return build


def divided(how: str, *, ftz: bool) -> One:
    """`div.full` and `div.approx`: a product with a reciprocal."""

    def build(code: Code, given: list[Value]) -> Value:
        a, b = (f.flush(code, each) for each in given) if ftz else given
        factor = f.float32(code, 127 << 23)
        if not ftz:
            factor = code.choose(_tiny(code, b), f.float32(code, 151 << 23), factor)
        if how == "full":
            large = code.test("ogt", f.magnitude(code, b), f.float32(code, 253 << 23))
            factor = code.choose(large, f.float32(code, 125 << 23), factor)
        a, b = code.op("fmul", a, factor), code.op("fmul", b, factor)
        if ftz:
            a = f.flush(code, a)
        found = code.op("fmul", _rcp(code, b), a)
        return f.flush(code, found) if ftz else found

    name = f"div.{how}{'.ftz' if ftz else ''}"
    return lambda code, given: called(code, name, build, given)
