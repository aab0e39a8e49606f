"""What a floating-point instruction can be in a contraction: a product, a sum, or a fused one.

Source: "Parallel Thread Execution ISA", sections "add", "mul", "fma" and "div": "An add, sub or mul
instruction with no rounding modifier defaults to round-to-nearest-even and may be optimized
aggressively by the code optimizer. In particular, mul/add and mul/sub sequences with no rounding
modifiers may be optimized to use fused-multiply-add instructions on the target device."
"""

from __future__ import annotations

import re
from enum import IntFlag
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Role(IntFlag):
    """What an instruction may give to a contraction.

    `PRODUCT` and `SUM` may be contracted. `FUSED` is a fused multiply-add as written, `SEQUENCE` an
    instruction that is made of some, `PINNED` a product or sum with a rounding modifier.
    """

    NONE = 0
    PRODUCT = 1
    SUM = 2
    FUSED = 4
    SEQUENCE = 8
    PINNED = 16


FLUSHED = "f32.ftz"
KINDS: tuple[str, ...] = ("f32", FLUSHED, "f16", "bf16", "f64")
"""Arithmetic that has instructions of its own; packed forms count as their element."""

_TYPE = re.compile(r"\.(f32|f16|bf16|f64)(?:x2)?(?![\w])")
_ROUNDED = re.compile(r"\.r[nzmp](?![\w])")

# Sequences of instructions. Those of correctly rounded division, roots and reciprocals hold
# multiply-adds whatever the compiler is told; an approximate division or root ends in a product,
# which ptxas may fuse.
_SEQUENCES = frozenset({"div", "sqrt", "rcp", "rsqrt"})
_ENDS_IN_PRODUCT = frozenset({"div", "sqrt"})


@lru_cache(maxsize=8192)
def ptx_role(opcode: str) -> tuple[str, int]:
    """The kind of arithmetic of a PTX instruction, and its role; `("", NONE)` for all others.

    The role is a plain number: flags are slow where every instruction has one.
    """
    kind, role = _ptx_role(opcode)
    return kind, int(role)


def _ptx_role(opcode: str) -> tuple[str, Role]:
    head = opcode.partition(".")[0]
    found = _TYPE.search(opcode)
    if found is None:
        return "", Role.NONE
    # What flushes subnormals is never fused with what does not.
    kind = FLUSHED if found[1] == "f32" and ".ftz" in opcode else found[1]
    rounded = _ROUNDED.search(opcode) is not None
    if head in {"fma", "mad"}:
        return kind, Role.FUSED
    if head in {"add", "sub"}:
        return kind, Role.PINNED if rounded else Role.SUM
    if head == "mul":
        return kind, Role.PINNED if rounded else Role.PRODUCT
    if head in _SEQUENCES:
        if rounded or kind == "f64":
            return kind, Role.SEQUENCE
        return kind, Role.PRODUCT if head in _ENDS_IN_PRODUCT else Role.NONE
    return kind, Role.NONE


_SASS_FUSED = {
    "FFMA": "f32",
    "FFMA2": "f32",
    "FFMA32I": "f32",
    "FHFMA": "f32",
    "HFMA2": "f16",
    "HFMA2_32I": "f16",
    "DFMA": "f64",
}


@lru_cache(maxsize=8192)
def sass_kind(opcode: str) -> str:
    """The kind of a fused multiply-add of SASS; empty for every other instruction.

    One that rounds to another side than the nearest value is a step of a sequence, never a
    contraction, and has none.
    """
    head, *rest = opcode.split(".")
    kind = _SASS_FUSED.get(head, "")
    if not kind or _DIRECTED.intersection(rest):
        return ""
    if kind == "f32" and "FTZ" in rest:
        return FLUSHED
    return "bf16" if kind == "f16" and "BF16" in "".join(rest) else kind


_SASS_PARTS = {
    **dict.fromkeys(("FMUL", "FMUL2", "FMUL32I", "HMUL2", "DMUL"), Role.PRODUCT),
    **dict.fromkeys(("FADD", "FADD2", "FADD32I", "HADD2", "DADD"), Role.SUM),
    **dict.fromkeys(_SASS_FUSED, Role.FUSED),
}


def sass_part(opcode: str) -> int:
    """The role of a product, sum or multiply-add of SASS as a number; 0 of everything else."""
    return int(_SASS_PARTS.get(opcode.partition(".")[0], Role.NONE))


_DIRECTED = frozenset({"RM", "RP", "RZ"})
_RZ = np.uint64(255)
_BYTE = np.uint64(255)
_ONES = {
    "f32": (0x3F800000,),
    FLUSHED: (0x3F800000,),
    "f16": (0x3C003C00,),
    "bf16": (0x3F803F80,),
    "f64": (0x3FF00000,),
}
ZEROS = (0, 0x80000000, 0x80008000)
"""Zeros as an immediate spells them, and below every spelling of one."""
FACTOR_ONES = frozenset(one for ones in _ONES.values() for one in ones)


def multiplies_and_adds(words: NDArray[np.uint64], kind: str) -> NDArray[np.bool_]:
    """Which fused multiply-adds both multiply and add.

    ptxas also spells with them a constant (`HFMA2.MMA R1, -RZ, RZ, 1.5, 0`), a product
    (`HFMA2.BF16 R1, R2, R3, -RZ`) and a sum (`HFMA2.BF16 R1, R2, 1, 1, R3`): those round once
    either way. Operands by form, the lowest three bits of the second byte and up: register,
    register, register (1); immediate addend (2); constant addend (3); immediate factor (4);
    constant factor (5); uniform factor (6); uniform addend (7). An immediate takes the upper half
    of the first word, and the register that it displaces moves to the lowest byte of the second.

    Args:
        words: 128-bit instructions of one kind, two words each.
        kind: A name of `KINDS`.
    """
    low, high = words[:, 0], words[:, 1]
    form = (low >> np.uint64(9)) & np.uint64(7)
    first = (low >> np.uint64(24)) & _BYTE
    second = (low >> np.uint64(32)) & _BYTE
    third = high & _BYTE
    value = low >> np.uint64(32)
    moved_addend = np.isin(form, (2, 3, 7))
    factor_zero = (first == _RZ) | ((form == 1) & (second == _RZ)) | (moved_addend & (third == _RZ))
    addend_zero = ~moved_addend & (third == _RZ)
    addend_zero |= (form == 2) & np.isin(value, ZEROS)
    factor_one = (form == 4) & np.isin(value, _ONES[kind])
    trivial: NDArray[np.bool_] = factor_zero | addend_zero | factor_one
    return ~trivial
