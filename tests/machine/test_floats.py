"""Float instructions, one by one, against exact fractions."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.machine import exact
from tests.machine.exact import BF16, E4M3, E5M2, F16, F32, F64, TF32, Format
from tests.machine.harness import apply

if TYPE_CHECKING:
    from collections.abc import Callable

SETTINGS = settings(max_examples=3, deadline=None)
FORMATS = {"f16": F16, "bf16": BF16, "f32": F32, "f64": F64}


def specials(form: Format) -> list[int]:
    """Zeros, subnormals, borders of normals, ones and their neighbours, infinities, NaNs."""
    one = form.bias << form.mantissa
    top = ((1 << form.exponent) - 1) << form.mantissa
    found = [0, 1, 2, (1 << form.mantissa) - 1, 1 << form.mantissa, (1 << form.mantissa) + 1]
    found += [one - 1, one, one + 1, one + (1 << form.mantissa), one | (1 << form.mantissa - 1)]
    found += [top - 1, top - 2, top, top | 1, top | (1 << form.mantissa) - 1]
    sign = 1 << (form.bits - 1)
    return found + [each | sign for each in found]


def word(form: Format) -> st.SearchStrategy[int]:
    """Words: special ones, any, and some whose exponents lie near each other."""
    middle = form.bias << form.mantissa
    near = st.integers(middle - (12 << form.mantissa), middle + (12 << form.mantissa))
    sign = st.sampled_from([0, 1 << (form.bits - 1)])
    return st.one_of(
        st.sampled_from(specials(form)),
        st.integers(0, (1 << form.bits) - 1),
        st.builds(lambda number, s: max(number, 0) % (1 << (form.bits - 1)) | s, near, sign),
    )


def rows(form: Format, count: int) -> st.SearchStrategy[list[tuple[int, ...]]]:
    """A few drawn operands, and many fixed ones."""
    pick = Random(form.bits + count)
    known = specials(form)

    def one() -> int:
        if pick.random() < 0.5:
            return pick.choice(known)
        near = pick.randrange(-12, 12) + form.bias
        return max(near, 0) << form.mantissa | pick.getrandbits(form.mantissa)

    fixed = [tuple(one() for _ in range(count)) for _ in range(100)]
    # On and beside the ties of narrower formats.
    for cut in (k for k in (3, 6, 13, 16, 20, 29, 42, 45) if k < form.mantissa):
        for nudge in (-1, 0, 1):
            for odd in (0, 1):
                tie = (pick.getrandbits(form.mantissa - cut - 1) << 1 | odd) << cut
                low = tie | (1 << cut - 1) + nudge
                fixed.append(tuple(form.bias << form.mantissa | low for _ in range(count)))
    drawn = st.lists(st.tuples(*[word(form)] * count), min_size=1, max_size=12)
    return drawn.map(lambda found: found + fixed)


def same(found: int, wanted: int, form: Format) -> bool:
    """Equal; doubles leave open which NaN."""
    if form is F64 and exact.decode(wanted, form) == exact.NAN:
        return exact.decode(found, form) == exact.NAN
    return found == wanted


def check(
    opcode: str,
    form: Format,
    operands: list[tuple[int, ...]],
    model: Callable[..., int],
    result: Format | None = None,
) -> None:
    count = len(operands[0])
    width = (form.bits + 7) // 8
    names = ", ".join(f"#{index}" for index in range(count))
    sources = [(width, [row[index] for row in operands]) for index in range(count)]
    out = result or form
    (found,) = apply(f"{opcode} $0, {names};", sources, [(out.bits + 7) // 8])
    for row, got in zip(operands, found, strict=True):
        wanted = model(*row)
        assert same(got, wanted, out), (opcode, [hex(each) for each in row], hex(got), hex(wanted))


@pytest.mark.parametrize("kind", ["f16", "bf16", "f32", "f64"])
@pytest.mark.parametrize("base", ["add", "sub", "mul", "fma"])
@SETTINGS
@given(data=st.data())
def test_arithmetic_rounds_once(kind: str, base: str, data: st.DataObject) -> None:
    form = FORMATS[kind]
    sign = 1 << (form.bits - 1)
    models: dict[str, Callable[..., int]] = {
        "add": lambda a, b: exact.add(a, b, form),
        "sub": lambda a, b: exact.add(a, b ^ sign, form),
        "mul": lambda a, b: exact.mul(a, b, form),
        "fma": lambda a, b, c: exact.fma(a, b, c, form),
    }
    operands = data.draw(rows(form, 3 if base == "fma" else 2))
    check(f"{base}.rn.{kind}", form, operands, models[base])


@pytest.mark.parametrize("form", [F16, BF16, F32, F64], ids=["f16", "bf16", "f32", "f64"])
def test_fused_sums_that_a_wider_format_would_round_twice(form: Format) -> None:
    # (1 + 2^-p)(1 + 2^-q) lies on a tie of the format; a tiny third operand decides it.
    digits, one = form.mantissa + 1, form.bias << form.mantissa
    low, high = digits // 2, digits - digits // 2
    a, b = one | 1 << form.mantissa - low, one | 1 << form.mantissa - high
    sign = 1 << form.bits - 1
    least = 1
    operands: list[tuple[int, ...]] = [
        (a ^ x, b ^ y, c ^ z)
        for x in (0, sign)
        for y in (0, sign)
        for z in (0, sign)
        for c in (0, least, 1 << form.mantissa, (form.bias // 3) << form.mantissa)
    ]
    if form is F32:
        # A subnormal sum: 2^-150 (1 - 2^-46), just below half of the last place, and an odd word.
        above, below = 52 << 23 | 1, 51 << 23 | 0x7FFFFE
        operands += [(above, below, 0x00400001), (above | sign, below, 0x80400001)]
    name = next(kind for kind, known in FORMATS.items() if known is form)
    check(f"fma.rn.{name}", form, operands, lambda a, b, c: exact.fma(a, b, c, form))


@pytest.mark.parametrize("kind", ["f32", "f64"])
@pytest.mark.parametrize("mode", ["rz", "rm", "rp"])
@pytest.mark.parametrize("base", ["add", "sub", "mul", "fma", "div", "sqrt", "rcp"])
@SETTINGS
@given(data=st.data())
def test_directed_rounding(base: str, mode: str, kind: str, data: st.DataObject) -> None:
    form = FORMATS[kind]
    one, sign = form.bias << form.mantissa, 1 << (form.bits - 1)
    models: dict[str, Callable[..., int]] = {
        "add": lambda a, b: exact.add(a, b, form, mode),
        "sub": lambda a, b: exact.add(a, b ^ sign, form, mode),
        "mul": lambda a, b: exact.mul(a, b, form, mode),
        "fma": lambda a, b, c: exact.fma(a, b, c, form, mode),
        "div": lambda a, b: exact.div(a, b, form, mode),
        "sqrt": lambda a: exact.sqrt(a, form, mode),
        "rcp": lambda a: exact.div(one, a, form, mode),
    }
    count = {"fma": 3, "sqrt": 1, "rcp": 1}.get(base, 2)
    check(f"{base}.{mode}.{kind}", form, data.draw(rows(form, count)), models[base])


def _beside_the_smallest_normal(form: Format, kind: str) -> list[tuple[int, ...]]:
    """Products, or quotients, within a place or two of the smallest normal number."""
    pick = Random(form.bits)
    found: list[tuple[int, ...]] = []
    for _ in range(200):
        if kind == "div":
            a = 1 << form.mantissa | pick.getrandbits(3)
            b = (form.bias << form.mantissa) + pick.randrange(-8, 8)
        else:
            a = (form.bias - 3) << form.mantissa | pick.getrandbits(form.mantissa)
            size = exact.decode(a, form)
            assert isinstance(size, Fraction)
            b = exact.encode(Fraction(2) ** (1 - form.bias) / size, form) + pick.randrange(-2, 3)
        sign = pick.choice([0, 1 << form.bits - 1])
        found.append((a, b ^ sign, pick.choice([0, 1, 1 << form.bits - 1])))
    return found


@pytest.mark.parametrize("mode", ["rn", "rz", "rm", "rp"])
@pytest.mark.parametrize("base", ["add", "mul", "fma", "div", "sqrt", "rcp"])
@SETTINGS
@given(data=st.data())
def test_flushing_subnormals(base: str, mode: str, data: st.DataObject) -> None:
    form = exact.flushing(F32)
    one = F32.bias << F32.mantissa
    models: dict[str, Callable[..., int]] = {
        "add": lambda a, b: exact.add(a, b, form, mode),
        "mul": lambda a, b: exact.mul(a, b, form, mode),
        "fma": lambda a, b, c: exact.fma(a, b, c, form, mode),
        "div": lambda a, b: exact.div(a, b, form, mode),
        "sqrt": lambda a: exact.flush(exact.sqrt(a, form, mode), F32),
        "rcp": lambda a: exact.div(one, a, form, mode),
    }
    count = {"fma": 3, "sqrt": 1, "rcp": 1}.get(base, 2)
    more = [row[:count] for row in _beside_the_smallest_normal(F32, base)]
    operands = data.draw(rows(F32, count)) + more
    check(f"{base}.{mode}.ftz.f32", F32, operands, models[base])


@pytest.mark.parametrize("base", ["add", "mul", "fma"])
@SETTINGS
@given(data=st.data())
def test_flushing_subnormal_halves(base: str, data: st.DataObject) -> None:
    form = exact.flushing(F16)
    models: dict[str, Callable[..., int]] = {
        "add": lambda a, b: exact.add(a, b, form),
        "mul": lambda a, b: exact.mul(a, b, form),
        "fma": lambda a, b, c: exact.fma(a, b, c, form),
    }
    count = 3 if base == "fma" else 2
    more = [row[:count] for row in _beside_the_smallest_normal(F16, base)]
    check(f"{base}.rn.ftz.f16", F16, data.draw(rows(F16, count)) + more, models[base])


@pytest.mark.parametrize("base", ["max", "min"])
@SETTINGS
@given(operands=rows(F32, 2))
def test_extremes_of_flushed_numbers(base: str, operands: list[tuple[int, ...]]) -> None:
    def model(a: int, b: int) -> int:
        x, y = exact.flush(a, F32), exact.flush(b, F32)
        return exact.extreme(x, y, F32, largest=base == "max")

    check(f"{base}.ftz.f32", F32, operands, model)


@pytest.mark.parametrize("kind", ["f16", "bf16", "f32", "f64"])
@SETTINGS
@given(data=st.data())
def test_extremes_order_zeros_and_skip_nans(kind: str, data: st.DataObject) -> None:
    form = FORMATS[kind]
    operands = data.draw(rows(form, 2))
    for base in ("min", "max"):
        for nan in (False, True) if kind != "f64" else (False,):

            def model(a: int, b: int, base: str = base, nan: bool = nan) -> int:
                return exact.extreme(a, b, form, largest=base == "max", nan=nan)

            check(f"{base}{'.NaN' if nan else ''}.{kind}", form, operands, model)


@SETTINGS
@given(data=st.data())
def test_division_and_roots_of_doubles(data: st.DataObject) -> None:
    check("div.rn.f64", F64, data.draw(rows(F64, 2)), lambda a, b: exact.div(a, b, F64))
    check("sqrt.rn.f64", F64, data.draw(rows(F64, 1)), lambda a: exact.sqrt(a, F64))


@SETTINGS
@given(operands=rows(F32, 2))
def test_saturation(operands: list[tuple[int, ...]]) -> None:
    one = F32.bias << F32.mantissa

    def model(a: int, b: int) -> int:
        found = exact.add(a, b, F32)
        value = exact.decode(found, F32)
        if value == exact.INF:
            return one
        if isinstance(value, str) or value <= 0:
            return 0
        return min(found, one)

    check("add.sat.f32", F32, operands, model)


@pytest.mark.parametrize("kind", ["f16", "bf16"])
@SETTINGS
@given(data=st.data())
def test_packed_halves(kind: str, data: st.DataObject) -> None:
    form = FORMATS[kind]
    low, high = data.draw(rows(form, 3)), data.draw(rows(form, 3))
    pairs = [
        tuple(x | y << 16 for x, y in zip(a, b, strict=True))
        for a, b in zip(low, high, strict=False)
    ]
    sources = [(4, [row[index] for row in pairs]) for index in range(3)]
    (found,) = apply(f"fma.rn.{kind}x2 $0, #0, #1, #2;", sources, [4])
    for a, b, got in zip(low, high, found, strict=False):
        assert got == exact.fma(a[0], a[1], a[2], form) | exact.fma(b[0], b[1], b[2], form) << 16


# Conversions.


@pytest.mark.parametrize(
    ("target", "source", "modes"),
    [
        ("f16", "f32", ["rn", "rz"]),
        ("bf16", "f32", ["rn", "rz"]),
        ("f32", "f16", [""]),
        ("f32", "bf16", [""]),
        ("f32", "f64", ["rn", "rz", "rm", "rp"]),
        ("f64", "f32", [""]),
        ("f16", "f64", ["rn"]),
        ("f16", "bf16", ["rn"]),
    ],
)
@SETTINGS
@given(data=st.data())
def test_float_conversions(target: str, source: str, modes: list[str], data: st.DataObject) -> None:
    into, form = FORMATS[target], FORMATS[source]
    operands = data.draw(rows(form, 1))
    for mode in modes:

        def model(a: int, mode: str = mode) -> int:
            value = exact.decode(a, form)
            negative = bool(exact.sign_of(a, form))
            return exact.encode(value, into, mode or "rn", negative_zero=negative)

        spelled = f"cvt.{mode}.{target}.{source}" if mode else f"cvt.{target}.{source}"
        if (target, source) == ("f32", "bf16"):
            # A shift: NaNs keep their words.
            check(spelled, form, operands, lambda a: a << 16, into)
        else:
            check(spelled, form, operands, model, into)


@SETTINGS
@given(operands=rows(F32, 1))
def test_tf32(operands: list[tuple[int, ...]]) -> None:
    for mode in ("rna", "rn", "rz"):

        def model(a: int, mode: str = mode) -> int:
            value = exact.decode(a, F32)
            if value == exact.NAN:
                return F32.nan
            negative = bool(exact.sign_of(a, F32))
            return exact.encode(value, TF32, mode, negative_zero=negative) << 13

        check(f"cvt.{mode}.tf32.f32", F32, operands, model)


@pytest.mark.parametrize(("kind", "form"), [("e4m3", E4M3), ("e5m2", E5M2)])
@SETTINGS
@given(operands=rows(F32, 2))
def test_eight_bit_pairs_saturate(kind: str, form: Format, operands: list[tuple[int, ...]]) -> None:
    def one(a: int) -> int:
        value = exact.decode(a, F32)
        if value == exact.NAN:
            return 0x7F
        if isinstance(value, str) or abs(value) > form.largest:
            sign = 0x80 if exact.sign_of(a, F32) else 0
            return sign | exact.encode(form.largest, form)
        return exact.encode(value, form, negative_zero=bool(exact.sign_of(a, F32)))

    sources = [(4, [row[index] for row in operands]) for index in range(2)]
    (found,) = apply(f"cvt.rn.satfinite.{kind}x2.f32 $0, #0, #1;", sources, [2])
    for row, got in zip(operands, found, strict=True):
        assert got == one(row[0]) << 8 | one(row[1]), [hex(each) for each in row]


@pytest.mark.parametrize(("kind", "form"), [("e4m3", E4M3), ("e5m2", E5M2)])
def test_every_eight_bit_number_widens(kind: str, form: Format) -> None:
    pairs = [low | (255 - low) << 8 for low in range(256)]
    (found,) = apply(f"cvt.rn.f16x2.{kind}x2 $0, #0;", [(2, pairs)], [4])
    for pair, got in zip(pairs, found, strict=True):
        for shift in (0, 1):
            word_ = pair >> 8 * shift & 255
            negative = bool(exact.sign_of(word_, form))
            wanted = exact.encode(exact.decode(word_, form), F16, negative_zero=negative)
            assert got >> 16 * shift & 0xFFFF == wanted


@pytest.mark.parametrize("target", ["s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64"])
@pytest.mark.parametrize("source", ["f16", "bf16", "f32", "f64"])
@SETTINGS
@given(data=st.data())
def test_floats_to_integers_saturate(target: str, source: str, data: st.DataObject) -> None:
    form, bits = FORMATS[source], int(target[1:])
    low, high = (
        (-(1 << bits - 1), (1 << bits - 1) - 1) if target[0] == "s" else (0, (1 << bits) - 1)
    )
    operands = data.draw(rows(form, 1))
    width = {8: 4, 16: 2, 32: 4, 64: 8}[bits]

    def model(a: int, mode: str) -> int:
        value = exact.decode(a, form)
        if value == exact.NAN:
            number = 0 if bits < 64 and source != "f64" else 1 << bits - 1
        elif isinstance(value, str):
            number = high if value == exact.INF else low
        else:
            number = min(max(exact.to_integer(value, mode), low), high)
        if bits == 8 and target[0] == "s":
            number = (number & 255 ^ 128) - 128
        return number & ((1 << width * 8) - 1)

    for suffix, mode in (("rni", "rn"), ("rzi", "rz"), ("rmi", "rm"), ("rpi", "rp")):
        text = f"cvt.{suffix}.{target}.{source} $0, #0;"
        (found,) = apply(text, [(form.bits // 8, [row[0] for row in operands])], [width])
        for row, got in zip(operands, found, strict=True):
            assert got == model(row[0], mode), (text, hex(row[0]), got)


@pytest.mark.parametrize("source", ["s32", "u32", "s64", "u64"])
@pytest.mark.parametrize("target", ["f16", "bf16", "f32", "f64"])
@SETTINGS
@given(data=st.data())
def test_integers_to_floats(target: str, source: str, data: st.DataObject) -> None:
    form, bits = FORMATS[target], int(source[1:])
    values = data.draw(
        st.lists(
            st.one_of(
                st.integers(0, (1 << bits) - 1),
                st.builds(
                    lambda e, d: (1 << e) + d & (1 << bits) - 1,
                    st.integers(0, bits),
                    st.integers(-2, 2),
                ),
            ),
            min_size=1,
            max_size=40,
        )
    )
    for mode in ("rn", "rz", "rm", "rp"):
        (found,) = apply(
            f"cvt.{mode}.{target}.{source} $0, #0;", [(bits // 8, values)], [form.bits // 8]
        )
        for value, got in zip(values, found, strict=True):
            number = value - (1 << bits) if source[0] == "s" and value >> bits - 1 else value
            assert got == exact.encode(Fraction(number), form, mode), (mode, number)
