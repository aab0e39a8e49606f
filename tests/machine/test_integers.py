"""Integer and bit instructions, one by one, against Python's integers."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.machine.harness import apply

if TYPE_CHECKING:
    from collections.abc import Callable

SETTINGS = settings(max_examples=5, deadline=None)
Rows = list[tuple[int, ...]]

_BORDERS = [
    0,
    1,
    2,
    5,
    31,
    32,
    33,
    63,
    64,
    255,
    *((1 << b) + d for b in (15, 16, 31, 32, 63) for d in (-1, 0)),
]
_BORDERS += [(1 << 64) - each for each in _BORDERS[1:]]
_PICK = Random(7)
FIXED: Rows = [
    tuple(
        _PICK.choice(_BORDERS) if _PICK.random() < 0.6 else _PICK.getrandbits(64) for _ in range(4)
    )
    for _ in range(160)
]
"""Rows of four words of 64 bits; narrower operands take their low bits."""

ROWS = st.lists(st.tuples(*[st.integers(0, (1 << 64) - 1)] * 4), min_size=1, max_size=12)


def signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> bits - 1 & 1 else value


def check(
    text: str,
    drawn: Rows,
    bits: list[int],
    model: Callable[..., int],
    result: int,
    kinds: str = "",
) -> None:
    """The model sees operands of these widths, by sign where `kinds` says `s`."""
    rows = [
        tuple(value & ((1 << width) - 1) for value, width in zip(row, bits, strict=False))
        for row in FIXED + drawn
    ]
    sources = [(each // 8, [row[at] for row in rows]) for at, each in enumerate(bits)]
    (found,) = apply(text, sources, [result // 8])
    seen_as = kinds[: len(bits)].ljust(len(bits), "u")
    for row, got in zip(rows, found, strict=True):
        seen = [
            signed(value, width) if kind == "s" else value
            for value, width, kind in zip(row, bits, seen_as, strict=True)
        ]
        wanted = int(model(*seen)) & ((1 << result) - 1)
        assert got == wanted, (text, row, got, wanted)


def _quotient(a: int, b: int) -> int:
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


@pytest.mark.parametrize("bits", [16, 32, 64])
@pytest.mark.parametrize("kind", ["u", "s"])
@SETTINGS
@given(drawn=ROWS)
def test_arithmetic(bits: int, kind: str, drawn: Rows) -> None:
    name, two, kinds = f"{kind}{bits}", [bits, bits], kind * 3
    models: dict[str, Callable[[int, int], int]] = {
        "add": lambda a, b: a + b,
        "sub": lambda a, b: a - b,
        "mul.lo": lambda a, b: a * b,
        "mul.hi": lambda a, b: a * b >> bits,
        "min": min,
        "max": max,
        "div": lambda a, b: _quotient(a, b) if b else -1,
        "rem": lambda a, b: a - b * _quotient(a, b) if b else a,
    }
    for base, model in models.items():
        check(f"{base}.{name} $0, #0, #1;", drawn, two, model, bits, kinds)
    check(
        f"mad.lo.{name} $0, #0, #1, #2;", drawn, [bits] * 3, lambda a, b, c: a * b + c, bits, kinds
    )
    if bits < 64:
        wide = [bits, bits, bits * 2]
        check(f"mul.wide.{name} $0, #0, #1;", drawn, two, lambda a, b: a * b, bits * 2, kinds)
        check(
            f"mad.wide.{name} $0, #0, #1, #2;",
            drawn,
            wide,
            lambda a, b, c: a * b + c,
            bits * 2,
            kinds,
        )
    count = 1 << 10
    check(
        f"shr.{name} $0, #0, #1;",
        drawn,
        [bits, 32],
        lambda a, b: a >> min(b, count),
        bits,
        f"{kind}u",
    )
    if kind == "s":
        check(f"abs.{name} $0, #0;", drawn, [bits], abs, bits, "s")
        check(f"neg.{name} $0, #0;", drawn, [bits], lambda a: -a, bits, "s")
    else:
        check(
            f"shl.b{bits} $0, #0, #1;",
            drawn,
            [bits, 32],
            lambda a, b: a << b if b < bits else 0,
            bits,
        )


@SETTINGS
@given(drawn=ROWS)
def test_odd_arithmetic(drawn: Rows) -> None:
    def low24(value: int, by_sign: bool) -> int:
        return signed(value & 0xFFFFFF, 24) if by_sign else value & 0xFFFFFF

    three = [32] * 3
    check(
        "mul24.lo.u32 $0, #0, #1;",
        drawn,
        [32, 32],
        lambda a, b: low24(a, False) * low24(b, False),
        32,
    )
    check(
        "mul24.hi.s32 $0, #0, #1;",
        drawn,
        [32, 32],
        lambda a, b: low24(a, True) * low24(b, True) >> 16,
        32,
    )
    check("sad.u32 $0, #0, #1, #2;", drawn, three, lambda a, b, c: c + abs(a - b), 32)
    limit = 1 << 31
    check(
        "add.sat.s32 $0, #0, #1;", drawn, [32, 32],
        lambda a, b: min(max(a + b, -limit), limit - 1), 32, "ss",
    )  # fmt: skip

    def dot(a: int, b: int, c: int) -> int:
        return c + sum(signed(a >> 8 * i & 255, 8) * (b >> 8 * i & 255) for i in range(4))

    check("dp4a.s32.u32 $0, #0, #1, #2;", drawn, three, dot, 32, "uus")
    text = "add.cc.u32 %r40, #0, #2; addc.u32 %r41, #1, #3; mov.b64 $0, {%r40, %r41};"
    check(text, drawn, [32] * 4, lambda a, b, c, d: (a | b << 32) + (c | d << 32), 64)
    text = "sub.cc.u32 %r40, #0, #2; subc.u32 %r41, #1, #3; mov.b64 $0, {%r40, %r41};"
    check(text, drawn, [32] * 4, lambda a, b, c, d: (a | b << 32) - (c | d << 32), 64)
    # The carry is the adder's: after a subtraction it is set where nothing was borrowed.
    text = "sub.cc.u32 %r40, #0, #1; addc.u32 $0, 0, 0;"
    check(text, drawn, [32, 32], lambda a, b: a >= b, 32)
    text = "add.cc.u32 %r40, #0, #1; subc.u32 $0, 0, 0;"
    check(text, drawn, [32, 32], lambda a, b: (a + b >> 32) - 1, 32)
    text = "sub.cc.u32 %r40, #0, #2; subc.cc.u32 %r41, #1, #3; addc.u32 $0, 0, 0;"
    check(text, drawn, [32] * 4, lambda a, b, c, d: (a | b << 32) >= (c | d << 32), 32)
    # The square of a double word, by parts, as compilers write it.
    text = """mul.lo.u32 %r40, #0, #1; mad.lo.cc.u32 %r41, #2, #3, %r40;
    madc.hi.cc.u32 %r42, #2, #3, #0; madc.lo.u32 %r43, #0, #3, 0; add.u32 %r43, %r43, %r42;
    mov.b64 $0, {%r41, %r43};"""

    def products(a: int, b: int, c: int, d: int) -> int:
        low = (c * d & ones) + (a * b & ones)
        middle = (c * d >> 32) + a + (low >> 32)
        high = (a * d & ones) + (middle >> 32)
        return low & ones | ((high & ones) + (middle & ones) & ones) << 32

    ones = (1 << 32) - 1
    check(text, drawn, [32] * 4, products, 64)
    check("add.s16x2 $0, #0, #1;", drawn, [32, 32], _halves(lambda a, b: a + b), 32)
    check("max.s16x2 $0, #0, #1;", drawn, [32, 32], _halves(max), 32)


def _halves(model: Callable[[int, int], int]) -> Callable[[int, int], int]:
    def run(a: int, b: int) -> int:
        low = model(signed(a & 0xFFFF, 16), signed(b & 0xFFFF, 16)) & 0xFFFF
        return low | (model(signed(a >> 16, 16), signed(b >> 16, 16)) & 0xFFFF) << 16

    return run


def _nth_set(mask: int, base: int, offset: int) -> int:
    """As the CUDA programming guide walks for `__fns`."""
    if offset == 0:
        return base if base < 32 and mask >> base & 1 else -1
    place, left, step = base, abs(offset) - 1, 1 if offset > 0 else -1
    # A base beyond the word walks back to it; no walk is longer than this.
    place = min(place, 64)
    while 0 <= place < 32 or (step < 0 <= place):
        if place < 32 and mask >> place & 1:
            if left == 0:
                return place
            left -= 1
        place += step
    return -1


@pytest.mark.parametrize("bits", [32, 64])
@SETTINGS
@given(drawn=ROWS)
def test_bits(bits: int, drawn: Rows) -> None:
    ones = (1 << bits) - 1
    check(f"popc.b{bits} $0, #0;", drawn, [bits], int.bit_count, 32)
    check(f"clz.b{bits} $0, #0;", drawn, [bits], lambda a: bits - a.bit_length(), 32)
    check(f"brev.b{bits} $0, #0;", drawn, [bits], lambda a: int(f"{a:0{bits}b}"[::-1], 2), bits)
    check(f"bfind.u{bits} $0, #0;", drawn, [bits], lambda a: a.bit_length() - 1, 32)
    check(
        f"bfind.shiftamt.s{bits} $0, #0;", drawn, [bits],
        lambda a: bits - (~a if a < 0 else a).bit_length() if a not in {0, -1} else -1, 32, "s",
    )  # fmt: skip
    if bits == 32:
        check("fns.b32 $0, #0, #1, #2;", drawn, [32, 32, 32], _nth_set, 32, "uus")
    check(f"not.b{bits} $0, #0;", drawn, [bits], lambda a: ~a, bits)
    check(f"cnot.b{bits} $0, #0;", drawn, [bits], lambda a: a == 0, bits)

    def extract(a: int, position: int, length: int) -> int:
        return a >> (position & 255) & ((1 << (length & 255)) - 1)

    def extract_signed(a: int, position: int, length: int) -> int:
        position, length = position & 255, length & 255
        if length == 0:
            return 0
        # By the ISA: bits beyond the end are copies of the sign, bit min(pos + len - 1, msb).
        sign = a >> min(position + length - 1, bits - 1) & 1
        found = 0
        for at in range(bits):
            inside = at < length and position + at < bits
            found |= (a >> position + at & 1 if inside else sign) << at
        return found

    def insert(a: int, b: int, position: int, length: int) -> int:
        mask = ((1 << (length & 255)) - 1) << (position & 255) & ones
        return b & ~mask | a << (position & 255) & mask

    check(f"bfe.u{bits} $0, #0, #1, #2;", drawn, [bits, 32, 32], extract, bits)
    check(f"bfe.s{bits} $0, #0, #1, #2;", drawn, [bits, 32, 32], extract_signed, bits)
    check(f"bfi.b{bits} $0, #0, #1, #2, #3;", drawn, [bits, bits, 32, 32], insert, bits)


@pytest.mark.parametrize("table", [0x00, 0x96, 0xE8, 0xCA, 0x1D, 0xFF])
@SETTINGS
@given(drawn=ROWS)
def test_lop3(table: int, drawn: Rows) -> None:
    def model(a: int, b: int, c: int) -> int:
        return sum(
            (table >> ((a >> at & 1) << 2 | (b >> at & 1) << 1 | c >> at & 1) & 1) << at
            for at in range(32)
        )

    check(f"lop3.b32 $0, #0, #1, #2, {table};", drawn, [32] * 3, model, 32)
    for how in ("and", "or"):

        def joined(a: int, b: int, c: int, d: int, how: str = how) -> int:
            found, other = model(a, b, c), d & 1
            holds = found != 0 and other if how == "and" else found != 0 or other
            return found + bool(holds)

        check(
            f"and.b32 %r40, #3, 1; setp.ne.u32 %p1, %r40, 0; mov.u32 %r41, 0;"
            f"lop3.{how}.b32 $0|%p0, #0, #1, #2, {table}, %p1; @%p0 add.u32 $0, $0, 1;",
            drawn, [32] * 4, joined, 32,
        )  # fmt: skip


@pytest.mark.parametrize("lanes", [2, 4])
@pytest.mark.parametrize("base", ["vadd", "vsub", "vavrg", "vabsdiff", "vmin", "vmax"])
@SETTINGS
@given(drawn=ROWS)
def test_packed_video(base: str, lanes: int, drawn: Rows) -> None:
    bits = 32 // lanes
    models: dict[str, Callable[[int, int], int]] = {
        "vadd": lambda a, b: a + b,
        "vsub": lambda a, b: a - b,
        "vavrg": lambda a, b: (a + b + 1 if a + b >= 0 else a + b) >> 1,
        "vabsdiff": lambda a, b: abs(a - b),
        "vmin": min,
        "vmax": max,
    }
    for first, second, result in (("u", "u", "u"), ("s", "s", "s"), ("u", "s", "s")):

        def pieces(a: int, b: int, kinds: str = first + second) -> list[int]:
            found = []
            for at in range(lanes):
                x, y = (value >> bits * at & ((1 << bits) - 1) for value in (a, b))
                x, y = (
                    signed(v, bits) if kind == "s" else v
                    for v, kind in zip((x, y), kinds, strict=True)
                )
                found.append(models[base](x, y))
            return found

        def packed(a: int, b: int, _c: int, join: Callable[..., list[int]] = pieces) -> int:
            return sum(
                (piece & (1 << bits) - 1) << bits * at for at, piece in enumerate(join(a, b))
            )

        low, high = (
            (-(1 << bits - 1), (1 << bits - 1) - 1) if result == "s" else (0, (1 << bits) - 1)
        )

        def clipped(
            a: int, b: int, _c: int, join: Callable[..., list[int]] = pieces,
            limits: tuple[int, int] = (low, high),
        ) -> int:  # fmt: skip
            kept = [min(max(piece, limits[0]), limits[1]) for piece in join(a, b)]
            return sum((piece & (1 << bits) - 1) << bits * at for at, piece in enumerate(kept))

        def added(a: int, b: int, c: int, join: Callable[..., list[int]] = pieces) -> int:
            return c + sum(join(a, b))

        form = f"{base}{lanes}.{result}32.{first}32.{second}32"
        check(f"{form} $0, #0, #1, #2;", drawn, [32] * 3, packed, 32)
        check(f"{form}.sat $0, #0, #1, #2;", drawn, [32] * 3, clipped, 32)
        check(f"{form}.add $0, #0, #1, #2;", drawn, [32] * 3, added, 32)


@SETTINGS
@given(drawn=ROWS)
def test_extremes_with_a_floor_of_zero(drawn: Rows) -> None:
    def least(a: int, b: int) -> int:
        return max(min(a, b), 0)

    def most(a: int, b: int) -> int:
        return max(a, b, 0)

    for base, model in (("min", least), ("max", most)):
        check(f"{base}.s32.relu $0, #0, #1;", drawn, [32, 32], model, 32, "ss")
        check(f"{base}.s16x2.relu $0, #0, #1;", drawn, [32, 32], _halves(model), 32)


@SETTINGS
@given(drawn=ROWS)
def test_permutations_and_funnels(drawn: Rows) -> None:
    def permute(a: int, b: int, control: int) -> int:
        pair, found = a | b << 32, 0
        for at in range(4):
            chosen = control >> 4 * at & 15
            byte = pair >> 8 * (chosen & 7) & 255
            if chosen & 8:
                byte = 255 if byte & 128 else 0
            found |= byte << 8 * at
        return found

    check("prmt.b32 $0, #0, #1, #2;", drawn, [32] * 3, permute, 32)
    for control in (0x5410, 0x7632, 0x9B3F, 0x3276):
        check(
            f"prmt.b32 $0, #0, #1, {control};", drawn, [32, 32],
            lambda a, b, c=control: permute(a, b, c), 32,
        )  # fmt: skip
    # Modes, from the ISA's table, most significant byte first, for controls 0 to 3.
    modes = {
        "f4e": [0x3210, 0x4321, 0x5432, 0x6543],
        "b4e": [0x5670, 0x6701, 0x7012, 0x0123],
        "rc8": [0x0000, 0x1111, 0x2222, 0x3333],
        "ecl": [0x3210, 0x3211, 0x3222, 0x3333],
        "ecr": [0x0000, 0x1110, 0x2210, 0x3210],
        "rc16": [0x1010, 0x3232, 0x1010, 0x3232],
    }
    for mode, rows in modes.items():
        check(
            f"prmt.b32.{mode} $0, #0, #1, #2;", drawn, [32] * 3,
            lambda a, b, c, rows=rows: permute(a, b, rows[c & 3]), 32,
        )  # fmt: skip

    def funnel(a: int, b: int, c: int, side: str, mode: str) -> int:
        count, pair = (c & 31 if mode == "wrap" else min(c, 32)), a | b << 32
        return pair << count >> 32 if side == "l" else pair >> count

    for side in "lr":
        for mode in ("wrap", "clamp"):
            check(
                f"shf.{side}.{mode}.b32 $0, #0, #1, #2;", drawn, [32] * 3,
                lambda a, b, c, s=side, m=mode: funnel(a, b, c, s, m), 32,
            )  # fmt: skip


@SETTINGS
@given(drawn=ROWS)
def test_conversions_between_integers(drawn: Rows) -> None:
    for source in ("u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64"):
        bits = int(source[1:])
        held = max(bits, 16)
        for target in ("s8", "u8", "u16", "s32", "u64", "s64"):
            wide = int(target[1:])
            low, high = (
                (-(1 << wide - 1), (1 << wide - 1) - 1)
                if target[0] == "s"
                else (0, (1 << wide) - 1)
            )

            def taken(value: int, source: str = source, bits: int = bits) -> int:
                value &= (1 << bits) - 1
                return signed(value, bits) if source[0] == "s" else value

            def cut(value: int, target: str = target, wide: int = wide) -> int:
                return (
                    signed(value & (1 << wide) - 1, wide)
                    if target[0] == "s"
                    else value & (1 << wide) - 1
                )

            kept = max(wide, 16)
            check(
                f"cvt.{target}.{source} $0, #0;",
                drawn,
                [held],
                lambda a, t=taken, c=cut: c(t(a)),
                kept,
            )
            check(
                f"cvt.sat.{target}.{source} $0, #0;", drawn, [held],
                lambda a, t=taken, lo=low, hi=high: min(max(t(a), lo), hi), kept,
            )  # fmt: skip


@SETTINGS
@given(drawn=ROWS)
def test_comparisons(drawn: Rows) -> None:
    order: dict[str, Callable[[int, int], bool]] = {
        "eq": lambda a, b: a == b,
        "ne": lambda a, b: a != b,
        "lt": lambda a, b: a < b,
        "le": lambda a, b: a <= b,
        "gt": lambda a, b: a > b,
        "ge": lambda a, b: a >= b,
    }
    for name, model in order.items():
        for kind in ("s32", "u32", "s64", "u16"):
            bits = int(kind[1:])
            text = f"setp.{name}.{kind} %p0, #0, #1; selp.b32 $0, 1, 0, %p0;"
            check(text, drawn, [bits, bits], model, 32, kind[0] * 2)
    for name, model in (("lo", order["lt"]), ("hs", order["ge"])):
        check(f"setp.{name}.u32 %p0, #0, #1; selp.b32 $0, 1, 0, %p0;", drawn, [32, 32], model, 32)
    text = "setp.lt.u32 %p1, #0, 9; setp.gt.and.s32 %p0|%p2, #0, #1, !%p1; selp.b32 $0, 1, 0, %p0;"
    text += "@%p2 add.u32 $0, $0, 2;"
    check(
        text, drawn, [32, 32],
        lambda a, b: (not 0 <= a < 9) * (1 if a > b else 2), 32, "ss",
    )  # fmt: skip
    check("set.lt.u32.s32 $0, #0, #1;", drawn, [32, 32], lambda a, b: -(a < b), 32, "ss")
    check("set.ge.f32.u32 $0, #0, #1;", drawn, [32, 32], lambda a, b: 0x3F800000 * (a >= b), 32)
    check(
        "slct.b32.s32 $0, #0, #1, #2;",
        drawn,
        [32] * 3,
        lambda a, b, c: a if c >= 0 else b,
        32,
        "uus",
    )
