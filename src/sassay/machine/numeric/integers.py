"""Integer arithmetic. Source: PTX ISA, "Integer Arithmetic Instructions"."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.errors import MissingForm
from sassay.machine.numeric.kernel import Kernel, Modifiers
from sassay.machine.types import TYPES, WORDS, Array

if TYPE_CHECKING:
    from collections.abc import Callable

INTEGER = frozenset(f"{kind}{bits}" for kind in "usb" for bits in (8, 16, 32, 64))


def _clip(value: Array, low: int, high: int) -> Array:
    return np.minimum(np.maximum(value, low), high)


def multiply_high(a: Array, b: Array) -> Array:
    """The upper half of the product of two integers of one dtype."""
    bits = a.dtype.itemsize * 8
    if bits < 64:
        wide = np.dtype(f"{a.dtype.kind}{bits // 4}")
        return np.multiply(a, b, dtype=wide).__rshift__(wide.type(bits)).astype(a.dtype)
    x, y = a.view(np.uint64), b.view(np.uint64)
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    x0, x1, y0, y1 = x & low, x >> half, y & low, y >> half
    middle = x1 * y0 + ((x0 * y0) >> half)
    other = x0 * y1 + (middle & low)
    high = x1 * y1 + (middle >> half) + (other >> half)
    if a.dtype.kind == "i":
        high = high - np.where(a < 0, y, 0) - np.where(b < 0, x, 0)
    return high.view(a.dtype)


def _divide(a: Array, b: Array) -> Array:
    # Division by zero is left open; hardware gives all ones.
    if a.dtype.kind == "u":
        return np.where(b == 0, ~a.dtype.type(0), a // np.where(b == 0, 1, b).astype(b.dtype))
    safe = np.where(b == 0, 1, b).astype(b.dtype)
    quotient = a // safe
    quotient = quotient + ((quotient * safe != a) & ((a < 0) != (safe < 0)))
    return np.where(b == 0, a.dtype.type(-1), quotient.astype(a.dtype))


def _remainder(a: Array, b: Array) -> Array:
    return np.where(b == 0, a, a - _divide(a, b) * b)


def _two(kind: str, run: Callable[[Array, Array], Array]) -> Kernel:
    return Kernel(run, (kind, kind), (kind,))


def _halves(run: Callable[[Array, Array], Array], kind: str) -> Callable[[Array, Array], Array]:
    dtype = np.dtype("i2" if kind == "s" else "u2")

    def both(a: Array, b: Array) -> Array:
        low = run(a.astype(np.uint16).view(dtype), b.astype(np.uint16).view(dtype))
        high = run(
            (a >> np.uint32(16)).astype(np.uint16).view(dtype),
            (b >> np.uint32(16)).astype(np.uint16).view(dtype),
        )
        joined: Array = high.view(np.uint16).astype(np.uint32) << np.uint32(16)
        return joined | low.view(np.uint16)

    return both


def _add_saturated(a: Array, b: Array) -> Array:
    return _clip(a.astype(np.int64) + b, -(2**31), 2**31 - 1).astype(np.int32)


def _subtract_saturated(a: Array, b: Array) -> Array:
    return _clip(a.astype(np.int64) - b, -(2**31), 2**31 - 1).astype(np.int32)


def _carried(form: Modifiers, kind: str) -> Kernel | None:
    """`.cc`, `addc` and `subc`.

    The flag is the carry of the adder, so after a subtraction it is set where nothing was borrowed.
    The ISA speaks of a borrow, but `addc` after `sub.cc` in nvcc's division of 128-bit integers
    (`__int128 / int`, CUDA 13.0) gives quotients only this way round.
    """
    base, out = form.base, form.flag("cc")
    if not out and base not in {"addc", "subc"}:
        return None
    into = base in {"addc", "subc"}
    minus = base.startswith("sub")
    dtype = TYPES[kind].dtype
    unsigned = WORDS[TYPES[kind].bits]

    def run(a: Array, b: Array, carry: Array | None = None) -> tuple[Array, ...]:
        x, y = a.view(unsigned), b.view(unsigned)
        total = x - y if minus else x + y
        flag = x >= y if minus else total < x
        if carry is not None:
            before = total
            total = total - ~carry if minus else total + carry
            flag = (flag & (before >= total)) if minus else (flag | (total < before))
        return (total.view(dtype), flag) if out else (total.view(dtype),)

    carries = frozenset((["in"] if into else []) + (["out"] if out else []))
    form.end()
    return Kernel(run, (kind, kind), (kind,), carries=carries)


def add_sub(form: Modifiers, kind: str) -> Kernel:
    """`add`, `sub`, `addc`, `subc`."""
    carried = _carried(form, kind)
    if carried:
        return carried
    saturates = form.flag("sat")
    minus = form.base == "sub"
    if kind.endswith("x2"):
        form.end()
        return _two(kind, _halves(np.subtract if minus else np.add, kind[0]))
    if saturates:
        form.end()
        if kind != "s32":
            raise form.missing()
        return _two(kind, _subtract_saturated if minus else _add_saturated)
    form.end()
    return _two(kind, np.subtract if minus else np.add)


def _wide(kind: str) -> str:
    if kind not in {"u16", "s16", "u32", "s32"}:
        raise MissingForm(f".wide.{kind}")
    return f"{kind[0]}{int(kind[1:]) * 2}"


def _times_wide(kind: str) -> Callable[[Array, Array], Array]:
    wide = TYPES[_wide(kind)].dtype
    return lambda a, b: np.multiply(a, b, dtype=wide)


def _times_24(*, high: bool) -> Callable[[Array, Array], Array]:
    def run(a: Array, b: Array) -> Array:
        wide = np.dtype(f"{a.dtype.kind}8")
        kept = wide.type(40)
        x, y = ((v.astype(wide) << kept) >> kept for v in (a, b))
        product = x * y
        return (product >> wide.type(16) if high else product).astype(a.dtype)

    return run


def multiply(form: Modifiers, kind: str) -> Kernel:
    """`mul`, `mad`, `mul24`, `mad24`, `madc` of integers."""
    short = form.base.endswith("24")
    adds = form.base.startswith("mad")
    part = form.pick("lo", "hi", "wide")
    out, into = form.flag("cc"), form.base == "madc"
    saturates = form.flag("sat")
    form.end()
    if part is None or (short and part == "wide") or (saturates and kind != "s32"):
        raise form.missing()
    product: Callable[[Array, Array], Array]
    result = _wide(kind) if part == "wide" else kind
    if short:
        product = _times_24(high=part == "hi")
    elif part == "wide":
        product = _times_wide(kind)
    else:
        product = np.multiply if part == "lo" else multiply_high
    if not adds:
        return Kernel(product, (kind, kind), (result,))
    sources = (kind, kind, result)
    if out or into:
        return _multiply_carried(product, kind, into=into, out=out)
    if saturates:
        return Kernel(lambda a, b, c: _add_saturated(product(a, b), c), sources, (result,))
    return Kernel(lambda a, b, c: product(a, b) + c, sources, (result,))


def _multiply_carried(
    product: Callable[[Array, Array], Array], kind: str, *, into: bool, out: bool
) -> Kernel:
    unsigned, dtype = WORDS[TYPES[kind].bits], TYPES[kind].dtype

    def run(a: Array, b: Array, c: Array, carry: Array | None = None) -> tuple[Array, ...]:
        x, y = product(a, b).view(unsigned), c.view(unsigned)
        total = x + y
        flag = total < x
        if carry is not None:
            before, total = total, total + carry
            flag = flag | (total < before)
        return (total.view(dtype), flag) if out else (total.view(dtype),)

    carries = frozenset((["in"] if into else []) + (["out"] if out else []))
    return Kernel(run, (kind, kind, kind), (kind,), carries=carries)


def divide(form: Modifiers, kind: str) -> Kernel:
    """`div` and `rem` of integers."""
    form.end()
    return _two(kind, _divide if form.base == "div" else _remainder)


def extreme(form: Modifiers, kind: str) -> Kernel:
    """`min` and `max` of integers."""
    relu = form.flag("relu")
    form.end()
    pick = np.minimum if form.base == "min" else np.maximum
    if kind.endswith("x2"):
        run = _halves(pick, kind[0])
        if relu:
            clear = _halves(np.maximum, "s")
            return _two(kind, lambda a, b: clear(run(a, b), np.zeros((1, 1), np.uint32)))
        return _two(kind, run)
    if relu:
        return _two(kind, lambda a, b: np.maximum(pick(a, b), a.dtype.type(0)))
    return _two(kind, pick)


def unary(form: Modifiers, kind: str) -> Kernel:
    """`abs` and `neg` of integers."""
    form.end()
    return Kernel(np.abs if form.base == "abs" else np.negative, (kind,), (kind,))


def sad(form: Modifiers, kind: str) -> Kernel:
    """Sum of absolute differences."""
    form.end()
    return Kernel(lambda a, b, c: c + (np.maximum(a, b) - np.minimum(a, b)), (kind,) * 3, (kind,))


def dot(form: Modifiers) -> Kernel:
    """`dp4a` and `dp2a`: dot products of bytes."""
    second, first = form.last(), form.last()
    part = form.pick("lo", "hi")
    form.end()
    if not {first, second} <= {"u32", "s32"} or (part is None) != (form.base == "dp4a"):
        raise form.missing()
    result = "u32" if first == second == "u32" else "s32"

    def pieces(value: Array, bits: int, kind: str, start: int, count: int) -> list[Array]:
        words = value.view(np.uint32)
        dtype = f"{'i' if kind == 's32' else 'u'}{bits // 8}"
        return [
            (words >> np.uint32(start + bits * index)).astype(f"u{bits // 8}").view(dtype)
            for index in range(count)
        ]

    def run(a: Array, b: Array, c: Array) -> Array:
        if form.base == "dp4a":
            left, right = pieces(a, 8, first, 0, 4), pieces(b, 8, second, 0, 4)
        else:
            left = pieces(a, 16, first, 0, 2)
            right = pieces(b, 8, second, 16 if part == "hi" else 0, 2)
        total = c.astype(np.int64)
        for x, y in zip(left, right, strict=True):
            total = total + x.astype(np.int64) * y
        return total.astype(np.uint32).view(TYPES[result].dtype)

    return Kernel(run, (first, second, result), (result,))
