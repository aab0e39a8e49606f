"""From an opcode to the kernel that computes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.machine.numeric import bits, compare, convert, floats, integers, video
from sassay.machine.numeric.kernel import Kernel, Modifiers
from sassay.machine.types import TYPES

if TYPE_CHECKING:
    from collections.abc import Callable

_BITS: dict[str, Callable[[Modifiers], Kernel]] = {
    "and": bits.logic,
    "or": bits.logic,
    "xor": bits.logic,
    "not": bits.logic,
    "cnot": bits.logic,
    "lop3": bits.lop3,
    "shl": bits.shift,
    "shr": bits.shift,
    "shf": bits.funnel,
    "popc": bits.counting,
    "clz": bits.counting,
    "brev": bits.counting,
    "bfind": bits.find,
    "fns": bits.find_nth,
    "bfe": bits.extract,
    "bfi": bits.insert,
    "bmsk": bits.mask,
    "szext": bits.sign_extend,
    "prmt": bits.permute,
    "dp4a": integers.dot,
    "dp2a": integers.dot,
    "cvt": convert.convert,
    "set": compare.set_value,
    "selp": compare.select,
    "slct": compare.select_by_sign,
    **dict.fromkeys(video.SIMD, video.simd),
}
_INTEGER: dict[str, Callable[[Modifiers, str], Kernel]] = {
    "add": integers.add_sub,
    "addc": integers.add_sub,
    "sub": integers.add_sub,
    "subc": integers.add_sub,
    "mul": integers.multiply,
    "mad": integers.multiply,
    "madc": integers.multiply,
    "mul24": integers.multiply,
    "mad24": integers.multiply,
    "sad": integers.sad,
    "div": integers.divide,
    "rem": integers.divide,
    "min": integers.extreme,
    "max": integers.extreme,
    "abs": integers.unary,
    "neg": integers.unary,
}
_FLOAT: dict[str, Callable[[Modifiers, str], Kernel]] = {
    "add": floats.arithmetic,
    "sub": floats.arithmetic,
    "mul": floats.arithmetic,
    "fma": floats.arithmetic,
    "mad": floats.arithmetic,
    "div": floats.divide,
    "rcp": floats.special,
    "sqrt": floats.special,
    "rsqrt": floats.special,
    "sin": floats.special,
    "cos": floats.special,
    "lg2": floats.special,
    "ex2": floats.special,
    "tanh": floats.special,
    "min": floats.extreme,
    "max": floats.extreme,
    "abs": floats.sign,
    "neg": floats.sign,
    "copysign": floats.copysign,
    "testp": floats.test_property,
}

_NAN_BLIND = frozenset(
    {"add", "sub", "mul", "fma", "mad", "div", "rcp", "sqrt", "rsqrt", "ex2", "min", "max", "setp"}
)


def resolve(opcode: str, results: int) -> Kernel:
    """The kernel of an opcode that only computes on registers.

    Args:
        opcode: The whole dotted spelling.
        results: How many destinations the instruction writes.

    Raises:
        MissingForm: It is not implemented.
    """
    form = Modifiers(opcode)
    base = form.base
    if base == "setp":
        return compare.set_predicate(form, results)
    if base in _BITS:
        return _BITS[base](form)
    if base not in _INTEGER and base not in _FLOAT:
        raise form.missing()
    kind = form.last()
    if kind == "relu":
        # `max.s32.relu`: of integers it stands behind the type.
        kind = form.last()
        form.put_back("relu")
    if kind not in TYPES:
        raise form.missing()
    table = _FLOAT if TYPES[kind].kind == "f" else _INTEGER
    if base not in table or (table is _FLOAT and kind not in floats.FLOAT):
        raise form.missing()
    return table[base](form, kind)


def blind_to_nans(opcode: str) -> bool:
    """Whether an instruction treats every NaN of its float32 sources alike."""
    if opcode.endswith(".f32"):
        return opcode.split(".", 1)[0] in _NAN_BLIND or opcode in {
            "cvt.rn.bf16.f32",
            "cvt.rn.f16.f32",
            "cvt.rn.bf16x2.f32",
            "cvt.rn.f16x2.f32",
        }
    return False
