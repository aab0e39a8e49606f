"""Floating-point arithmetic that IEEE 754 decides. Source: PTX ISA, "Floating Point Instructions".

Float32 runs as numpy float32 where the operation rounds to nearest even, and through double
precision rounded to odd otherwise. The half formats and the packed ones always run through
double precision and round once. NaN results are the canonical NaN (0x7fffffff, 0x7fff).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.approximate import forms as unit
from sassay.machine.numeric import directed
from sassay.machine.numeric import rounding as r
from sassay.machine.numeric.kernel import Kernel, Label, Modifiers, Single
from sassay.machine.types import TYPES, Array

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FLOAT = frozenset({"f16", "f16x2", "bf16", "bf16x2", "f32", "f32x2", "f64"})
_ROUNDINGS = ("rn", "rz", "rm", "rp")
Step = "Callable[[Array], Array]"


def _saturate(value: Array) -> Array:
    # NaN becomes +0, and so does -0.
    kept = np.where(value > 0, np.minimum(value, value.dtype.type(1)), value.dtype.type(0))
    return kept.astype(value.dtype)


def _steps(
    run: Single, before: Callable[[Array], Array] | None, after: Sequence[Callable[..., Array]]
) -> Single:
    if before is None and not after:
        return run

    def stepped(*sources: Array) -> Array:
        result = run(*(map(before, sources) if before else sources))
        for step in after:
            result = step(result)
        return result

    return stepped


def finished(
    run: Single,
    kind: str,
    count: int,
    *,
    ftz: bool = False,
    sat: bool = False,
    relu: bool = False,
    label: Label = "exact",
) -> Kernel:
    """A kernel of one float type: inputs flushed, result flushed, saturated, NaN made canonical.

    Args:
        run: The computation on values of the type, NaNs as they come.
        kind: `f16`, `f32` or `f64`.
        count: Number of sources.
        ftz: Flush subnormal inputs and results.
        sat: Clamp to [0, 1], NaN to +0.
        relu: Clamp negative results and -0 to +0, NaN stays.
        label: Of the kernel.
    """
    flush = r.flush32 if kind == "f32" else r.flush16
    after: list[Callable[[Array], Array]] = [flush] if ftz else []
    if sat:
        after.append(_saturate)
    if relu:
        after.append(lambda v: np.where(v <= 0, v.dtype.type(0), v))
    loose = _steps(run, flush if ftz else None, after)
    if kind == "f32":
        whole = _steps(run, flush if ftz else None, [*after, r.canonical32])
    elif kind == "f16":
        whole = _steps(run, flush if ftz else None, [*after, _canonical16])
    else:
        whole = loose
    return Kernel(whole, (kind,) * count, (kind,), label, loose=loose)


def measured(kernel: Kernel) -> Kernel:
    """A kernel whose tables are those of an H100."""
    return replace(kernel, measured="h100")


def _canonical16(value: Array) -> Array:
    return np.where(np.isnan(value), r.NAN16, value.view(np.uint16)).view(np.float16)


# Half formats: words to doubles, one operation rounded to odd, one rounding to the format.

_WIDE_OPS: dict[str, Callable[..., Array]] = {
    "add": r.sum_to_odd,
    "sub": lambda a, b: r.sum_to_odd(a, -b),
    "mul": np.multiply,
    "fma": lambda a, b, c: r.sum_to_odd(a * b, c),
}


def _widen(value: Array, kind: str) -> Array:
    if kind == "bf16":
        return r.bf16_to_f32(value).astype(np.float64)
    return value.astype(np.float64)


def _half(base: str, kind: str, *, ftz: bool, sat: bool, relu: bool) -> Single:
    compute = _WIDE_OPS[base]

    def run(*sources: Array) -> Array:
        if ftz:
            sources = tuple(map(r.flush16, sources))
        exact = compute(*(_widen(value, kind) for value in sources))
        result: Array
        if kind == "bf16":
            result = r.double_to_bf16(exact, "rn")
        else:
            result = r.double_to_f16(exact, "rn")
            if ftz:
                result = r.flush16(r.flush_tiny(result, lambda: exact, "rn"))
        if sat or relu:
            result = _clamped(result, kind, sat=sat)
        return result

    return run


def _clamped(value: Array, kind: str, *, sat: bool) -> Array:
    number = r.bf16_to_f32(value) if kind == "bf16" else value.astype(np.float32)
    bounded = _saturate(number) if sat else np.where(number <= 0, np.float32(0), number)
    if kind == "bf16":
        return r.f32_to_bf16(bounded)
    return _canonical16(bounded.astype(np.float16))


def packed(run: Single, kind: str, count: int, label: Label = "exact") -> Kernel:
    """A kernel of a packed type out of the computation of its halves.

    Args:
        run: The computation on one half.
        kind: `f16x2`, `bf16x2` or `f32x2`.
        count: Number of sources.
        label: Of the kernel.
    """
    half = TYPES[kind[:-2]].dtype
    bits = half.itemsize * 8
    word, whole = np.dtype(f"u{half.itemsize}"), TYPES[kind].dtype

    def both(*sources: Array) -> Array:
        parts = []
        for shift in (0, bits):
            taken = [(v >> whole.type(shift)).astype(word).view(half) for v in sources]
            parts.append(run(*taken).view(word).astype(whole))
        return parts[0] | (parts[1] << whole.type(bits))

    return Kernel(both, (kind,) * count, (kind,), label)


def _directed(base: str, mode: str) -> Single:
    compute = _WIDE_OPS[base]

    def run(*sources: Array) -> Array:
        exact = compute(*(value.astype(np.float64) for value in sources))
        result = r.narrow32(exact, mode)
        if mode == "rm" and base != "mul":
            # An exact zero sum of opposite signs is -0 when rounding down.
            plus = (exact == 0) & ~_all_positive_zero(base, sources)
            result = np.where(plus, np.float32(-0.0), result)
        return result

    return run


def _all_positive_zero(base: str, sources: tuple[Array, ...]) -> Array:
    left = sources[0] * sources[1] if base == "fma" else sources[0]
    right = -sources[1] if base == "sub" else sources[-1]
    return ~np.signbit(left) & ~np.signbit(right) & (right == 0)


def _flushing(run: Single, exact: Callable[..., Array], mode: str) -> Single:
    """Makes zeros of float32 results that are subnormal before they are rounded to their place."""

    def flushed(*sources: Array) -> Array:
        def whole() -> Array:
            return exact(*(value.astype(np.float64) for value in sources))

        return r.flush_tiny(run(*sources), whole, mode)

    return flushed


_NEAREST32: dict[str, Single] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "fma": r.fma32,
}


_DIRECTED64: dict[str, Callable[..., Array]] = {
    "add": directed.add,
    "sub": lambda a, b, mode: directed.add(a, -b, mode),
    "mul": directed.multiply,
    "fma": directed.fuse,
}


def arithmetic(form: Modifiers, kind: str) -> Kernel:
    """`add`, `sub`, `mul`, `fma` and `mad` of floats."""
    base = "fma" if form.base == "mad" else form.base
    mode = form.pick(*_ROUNDINGS) or "rn"
    ftz, sat, relu = form.flag("ftz"), form.flag("sat"), form.flag("relu")
    form.flag("noftz")
    form.end()
    count = 3 if base == "fma" else 2
    if kind == "f64":
        if ftz or sat or relu:
            raise form.missing()
        near = r.fma64 if base == "fma" else _NEAREST32[base]
        return finished(
            near if mode == "rn" else partial(_DIRECTED64[base], mode=mode), kind, count
        )
    if kind in {"f32", "f32x2"}:
        run = _NEAREST32[base] if mode == "rn" else _directed(base, mode)
        if ftz and base in {"mul", "fma"}:
            run = _flushing(run, _WIDE_OPS[base], mode)
        kernel = finished(run, "f32", count, ftz=ftz, sat=sat, relu=relu)
        return kernel if kind == "f32" else packed(kernel.single, kind, count)
    if mode != "rn" or (ftz and "bf16" in kind):
        raise form.missing()
    half = _half(base, kind.removesuffix("x2"), ftz=ftz, sat=sat, relu=relu)
    if kind.endswith("x2"):
        return packed(half, kind, count)
    return Kernel(half, (kind,) * count, (kind,))


def _quotient(a: Array, b: Array, mode: str) -> Array:
    # In double the quotient of two float32 cannot lie within its own rounding of a float32 or of
    # a tie between two, unless it is exact there: so double's rounding keeps the side.
    exact = a.astype(np.float64) / b.astype(np.float64)
    return r.narrow32(exact, mode)


def _root(a: Array, mode: str) -> Array:
    near = np.sqrt(a)
    wide = near.astype(np.float64)
    rest = a.astype(np.float64) - wide * wide
    rest = np.where(np.isfinite(rest), rest, 0.0)
    return directed.moved(near, rest, mode)


def divide(form: Modifiers, kind: str) -> Kernel:
    """`div.rn`, `div.full`, `div.approx` and their relatives."""
    how = form.pick("approx", "full", *_ROUNDINGS)
    ftz = form.flag("ftz")
    form.end()
    if kind == "f64" and how in _ROUNDINGS and not ftz:
        whole = np.divide if how == "rn" else partial(directed.divide, mode=how)
        return finished(whole, kind, 2)
    if kind != "f32" or how is None:
        raise form.missing()
    if how in {"approx", "full"}:
        return measured(finished(unit.divide(how, ftz=ftz), kind, 2, label="modelled"))
    run: Single = np.divide if how == "rn" else partial(_quotient, mode=how)
    if ftz:
        run = _flushing(run, np.divide, how)
    return finished(run, kind, 2, ftz=ftz)


def _reciprocal(a: Array) -> Array:
    return np.divide(a.dtype.type(1), a)


def special(form: Modifiers, kind: str) -> Kernel:
    """`rcp`, `sqrt`, `rsqrt`, `sin`, `cos`, `lg2`, `ex2`, `tanh`."""
    base = form.base
    how = form.pick("approx", *_ROUNDINGS)
    ftz = form.flag("ftz")
    form.end()
    if how is None:
        raise form.missing()
    if how != "approx":
        return _rounded_special(form, kind, how, ftz=ftz)
    if kind == "f32" and not (base == "tanh" and ftz):
        return measured(finished(unit.unary(base, ftz=ftz), kind, 1, label="modelled"))
    if base in {"ex2", "tanh"}:
        found = unit.half(f"{base}.approx{'.ftz' if ftz else ''}.{kind.removesuffix('x2')}")
        if found is not None:
            return measured(_by_words(found, kind))
    doubles = unit.double(base, ftz=ftz) if kind == "f64" else None
    if doubles is not None:
        return measured(Kernel(doubles, (kind,), (kind,), "modelled"))
    raise form.missing()


def _by_words(run: Callable[[Array], Array], kind: str) -> Kernel:
    dtype = TYPES[kind.removesuffix("x2")].dtype

    def one(a: Array) -> Array:
        return run(a.view(np.uint16)).view(dtype)

    if kind.endswith("x2"):
        return packed(one, kind, 1, "modelled")
    return Kernel(one, (kind,), (kind,), "modelled")


def _rounded_special(form: Modifiers, kind: str, mode: str, *, ftz: bool) -> Kernel:
    if form.base not in {"rcp", "sqrt"} or kind not in {"f32", "f64"}:
        raise form.missing()
    if kind == "f64" and ftz:
        raise form.missing()
    if mode == "rn":
        run = np.sqrt if form.base == "sqrt" else _reciprocal
        return finished(run, kind, 1, ftz=ftz)
    if kind == "f64":
        if ftz:
            raise form.missing()
        unit64 = np.ones((1, 1))
        if form.base == "sqrt":
            return finished(partial(directed.root, mode=mode), kind, 1)
        return finished(lambda a: directed.divide(unit64, a, mode), kind, 1)
    if form.base == "sqrt":
        return finished(partial(_root, mode=mode), kind, 1, ftz=ftz)
    run = partial(_quotient, np.ones((1, 1), np.float32), mode=mode)
    return finished(_flushing(run, _reciprocal, mode) if ftz else run, kind, 1, ftz=ftz)


# Minimum, maximum, sign operations.


def _ordered(a: Array, b: Array, base: str, *, nan: bool) -> Array:
    """The smaller or larger; -0 is below +0; NaN only if both are, or if `nan` and one is."""
    word = np.dtype(f"u{a.dtype.itemsize}")
    if nan:
        picked = (np.minimum if base == "min" else np.maximum)(a, b)
    else:
        picked = (np.fmin if base == "min" else np.fmax)(a, b)
    join = np.bitwise_or if base == "min" else np.bitwise_and
    same = join(a.view(word), b.view(word)).view(a.dtype)
    return np.where(a == b, same, picked)


def extreme(form: Modifiers, kind: str) -> Kernel:
    """`min` and `max` of floats."""
    ftz, nan = form.flag("ftz"), form.flag("NaN")
    signed = form.flag("xorsign") and form.flag("abs")
    form.end()
    base = form.base
    plain = kind.removesuffix("x2")

    def run(a: Array, b: Array) -> Array:
        if signed:
            sign = np.signbit(a) ^ np.signbit(b)
            found = _ordered(np.abs(a), np.abs(b), base, nan=nan)
            return np.copysign(found, np.where(sign, -1.0, 1.0).astype(a.dtype))
        return _ordered(a, b, base, nan=nan)

    if plain in {"f32", "f64", "f16"}:
        if plain == "f64" and ftz:
            raise form.missing()
        kernel = finished(run, plain, 2, ftz=ftz)
        return packed(kernel.single, kind, 2) if kind != plain else kernel
    if ftz:
        raise form.missing()

    def brain(a: Array, b: Array) -> Array:
        return r.f32_to_bf16(run(r.bf16_to_f32(a), r.bf16_to_f32(b)))

    return packed(brain, kind, 2) if kind != plain else Kernel(brain, (kind, kind), (kind,))


_TOPS = {"f16": 0x7C00, "bf16": 0x7F80}
"""Words of infinity: what is above is NaN."""


def sign(form: Modifiers, kind: str) -> Kernel:
    """`neg` and `abs` of floats: the sign bits alone; NaNs of the half formats become canonical."""
    ftz = form.flag("ftz")
    form.end()
    dtype = TYPES[kind].dtype
    word = np.dtype(f"u{dtype.itemsize}")
    bits = {"f16x2": 0x80008000, "bf16x2": 0x80008000, "f32x2": (1 << 63) | (1 << 31)}.get(
        kind, 1 << (dtype.itemsize * 8 - 1)
    )
    mask = word.type(bits)
    negates = form.base == "neg"
    if ftz and kind != "f32":
        raise form.missing()

    def run(a: Array) -> Array:
        words = (r.flush32(a) if ftz else a).view(word)
        return (words ^ mask if negates else words & ~mask).view(dtype)

    plain = kind.removesuffix("x2")
    if plain not in _TOPS or kind == "f32x2":
        return Kernel(run, (kind,), (kind,))
    top = np.uint16(_TOPS[plain])

    def half(a: Array) -> Array:
        words = a.view(np.uint16)
        changed = words ^ np.uint16(0x8000) if negates else words & np.uint16(0x7FFF)
        canonical = np.where((words & np.uint16(0x7FFF)) > top, r.NAN16, changed)
        return canonical.view(a.dtype)

    return packed(half, kind, 1) if kind != plain else Kernel(half, (kind,), (kind,))


def copysign(form: Modifiers, kind: str) -> Kernel:
    """The second source with the sign of the first."""
    form.end()
    if kind not in {"f32", "f64"}:
        raise form.missing()
    return Kernel(lambda a, b: np.copysign(b, a), (kind, kind), (kind,))


def test_property(form: Modifiers, kind: str) -> Kernel:
    """`testp`: which kind of number a float is."""
    asked = form.pick("finite", "infinite", "number", "notanumber", "normal", "subnormal")
    form.end()
    if kind not in {"f32", "f64"} or asked is None:
        raise form.missing()
    tiny = np.finfo(TYPES[kind].dtype).tiny
    tests: dict[str, Callable[[Array], Array]] = {
        "finite": np.isfinite,
        "infinite": np.isinf,
        "number": lambda v: ~np.isnan(v),
        "notanumber": np.isnan,
        # Zeros count as normal.
        "normal": lambda v: np.isfinite(v) & ((np.abs(v) >= tiny) | (v == 0)),
        "subnormal": lambda v: (np.abs(v) < tiny) & (v != 0),
    }
    return Kernel(tests[asked], (kind,), ("pred",))
