"""Precision-sensitive instructions of kernels: counts, weights, and how much of them moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.diff.steps import step
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
    """How much of the weighted sensitive instructions moved, 0 to 1.

    Conversions count by the values that they convert, so that packing two of them into one
    instruction moves nothing.
    """
    old, new = _steps(layer, before), _steps(layer, after)
    moved = whole = 0.0
    for key in old.keys() | new.keys():
        one, other = old.get(key, 0), new.get(key, 0)
        factor = WEIGHTS[key[0]]
        moved += factor * abs(other - one)
        whole += factor * max(one, other)
    # Weights and counts are whole: their sums are exact, so that the order of a set cannot show.
    return moved / whole if whole else 0.0


def _steps(layer: Layer, counts: Mapping[str, int]) -> dict[tuple[str, str], int]:
    out: dict[tuple[str, str], int] = {}
    for opcode, count in counts.items():
        one = step(layer, opcode)
        if one is None:
            continue
        converts = one.kind == "conversion"
        key = (one.kind, one.words if converts else opcode)
        out[key] = out.get(key, 0) + count * (one.values if converts else 1)
    return out


def structure(layer: Layer, counts: Mapping[str, int]) -> float:
    """How much numerical structure a kernel carries: 1 converts and reduces, 0 does neither."""
    kinds = {sensitive_kind(layer, opcode) for opcode, count in counts.items() if count}
    if {"conversion", "reduction"} <= kinds:
        return 1.0
    if kinds & {"conversion", "reduction"}:
        return 0.6
    return 0.3 if kinds - {None} else 0.0
