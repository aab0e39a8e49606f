"""Instructions whose number or order changes the bits of a floating-point result.

The kinds are those of `model.change.SensitiveMove`. An instruction that rounds the same way
wherever it stands and takes part in no accumulation (comparison, selection, minimum, correctly
rounded division) has none.
"""

from __future__ import annotations

from functools import lru_cache

from sassay.isa.categories import modifiers
from sassay.model.layers import Layer

KINDS: tuple[str, ...] = (
    "conversion",
    "approximation",
    "contraction",
    "multiply",
    "add",
    "reduction",
    "matrix",
)
"""Every kind, in the order in which reports list them."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PTX_FLOATS = _words(
    "f16 f16x2 bf16 bf16x2 f32 f32x2 f64 tf32 e4m3 e5m2 e4m3x2 e5m2x2 e4m3x4 e5m2x4 e2m1x2 e2m1x4 "
    "e2m3x2 e2m3x4 e3m2x2 e3m2x4 ue8m0x2 ue8m0 e2m1 e2m3 e3m2"
)
_SASS_FLOATS = _words("F16 F16x2 F16X2 F16x4 BF16 BF16x2 BF16_V2 BF F32 F32x2 F64")

_PTX_APPROXIMATIONS = _words("ex2 lg2 sin cos tanh rsqrt")
_PTX_KINDS = {
    "cvt": "conversion",
    "fma": "contraction",
    "mad": "contraction",
    "mul": "multiply",
    "add": "add",
    "sub": "add",
}
"""First word of an opcode that is sensitive when it works on floating-point values."""

_SASS_KINDS = {
    **dict.fromkeys(_words("F2F F2I I2F F2FP I2FP F2IP FRND"), "conversion"),
    "MUFU": "approximation",
    **dict.fromkeys(_words("FFMA FFMA2 FFMA32I HFMA2 HFMA2_32I DFMA FHFMA"), "contraction"),
    **dict.fromkeys(_words("FMUL FMUL2 FMUL32I HMUL2 HMUL2_32I DMUL"), "multiply"),
    **dict.fromkeys(_words("FADD FADD2 FADD32I FHADD FSWZADD HADD2 HADD2_32I DADD"), "add"),
    "SHFL": "reduction",
}
_SASS_MEMORY_REDUCTIONS = _words("ATOM ATOMG ATOMS RED REDG REDAS REDGMC LDGMC REDGR BLKRED")


@lru_cache(maxsize=65_536)
def sensitive_kind(layer: Layer, opcode: str) -> str | None:
    """Why an instruction is precision-sensitive.

    Args:
        layer: PTX or SASS.
        opcode: The whole dotted spelling, predicate left out.

    Returns:
        One of `KINDS`: `conversion` (changes precision or rounds to another type),
        `approximation` (result not correctly rounded), `contraction` (fused multiply-add),
        `multiply` and `add` (what an uncontracted multiply-add becomes), `reduction` (shuffles,
        floating-point reductions across threads or into memory), `matrix`; None for the rest.
    """
    return _ptx_kind(opcode) if layer is Layer.PTX else _sass_kind(opcode)


def _ptx_kind(opcode: str) -> str | None:
    head = opcode.partition(".")[0]
    words = modifiers(opcode)
    if opcode.startswith(("mma.", "wmma.mma", "wgmma.mma_async", "tcgen05.mma")):
        return "matrix"
    if head == "shfl":
        return "reduction"
    if head in _PTX_APPROXIMATIONS or words & {"approx", "full"}:
        return "approximation"
    if not words & _PTX_FLOATS:
        return None
    if head == "redux" or ("add" in words and _is_reduction(head, words)):
        return "reduction"
    return _PTX_KINDS.get(head)


def _is_reduction(head: str, words: frozenset[str]) -> bool:
    # Only a sum depends on the order of its terms; an exchange or a maximum does not.
    return head in {"atom", "red"} or bool(words & {"reduce", "red", "ld_reduce"})


def _sass_kind(opcode: str) -> str | None:
    head = opcode.partition(".")[0]
    if head.endswith("MMA"):
        return "matrix"
    words = modifiers(opcode)
    if head == "HADD2" and "F32" in words:
        return "conversion"
    # The uniform datapath spells the same instruction with a leading U.
    for name in (head, head[1:]) if head.startswith("U") else (head,):
        if name in _SASS_KINDS:
            return _SASS_KINDS[name]
        if words & _SASS_FLOATS and (
            name in {"REDUX", "CREDUX"} or (name in _SASS_MEMORY_REDUCTIONS and "ADD" in words)
        ):
            return "reduction"
    return None
