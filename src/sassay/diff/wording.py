"""What moved in a kernel's numerics, in the words of its author.

`add.f32 64 -> 0, fma.rn.f32 0 -> 64` reads "multiply-adds newly contracted"; two spellings of one
rounding (`cvt.rn.bf16.f32`, and `cvt.rn.bf16x2.f32`, which rounds two values) are counted in
values, so that packing them is told apart from rounding more often.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from sassay.diff.numerics import WEIGHTS, weight
from sassay.diff.steps import Step, step
from sassay.isa.sensitivity import sensitive_kind
from sassay.model.layers import Layer

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST = 4
"""Clauses of one line."""
_OPCODES = 3
"""Opcodes named in one clause."""
_ARITHMETIC = frozenset({"contraction", "multiply", "add"})


class _Clause(msgspec.Struct, frozen=True):
    heavy: float
    text: str
    kinds: frozenset[str]


def spell_counts(layer: Layer, counts: Mapping[str, int], kernels: int) -> str:
    """`123 reduction shuffles, 5 conversions bf16 to f32`: a kernel's average, heaviest first.

    Args:
        layer: Whose opcodes these are.
        counts: Sensitive instructions of some kernels, summed.
        kernels: How many kernels.
    """
    values: Counter[Step] = Counter()
    heavy: Counter[Step] = Counter()
    for opcode, count in counts.items():
        one = step(layer, opcode)
        if one is not None and count:
            key = Step(one.words, one.kind)
            values[key] += count * one.values
            heavy[key] += round(weight(layer, opcode) * count)
    ranked = sorted(values, key=lambda key: (-heavy[key], key.words))
    words = [f"{spell_average(values[key], kernels)} {key.words}" for key in ranked[:_MOST]]
    if len(ranked) > _MOST:
        words.append(f"{len(ranked) - _MOST} more kinds")
    return ", ".join(words)


def spell_average(count: int, kernels: int) -> str:
    """An average with at most one decimal: `8`, `7.5`."""
    value = count / kernels if kernels else 0.0
    return f"{value:.1f}".removesuffix(".0")


def spell_moves(
    sides: Mapping[Layer, tuple[Mapping[str, int], Mapping[str, int]]], kernels: int
) -> str:
    """`multiply-adds newly contracted: fma.rn.f32 0 -> 64, add.f32 64 -> 0`, heaviest first.

    SASS speaks only of what PTX does not tell: where both moved in one kind, they say the same.

    Args:
        sides: Sensitive counts of the matched kernels before and after, summed, by layer.
        kernels: How many kernels were matched.
    """
    clauses: list[_Clause] = []
    told: set[str] = set()
    for layer in (Layer.PTX, Layer.SASS):
        if layer in sides:
            found = [one for one in _clauses(layer, *sides[layer], kernels) if not one.kinds & told]
            clauses += found
            told.update(*(one.kinds for one in found))
    clauses.sort(key=lambda one: (-one.heavy, one.text))
    words = [one.text for one in clauses[:_MOST]]
    if len(clauses) > _MOST:
        words.append(f"{len(clauses) - _MOST} more kinds moved")
    text = "; ".join(words)
    return f"{text}, on average over {kernels} kernels" if text and kernels > 1 else text


def _clauses(
    layer: Layer, before: Mapping[str, int], after: Mapping[str, int], kernels: int
) -> list[_Clause]:
    moved: dict[str, list[str]] = {}
    for opcode in sorted(before.keys() | after.keys()):
        one = step(layer, opcode)
        if one is not None and before.get(opcode, 0) != after.get(opcode, 0):
            moved.setdefault(one.words, []).append(opcode)
    found = _contraction(layer, moved, before, after, kernels)
    for words, opcodes in moved.items():
        old, new = _values(layer, words, before), _values(layer, words, after)
        kind = sensitive_kind(layer, opcodes[0]) or ""
        if old != new:
            text = f"{words} {spell_average(old, kernels)} -> {spell_average(new, kernels)}"
            heavy = WEIGHTS.get(kind, 0.0) * abs(new - old)
            found.append(_Clause(heavy, text, frozenset({_group(kind)})))
        elif kind == "matrix":
            text = f"{words}: {_series(opcodes, before, after, kernels)}"
            found.append(_Clause(WEIGHTS[kind], text, frozenset({kind})))
    return found


def _values(layer: Layer, words: str, counts: Mapping[str, int]) -> int:
    total = 0
    for opcode, count in counts.items():
        one = step(layer, opcode)
        if one is not None and one.words == words:
            total += count * one.values
    return total


def _group(kind: str) -> str:
    return "arithmetic" if kind in _ARITHMETIC else kind


def _contraction(
    layer: Layer,
    moved: dict[str, list[str]],
    before: Mapping[str, int],
    after: Mapping[str, int],
    kernels: int,
) -> list[_Clause]:
    """Multiplies and adds that turned into multiply-adds or back, judged by counts alone.

    Where multiplies alone made room no sum was contracted: ptxas also spells `x * y` as
    `x * y + -0`, to use another pipe. What it tells is taken out of `moved`.
    """
    found = []
    for words in [name for name in moved if name.endswith(" multiply-adds")]:
        kind = words.removesuffix(" multiply-adds")
        gained = _values(layer, words, after) - _values(layer, words, before)
        lost = {
            name: abs(change)
            for name in (f"{kind} adds", f"{kind} multiplies")
            if name in moved
            and gained * (change := _values(layer, name, after) - _values(layer, name, before)) < 0
        }
        adds = lost.get(f"{kind} adds", 0)
        contracted = 2 * min(abs(gained), adds) >= max(abs(gained), adds)
        if not contracted and 2 * min(abs(gained), max(lost.values(), default=0)) < abs(gained):
            continue
        opcodes = moved.pop(words) + [opcode for name in lost for opcode in moved.pop(name)]
        verb = "traded for multiplies"
        if contracted:
            verb = "newly contracted" if gained > 0 else "no longer contracted"
        text = f"{_noun(kind)} {verb}: {_series(opcodes, before, after, kernels)}"
        heavy = WEIGHTS["contraction" if contracted else "multiply"] * abs(gained)
        found.append(_Clause(heavy, text, frozenset({"arithmetic"})))
    return found


def _noun(kind: str) -> str:
    return "multiply-adds" if kind == "f32" else f"{kind} multiply-adds"


def _series(
    opcodes: list[str], before: Mapping[str, int], after: Mapping[str, int], kernels: int
) -> str:
    ranked = sorted(opcodes, key=lambda op: (-abs(after.get(op, 0) - before.get(op, 0)), op))
    # The multiply-add first, then what it is made of.
    ranked.sort(key=lambda op: not re.match(r"[A-Z]*FMA|fma|mad", op))
    shown = [
        f"{op} {spell_average(before.get(op, 0), kernels)} -> "
        f"{spell_average(after.get(op, 0), kernels)}"
        for op in ranked[:_OPCODES]
    ]
    return ", ".join(shown)
