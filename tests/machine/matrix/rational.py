"""Sums of products by exact fractions: the accumulation rules by definition, one sum at a time."""

from __future__ import annotations

from fractions import Fraction

from tests.machine.exact import BF16, E4M3, E5M2, F16, F32, INF, NAN, NINF, Format, Number, decode

TF32 = Format(8, 23)
FORMATS = {
    "f16": F16,
    "bf16": BF16,
    "tf32": TF32,
    "f32": F32,
    "e4m3": E4M3,
    "e5m2": E5M2,
}


def exponent_of(word: int, form: Format) -> int:
    """Of the significand in [1, 2), or of the least normal number."""
    field = word >> form.mantissa & ((1 << form.exponent) - 1)
    return max(field, 1) - form.bias


def _truncated(value: Fraction, unit: Fraction) -> Fraction:
    steps = abs(value) // unit
    return steps * unit if value >= 0 else -steps * unit


def _wild(values: list[tuple[Number, Number]], addend: Number) -> Number | None:
    """The result if an infinity or NaN decides it."""
    infinite = set()
    for a, b in values:
        if NAN in {a, b}:
            return NAN
        if isinstance(a, str) or isinstance(b, str):
            if 0 in {a, b}:
                return NAN
            negative = sum(
                each == NINF or (isinstance(each, Fraction) and each < 0) for each in (a, b)
            )
            infinite.add(NINF if negative == 1 else INF)
    if addend == NAN:
        return NAN
    if isinstance(addend, str):
        infinite.add(addend)
    if len(infinite) == 2:
        return NAN
    return next(iter(infinite), None)


def fused(
    a: list[int], b: list[int], kinds: tuple[str, str], c: int, *, bits: int, result: str
) -> int:
    """The word of one sum: align to the largest exponent, truncate, add, round."""
    first, second = (FORMATS[kind] for kind in kinds)
    if "tf32" in kinds:
        a, b = [word & ~0x1FFF for word in a], [word & ~0x1FFF for word in b]
    held = F16 if result == "f16" else F32
    pairs = [(decode(x, first), decode(y, second)) for x, y in zip(a, b, strict=True)]
    addend = decode(c, held)
    wild = _wild(pairs, addend)
    if wild is not None:
        top = ((1 << held.exponent) - 1) << held.mantissa
        return {NAN: held.nan, INF: top, NINF: top | 1 << (held.bits - 1)}[str(wild)]
    terms: list[tuple[Fraction, int]] = []
    for (x, y), p, q in zip(pairs, a, b, strict=True):
        assert isinstance(x, Fraction)
        assert isinstance(y, Fraction)
        if x * y:
            terms.append((x * y, exponent_of(p, first) + exponent_of(q, second)))
    assert isinstance(addend, Fraction)
    if addend:
        terms.append((addend, exponent_of(c, held)))
    if not terms:
        return 0
    unit = Fraction(2) ** (max(exponent for _, exponent in terms) - bits)
    total = sum((_truncated(value, unit) for value, _ in terms), Fraction(0))
    return _rounded(
        total, held, 13 if result == "e8m13" else held.mantissa, nearest=result == "f16"
    )


def _rounded(total: Fraction, form: Format, bits: int, *, nearest: bool) -> int:
    if total == 0:
        return 0
    sign = 1 << (form.bits - 1) if total < 0 else 0
    size = abs(total)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    if Fraction(2) ** exponent > size:
        exponent -= 1
    least = 1 - form.bias
    unit = Fraction(2) ** (max(exponent, least) - bits)
    steps = size / unit
    whole = round(steps) if nearest else steps.numerator // steps.denominator
    value = whole * unit
    if value == 0:
        return 0
    if value >= Fraction(2) ** (form.bias + 1):
        return sign | ((1 << form.exponent) - 1) << form.mantissa
    exponent = value.numerator.bit_length() - value.denominator.bit_length()
    if Fraction(2) ** exponent > value:
        exponent -= 1
    if exponent < least:
        return sign | int(value / Fraction(2) ** (least - form.mantissa))
    fraction = value / Fraction(2) ** exponent - 1
    return sign | (exponent + form.bias) << form.mantissa | int(fraction * (1 << form.mantissa))
