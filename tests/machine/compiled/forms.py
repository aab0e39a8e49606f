"""Instruction forms by what they take, and kernels that run many of them on the same operands."""

from __future__ import annotations

from collections import defaultdict
from itertools import product
from typing import Any

import numpy as np

from sassay.machine import Program, load_program
from sassay.machine.errors import MissingForm
from sassay.machine.numeric import resolve
from sassay.machine.types import TYPES

BLOCK, GRID = 64, 8
COUNT = BLOCK * GRID
_INTEGERS = [f"{kind}{bits}" for kind in "us" for bits in (16, 32, 64)]
_PLAIN = ["b16", "b32", "b64"]
_FLOATS = ["f16", "bf16", "f32", "f64"]
_PAIRS = ["f16x2", "bf16x2", "f32x2"]
_COMPARE = ["eq", "ne", "lt", "le", "gt", "ge"]
_UNORDERED = ["equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan"]
_SMALL = ["e4m3x2", "e5m2x2"]


def _spelled(*parts: list[str]) -> list[str]:
    """Every combination of words; an empty word is left out."""
    return [".".join(word for word in words if word) for words in product(*parts)]


def _candidates() -> list[str]:
    modes = ["", "rn", "rz", "rm", "rp"]
    found = _spelled(["add", "sub", "mul"], modes[1:], ["", "ftz"], ["", "sat"], ["f32"])
    found += _spelled(["fma"], modes[1:], ["", "ftz"], ["", "sat"], ["f32"])
    found += _spelled(["add", "sub", "mul", "fma"], modes[1:], ["f64"])
    found += _spelled(["add", "sub", "mul"], ["", "rn"], ["", "ftz"], ["", "sat"], _FLOATS[:2])
    found += _spelled(["fma.rn"], ["", "ftz"], ["", "sat", "relu"], _FLOATS[:2])
    found += _spelled(["add.rn", "mul.rn", "fma.rn"], _PAIRS)
    found += _spelled(["div", "rcp", "sqrt"], modes[1:], ["", "ftz"], ["f32", "f64"])
    found += _spelled(["div.full", "div.approx"], ["", "ftz"], ["f32"])
    unit = ["rcp", "rsqrt", "sqrt", "ex2", "lg2", "sin", "cos", "tanh"]
    found += _spelled(unit, ["approx"], ["", "ftz"], ["f32", "f64"])
    found += _spelled(["ex2", "tanh"], ["approx"], ["", "ftz"], ["f16", "bf16", "f16x2", "bf16x2"])
    extra = ["", "NaN", "xorsign.abs", "NaN.xorsign.abs"]
    found += _spelled(["min", "max"], ["", "ftz"], extra, ["f16", "bf16", "f32", "f16x2", "bf16x2"])
    found += _spelled(["min", "max"], ["f64"])
    found += _spelled(["neg", "abs"], ["", "ftz"], [*_FLOATS, *_PAIRS[:2]])
    found += _spelled(["copysign"], ["f32", "f64"])
    properties = ["finite", "infinite", "number", "notanumber", "normal", "subnormal"]
    found += _spelled(["testp"], properties, ["f32", "f64"])
    return found + _integer_candidates() + _other_candidates()


def _integer_candidates() -> list[str]:
    found = _spelled(["add", "sub", "div", "rem", "min", "max", "sad"], _INTEGERS)
    found += _spelled(["add.sat", "sub.sat"], ["s32"])
    found += _spelled(["min.relu", "max.relu"], ["s32", "s16x2"])
    found += _spelled(["add", "sub", "min", "max"], ["s16x2", "u16x2"])
    found += _spelled(["add.cc", "addc", "sub.cc", "subc", "addc.cc", "subc.cc"], ["u32", "u64"])
    found += _spelled(["mul", "mad"], ["lo", "hi"], _INTEGERS)
    found += _spelled(["mul", "mad"], ["wide"], ["u16", "s16", "u32", "s32"])
    found += _spelled(["mul24", "mad24"], ["lo", "hi"], ["u32", "s32"])
    found += _spelled(["mad.hi.sat", "mad.lo.cc", "madc.lo", "madc.hi.cc"], ["s32", "u32"])
    found += _spelled(["abs", "neg"], ["s16", "s32", "s64"])
    found += _spelled(["dp4a"], ["u32", "s32"], ["u32", "s32"])
    found += _spelled(["dp2a"], ["lo", "hi"], ["u32", "s32"], ["u32", "s32"])
    found += _spelled(["and", "or", "xor", "not", "cnot"], _PLAIN)
    found += _spelled(["shl"], _PLAIN) + _spelled(["shr"], [*_PLAIN, *_INTEGERS])
    found += _spelled(["shf"], ["l", "r"], ["wrap", "clamp"], ["b32"])
    found += _spelled(["popc", "clz", "brev"], ["b32", "b64"])
    found += _spelled(["bfind"], ["", "shiftamt"], ["u32", "s32", "u64", "s64"])
    found += _spelled(["bfe"], ["u32", "s32", "u64", "s64"]) + _spelled(["bfi"], ["b32", "b64"])
    found += _spelled(["bmsk"], ["clamp", "wrap"], ["b32"])
    found += _spelled(["szext"], ["clamp", "wrap"], ["u32", "s32"])
    found += _spelled(["prmt"], ["b32"], ["", "f4e", "b4e", "rc8", "ecl", "ecr", "rc16"])
    return [*found, "lop3.b32"]


def _other_candidates() -> list[str]:
    found = _spelled(["setp"], _COMPARE, [*_INTEGERS, *_FLOATS])
    found += _spelled(["set"], _COMPARE, ["u32", "f32"], [*_INTEGERS, *_FLOATS])
    found += _spelled(["setp"], ["lo", "ls", "hi", "hs"], ["u16", "u32", "u64"])
    found += _spelled(["setp"], ["eq", "ne"], _PLAIN)
    found += _spelled(["setp"], _UNORDERED, ["", "ftz"], ["f16", "f32"])
    found += _spelled(["set"], _UNORDERED, ["", "ftz"], ["s32", "f32"], ["f32"])
    found += _spelled(["set"], ["lt"], ["and", "or", "xor"], ["u32"], ["s32"])
    found += _spelled(["setp"], ["lt"], ["and", "or", "xor"], ["u32", "f32"])
    found += _spelled(["selp"], _PLAIN) + _spelled(["slct"], ["b32", "u64"], ["s32", "f32"])
    wide, whole = ["u8", "s8", *_INTEGERS], ["rni", "rzi", "rmi", "rpi"]
    found += _spelled(["cvt"], ["", "sat"], wide, wide)
    found += _spelled(["cvt"], whole, ["", "ftz"], wide, _FLOATS)
    found += _spelled(["cvt"], ["rn", "rz", "rm", "rp"], _FLOATS, wide)
    found += _spelled(["cvt"], ["", "rn", "rz", "rm", "rp"], _FLOATS, _FLOATS)
    found += _spelled(["cvt"], whole, ["", "ftz"], ["", "sat"], ["f32"], ["f32"])
    found += _spelled(["cvt.sat", "cvt.rn.relu", "cvt.rn.ftz"], ["f16", "bf16", "f32"], ["f32"])
    found += _spelled(["cvt"], ["rn", "rz", "rna"], ["", "satfinite"], ["tf32"], ["f32"])
    found += _spelled(["cvt"], ["rn", "rz"], ["", "relu", "satfinite"], _PAIRS[:2], ["f32"])
    found += _spelled(["cvt.rn.satfinite"], ["", "relu"], _SMALL, ["f32"])
    found += _spelled(["cvt.rn"], ["", "relu"], ["f16x2"], _SMALL)
    found += _spelled(["cvt.rn.satfinite"], _SMALL, ["f16x2"])
    found += _spelled(["cvt.pack.sat"], ["u16", "s16"], ["s32"])
    found += _spelled(["cvt.pack.sat"], ["u8", "s8"], ["s32"], ["b32"])
    return found


def known_forms() -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Every candidate that the interpreter computes: types of its sources and of its results."""
    found = {}
    for form in dict.fromkeys(_candidates()):
        try:
            kernel = resolve(form, 1)
        except (MissingForm, ValueError):
            continue
        found[form] = (kernel.sources, kernel.results[:1])
    return found


_LETTER = {1: "p", 8: "s", 16: "s", 32: "r", 64: "d"}


def _register(kind: str, number: int) -> str:
    return f"%{_LETTER[TYPES[kind].bits]}{number}"


def kernel_of(sources: tuple[str, ...], forms: dict[str, tuple[str, ...]]) -> Program:
    """A kernel that loads the sources of each thread and runs many forms on them."""
    lines = [
        "mov.u32 %r60, %ctaid.x;",
        "mov.u32 %r61, %tid.x;",
        f"mad.lo.s32 %r62, %r60, {BLOCK}, %r61;",
    ]
    params = []
    operands = []
    for at, kind in enumerate(sources):
        bits = max(TYPES[kind].bits, 8)
        params.append(f".param .u64 p{at}")
        lines.append(f"ld.param.u64 %d60, [p{at}];")
        lines.append(f"mad.wide.u32 %d60, %r62, {bits // 8}, %d60;")
        held = f"%{_LETTER[bits]}{40 + at}"
        lines.append(f"ld.global.b{bits} {held}, [%d60];")
        if kind == "pred":
            lines += [f"and.b16 {held}, {held}, 1;", f"setp.ne.b16 %p{40 + at}, {held}, 0;"]
        operands.append(_register(kind, 40 + at))
    for number, (form, results) in enumerate(forms.items()):
        at = len(sources) + number
        (kind,) = results
        given = list(operands)
        if form.startswith("lop3"):
            given[-1] = "0xd8"
        bits = max(TYPES[kind].bits, 16)
        target = _register(kind, 50)
        params.append(f".param .u64 p{at}")
        lines += [f"{form} {target}, {', '.join(given)};", f"ld.param.u64 %d60, [p{at}];"]
        if kind == "pred":
            lines.append("selp.b16 %s50, 1, 0, %p50;")
        lines.append(f"mad.wide.u32 %d60, %r62, {bits // 8}, %d60;")
        lines.append(f"st.global.b{bits} [%d60], %{_LETTER[bits]}50;")
    body = "\n".join(lines)
    text = f""".version 8.7
.target sm_90a
.address_size 64
.visible .entry k({", ".join(params)})
{{
.reg .pred %p<64>; .reg .b16 %s<64>; .reg .b32 %r<64>; .reg .b64 %d<64>;
{body}
ret;
}}
"""
    return load_program(text)


def result_arrays(forms: dict[str, tuple[str, ...]]) -> list[np.ndarray[Any, np.dtype[Any]]]:
    """Room for the result of each form."""
    return [np.zeros(COUNT, f"u{max(TYPES[kind].bits, 16) // 8}") for (kind,) in forms.values()]


def groups() -> dict[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Forms by the types of their sources."""
    found: dict[tuple[str, ...], dict[str, tuple[str, ...]]] = defaultdict(dict)
    for form, (sources, results) in known_forms().items():
        found[sources][form] = results
    return found


_BORDERS = {
    8: [0, 1, 0x7E, 0x7F, 0x80, 0x81, 0xFE, 0xFF],
    16: [0, 1, 2, 0x3FF, 0x400, 0x401, 0x3BFF, 0x3C00, 0x3C01, 0x7BFF, 0x7C00, 0x7C01, 0x7E00,
         0x7F, 0x80, 0x3F80, 0x3F7F, 0x7F7F, 0x7F80, 0x7F81, 0x7FC0, 0x7FFF],
    32: [0, 1, 2, 8, 31, 32, 33, 64, 0x7FFFFF, 0x800000, 0x800001, 0x3F7FFFFF, 0x3F800000,
         0x3F800001, 0x3F808000, 0x3F818000, 0x7F7FFFFF, 0x7F800000, 0x7F800001, 0x7FC00000,
         0x7FFFFFFF, 0x42FC0000, 0x42FE0000, 0x43000000, 0x477FE000, 0x477FF000, 0x4F000000,
         0x4EFFFFFF, 0x4F800000, 0x5F000000, 0x5F800000, 0x7E800000, 0x33000000, 0x38800000],
    64: [0, 1, 2, 33, 64, 0xFFFFF_FFFFFFFF, 1 << 52, 0x3FF << 52, (0x3FF << 52) + 1,
         (0x3FF << 52) | 1 << 28, (0x3FF << 52) | (1 << 28) + 1, 0x7FEFFFFF_FFFFFFFF,
         0x7FF << 52, 0x7FF00000_00000001, 0x7FF80000_00000000, 0x7FFFFFFF_FFFFFFFF,
         0x41DFFFFF_FFC00000, 0x41E00000_00000000, 0x43E00000_00000000, 0x43F00000_00000000,
         0x47EFFFFF_E0000000, 0x47EFFFFF_F0000000, 0x36900000_00000000, 0x3E600000_00000001],
}  # fmt: skip


def operands(kind: str, seed: int) -> np.ndarray[Any, np.dtype[Any]]:
    """Words of a type: borders of every format of that width, any bits, and numbers near one."""
    bits = max(TYPES[kind].bits, 8)
    random = np.random.default_rng(seed)
    dtype = np.dtype(f"u{bits // 8}")
    borders = np.array(_BORDERS[bits], np.uint64)
    borders = np.concatenate([borders, borders | np.uint64(1 << bits - 1)])
    any_ = random.integers(0, 1 << 64, COUNT, np.uint64, endpoint=False)
    single = random.standard_normal(COUNT).astype(np.float32).view(np.uint32).astype(np.uint64)
    near = {
        8: any_,
        16: np.where(any_ & np.uint64(1), single >> np.uint64(16), single >> np.uint64(8)),
        32: single,
        64: random.standard_normal(COUNT).view(np.uint64),
    }[bits]
    small = any_ & np.uint64(63)
    chosen = random.integers(0, 4, COUNT)
    picked = random.choice(borders, COUNT)
    words = np.select([chosen == 0, chosen == 1, chosen == 2], [picked, any_, near], small)
    words[: len(borders)] = borders
    return words.astype(dtype)
