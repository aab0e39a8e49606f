"""Instructions whose number or order changes the bits of a floating-point result.

The kinds are those of `model.change.SensitiveMove`. An instruction that rounds the same way
wherever it stands and takes part in no accumulation (comparison, selection, minimum, correctly
rounded division) has none.
"""

from __future__ import annotations

import re
from functools import lru_cache

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


_PTX_FLOAT = re.compile(r"[.:](?:b?f16|f32|f64|tf32|u?e\dm\d)(?:x\d+)?(?![^.:])")
_SASS_FLOAT = re.compile(r"\.(?:B?F16|F32|F64|U?E\dM\d)(?:x\d+|_V2)?(?![^.])")

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
    **dict.fromkeys(_words("FFMA FFMA2 FFMA32I HFMA2 HFMA2_32I DFMA FHFMA QFMA4"), "contraction"),
    **dict.fromkeys(_words("FMUL FMUL2 FMUL32I HMUL2 HMUL2_32I DMUL QMUL4"), "multiply"),
    **dict.fromkeys(_words("FADD FADD2 FADD32I FHADD FSWZADD HADD2 HADD2_32I DADD QADD4"), "add"),
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
    return _ptx_kind(opcode) if layer == Layer.PTX else _sass_kind(opcode)


def _ptx_kind(opcode: str) -> str | None:
    head = opcode.partition(".")[0]
    words = frozenset(opcode.split("."))
    if opcode.startswith(("mma.", "wmma.mma", "wgmma.mma_async", "tcgen05.mma")):
        return "matrix"
    if head == "shfl":
        return "reduction"
    if head in _PTX_APPROXIMATIONS or words & {"approx", "full"}:
        return "approximation"
    if not _PTX_FLOAT.search(opcode):
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
    words = frozenset(opcode.split("."))
    if head == "HADD2" and "F32" in words:
        return "conversion"
    # The uniform datapath spells the same instruction with a leading U.
    for name in (head, head[1:]) if head.startswith("U") else (head,):
        if name in _SASS_KINDS:
            return _SASS_KINDS[name]
        if _SASS_FLOAT.search(opcode) and (
            name in {"REDUX", "CREDUX"} or (name in _SASS_MEMORY_REDUCTIONS and "ADD" in words)
        ):
            return "reduction"
    return None
