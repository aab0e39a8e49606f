"""Floating-point numbers as exact fractions, rounded by definition: a model of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import isqrt

NAN, INF, NINF = "nan", "inf", "-inf"
Number = Fraction | str


@dataclass(frozen=True)
class Format:
    """A format: widths in bits; `finite` formats have no infinity and one NaN by sign.

    One that `flushes` reads subnormal words as zeros, and writes zeros for numbers that are below
    the normal ones once they are rounded to its precision, whatever their exponent.
    """

    exponent: int
    mantissa: int
    finite: bool = False
    flushes: bool = False

    @property
    def bits(self) -> int:
        return 1 + self.exponent + self.mantissa

    @property
    def bias(self) -> int:
        return (1 << (self.exponent - 1)) - 1

    @property
    def largest(self) -> Fraction:
        if self.finite:
            return Fraction(448)
        top = (1 << self.exponent) - 2 - self.bias
        return (2 - Fraction(1, 1 << self.mantissa)) * Fraction(2) ** top

    @property
    def nan(self) -> int:
        """What instructions give for NaN."""
        return (1 << (self.bits - 1)) - 1


F16, BF16, F32, F64 = Format(5, 10), Format(8, 7), Format(8, 23), Format(11, 52)
TF32 = Format(8, 10)
E4M3, E5M2 = Format(4, 3, finite=True), Format(5, 2)


def sign_of(word: int, form: Format) -> int:
    return word >> (form.bits - 1) & 1


def decode(word: int, form: Format) -> Number:
    """The number that a word stands for."""
    sign = -1 if sign_of(word, form) else 1
    exponent = word >> form.mantissa & ((1 << form.exponent) - 1)
    mantissa = word & ((1 << form.mantissa) - 1)
    top = (1 << form.exponent) - 1
    if form.finite:
        if exponent == top and mantissa == (1 << form.mantissa) - 1:
            return NAN
    elif exponent == top:
        return NAN if mantissa else (INF if sign > 0 else NINF)
    if exponent == 0 and form.flushes:
        return Fraction(0)
    if exponent == 0:
        return sign * Fraction(mantissa) * Fraction(2) ** (1 - form.bias - form.mantissa)
    whole = (1 << form.mantissa) | mantissa
    return sign * Fraction(whole) * Fraction(2) ** (exponent - form.bias - form.mantissa)


def to_integer(value: Fraction, mode: str) -> int:
    """Rounds to an integer."""
    low = value.numerator // value.denominator
    rest = value - low
    if mode == "rz":
        return low + (1 if rest and value < 0 else 0)
    if mode == "rm":
        return low
    if mode == "rp":
        return low + (1 if rest else 0)
    half = Fraction(1, 2)
    if rest != half:
        return low + (1 if rest > half else 0)
    if mode == "rna":
        return low + (1 if value > 0 else 0)
    return low + (low & 1)


def encode(value: Number, form: Format, mode: str = "rn", *, negative_zero: bool = False) -> int:
    """The word of a number, rounded once; `negative_zero` is the sign of an exact zero."""
    sign_bit = 1 << (form.bits - 1)
    top = ((1 << form.exponent) - 1) << form.mantissa
    if value == NAN:
        return form.nan
    if value in {INF, NINF}:
        return top | (sign_bit if value == NINF else 0)
    assert isinstance(value, Fraction)
    if value == 0:
        return sign_bit if negative_zero else 0
    sign = sign_bit if value < 0 else 0
    size = abs(value)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    if Fraction(2) ** exponent > size:
        exponent -= 1
    if form.flushes and exponent < 1 - form.bias:
        unit = Fraction(2) ** (exponent - form.mantissa)
        if abs(to_integer(value / unit, mode)) * unit < Fraction(2) ** (1 - form.bias):
            return sign
    exponent = max(exponent, 1 - form.bias)
    unit = Fraction(2) ** (exponent - form.mantissa)
    whole = abs(to_integer(value / unit, mode))
    rounded = whole * unit
    if rounded > form.largest:
        toward_zero = mode == "rz" or (mode == "rm" and value > 0) or (mode == "rp" and value < 0)
        if form.finite or toward_zero:
            return sign | encode(form.largest, form)
        return sign | top
    if whole >> form.mantissa == 0:
        return sign | whole
    if whole >> (form.mantissa + 1):
        whole >>= 1
        exponent += 1
    return sign | (exponent + form.bias << form.mantissa) | (whole & ((1 << form.mantissa) - 1))


def _infinite(value: Number) -> bool:
    return value in {INF, NINF}


def negate(value: Number) -> Number:
    if isinstance(value, Fraction):
        return -value
    return {INF: NINF, NINF: INF, NAN: NAN}[value]


def add(a: int, b: int, form: Format, mode: str = "rn") -> int:
    """The sum of two words."""
    x, y = decode(a, form), decode(b, form)
    return _sum(x, y, (sign_of(a, form), sign_of(b, form)), form, mode)


def _sum(x: Number, y: Number, signs: tuple[int, int], form: Format, mode: str) -> int:
    if NAN in {x, y} or (_infinite(x) and _infinite(y) and x != y):
        return encode(NAN, form)
    if _infinite(x):
        return encode(x, form)
    if _infinite(y):
        return encode(y, form)
    assert isinstance(x, Fraction)
    assert isinstance(y, Fraction)
    negative = all(signs) if signs[0] == signs[1] else mode == "rm"
    return encode(x + y, form, mode, negative_zero=negative)


def product(a: int, b: int, form: Format) -> tuple[Number, int]:
    """The exact product and its sign."""
    x, y = decode(a, form), decode(b, form)
    sign = sign_of(a, form) ^ sign_of(b, form)
    if NAN in {x, y} or (_infinite(x) and y == 0) or (x == 0 and _infinite(y)):
        return NAN, 0
    if _infinite(x) or _infinite(y):
        return (NINF if sign else INF), sign
    assert isinstance(x, Fraction)
    assert isinstance(y, Fraction)
    return x * y, sign


def mul(a: int, b: int, form: Format, mode: str = "rn") -> int:
    value, sign = product(a, b, form)
    return encode(value, form, mode, negative_zero=bool(sign))


def fma(a: int, b: int, c: int, form: Format, mode: str = "rn") -> int:
    value, sign = product(a, b, form)
    return _sum(value, decode(c, form), (sign, sign_of(c, form)), form, mode)


def div(a: int, b: int, form: Format, mode: str = "rn") -> int:
    x, y = decode(a, form), decode(b, form)
    sign = sign_of(a, form) ^ sign_of(b, form)
    if NAN in {x, y} or (_infinite(x) and _infinite(y)) or (x == 0 and y == 0):
        return encode(NAN, form)
    if _infinite(x) or y == 0:
        return encode(NINF if sign else INF, form)
    if _infinite(y):
        return encode(Fraction(0), form, negative_zero=bool(sign))
    assert isinstance(x, Fraction)
    assert isinstance(y, Fraction)
    return encode(x / y, form, mode, negative_zero=bool(sign))


def sqrt(a: int, form: Format, mode: str = "rn") -> int:
    x = decode(a, form)
    if x in (NAN, NINF) or (isinstance(x, Fraction) and x < 0):
        return encode(NAN, form)
    if x in (INF, 0):
        return a
    assert isinstance(x, Fraction)
    # Enough bits that what is cut off cannot matter, and a bit that says whether any was.
    shift = 700
    scaled = x.numerator * (1 << 2 * shift) // x.denominator
    root = isqrt(scaled)
    exact = root * root == scaled and (x.numerator << 2 * shift) % x.denominator == 0
    value = Fraction(root, 1 << shift)
    if not exact:
        value += Fraction(1, 1 << (shift + 1))
    return encode(value, form, mode)


def flushing(form: Format) -> Format:
    """A format as instructions with `.ftz` see it."""
    return replace(form, flushes=True)


def flush(word: int, form: Format) -> int:
    """A subnormal as zero of its sign."""
    if word >> form.mantissa & ((1 << form.exponent) - 1):
        return word
    return word & (1 << (form.bits - 1))


def extreme(a: int, b: int, form: Format, *, largest: bool, nan: bool = False) -> int:
    """`min` or `max`."""
    x, y = decode(a, form), decode(b, form)
    if NAN in (x, y):
        if nan or x == y:
            return form.nan
        return b if x == NAN else a

    def key(word: int) -> int:
        magnitude = word & ((1 << (form.bits - 1)) - 1)
        return -magnitude - 1 if sign_of(word, form) else magnitude

    return max(a, b, key=key) if largest else min(a, b, key=key)
