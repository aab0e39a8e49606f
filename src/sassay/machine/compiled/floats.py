"""Floats in IR as the machine has them: one NaN, flushed subnormals, one rounding.

Every step has its counterpart in `machine.numeric`, whose bits it has to give.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.machine.compiled.code import Value, number
from sassay.machine.numeric.rounding import FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable

    from sassay.machine.compiled.code import Code

NAN32, NAN16 = 0x7FFFFFFF, 0x7FFF
SMALL = {"e4m3": (3, 7, 0x43E00000), "e5m2": (2, 15, 0x47600000)}
"""Fraction bits, bias, and the largest number as float32."""


def float32(code: Code, bits: int) -> Value:
    """A float32 constant by its bits."""
    return code.let(f"bitcast i32 {bits} to float", "float", wide=False)


def float64(code: Code, value: float) -> Value:
    """A float64 constant."""
    import struct  # noqa: PLC0415 - one use

    bits = int.from_bytes(struct.pack("<d", value), "little")
    return code.let(f"bitcast i64 {bits} to double", "double", wide=False)


def is_nan(code: Code, value: Value) -> Value:
    """Whether it is a NaN."""
    return code.test("uno", value, value)


def canonical(code: Code, value: Value) -> Value:
    """Bits of a float32 or float16 whose NaNs become the one that instructions make."""
    nan = number(NAN32 if value.type == "float" else NAN16, value.bits)
    return code.choose(is_nan(code, value), nan, code.as_bits(value))


def flush(code: Code, value: Value) -> Value:
    """A float32 or float16, subnormals as zeros of their sign."""
    bits = code.as_bits(value)
    exponent, sign = (0x7F800000, 1 << 31) if bits.bits == 32 else (0x7C00, 1 << 15)
    small = code.test("eq", code.op("and", bits, number(exponent, bits.bits)), number(0, bits.bits))
    kept = code.choose(small, code.op("and", bits, number(sign, bits.bits)), bits)
    return code.as_float(kept)


def flush_tiny(
    code: Code, value: Value, exact: Callable[[], Value], mode: str, kind: str = "f32"
) -> Value:
    """Zeros for what was rounded up to the smallest normal number; see `rounding.flush_tiny`.

    Args:
        code: Where it is written.
        value: Rounded to the format, as float32.
        exact: Writes the value that was rounded, as float64.
        mode: Of the rounding.
        kind: `f32` or `f16`.
    """
    small = FORMATS[kind]
    least = 2.0**small.least
    size = number((127 + small.least) << 23, 32)
    doubtful = code.test("eq", code.as_bits(magnitude(code, value)), size)

    def build() -> Value:
        whole = magnitude(code, exact())
        beside = least * (1 - 2.0 ** -(small.precision + 1))
        if mode == "rn":
            kept = code.test("oge", whole, float64(code, beside))
        else:
            kept = code.test("oge", whole, float64(code, least))
            if mode != "rz":
                away = code.test("ogt", whole, float64(code, least * (1 - 2.0**-small.precision)))
                negative = code.test("slt", code.as_bits(value), number(0, 32))
                if mode == "rp":
                    negative = code.op("xor", negative, number(1, 1))
                kept = code.op("or", kept, code.op("and", away, negative))
        wrong = code.op("and", doubtful, code.op("xor", kept, number(1, 1)))
        sign = code.op("and", code.as_bits(value), number(1 << 31, 32))
        return code.as_float(code.choose(wrong, sign, code.as_bits(value)))

    return code.rarely(doubtful, value, build)


def magnitude(code: Code, value: Value) -> Value:
    """A float without its sign."""
    bits = code.as_bits(value)
    return code.as_float(code.op("and", bits, number((1 << bits.bits - 1) - 1, bits.bits)))


def negated(code: Code, value: Value) -> Value:
    """A float with the other sign."""
    bits = code.as_bits(value)
    return code.as_float(code.op("xor", bits, number(1 << bits.bits - 1, bits.bits)))


def saturate(code: Code, value: Value) -> Value:
    """Clamped to [0, 1]; NaN and -0 become +0."""
    zero, one = constants(code, value.type)
    low = code.choose(code.test("olt", value, one), value, one)
    return code.choose(code.test("ogt", value, zero), low, zero)


def clear_negative(code: Code, value: Value) -> Value:
    """Negative numbers and -0 as +0; NaN stays."""
    zero, _ = constants(code, value.type)
    return code.choose(code.test("ole", value, zero), zero, value)


def constants(code: Code, kind: str) -> tuple[Value, Value]:
    """Zero and one."""
    bits, one = {
        "half": (16, 0x3C00),
        "float": (32, 0x3F800000),
        "double": (64, 0x3FF0000000000000),
    }[kind]
    return code.as_float(number(0, bits)), code.as_float(number(one, bits))


def half_to_float(code: Code, value: Value) -> Value:
    """Words of float16 as float32."""
    return code.cast("fpext", code.as_float(value), "float")


def brain_to_float(code: Code, value: Value) -> Value:
    """Words of bfloat16 as float32."""
    wide = code.op("shl", code.resize(value, 32), number(16, 32))
    return code.as_float(wide)


def widen(code: Code, value: Value, kind: str) -> Value:
    """A value of any float type as float32; float64 stays."""
    if kind == "bf16":
        return brain_to_float(code, value)
    if kind == "f16":
        return half_to_float(code, value)
    if kind in SMALL:
        return small_to_float(code, value, kind)
    return code.as_float(value)


def to_double(code: Code, value: Value, kind: str) -> Value:
    """A value of any float type as float64."""
    return code.cast("fpext", widen(code, value, kind), "double")


def small_to_float(code: Code, value: Value, kind: str) -> Value:
    """Words of an 8-bit format as float32."""
    if kind == "e5m2":
        return half_to_float(code, code.op("shl", code.resize(value, 16), number(8, 16)))
    words = code.resize(value, 32)
    body = code.op("and", words, number(0x7F, 32))
    # As a tiny float32 the fraction and the exponent are in place; a product puts the bias right.
    tiny = code.as_float(code.op("shl", body, number(20, 32)))
    size = code.op("fmul", tiny, float32(code, (127 + 120) << 23))
    sign = code.op("shl", code.op("and", words, number(0x80, 32)), number(24, 32))
    bits = code.op("or", code.as_bits(size), sign)
    wrong = code.test("eq", body, number(0x7F, 32))
    return code.as_float(code.choose(wrong, number(NAN32, 32), bits))


def odd32(code: Code, value: Value) -> Value:
    """Bits of a float64 rounded to odd as float32, so that another rounding comes out right."""
    near = code.cast("fptrunc", value, "float")
    back = code.cast("fpext", near, "double")
    bits = code.as_bits(near)
    even = code.test("eq", code.op("and", bits, number(1, 32)), number(0, 32))
    wrong = code.op("and", code.test("one", back, value), even)
    grows = code.test("ogt", magnitude(code, value), magnitude(code, back))
    step = code.choose(grows, number(1, 32), number(-1, 32))
    return code.choose(wrong, code.op("add", bits, step), bits)


def nearest(code: Code, bits: Value, drop: int) -> Value:
    """Bits of a float32 rounded to nearest even without its last bits, which become zero."""
    last = code.op("and", code.op("lshr", bits, number(drop, 32)), number(1, 32))
    moved = code.op("add", code.op("add", bits, number((1 << drop - 1) - 1, 32)), last)
    return code.op("and", moved, number(-1 << drop, 32))


def float_to_brain(code: Code, value: Value) -> Value:
    """Words of bfloat16, rounded to nearest even; NaN becomes 0x7fff."""
    bits = code.as_bits(value)
    last = code.op("and", code.op("lshr", bits, number(16, 32)), number(1, 32))
    moved = code.op("add", code.op("add", bits, last), number(0x7FFF, 32))
    words = code.resize(code.op("lshr", moved, number(16, 32)), 16)
    return code.choose(is_nan(code, code.as_float(value)), number(NAN16, 16), words)


def float_to_half(code: Code, value: Value) -> Value:
    """Words of float16, rounded to nearest even; NaN becomes 0x7fff."""
    words = code.as_bits(code.cast("fptrunc", value, "half"))
    return code.choose(is_nan(code, value), number(NAN16, 16), words)


def float_to_small(code: Code, value: Value, kind: str) -> Value:
    """Words of an 8-bit format, rounded to nearest even, too large ones to the limit."""
    fraction, bias, limit = SMALL[kind]
    size = magnitude(code, value)
    drop = 23 - fraction
    near = code.as_float(nearest(code, code.as_bits(size), drop))
    most = float32(code, limit)
    kept = code.choose(code.test("olt", near, most), near, most)
    normal = code.op("lshr", code.as_bits(kept), number(drop, 32))
    normal = code.op("sub", normal, number((127 - bias) << fraction, 32))
    # Below the smallest normal number all have one spacing: that of the last bit of this one.
    magic = (127 + 1 - bias + drop) << 23
    low = code.op(
        "sub", code.as_bits(code.op("fadd", size, float32(code, magic))), number(magic, 32)
    )
    tiny = code.test("olt", size, float32(code, (127 + 1 - bias) << 23))
    words = code.resize(code.choose(tiny, low, normal), 8)
    sign = code.resize(code.op("lshr", code.as_bits(value), number(24, 32)), 8)
    words = code.op("or", words, code.op("and", sign, number(0x80, 8)))
    return code.choose(is_nan(code, value), number(0x7F, 8), words)


def narrow32(code: Code, value: Value, mode: str) -> Value:
    """A float64 rounded to float32 in a mode."""
    near = code.cast("fptrunc", value, "float")
    if mode == "rn":
        return near
    back = code.cast("fpext", near, "double")
    bits = code.as_bits(near)
    zero = code.test("eq", code.op("and", bits, number(0x7FFFFFFF, 32)), number(0, 32))
    negative = code.test("slt", bits, number(0, 32))
    if mode == "rz":
        wrong = code.test("ogt", magnitude(code, back), magnitude(code, value))
        return code.as_float(code.choose(wrong, code.op("add", bits, number(-1, 32)), bits))
    down = mode == "rm"
    wrong = code.test("ogt" if down else "olt", back, value)
    away = negative if down else code.op("xor", negative, number(1, 1))
    step = code.choose(away, number(1, 32), number(-1, 32))
    first = number(0x80000001 if down else 1, 32)
    moved = code.choose(zero, first, code.op("add", bits, step))
    return code.as_float(code.choose(wrong, moved, bits))


def sum_to_odd(code: Code, a: Value, b: Value) -> Value:
    """The sum of two float64, rounded to odd."""
    total = code.op("fadd", a, b)
    back = code.op("fsub", total, a)
    error = code.op(
        "fadd",
        code.op("fsub", a, code.op("fsub", total, back)),
        code.op("fsub", b, back),
    )
    bits = code.as_bits(total)
    zero = code.as_float(number(0, 64))
    apart = code.op("xor", code.test("ogt", error, zero), code.test("ogt", total, zero))
    step = code.choose(apart, number(-1, 64), number(1, 64))
    even = code.test("eq", code.op("and", bits, number(1, 64)), number(0, 64))
    finite = code.test("ne", code.op("and", bits, number(0x7FF << 52, 64)), number(0x7FF << 52, 64))
    # An infinite total has an error that is no number: that compares unequal too.
    wrong = code.op("and", code.op("and", code.test("une", error, zero), even), finite)
    return code.as_float(code.choose(wrong, code.op("add", bits, step), bits))
