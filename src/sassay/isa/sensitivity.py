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

_PTX_FLOATS = frozenset(
    "f16 f16x2 bf16 bf16x2 f32 f32x2 f64 tf32 e4m3 e5m2 e4m3x2 e5m2x2 e4m3x4 e5m2x4 e2m1x2 e2m1x4 "
    "e2m3x2 e2m3x4 e3m2x2 e3m2x4 ue8m0x2 ue8m0 e2m1 e2m3 e3m2".split()
)
_SASS_FLOATS = frozenset("F16 F16x2 F16X2 F16x4 BF16 BF16x2 BF16_V2 BF F32 F32x2 F64 MMA".split())

_PTX_KINDS = {
    "cvt": "conversion",
    "fma": "contraction",
    "mad": "contraction",
    "mul": "multiply",
    "add": "add",
    "sub": "add",
    "redux": "reduction",
    "atom": "reduction",
    "red": "reduction",
    "multimem": "reduction",
    "cp": "reduction",
}
"""First word of an opcode that is sensitive when it works on floating-point values."""

_SASS_KINDS = {
    **dict.fromkeys("F2F F2I I2F F2FP I2FP F2IP FRND".split(), "conversion"),
    "MUFU": "approximation",
    **dict.fromkeys("FFMA FFMA2 FFMA32I HFMA2 HFMA2_32I DFMA FHFMA".split(), "contraction"),
    **dict.fromkeys("FMUL FMUL2 FMUL32I HMUL2 HMUL2_32I DMUL".split(), "multiply"),
    **dict.fromkeys("FADD FADD2 FADD32I FHADD FSWZADD HADD2 HADD2_32I DADD".split(), "add"),
    "SHFL": "reduction",
}
_SASS_FLOAT_KINDS = dict.fromkeys(
    "REDUX CREDUX ATOM ATOMG ATOMS RED REDG REDAS REDGMC LDGMC UREDGR UBLKRED UTMAREDG".split(),
    "reduction",
)


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
    if head in {"ex2", "lg2", "sin", "cos", "tanh", "rsqrt"} or words & {"approx", "full"}:
        return "approximation"
    if not words & _PTX_FLOATS:
        return None
    if head in {"cp", "multimem"} and not words & {"add", "reduce", "ld_reduce", "red"}:
        return None
    return _PTX_KINDS.get(head)


def _sass_kind(opcode: str) -> str | None:
    head = opcode.partition(".")[0]
    if head.endswith("MMA"):
        return "matrix"
    words = modifiers(opcode)
    if head == "HADD2" and "F32" in words:
        return "conversion"
    for name in (head, head[1:]) if head.startswith("U") else (head,):
        if name in _SASS_KINDS:
            return _SASS_KINDS[name]
        if name in _SASS_FLOAT_KINDS and words & _SASS_FLOATS:
            return _SASS_FLOAT_KINDS[name]
    return None
