"""Comparison and selection. Source: PTX ISA, "Comparison and Selection Instructions"."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.numeric import rounding as r
from sassay.machine.numeric.kernel import Kernel, Modifiers
from sassay.machine.types import TYPES, Array

if TYPE_CHECKING:
    from collections.abc import Callable

Compare = "Callable[[Array, Array], Array]"

_PLAIN: dict[str, Callable[[Array, Array], Array]] = {
    "eq": np.equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}
_UNSIGNED = {"lo": "lt", "ls": "le", "hi": "gt", "hs": "ge"}
_UNORDERED = {"equ": "eq", "neu": "ne", "ltu": "lt", "leu": "le", "gtu": "gt", "geu": "ge"}
_COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge", *_UNSIGNED, *_UNORDERED, "num", "nan")


def _comparison(name: str, *, floats: bool) -> Callable[[Array, Array], Array] | None:
    if not floats:
        name = _UNSIGNED.get(name, name)
        return np.not_equal if name == "ne" else _PLAIN.get(name)
    if name == "num":
        return lambda a, b: ~(np.isnan(a) | np.isnan(b))
    if name == "nan":
        return lambda a, b: np.isnan(a) | np.isnan(b)
    if name == "neu":
        return np.not_equal
    if name == "ne":
        return lambda a, b: (a < b) | (a > b)
    if name in _UNORDERED:
        opposite = {"eq": np.not_equal, "lt": np.greater_equal, "le": np.greater}
        opposite |= {"gt": np.less_equal, "ge": np.less}
        reverse = opposite[_UNORDERED[name]]
        if name == "equ":
            return lambda a, b: (a == b) | np.isnan(a) | np.isnan(b)
        return lambda a, b: ~reverse(a, b)
    return _PLAIN.get(name)


def _compared(form: Modifiers, kind: str) -> Callable[[Array, Array], Array]:
    name = form.pick(*_COMPARISONS)
    ftz = form.flag("ftz")
    known = TYPES.get(kind)
    if known is None or name is None or known.kind == "p":
        raise form.missing()
    found = _comparison(name, floats=known.kind == "f")
    if found is None or (ftz and kind not in {"f32", "f16", "f16x2"}):
        raise form.missing()
    if kind == "bf16":
        return lambda a, b: found(r.bf16_to_f32(a), r.bf16_to_f32(b))
    if ftz:
        flush = r.flush32 if kind == "f32" else r.flush16
        return lambda a, b: found(flush(a), flush(b))
    return found


_JOIN: dict[str, Callable[[Array, Array], Array]] = {
    "and": np.logical_and,
    "or": np.logical_or,
    "xor": np.logical_xor,
}


def set_predicate(form: Modifiers, results: int) -> Kernel:
    """`setp`: one or two predicates out of a comparison, joined with a third.

    Args:
        form: The opcode.
        results: How many predicates it writes.
    """
    kind = form.last()
    pair = kind in {"f16x2", "bf16x2"}
    compare = _compared(form, kind.removesuffix("x2") if pair else kind)
    join = form.pick(*_JOIN)
    form.end()
    sources = (kind, kind, "pred") if join else (kind, kind)

    def joined(found: Array, rest: tuple[Array, ...]) -> Array:
        return _JOIN[join](found, rest[0]) if join else found

    if pair:
        half = TYPES[kind.removesuffix("x2")].dtype

        def halves(a: Array, b: Array, *rest: Array) -> tuple[Array, ...]:
            parts = []
            for shift in (0, 16):
                x, y = ((v >> np.uint32(shift)).astype(np.uint16).view(half) for v in (a, b))
                parts.append(joined(compare(x, y), rest))
            return tuple(parts)

        return Kernel(halves, sources, ("pred", "pred"))
    if results == 1:
        if not join:
            return Kernel(compare, sources, ("pred",))
        return Kernel(lambda a, b, c: joined(compare(a, b), (c,)), sources, ("pred",))

    def both(a: Array, b: Array, *rest: Array) -> tuple[Array, ...]:
        found = compare(a, b)
        return joined(found, rest), joined(~found, rest)

    return Kernel(both, sources, ("pred", "pred"))


def set_value(form: Modifiers) -> Kernel:
    """`set`: a comparison as 1.0, or as a word of ones."""
    kind, result = form.last(), form.last()
    pair = kind in {"f16x2", "bf16x2"}
    plain = kind.removesuffix("x2") if pair else kind
    compare = _compared(form, plain)
    join = form.pick(*_JOIN)
    form.end()
    if result not in {"u32", "s32", "f32", "f16", "bf16", "u16", "s16", "f16x2", "bf16x2"}:
        raise form.missing()
    sources = (kind, kind, "pred") if join else (kind, kind)
    ones = {"f32": 0x3F800000, "f16": 0x3C00, "bf16": 0x3F80}
    target = TYPES[result].dtype
    word = np.dtype(f"u{target.itemsize}")
    true = word.type(ones.get(result.removesuffix("x2"), (1 << TYPES[result].bits) - 1))

    def run(a: Array, b: Array, *rest: Array) -> Array:
        def one(x: Array, y: Array) -> Array:
            found = compare(x, y)
            return _JOIN[join](found, rest[0]) if join else found

        if not pair:
            return np.where(one(a, b), true, word.type(0)).view(target)
        half = TYPES[plain].dtype
        low, high = (
            one(*((v >> np.uint32(at)).astype(np.uint16).view(half) for v in (a, b)))
            for at in (0, 16)
        )
        mark = np.uint32(ones.get(result.removesuffix("x2"), 0xFFFF))
        return np.where(low, mark, np.uint32(0)) | (
            np.where(high, mark, np.uint32(0)) << np.uint32(16)
        )

    return Kernel(run, sources, (result,))


def select(form: Modifiers) -> Kernel:
    """`selp`: one of two words by a predicate."""
    kind = form.last()
    form.end()
    if kind not in TYPES or kind == "pred":
        raise form.missing()
    plain = f"b{TYPES[kind].bits}"
    return Kernel(lambda a, b, c: np.where(c, a, b), (plain, plain, "pred"), (plain,))


def select_by_sign(form: Modifiers) -> Kernel:
    """`slct`: one of two words by the sign of a third."""
    last, kind, ftz = form.last(), form.last(), form.flag("ftz")
    form.end()
    if last not in {"s32", "f32"} or kind not in TYPES:
        raise form.missing()
    plain = f"b{TYPES[kind].bits}"

    def run(a: Array, b: Array, c: Array) -> Array:
        return np.where((r.flush32(c) if ftz else c) >= 0, a, b)

    return Kernel(run, (plain, plain, last), (plain,))
