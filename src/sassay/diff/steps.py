"""What one precision-sensitive instruction does to numbers, whichever layer spells it how.

PTX's `cvt.rn.bf16.f32` and SASS's `F2FP.BF16.F32.PACK_AB` are one step, a rounding from f32 to
bf16, of one value and of two (PTX ISA, "cvt"; the SASS spelling as nvdisasm prints it).
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from sassay.isa.sensitivity import sensitive_kind
from sassay.model.layers import Layer

# A type as both layers spell it, with what packs several values into one instruction.
_TYPE = re.compile(r"^(?:BF16(?:_V2)?|U?E\dM\d|[BFUS]\d+|TF32|[A-Z]+\d+)(?:X\d+)?$", re.IGNORECASE)
_PACKED = re.compile(r"(?:_V|x)(\d+)$", re.IGNORECASE)
_WIDTH = re.compile(r"\d+")
_MODES = {
    "rz": " toward zero", "rm": " downward", "rp": " upward", "rna": " away from zero",
    "rs": " at random",
}  # fmt: skip
_HALVES = frozenset({"HFMA2", "HMUL2", "HADD2", "HFMA2_32I", "HMUL2_32I", "HADD2_32I"})


class Step(msgspec.Struct, frozen=True, order=True):
    """What one instruction does to numbers.

    Attributes:
        words: `roundings f32 to bf16`, `multiply-adds f32`.
        kind: As `isa.sensitivity` names it.
        values: Values that one instruction converts.
    """

    words: str
    kind: str
    values: int = 1


@lru_cache(maxsize=65_536)
def step(layer: Layer, opcode: str) -> Step | None:
    """What an instruction does to numbers; None where it is not precision-sensitive."""
    kind = sensitive_kind(layer, opcode)
    if kind is None:
        return None
    head, *words = opcode.split(".")
    head = head.removeprefix("U") if layer is Layer.SASS else head
    types = [word for word in words if _TYPE.match(word)]
    if kind == "conversion":
        return _conversion(layer, head, words, types)
    if kind == "approximation":
        name = words[0].lower() if head == "MUFU" and words else head
        return Step(f"approximate {name}", kind)
    if kind == "matrix":
        return Step(f"tensor-core {_matrix(layer, head, words)}", kind)
    if kind == "reduction":
        if head.lower() != "shfl":
            return Step("floating-point reductions", kind)
        butterfly = {word.lower() for word in words} & {"bfly", "down"}
        return Step("reduction shuffles" if butterfly else "shuffles", kind)
    noun = {"contraction": "multiply-adds", "multiply": "multiplies", "add": "adds"}[kind]
    if head in {"HFMA2", "HFMA2_32I"} and not types:
        return Step("HFMA2 (which also loads constants)", kind)
    return Step(f"{_type_of(head, types)} {noun}", kind)


def _matrix(layer: Layer, head: str, words: list[str]) -> str:
    if layer is Layer.SASS:
        return head
    return f"{head}.{words[0]}" if words else head


def _type_of(head: str, types: list[str]) -> str:
    if head in _HALVES:
        return "bf16x2" if any(word.upper().startswith("BF16") for word in types) else "f16x2"
    if head[:1] in {"F", "D", "Q"}:
        return "f64" if head.startswith("D") else "f32"
    return types[-1].lower() if types else "f32"


def _conversion(layer: Layer, head: str, words: list[str], types: list[str]) -> Step:
    values = 1
    for word in types:
        if packed := _PACKED.search(word):
            values = int(packed[1])
    if head == "HADD2":
        return Step("conversions f16 to f32", "conversion")
    if layer is Layer.SASS and any(word.startswith("PACK_AB") for word in words):
        values = 2
        # Before sm_90 the source is left out: `F2FP.BF16.PACK_AB` rounds f32 as well.
        types = types if len(types) > 1 else [*types, "F32"]
    if head in {"F2I", "I2F", "I2FP", "F2IP", "FRND"} or len(types) < 2:
        noun = "roundings to integer" if head in {"F2I", "FRND", "F2IP"} else "conversions"
        return Step(noun, "conversion", values)
    after, before = (_PACKED.sub("", word.lower()) for word in types[-2:])
    narrower = _bits(after) < _bits(before) and after[0] not in "us"
    noun = "roundings" if narrower else "conversions"
    mode = next((_MODES[word.lower()] for word in words if word.lower() in _MODES), "")
    return Step(f"{noun} {before} to {after}{mode}", "conversion", values)


def _bits(name: str) -> int:
    if name.startswith(("e", "ue")):
        return 8
    found = _WIDTH.search(name)
    return 19 if name == "tf32" else int(found[0]) if found else 32
