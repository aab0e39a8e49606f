"""Precision-sensitive instructions of kernels: counts, weights, and words for what moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.isa.sensitivity import sensitive_kind
from sassay.model.layers import Layer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sassay.model.kernel import Census, Kernel

WEIGHTS: Mapping[str, float] = {
    "reduction": 4.0,
    "conversion": 3.0,
    "contraction": 3.0,
    "approximation": 3.0,
    "matrix": 2.0,
    "add": 1.0,
    "multiply": 1.0,
}
"""How much one instruction of a kind weighs: what regroups or rounds a sum weighs most."""

_LISTED = 4
_MULTIPLY_ADDS: Mapping[Layer, tuple[tuple[str, str], ...]] = {
    Layer.SASS: (("FFMA", "FMUL"), ("HFMA2", "HMUL2"), ("DFMA", "DMUL"), ("FFMA2", "FMUL2")),
    Layer.PTX: tuple(
        (f"fma.rn{flush}.{kind}", f"mul{rounding}{flush}.{kind}")
        for kind in ("f32", "f64", "f16", "bf16", "f16x2", "bf16x2")
        for flush in ("", ".ftz")
        for rounding in ("", ".rn")
    ),
}


def sensitive(layer: Layer, census: Census | None) -> dict[str, int] | None:
    """The precision-sensitive part of a census; None where the layer is unknown."""
    if census is None:
        return None
    return {op: count for op, count in census.items() if sensitive_kind(layer, op)}


def weight(layer: Layer, opcode: str) -> float:
    """The weight of one instruction; 0 where it is not precision-sensitive."""
    return WEIGHTS.get(sensitive_kind(layer, opcode) or "", 0.0)


def known_layer(kernels: Sequence[Kernel]) -> Layer | None:
    """The layer to speak in: PTX where all kernels have it, since its opcodes name the types."""
    for layer in (Layer.PTX, Layer.SASS):
        if kernels and all(kernel.instructions.of(layer) is not None for kernel in kernels):
            return layer
    return None


def total(kernels: Sequence[Kernel], layer: Layer) -> dict[str, int]:
    """Sensitive instructions of several kernels together."""
    out: dict[str, int] = {}
    for kernel in kernels:
        for opcode, count in (sensitive(layer, kernel.instructions.of(layer)) or {}).items():
            out[opcode] = out.get(opcode, 0) + count
    return out


def movement(layer: Layer, before: Mapping[str, int], after: Mapping[str, int]) -> float:
    """How much of the weighted sensitive instructions moved, 0 to 1."""
    moved = whole = 0.0
    for opcode in before.keys() | after.keys():
        old, new = before.get(opcode, 0), after.get(opcode, 0)
        factor = weight(layer, opcode)
        moved += factor * abs(new - old)
        whole += factor * max(old, new)
    # Weights and counts are whole: their sums are exact, so that the order of a set cannot show.
    return moved / whole if whole else 0.0


def structure(layer: Layer, counts: Mapping[str, int]) -> float:
    """How much numerical structure a kernel carries: 1 converts and reduces, 0 does neither."""
    kinds = {sensitive_kind(layer, opcode) for opcode, count in counts.items() if count}
    if {"conversion", "reduction"} <= kinds:
        return 1.0
    if kinds & {"conversion", "reduction"}:
        return 0.6
    return 0.3 if kinds - {None} else 0.0


def spell_counts(layer: Layer, counts: Mapping[str, int], kernels: int) -> str:
    """`64 shfl.sync.bfly.b32, 12 cvt.rn.bf16.f32`: the heaviest opcodes, a kernel's average."""
    heaviest = sorted(
        (op for op, count in counts.items() if count and weight(layer, op)),
        key=lambda op: (-weight(layer, op) * counts[op], op),
    )
    return ", ".join(f"{spell_average(counts[op], kernels)} {op}" for op in heaviest[:_LISTED])


def spell_average(count: int, kernels: int) -> str:
    """An average with at most one decimal: `8`, `7.5`."""
    value = count / kernels if kernels else 0.0
    return f"{value:.1f}".removesuffix(".0")


def spell_moves(
    layer: Layer, before: Mapping[str, int], after: Mapping[str, int], kernels: int
) -> str:
    """`cvt.rn.bf16.f32 8 -> 6 a kernel; FFMA +12, FMUL -12: ...`, heaviest movement first.

    Args:
        layer: Whose opcodes these are.
        before: Sensitive counts of the matched kernels, summed.
        after: The same after.
        kernels: How many kernels were matched.
    """
    deltas = {op: after.get(op, 0) - before.get(op, 0) for op in before.keys() | after.keys()}
    moved = sorted(
        (op for op, delta in deltas.items() if delta and weight(layer, op)),
        key=lambda op: (-weight(layer, op) * abs(deltas[op]), op),
    )
    contracted = _contraction(layer, deltas)
    shown = [op for op in moved if op not in contracted[0]][:_LISTED]
    words = []
    if shown:
        listed = ", ".join(
            f"{op} {spell_average(before.get(op, 0), kernels)} -> "
            f"{spell_average(after.get(op, 0), kernels)}"
            for op in shown
        )
        words.append(f"{listed} a kernel")
    if contracted[1]:
        words.append(contracted[1])
    rest = len(moved) - len(shown) - len(contracted[0])
    if rest > 0:
        words.append(f"{rest} more opcodes moved")
    return "; ".join(words)


def _contraction(layer: Layer, deltas: Mapping[str, int]) -> tuple[frozenset[str], str]:
    """Whether multiplies turned into multiply-adds or back, judged by their counts alone."""
    for fused, multiply in _MULTIPLY_ADDS[layer]:
        gained, lost = deltas.get(fused, 0), deltas.get(multiply, 0)
        if gained * lost >= 0 or 2 * min(abs(gained), abs(lost)) < max(abs(gained), abs(lost)):
            continue
        verdict = "newly contracted" if gained > 0 else "no longer contracted"
        text = f"{fused} {gained:+d}, {multiply} {lost:+d}: consistent with multiply-adds {verdict}"
        return frozenset({fused, multiply}), text
    return frozenset(), ""
