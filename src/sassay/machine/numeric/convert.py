"""`cvt`: every conversion. Source: PTX ISA, "Data Movement and Conversion Instructions: cvt"."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.numeric import directed
from sassay.machine.numeric import rounding as r
from sassay.machine.numeric.integers import INTEGER
from sassay.machine.numeric.kernel import Kernel, Modifiers
from sassay.machine.types import TYPES, Array

if TYPE_CHECKING:
    from collections.abc import Callable

_FLOATS = frozenset({"f16", "bf16", "f32", "f64"})
_WHOLE = {"rni": "rn", "rzi": "rz", "rmi": "rm", "rpi": "rp"}
_SMALL = frozenset({"e4m3", "e5m2"})


def small_to_double(value: Array, form: str) -> Array:
    """Words of an 8-bit format as doubles: e4m3 has no infinities, e5m2 is a cut float16."""
    words = value.astype(np.uint16)
    if form == "e5m2":
        return (words << np.uint16(8)).view(np.float16).astype(np.float64)
    sign = np.where(words & 0x80, -1.0, 1.0)
    exponent, mantissa = (words >> np.uint16(3)) & 15, (words & 7).astype(np.float64)
    normal = np.ldexp(1.0 + mantissa / 8, exponent.astype(np.int32) - 7)
    number = np.where(exponent == 0, mantissa * 2.0**-9, normal)
    number = np.where((words & 0x7F) == 0x7F, np.nan, number)
    return sign * number


def double_to_small(value: Array, form: str) -> Array:
    """Doubles rounded to nearest even as words of an 8-bit format, too large ones to the limit.

    NaN becomes 0x7f, as `cvt.satfinite` says.
    """
    limit = r.FORMATS[form].largest
    rounded = r.narrow(value, form, "rn")
    bounded = np.minimum(np.abs(np.where(np.isnan(value), 0.0, rounded)), limit)
    if form == "e5m2":
        words = (bounded.astype(np.float16).view(np.uint16) >> np.uint16(8)).astype(np.uint8)
    else:
        fraction, exponent = np.frexp(bounded)
        normal = ((exponent + 6) << 3) + (fraction * 16 - 8).astype(np.int32)
        low = (bounded * 512).astype(np.int32)
        words = np.where(bounded < 2.0**-6, low, normal).astype(np.uint8)
    words = words | np.where(np.signbit(value), np.uint8(0x80), np.uint8(0))
    return np.where(np.isnan(value), np.uint8(0x7F), words)


def to_double(value: Array, kind: str) -> Array:
    """Values of any float type as doubles."""
    if kind == "bf16":
        return r.bf16_to_f32(value).astype(np.float64)
    if kind in _SMALL:
        return small_to_double(value, kind)
    # The product makes signalling NaNs of float16 quiet ones.
    return value.astype(np.float64) * 1.0 if kind == "f16" else value.astype(np.float64)


def from_double(value: Array, kind: str, mode: str) -> Array:
    """Doubles, exact or rounded to odd, rounded once to a float type."""
    if kind == "f64":
        return value
    if kind == "f32":
        return r.canonical32(r.narrow32(value, mode))
    if kind == "f16":
        return r.double_to_f16(value, mode)
    if kind == "tf32":
        exact = r.narrow(value, "tf32", mode).astype(np.float32)
        return r.canonical32(exact).view(np.uint32)
    if kind in _SMALL:
        return double_to_small(value, kind)
    return r.double_to_bf16(value, mode)


def _integer_to_integer(target: str, source: str, *, saturates: bool) -> Kernel:
    wanted = TYPES[target].dtype
    if not saturates:
        return Kernel(lambda a: a.astype(wanted), (source,), (target,))
    info = np.iinfo(wanted)
    origin = np.iinfo(TYPES[source].dtype)
    low, high = max(info.min, origin.min), min(info.max, origin.max)

    def run(a: Array) -> Array:
        kept = np.minimum(np.maximum(a, a.dtype.type(low)), a.dtype.type(high))
        return kept.astype(wanted)

    return Kernel(run, (source,), (target,))


def _float_to_integer(target: str, source: str, mode: str, *, ftz: bool) -> Kernel:
    wanted = TYPES[target].dtype
    info = np.iinfo(wanted)
    bits = TYPES[target].bits
    nan = 0 if bits < 64 and source != "f64" else 1 << (bits - 1)
    nan_value = np.uint64(nan).astype(f"u{wanted.itemsize}").view(wanted)
    # The largest double that does not exceed the type's largest number.
    high = float(info.max) if wanted.itemsize < 8 else float(np.nextafter(float(info.max), 0))

    def run(a: Array) -> Array:
        if ftz:
            a = r.flush32(a)
        whole = r.round_double(to_double(a, source), mode)
        inside = np.minimum(np.maximum(np.nan_to_num(whole), float(info.min)), high)
        result = inside.astype(wanted)
        if wanted.itemsize == 8:
            result = np.where(whole > high, wanted.type(info.max), result)
        return np.where(np.isnan(whole), nan_value, result)

    return Kernel(run, (source,), (target,))


def _integer_to_float(target: str, source: str, mode: str) -> Kernel:
    wide = TYPES[source].bits == 64

    def halves(a: Array) -> tuple[Array, Array]:
        upper = (a >> a.dtype.type(32)).astype(np.float64) * 2.0**32
        return upper, (a & a.dtype.type(0xFFFFFFFF)).astype(np.float64)

    def run(a: Array) -> Array:
        if not wide or (target == "f64" and mode == "rn"):
            number = a.astype(np.float64)
        elif target == "f64":
            number = directed.moved(*r.two_sum(*halves(a)), mode)
        else:
            number = r.sum_to_odd(*halves(a))
        return number if target == "f64" else from_double(number, target, mode)

    return Kernel(run, (source,), (target,))


def _saturate(value: Array) -> Array:
    return np.where(value > 0, np.minimum(value, 1.0), 0.0)


def _float_to_float(form: Modifiers, target: str, source: str, mode: str) -> Kernel:
    ftz, saturates, relu = form.flag("ftz"), form.flag("sat"), form.flag("relu")
    finite = form.flag("satfinite")
    whole = form.pick(*_WHOLE)
    form.end()
    if finite and target not in {"tf32", *_SMALL, "f16", "bf16"}:
        raise form.missing()
    steps: list[Callable[[Array], Array]] = []
    if whole:
        steps.append(lambda v: r.round_double(v, _WHOLE[whole]))
    if saturates:
        steps.append(_saturate)
    if relu:
        steps.append(lambda v: np.where(v <= 0, 0.0, v))
    plain = not (steps or ftz or finite) and mode == "rn"
    if plain and (source, target) == ("bf16", "f32"):
        return Kernel(r.bf16_to_f32, (source,), (target,))
    if plain and (source, target) == ("f32", "bf16"):
        return Kernel(r.f32_to_bf16, (source,), (target,))

    def run(a: Array) -> Array:
        if ftz and source == "f32":
            a = r.flush32(a)
        value = to_double(a, source)
        for step in steps:
            value = step(value)
        result = from_double(value, target, mode)
        if ftz and target == "f32":
            result = r.flush32(r.flush_tiny(result, lambda: value, mode))
        if finite and target not in _SMALL:
            result = _to_finite(result, target)
        return result

    return Kernel(run, (source,), (target,))


def _to_finite(value: Array, kind: str) -> Array:
    number = to_double(value.view(np.float32) if kind == "tf32" else value, kind)
    limit = np.copysign(r.FORMATS[kind].largest, number)
    return np.where(np.isinf(number), from_double(limit, kind, "rn"), value)


def _scalar(form: Modifiers, target: str, source: str) -> Kernel:
    mode = form.pick("rn", "rz", "rm", "rp", "rna")
    if target in INTEGER and source in INTEGER:
        saturates = form.flag("sat")
        form.end()
        return _integer_to_integer(target, source, saturates=saturates)
    if target in INTEGER and source in _FLOATS:
        whole = form.pick(*_WHOLE)
        ftz = form.flag("ftz")
        form.flag("sat")
        form.end()
        if whole is None or (ftz and source != "f32"):
            raise form.missing()
        return _float_to_integer(target, source, _WHOLE[whole], ftz=ftz)
    if source in INTEGER and target in _FLOATS and mode:
        form.flag("ftz")
        form.end()
        return _integer_to_float(target, source, mode)
    if source in _FLOATS and target in _FLOATS | {"tf32"}:
        return _float_to_float(form, target, source, mode or "rn")
    raise form.missing()


def _pack(form: Modifiers, target: str) -> Kernel:
    """Two float32 as a pair: the first source is the upper half."""
    half = target.removesuffix("x2")
    mode = form.pick("rn", "rz")
    one = _float_to_float(form, half, "f32", mode or "rn").single
    bits = TYPES[half].bits
    word = TYPES[target].dtype

    def run(a: Array, b: Array) -> Array:
        parts = [one(source).view(f"u{bits // 8}").astype(word) for source in (a, b)]
        return (parts[0] << word.type(bits)) | parts[1]

    return Kernel(run, ("f32", "f32"), (target,))


def _repack(form: Modifiers, target: str, source: str) -> Kernel:
    """A pair of small floats as a pair of halves, or back."""
    form.pick("rn")
    halves = (target.removesuffix("x2"), source.removesuffix("x2"))
    one = _float_to_float(form, *halves, "rn").single
    into, origin = (TYPES[each] for each in halves)
    word = TYPES[target].dtype

    def run(a: Array) -> Array:
        parts = []
        for index in range(2):
            shift = a.dtype.type(origin.bits * index)
            value = (a >> shift).astype(f"u{origin.bits // 8}").view(origin.dtype)
            parts.append(one(value).view(f"u{into.bits // 8}").astype(word))
        return parts[0] | (parts[1] << word.type(into.bits))

    return Kernel(run, (source,), (target,))


_PAIRS = frozenset({"f16x2", "bf16x2", "e4m3x2", "e5m2x2"})


def convert(form: Modifiers) -> Kernel:
    """`cvt` of one value, of a pair, and `cvt.pack`."""
    if form.flag("pack"):
        return _pack_integers(form)
    source, target = form.last(), form.last()
    if target in _PAIRS and source == "f32":
        return _pack(form, target)
    if target in _PAIRS and source in _PAIRS:
        return _repack(form, target, source)
    return _scalar(form, target, source)


def _pack_integers(form: Modifiers) -> Kernel:
    """`cvt.pack.sat`: two integers saturated into the low end, above them what the third brings."""
    last = form.last()
    third = last if last == "b32" else None
    source, target = (form.last() if third else last), form.last()
    saturates = form.flag("sat")
    form.end()
    if not saturates or source != "s32" or target not in {"u16", "s16", "u8", "s8"}:
        raise form.missing()
    info, bits = np.iinfo(TYPES[target].dtype), TYPES[target].bits
    if (bits == 8) != (third is not None):
        raise form.missing()

    def clipped(value: Array) -> Array:
        kept = np.minimum(np.maximum(value, np.int32(info.min)), np.int32(info.max))
        return (kept & np.int32((1 << bits) - 1)).view(np.uint32)

    def run(a: Array, b: Array, *rest: Array) -> Array:
        pair = (clipped(a) << np.uint32(bits)) | clipped(b)
        return pair | (rest[0] << np.uint32(2 * bits)) if rest else pair

    sources = ("s32", "s32", "b32") if third else ("s32", "s32")
    return Kernel(run, sources, ("b32",))
