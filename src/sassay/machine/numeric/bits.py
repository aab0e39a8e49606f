"""Bits: logic, shifts, fields, bytes. Source: PTX ISA, "Logic and Shift Instructions"."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.numeric.kernel import Kernel, Modifiers
from sassay.machine.types import TYPES, WORDS, Array

if TYPE_CHECKING:
    from collections.abc import Callable


def _bits(value: Array) -> int:
    return value.dtype.itemsize * 8


def logic(form: Modifiers) -> Kernel:
    """`and`, `or`, `xor`, `not`, `cnot`."""
    kind = form.last()
    form.end()
    if kind not in {"pred", "b16", "b32", "b64"}:
        raise form.missing()
    if form.base == "cnot":
        return Kernel(lambda a: (a == 0).astype(a.dtype), (kind,), (kind,))
    if form.base == "not":
        return Kernel(np.invert, (kind,), (kind,))
    run = {"and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor}[form.base]
    return Kernel(run, (kind, kind), (kind,))


def lop3(form: Modifiers) -> Kernel:
    """`lop3`: any logic of three words, by its truth table; `.and`, `.or`: with a predicate."""
    join = form.pick("and", "or")
    kind = form.last()
    form.end()
    if kind != "b32":
        raise form.missing()

    def run(a: Array, b: Array, c: Array, table: Array) -> Array:
        number = int(table.flat[0])
        result = np.zeros((1, 1), np.uint32)
        for row in range(8):
            if number >> row & 1:
                term = (a if row & 4 else ~a) & (b if row & 2 else ~b)
                result = result | (term & (c if row & 1 else ~c))
        return result

    sources = ("b32", "b32", "b32", "u32")
    if join is None:
        return Kernel(run, sources, ("b32",))
    both = np.logical_and if join == "and" else np.logical_or

    def joined(a: Array, b: Array, c: Array, table: Array, other: Array) -> tuple[Array, ...]:
        result = run(a, b, c, table)
        return result, both(result != 0, other)

    return Kernel(joined, (*sources, "pred"), ("b32", "pred"))


def _shift_left(a: Array, count: Array) -> Array:
    bits = _bits(a)
    if count.size == 1:
        number = int(count.flat[0])
        return a << a.dtype.type(number) if number < bits else np.zeros_like(a)
    inside = (count & np.uint32(bits - 1)).astype(a.dtype)
    return np.where(count < bits, a << inside, a.dtype.type(0))


def _shift_right(a: Array, count: Array) -> Array:
    bits = _bits(a)
    if a.dtype.kind == "i":
        return a >> np.minimum(count, bits - 1).astype(a.dtype)
    if count.size == 1:
        number = int(count.flat[0])
        return a >> a.dtype.type(number) if number < bits else np.zeros_like(a)
    inside = (count & np.uint32(bits - 1)).astype(a.dtype)
    return np.where(count < bits, a >> inside, a.dtype.type(0))


def shift(form: Modifiers) -> Kernel:
    """`shl` and `shr`: counts beyond the width shift everything out."""
    kind = form.last()
    form.end()
    if kind not in TYPES or TYPES[kind].bits not in {16, 32, 64} or TYPES[kind].kind not in "usb":
        raise form.missing()
    return Kernel(_shift_left if form.base == "shl" else _shift_right, (kind, "u32"), (kind,))


def funnel(form: Modifiers) -> Kernel:
    """`shf`: shift of a pair of words, one word of the result."""
    side, mode, kind = form.pick("l", "r"), form.pick("wrap", "clamp"), form.last()
    form.end()
    if kind != "b32" or side is None or mode is None:
        raise form.missing()

    def run(a: Array, b: Array, c: Array) -> Array:
        count = c & np.uint32(31) if mode == "wrap" else np.minimum(c, np.uint32(32))
        pair = (b.astype(np.uint64) << np.uint64(32)) | a
        count = count.astype(np.uint64)
        if side == "r":
            return (pair >> count).astype(np.uint32)
        return ((pair << count) >> np.uint64(32)).astype(np.uint32)

    return Kernel(run, ("b32", "b32", "u32"), ("b32",))


def population(value: Array) -> Array:
    """How many bits are set."""
    return np.bitwise_count(value).astype(np.uint32)


def leading_zeros(value: Array) -> Array:
    """Zeros above the highest bit that is set; the width for zero."""
    spread = value.copy()
    step = 1
    while step < _bits(value):
        spread |= spread >> spread.dtype.type(step)
        step *= 2
    return np.uint32(_bits(value)) - population(spread)


def reverse(value: Array) -> Array:
    """Bits in reverse order."""
    dtype = value.dtype.type
    result = value
    step, bits = 1, _bits(value)
    ones = (1 << bits) - 1
    while step < bits:
        # Alternating runs of `step` ones.
        mask = dtype(ones // ((1 << step) + 1))
        result = ((result >> dtype(step)) & mask) | ((result & mask) << dtype(step))
        step *= 2
    return result


def counting(form: Modifiers) -> Kernel:
    """`popc`, `clz`, `brev`."""
    kind = form.last()
    form.end()
    if kind not in {"b32", "b64"}:
        raise form.missing()
    if form.base == "brev":
        return Kernel(reverse, (kind,), (kind,))
    return Kernel(population if form.base == "popc" else leading_zeros, (kind,), ("u32",))


def find(form: Modifiers) -> Kernel:
    """`bfind`: place of the most significant bit that is not the sign."""
    kind, amount = form.last(), form.flag("shiftamt")
    form.end()
    if kind not in {"u32", "s32", "u64", "s64"}:
        raise form.missing()
    bits = TYPES[kind].bits

    def run(a: Array) -> Array:
        plain = np.where(a < 0, ~a, a) if a.dtype.kind == "i" else a
        zeros = leading_zeros(plain.view(WORDS[bits]))
        found = zeros if amount else np.uint32(bits - 1) - zeros
        return np.where(zeros == bits, np.uint32(0xFFFFFFFF), found)

    return Kernel(run, (kind,), ("u32",))


def find_nth(form: Modifiers) -> Kernel:
    """`fns`: place of the n-th bit that is set, up or down from a base."""
    kind = form.last()
    form.end()
    if kind != "b32":
        raise form.missing()
    places = np.arange(32, dtype=np.int64)

    def run(mask: Array, base: Array, offset: Array) -> Array:
        words, start, count = (np.asarray(v)[..., None] for v in (mask, base, offset))
        bits = ((words >> places.astype(np.uint32)) & np.uint32(1)) != 0
        start, count = start.astype(np.int64), count.astype(np.int64)
        upward, downward = bits & (places >= start), bits & (places <= start)
        above = np.cumsum(upward, axis=-1)
        below = np.cumsum(downward[..., ::-1], axis=-1)[..., ::-1]
        found = np.where(
            count > 0,
            upward & (above == count),
            np.where(count < 0, downward & (below == -count), bits & (places == start)),
        )
        place = np.where(found.any(axis=-1), found.argmax(axis=-1), 0xFFFFFFFF)
        return np.asarray(place, np.uint32)

    return Kernel(run, ("b32", "b32", "s32"), ("b32",))


def extract(form: Modifiers) -> Kernel:
    """`bfe`: a field, by its sign where the type has one."""
    kind = form.last()
    form.end()
    if kind not in {"u32", "s32", "u64", "s64"}:
        raise form.missing()
    bits = TYPES[kind].bits
    unsigned = WORDS[bits]

    def run(a: Array, position: Array, length: Array) -> Array:
        start, size = position & np.uint32(255), length & np.uint32(255)
        words = a.view(unsigned)
        field = _shift_right(words, start)
        ones = _shift_left(np.full((1, 1), 1, unsigned), size) - unsigned.type(1)
        field = np.where(size == 0, unsigned.type(0), field & ones)
        if a.dtype.kind == "u":
            return field
        last = np.minimum(start + size - np.uint32(1), np.uint32(bits - 1))
        sign = (_shift_right(words, last) & unsigned.type(1)) != 0
        # Bits beyond the word are copies of the sign.
        held = np.minimum(size, np.uint32(bits) - np.minimum(start, np.uint32(bits)))
        above = ~(_shift_left(np.full((1, 1), 1, unsigned), held) - unsigned.type(1))
        return np.where((size != 0) & sign, field | above, field).view(a.dtype)

    return Kernel(run, (kind, "u32", "u32"), (kind,))


def insert(form: Modifiers) -> Kernel:
    """`bfi`: a field of the first word put into the second."""
    kind = form.last()
    form.end()
    if kind not in {"b32", "b64"}:
        raise form.missing()
    unsigned = TYPES[kind].dtype

    def run(a: Array, b: Array, position: Array, length: Array) -> Array:
        start, size = position & np.uint32(255), length & np.uint32(255)
        ones = _shift_left(np.full((1, 1), 1, unsigned), size) - unsigned.type(1)
        mask = _shift_left(ones, start)
        return (b & ~mask) | (_shift_left(a, start) & mask)

    return Kernel(run, (kind, kind, "u32", "u32"), (kind,))


def mask(form: Modifiers) -> Kernel:
    """`bmsk`: ones from a position on."""
    mode, kind = form.pick("clamp", "wrap"), form.last()
    form.end()
    if kind != "b32" or mode is None:
        raise form.missing()

    def run(position: Array, length: Array) -> Array:
        if mode == "wrap":
            position, length = position & np.uint32(31), length & np.uint32(31)
        ones = _shift_left(np.full((1, 1), 1, np.uint32), length) - np.uint32(1)
        return _shift_left(ones, position)

    return Kernel(run, ("u32", "u32"), ("b32",))


BYTE_MODES: dict[str, Callable[[int, int], int]] = {
    # Byte of the pair for result byte i and control c, by the ISA's table for `prmt`.
    "f4e": lambda c, i: c + i,
    "b4e": lambda c, i: (c - i) & 7,
    "rc8": lambda c, _: c,
    "ecl": max,
    "ecr": min,
    "rc16": lambda c, i: 2 * (c & 1) + (i & 1),
}


def permute(form: Modifiers) -> Kernel:
    """`prmt`: bytes of a pair of words."""
    mode = form.pick(*BYTE_MODES)
    kind = form.last()
    if kind in BYTE_MODES:
        mode, kind = kind, form.last()
    form.end()
    if kind != "b32":
        raise form.missing()

    def byte(pair: Array, control: Array | int, index: int) -> Array:
        if isinstance(control, int):
            shifted = pair >> np.uint64(8 * (control & 7))
            signed = bool(control & 8)
            value = shifted.astype(np.uint8)
            if signed:
                value = (value.view(np.int8) >> np.int8(7)).view(np.uint8)
        else:
            value = (pair >> ((control & np.uint32(7)) << np.uint32(3)).astype(np.uint64)).astype(
                np.uint8
            )
            sign = (value.view(np.int8) >> np.int8(7)).view(np.uint8)
            value = np.where(control & np.uint32(8), sign, value)
        return value.astype(np.uint32) << np.uint32(8 * index)

    def run(a: Array, b: Array, c: Array) -> Array:
        pair = (b.astype(np.uint64) << np.uint64(32)) | a
        result: Array = np.zeros((1, 1), np.uint32)
        for index in range(4):
            control: Array | int
            if mode is not None:
                table = np.array([BYTE_MODES[mode](at, index) & 7 for at in range(4)], np.uint32)
                control = table[c & np.uint32(3)]
            elif c.size == 1:
                control = int(c.flat[0]) >> 4 * index & 15
            else:
                control = (c >> np.uint32(4 * index)) & np.uint32(15)
            result = result | byte(pair, control, index)
        return result

    return Kernel(run, ("b32", "b32", "b32"), ("b32",))


def sign_extend(form: Modifiers) -> Kernel:
    """`szext`: the low bits, by their sign or by zeros."""
    mode, kind = form.pick("clamp", "wrap"), form.last()
    form.end()
    if kind not in {"u32", "s32"} or mode is None:
        raise form.missing()

    def run(a: Array, count: Array) -> Array:
        size = count & np.uint32(31) if mode == "wrap" else np.minimum(count, np.uint32(32))
        away = np.uint32(32) - size
        words = _shift_left(a.view(np.uint32), away).view(a.dtype)
        return np.where(size == 0, a.dtype.type(0), _shift_right(words, away))

    return Kernel(run, (kind, "u32"), (kind,))
