"""Forms of float instructions beyond plain arithmetic, one by one, against exact fractions.

Comparisons, selection, saturation, packed and narrow conversions, signs.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.machine import exact
from tests.machine.exact import BF16, E4M3, E5M2, F16, F32, F64, Format
from tests.machine.harness import apply
from tests.machine.test_floats import FORMATS, SETTINGS, check, rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_BEYOND = Fraction(2) ** 2000
_PLAIN = {"equ": "eq", "neu": "ne", "ltu": "lt", "leu": "le", "gtu": "gt", "geu": "ge"}
_NAMES = ["eq", "ne", "lt", "le", "gt", "ge", *_PLAIN, "num", "nan"]


def _place(value: exact.Number) -> Fraction:
    if isinstance(value, Fraction):
        return value
    return _BEYOND if value == exact.INF else -_BEYOND


def holds(name: str, operands: Sequence[int], form: Format) -> bool:
    """Whether a comparison of two words holds, by the ISA's tables."""
    x, y = (exact.decode(each, form) for each in operands)
    if exact.NAN in {x, y}:
        return name in _PLAIN or name == "nan"
    if name in {"num", "nan"}:
        return name == "num"
    left, right = _place(x), _place(y)
    return {
        "eq": left == right,
        "ne": left != right,
        "lt": left < right,
        "le": left <= right,
        "gt": left > right,
        "ge": left >= right,
    }[_PLAIN.get(name, name)]


def _columns(operands: list[tuple[int, ...]], form: Format) -> list[tuple[int, list[int]]]:
    return [(form.bits // 8, [row[index] for row in operands]) for index in range(len(operands[0]))]


@pytest.mark.parametrize("kind", ["f16", "bf16", "f32", "f64"])
@pytest.mark.parametrize("name", _NAMES)
@SETTINGS
@given(data=st.data())
def test_comparisons(name: str, kind: str, data: st.DataObject) -> None:
    form = FORMATS[kind]
    operands = data.draw(rows(form, 2))
    (found,) = apply(f"setp.{name}.{kind} $0, #0, #1;", _columns(operands, form), [0])
    for row, got in zip(operands, found, strict=True):
        assert bool(got) == holds(name, row, form), (name, [hex(each) for each in row])
    if kind in {"f16", "f32"}:
        (found,) = apply(f"setp.{name}.ftz.{kind} $0, #0, #1;", _columns(operands, form), [0])
        for row, got in zip(operands, found, strict=True):
            x, y = (exact.flush(each, form) for each in row)
            assert bool(got) == holds(name, (x, y), form), (name, [hex(each) for each in row])


@pytest.mark.parametrize("kind", ["f16", "bf16"])
@SETTINGS
@given(data=st.data())
def test_packed_comparisons(kind: str, data: st.DataObject) -> None:
    form = FORMATS[kind]
    low, high = data.draw(rows(form, 2)), data.draw(rows(form, 2))
    pairs = [(a[0] | b[0] << 16, a[1] | b[1] << 16) for a, b in zip(low, high, strict=False)]
    sources = [(4, [pair[index] for pair in pairs]) for index in range(2)]
    text = f"setp.geu.{kind}x2 $0|$1, #0, #1;"
    first, second = apply(text, sources, [0, 0])
    (mask,) = apply(f"set.lt.u32.{kind}x2 $0, #0, #1;", sources, [4])
    (ones,) = apply(f"set.gt.{kind}x2.{kind}x2 $0, #0, #1;", sources, [4])
    one = form.bias << form.mantissa
    for index, (a, b) in enumerate(zip(low, high, strict=False)):
        assert bool(first[index]) == holds("geu", a, form)
        assert bool(second[index]) == holds("geu", b, form)
        below = [holds("lt", each, form) for each in (a, b)]
        assert mask[index] == below[0] * 0xFFFF | below[1] * 0xFFFF << 16
        above = [holds("gt", each, form) for each in (a, b)]
        assert ones[index] == above[0] * one | above[1] * one << 16


@SETTINGS
@given(operands=rows(F32, 3))
def test_comparisons_as_values_and_selection_by_sign(operands: list[tuple[int, ...]]) -> None:
    sources = _columns(operands, F32)
    (words,) = apply("set.le.u32.f32 $0, #0, #1;", sources, [4])
    (floats,) = apply("set.neu.f32.f32 $0, #0, #1;", sources, [4])
    (joined,) = apply("setp.lt.f32 %p1, #2, #1; set.gt.or.u32.f32 $0, #0, #1, %p1;", sources, [4])
    (chosen,) = apply("slct.b32.f32 $0, #0, #1, #2;", sources, [4])
    for index, (a, b, c) in enumerate(operands):
        assert words[index] == holds("le", (a, b), F32) * 0xFFFFFFFF
        assert floats[index] == holds("neu", (a, b), F32) * 0x3F800000
        either = holds("gt", (a, b), F32) or holds("lt", (c, b), F32)
        assert joined[index] == either * 0xFFFFFFFF
        assert chosen[index] == (a if holds("ge", (c, 0), F32) else b)


def saturated(word: int, form: Format) -> int:
    """Clamped to [0, 1]; NaN and what is below become +0."""
    value = exact.decode(word, form)
    if value == exact.NAN:
        return 0
    return exact.encode(min(max(_place(value), Fraction(0)), Fraction(1)), form)


def floored(word: int, form: Format) -> int:
    """Clamped to +0 from below (`.relu`), -0 too; NaN stays one."""
    value = exact.decode(word, form)
    if value == exact.NAN:
        return form.nan
    return 0 if _place(value) <= 0 else word


@pytest.mark.parametrize("kind", ["f16", "f32"])
@pytest.mark.parametrize("base", ["add", "mul", "fma"])
@SETTINGS
@given(data=st.data())
def test_saturation_of_arithmetic(base: str, kind: str, data: st.DataObject) -> None:
    form = FORMATS[kind]
    models: dict[str, Callable[..., int]] = {"add": exact.add, "mul": exact.mul, "fma": exact.fma}
    operands = data.draw(rows(form, 3 if base == "fma" else 2))
    model = models[base]
    for more, seen in (("", form), (".ftz", exact.flushing(form))):

        def bounded(*row: int, seen: Format = seen) -> int:
            return saturated(model(*row, seen), form)

        check(f"{base}.rn{more}.sat.{kind}", form, operands, bounded)


@pytest.mark.parametrize("kind", ["f16", "bf16"])
@SETTINGS
@given(data=st.data())
def test_fused_products_with_a_floor_of_zero(kind: str, data: st.DataObject) -> None:
    form = FORMATS[kind]
    check(
        f"fma.rn.relu.{kind}",
        form,
        data.draw(rows(form, 3)),
        lambda a, b, c: floored(exact.fma(a, b, c, form), form),
    )


@pytest.mark.parametrize("kind", ["f16x2", "bf16x2", "f32x2"])
@pytest.mark.parametrize("base", ["add", "sub", "mul"])
@SETTINGS
@given(data=st.data())
def test_packed_arithmetic(base: str, kind: str, data: st.DataObject) -> None:
    form = FORMATS[kind[:-2]]
    sign = 1 << form.bits - 1
    model: Callable[[int, int], int] = {
        "add": lambda a, b: exact.add(a, b, form),
        "sub": lambda a, b: exact.add(a, b ^ sign, form),
        "mul": lambda a, b: exact.mul(a, b, form),
    }[base]
    low, high = data.draw(rows(form, 2)), data.draw(rows(form, 2))
    pairs = [
        (a[0] | b[0] << form.bits, a[1] | b[1] << form.bits)
        for a, b in zip(low, high, strict=False)
    ]
    sources = [(form.bits // 4, [pair[index] for pair in pairs]) for index in range(2)]
    (found,) = apply(f"{base}.rn.{kind} $0, #0, #1;", sources, [form.bits // 4])
    for a, b, got in zip(low, high, found, strict=False):
        assert got == model(*a) | model(*b) << form.bits


@pytest.mark.parametrize("kind", ["f16", "bf16", "f32", "f64"])
@SETTINGS
@given(data=st.data())
def test_signs_are_bits_but_of_half_nans(kind: str, data: st.DataObject) -> None:
    form = FORMATS[kind]
    sign = 1 << form.bits - 1
    operands = data.draw(rows(form, 1))
    sources = _columns(operands, form)
    (turned,) = apply(f"neg.{kind} $0, #0;", sources, [form.bits // 8])
    (sizes,) = apply(f"abs.{kind} $0, #0;", sources, [form.bits // 8])
    for (a,), negative, size in zip(operands, turned, sizes, strict=True):
        if kind in {"f16", "bf16"} and exact.decode(a, form) == exact.NAN:
            assert (negative, size) == (form.nan, form.nan)
        else:
            assert (negative, size) == (a ^ sign, a & ~sign)


@pytest.mark.parametrize("kind", ["f32", "f64"])
@SETTINGS
@given(data=st.data())
def test_copied_signs_and_kinds_of_numbers(kind: str, data: st.DataObject) -> None:
    form = FORMATS[kind]
    sign = 1 << form.bits - 1
    operands = data.draw(rows(form, 2))
    check(f"copysign.{kind}", form, operands, lambda a, b: b & ~sign | a & sign)

    def property_of(word: int) -> set[str]:
        value = exact.decode(word, form)
        if value == exact.NAN:
            return {"notanumber"}
        if isinstance(value, str):
            return {"infinite", "number"}
        tiny = exact.flush(word, form) != word
        return {"finite", "number", "subnormal" if tiny else "normal"}

    for name in ("finite", "infinite", "number", "notanumber", "normal", "subnormal"):
        (found,) = apply(f"testp.{name}.{kind} $0, #0;", _columns(operands, form)[:1], [0])
        for row, got in zip(operands, found, strict=True):
            assert bool(got) == (name in property_of(row[0])), (name, hex(row[0]))


@pytest.mark.parametrize("kind", ["f16", "f32"])
@SETTINGS
@given(data=st.data())
def test_extremes_by_magnitude_with_the_sign_of_the_product(kind: str, data: st.DataObject) -> None:
    form = FORMATS[kind]
    sign = 1 << form.bits - 1

    def model(a: int, b: int, largest: bool) -> int:
        found = exact.extreme(a & ~sign, b & ~sign, form, largest=largest)
        if exact.decode(found, form) == exact.NAN:
            return form.nan
        return found | (a ^ b) & sign

    operands = data.draw(rows(form, 2))
    for base in ("min", "max"):
        check(
            f"{base}.xorsign.abs.{kind}", form, operands,
            lambda a, b, largest=base == "max": model(a, b, largest),
        )  # fmt: skip


# Conversions.


def _converted(word: int, into: Format, mode: str, origin: Format = F32) -> int:
    value = exact.decode(word, origin)
    return exact.encode(value, into, mode, negative_zero=bool(exact.sign_of(word, origin)))


@pytest.mark.parametrize("kind", ["f16", "bf16"])
@SETTINGS
@given(operands=rows(F32, 2))
def test_pairs_of_floats_to_pairs_of_halves(kind: str, operands: list[tuple[int, ...]]) -> None:
    into = FORMATS[kind]
    sources = _columns(operands, F32)
    for mode in ("rn", "rz"):
        (found,) = apply(f"cvt.{mode}.{kind}x2.f32 $0, #0, #1;", sources, [4])
        (clamped,) = apply(f"cvt.{mode}.relu.{kind}x2.f32 $0, #0, #1;", sources, [4])
        for (a, b), got, kept in zip(operands, found, clamped, strict=True):
            high, low = (_converted(each, into, mode) for each in (a, b))
            assert got == high << 16 | low
            assert kept == floored(high, into) << 16 | floored(low, into)


@pytest.mark.parametrize(("kind", "form"), [("e4m3", E4M3), ("e5m2", E5M2)])
@SETTINGS
@given(operands=rows(F16, 2))
def test_pairs_of_halves_to_eight_bits(
    kind: str, form: Format, operands: list[tuple[int, ...]]
) -> None:
    def one(a: int) -> int:
        value = exact.decode(a, F16)
        if value == exact.NAN:
            return 0x7F
        sign = 0x80 if exact.sign_of(a, F16) else 0
        if abs(_place(value)) > form.largest:
            return sign | exact.encode(form.largest, form)
        return exact.encode(value, form, negative_zero=bool(sign))

    words = [a | b << 16 for a, b in operands]
    (found,) = apply(f"cvt.rn.satfinite.{kind}x2.f16x2 $0, #0;", [(4, words)], [2])
    for (a, b), got in zip(operands, found, strict=True):
        assert got == one(a) | one(b) << 8, (hex(a), hex(b))


@pytest.mark.parametrize("source", ["f16", "f32", "f64"])
@SETTINGS
@given(data=st.data())
def test_conversions_that_saturate_or_flush(source: str, data: st.DataObject) -> None:
    form = FORMATS[source]
    operands = data.draw(rows(form, 1))
    rn = "" if source == "f16" else ".rn"
    if source != "f32":
        check(
            f"cvt{rn}.sat.f32.{source}", form, operands,
            lambda a: saturated(_converted(a, F32, "rn", form), F32), F32,
        )  # fmt: skip
        check(
            f"cvt{rn}.ftz.f32.{source}", form, operands,
            lambda a: _converted(a, exact.flushing(F32), "rn", form), F32,
        )  # fmt: skip
    else:
        check(
            "cvt.rn.ftz.f16.f32", form, operands,
            lambda a: _converted(exact.flush(a, F32), F16, "rn"), F16,
        )  # fmt: skip
        check("cvt.sat.f32.f32", form, operands, lambda a: saturated(a, F32))


@pytest.mark.parametrize("kind", ["f16", "f32", "f64"])
@SETTINGS
@given(data=st.data())
def test_rounding_to_whole_numbers(kind: str, data: st.DataObject) -> None:
    form = FORMATS[kind]
    operands = data.draw(rows(form, 1))
    for suffix, mode in (("rni", "rn"), ("rzi", "rz"), ("rmi", "rm"), ("rpi", "rp")):

        def model(a: int, mode: str = mode) -> int:
            value = exact.decode(a, form)
            if isinstance(value, str):
                return exact.encode(value, form)
            whole = Fraction(exact.to_integer(value, mode))
            return exact.encode(whole, form, negative_zero=bool(exact.sign_of(a, form)))

        check(f"cvt.{suffix}.{kind}.{kind}", form, operands, model)


@pytest.mark.parametrize("target", ["f16", "bf16", "f32", "f64"])
@pytest.mark.parametrize("source", ["u8", "s8", "u16", "s16"])
def test_every_short_integer_as_a_float(source: str, target: str) -> None:
    form, bits = FORMATS[target], int(source[1:])
    values = list(range(1 << bits)) if bits == 8 else list(range(0, 1 << 16, 37))
    text = f"cvt.rn.{target}.{source} $0, #0;"
    (found,) = apply(text, [(2, values)], [form.bits // 8])
    for value, got in zip(values, found, strict=True):
        number = value - (1 << bits) if source[0] == "s" and value >> bits - 1 else value
        assert got == exact.encode(Fraction(number), form), (text, number)


@SETTINGS
@given(operands=rows(F64, 1))
def test_doubles_to_narrow_formats(operands: list[tuple[int, ...]]) -> None:
    for name, into in (("f16", F16), ("f32", F32)):
        for mode in ("rn", "rz", "rm", "rp"):

            def model(a: int, into: Format = into, mode: str = mode) -> int:
                return _converted(a, into, mode, F64)

            check(f"cvt.{mode}.{name}.f64", F64, operands, model, into)


@SETTINGS
@given(operands=rows(BF16, 1))
def test_brain_floats_widen_by_words(operands: list[tuple[int, ...]]) -> None:
    check("cvt.f64.bf16", BF16, operands, lambda a: _converted(a, F64, "rn", BF16), F64)
