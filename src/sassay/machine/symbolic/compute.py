"""What instructions that only compute on registers make of symbols.

An instruction is computed in threads that know all its sources, if its result is exact, and is
left uninterpreted elsewhere. Instructions that only move bytes are seen through.
"""

from __future__ import annotations

from dataclasses import replace
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.errors import MissingForm
from sassay.machine.numeric import resolve
from sassay.machine.symbolic import hashing
from sassay.machine.symbolic.names import canonical, commutes, mirrored
from sassay.machine.symbolic.symbol import (
    Piece,
    Symbol,
    known,
    known_where,
    mixed,
    select_words,
)
from sassay.machine.types import TYPES, WORDS, seen_as, word

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sassay.machine.numeric import Kernel
    from sassay.machine.program import Op
    from sassay.machine.types import Array


def apply(
    form: str, kernel: Kernel, pieces: Sequence[Piece], bits: Sequence[int], *, folds: bool
) -> list[Piece]:
    """An instruction on whole operands.

    Args:
        form: Its name.
        kernel: What it computes.
        pieces: Its sources, of the widths that it sees.
        bits: Widths of the results; wider ones are extended as the machine extends them.
        folds: It may be computed where its sources are known.
    """
    held = np.ones((1, 1), np.bool_)
    for each in pieces:
        held = held & known_where(each)
    results: list[Piece] = []
    values: list[Array | None] = [None] * len(bits)
    if folds and held.any():
        zeros = (np.zeros((1, 1), WORDS[each.bits]) for each in pieces)
        found = kernel.run(
            *(
                _typed(zero if each.value is None else each.value, kind)
                for each, zero, kind in zip(pieces, zeros, _kinds(kernel), strict=False)
            )
        )
        parts = found if isinstance(found, tuple) else (found,)
        values = [word(part, width) for part, width in zip(parts, bits, strict=False)]
        if held.all():
            return [known(value) for value in values if value is not None]
    else:
        held = np.zeros((1, 1), np.bool_)
    mirror = mirrored(form)
    ordered = [pieces[1], pieces[0], *pieces[2:]] if mirror else pieces
    name = mirror or canonical(form)
    hashes = [each.hashed() for each in ordered]
    tape = hashing.TAPE.get()
    if tape is not None:
        tape.via = tuple(each.via for each in ordered)
    for at, (value, width) in enumerate(zip(values, bits, strict=True)):
        key = hashing.name_hash(name if at == 0 else f"{name} result {at}")
        hash_ = hashing.operation(key, hashes, commutes=len(hashes) > 1 and commutes(name))
        results.append(mixed(width, hash_, value, held))
    return results


def _kinds(kernel: Kernel) -> tuple[str, ...]:
    return (*kernel.sources, "pred")


def _typed(value: Array, kind: str) -> Array:
    return seen_as(value, TYPES[kind])


Rewrite = "Callable[[Op, Sequence[Symbol]], Symbol | None]"


def _uniform(symbol: Symbol) -> int | None:
    """The number that a word is in all threads, None if it is not one."""
    if not symbol.fixed:
        return None
    value = symbol.one().value
    assert value is not None  # noqa: S101 - known words have bits
    if value.size != 1:
        return None
    return int(value.flat[0])


def _zeros(count: int, unit: int) -> list[Piece]:
    return [known(np.zeros((1, 1), WORDS[unit]))] * count


def _shift(op: Op, sources: Sequence[Symbol]) -> Symbol | None:
    """A shift by whole bytes moves pieces."""
    value, amount = sources[0], _uniform(sources[1])
    if amount is None or amount % 8 or (op.base == "shr" and ".s" in op.form):
        return None
    amount = min(amount, value.bits)
    cut = value.cut(gcd(amount, value.unit) if amount else value.unit)
    count, unit = amount // cut.unit, cut.unit
    kept = len(cut.pieces) - count
    if op.base == "shl":
        pieces = [*_zeros(count, unit), *cut.pieces[:kept]]
    else:
        pieces = [*cut.pieces[count:], *_zeros(count, unit)]
    return Symbol(tuple(pieces), value.taint)


def _funnel(op: Op, sources: Sequence[Symbol]) -> Symbol | None:
    low, high, amount = sources[0], sources[1], _uniform(sources[2])
    if amount is None or amount % 8:
        return None
    amount = amount & 31 if ".wrap." in op.form else min(amount, 32)
    unit = gcd(min(low.unit, high.unit), amount) if amount else min(low.unit, high.unit)
    pieces = (*low.cut(unit).pieces, *high.cut(unit).pieces)
    count = amount // unit
    start = count if ".r." in op.form else len(pieces) // 2 - count
    return Symbol(pieces[start : start + len(pieces) // 2], low.taint | high.taint)


def _extract(op: Op, sources: Sequence[Symbol]) -> Symbol | None:
    value, start, length = sources[0], _uniform(sources[1]), _uniform(sources[2])
    if start is None or length is None or ".s" in op.form or (start | length) % 8 or not length:
        return None
    if start + length > value.bits:
        return None
    cut = value.cut(gcd(start, gcd(length, value.unit)) if start else gcd(length, value.unit))
    part = cut.pieces[start // cut.unit : (start + length) // cut.unit]
    rest = _zeros(len(cut.pieces) - len(part), cut.unit)
    return Symbol((*part, *rest), value.taint)


def _insert(_op: Op, sources: Sequence[Symbol]) -> Symbol | None:
    field, value = sources[:2]
    start, length = _uniform(sources[2]), _uniform(sources[3])
    if start is None or length is None or (start | length) % 8 or not length:
        return None
    if start + length > value.bits:
        return None
    unit = gcd(gcd(start, length) if start else length, min(field.unit, value.unit))
    into, what = list(value.cut(unit).pieces), field.cut(unit).pieces
    into[start // unit : (start + length) // unit] = what[: length // unit]
    return Symbol(tuple(into), field.taint | value.taint)


def _permute(op: Op, sources: Sequence[Symbol]) -> Symbol | None:
    """Bytes of a pair of words, where the instruction says which."""
    selector = _uniform(sources[2])
    if selector is None or op.form != "prmt.b32":
        return None
    nibbles = [selector >> 4 * at & 15 for at in range(4)]
    if any(each & 8 for each in nibbles):
        return None
    pairs = all(nibbles[at] % 2 == 0 and nibbles[at + 1] == nibbles[at] + 1 for at in (0, 2))
    unit = min(16 if pairs else 8, sources[0].unit, sources[1].unit)
    pieces = (*sources[0].cut(unit).pieces, *sources[1].cut(unit).pieces)
    chosen = (
        [pieces[nibbles[at * unit // 8] * 8 // unit] for at in range(32 // unit)]
        if (unit == 8)
        else [pieces[nibbles[2 * at] // 2] for at in range(2)]
    )
    return Symbol(tuple(chosen), sources[0].taint | sources[1].taint)


def _runs(number: int, bits: int) -> int:
    """The widest unit of which a mask has all bits set or none; 0 if that is under a byte."""
    for unit in (bits, 32, 16, 8):
        if unit > bits:
            continue
        ones = (1 << unit) - 1
        if all(number >> at & ones in (0, ones) for at in range(0, bits, unit)):
            return unit
    return 0


def _logic(op: Op, sources: Sequence[Symbol]) -> Symbol | None:
    """Logic of each piece by itself; masks of whole bytes pick pieces."""
    first, second = sources
    taint = first.taint | second.taint
    if first.bits == 1:
        return None
    for mask in (first, second):
        number = _uniform(mask)
        if number is not None and op.base in {"and", "or"}:
            unit = _runs(number, mask.bits)
            if unit:
                first, second = first.cut(unit), second.cut(unit)
    unit = min(first.unit, second.unit)
    first, second = first.cut(unit), second.cut(unit)
    kernel = resolve(f"{op.base}.b{unit if unit > 8 else 16}", 1)
    pieces = []
    for a, b in zip(first.pieces, second.pieces, strict=True):
        simple = _simple(op.base, a, b)
        if simple is None:
            (simple,) = apply(f"{op.base}.b{unit}", kernel, [a, b], [unit], folds=True)
        pieces.append(simple)
    return Symbol(tuple(pieces), taint)


def _simple(base: str, a: Piece, b: Piece) -> Piece | None:
    for mask, other in ((a, b), (b, a)):
        if mask.hash is not None or mask.value is None or mask.value.size != 1:
            continue
        number, ones = int(mask.value.flat[0]), (1 << mask.bits) - 1
        if number == 0:
            return mask if base == "and" else other
        if number == ones and base != "xor":
            return other if base == "and" else mask
    return None


def _lop3(op: Op, sources: Sequence[Symbol]) -> Symbol | None:
    base = {0xC0: "and", 0xFC: "or", 0x3C: "xor"}.get(_uniform(sources[3]) or 0)
    if base is None:
        return None
    return _logic(replace(op, base=base), sources[:2])


def _convert(op: Op, sources: Sequence[Symbol]) -> Symbol | None:
    parts = op.form.split(".")
    target, source = parts[-2], parts[-1]
    value = sources[0]
    if op.form == "cvt.f32.bf16":
        zero = known(np.zeros((1, 1), WORDS[16]))
        return Symbol((zero, value.one()), value.taint)
    if target.endswith("x2") and target in TYPES:
        return _packed_conversion(op.form, target, source, sources)
    if target not in TYPES or source not in TYPES or len(parts) != 3:
        return None
    to, of = TYPES[target], TYPES[source]
    if to.kind == "f" or of.kind == "f":
        return None
    if to.bits <= of.bits:
        return value.low(to.bits)
    return value.low(to.bits) if of.kind != "s" else None


def _packed_conversion(
    form: str, target: str, source: str, sources: Sequence[Symbol]
) -> Symbol | None:
    half, bits = target[:-2], TYPES[target].bits // 2
    if source.endswith("x2"):
        name = form.replace(target, half).replace(source, source[:-2])
        parts = sources[0].cut(sources[0].bits // 2).joined(sources[0].bits // 2).pieces
    elif len(sources) == 2:
        name = form.replace(target, half)
        parts = (sources[1].one(), sources[0].one())
    else:
        return None
    try:
        kernel: Kernel | None = resolve(name, 1)
    except MissingForm:
        if any(each.value is not None for each in parts):
            return None
        kernel = None
    pieces = []
    for each in parts:
        if kernel is None:
            hash_ = hashing.operation(hashing.name_hash(canonical(name)), [each.hashed()])
            pieces.append(Piece(bits, hash_))
        else:
            pieces += apply(name, kernel, [each], [bits], folds=True)
    return Symbol(tuple(pieces), taints(sources))


def _packed(op: Op, sources: Sequence[Symbol]) -> Symbol | None:
    """Arithmetic of packed halves, as that of each half."""
    kind = op.form.rsplit(".", 1)[-1]
    half = op.form.removesuffix("x2")
    bits = TYPES[kind].bits // 2
    if any(each.bits != 2 * bits for each in sources):
        return None
    kernel = resolve(half, 1)
    cut = [each.cut(bits).joined(bits) for each in sources]
    pieces = []
    for at in (0, 1):
        operands = [each.pieces[at] for each in cut]
        pieces += apply(half, kernel, operands, [bits], folds=kernel.label == "exact")
    return Symbol(tuple(pieces), taints(sources))


def _select(_op: Op, sources: Sequence[Symbol]) -> Symbol | None:
    new, old, condition = sources
    return select_words(condition.one(), new, old, condition.taint)


_REWRITES: dict[str, Callable[[Op, Sequence[Symbol]], Symbol | None]] = {
    "shl": _shift,
    "shr": _shift,
    "shf": _funnel,
    "bfe": _extract,
    "bfi": _insert,
    "prmt": _permute,
    "and": _logic,
    "or": _logic,
    "xor": _logic,
    "lop3": _lop3,
    "cvt": _convert,
    "selp": _select,
}
_PACKED = ("f16x2", "bf16x2", "f32x2")
_PACKED_BASES = frozenset({"add", "sub", "mul", "fma", "min", "max", "neg", "abs", "ex2", "tanh"})


def compute(op: Op, sources: Sequence[Symbol], bits: Sequence[int], *, folds: bool) -> list[Symbol]:
    """The results of an instruction.

    Args:
        op: The operation; it has a kernel.
        sources: Its operands, as wide as it sees them.
        bits: Widths of its results.
        folds: Approximate instructions are computed too, in double precision.
    """
    kernel = op.kernel
    assert kernel is not None  # noqa: S101 - only asked of such operations
    taint = taints(sources)
    rewrite = _REWRITES.get(op.base)
    if op.base in _PACKED_BASES and op.form.endswith(_PACKED):
        rewrite = _packed
    types = [TYPES[kind] for kind in (*kernel.results, *["pred"] * len(bits))]
    if rewrite is not None and len(bits) == 1:
        found = rewrite(op, sources)
        if found is not None:
            return [extend(found, bits[0], signed=types[0].dtype.kind == "i")]
    exact = kernel.label == "exact"
    if not exact:
        taint |= 1
    widths = [min(kind.bits, width) for kind, width in zip(types, bits, strict=False)]
    pieces = apply(op.form, kernel, [each.one() for each in sources], widths, folds=exact or folds)
    return [
        extend(Symbol((piece,), taint), width, signed=kind.dtype.kind == "i")
        for piece, width, kind in zip(pieces, bits, types, strict=False)
    ]


def extend(symbol: Symbol, bits: int, *, signed: bool) -> Symbol:
    """A word in a register of so many bits."""
    if not signed or symbol.bits >= bits:
        return symbol.low(bits)
    kernel = resolve(f"cvt.s{bits}.s{symbol.bits}", 1)
    form = f"cvt.s{bits}.s{symbol.bits}"
    return Symbol(tuple(apply(form, kernel, [symbol.one()], [bits], folds=True)), symbol.taint)


def taints(sources: Sequence[Symbol]) -> int:
    """What several words depend on."""
    taint = 0
    for each in sources:
        taint |= each.taint
    return taint
