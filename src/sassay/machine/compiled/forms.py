"""From an opcode to the IR that computes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.machine.compiled import arithmetic, bitwise, comparing, converting, ordering, whole
from sassay.machine.numeric.kernel import Modifiers
from sassay.machine.types import TYPES

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from sassay.machine.compiled.arithmetic import Emit

    class _OfFloats(Protocol):
        def __call__(self, form: Modifiers, kind: str, *, loose: bool) -> Emit: ...


_BITS: dict[str, Callable[[Modifiers], Emit]] = {
    **dict.fromkeys(("and", "or", "xor", "not", "cnot"), bitwise.logic),
    **dict.fromkeys(("shl", "shr"), bitwise.shift),
    **dict.fromkeys(("popc", "clz", "brev"), bitwise.counting),
    **dict.fromkeys(("dp4a", "dp2a"), whole.dot),
    "lop3": bitwise.lop3,
    "shf": bitwise.funnel,
    "bfind": bitwise.find,
    "bfe": bitwise.extract,
    "bfi": bitwise.insert,
    "bmsk": bitwise.field_mask,
    "szext": bitwise.sign_extend,
    "prmt": bitwise.permute,
    "cvt": converting.convert,
    "set": comparing.set_value,
    "selp": comparing.select,
    "slct": comparing.select_by_sign,
}
_INTEGER: dict[str, Callable[[Modifiers, str], Emit]] = {
    **dict.fromkeys(("add", "addc", "sub", "subc"), whole.add_sub),
    **dict.fromkeys(("mul", "mad", "madc", "mul24", "mad24"), whole.multiply),
    **dict.fromkeys(("div", "rem"), whole.divide),
    **dict.fromkeys(("min", "max"), whole.extreme),
    **dict.fromkeys(("abs", "neg"), whole.unary),
    "sad": whole.sad,
}
_FLOAT: dict[str, _OfFloats] = {
    **dict.fromkeys(("add", "sub", "mul", "fma", "mad"), arithmetic.arithmetic),
    **dict.fromkeys(
        ("rcp", "sqrt", "rsqrt", "lg2", "ex2", "sin", "cos", "tanh"), arithmetic.special
    ),
    **dict.fromkeys(("min", "max"), ordering.extreme),
    **dict.fromkeys(("neg", "abs"), ordering.sign),
    "div": arithmetic.divide,
    "copysign": ordering.copysign,
    "testp": ordering.test_property,
}


def compiled_bases() -> frozenset[str]:
    """First words of the opcodes that are compiled."""
    return frozenset({"setp", *_BITS, *_INTEGER, *_FLOAT})


def emitter(opcode: str, results: int, *, loose: bool) -> Emit:
    """What writes the IR of an opcode that only computes on registers.

    Args:
        opcode: The whole dotted spelling.
        results: How many destinations the instruction writes.
        loose: Which NaN a NaN is does not matter.

    Raises:
        MissingForm: It is not compiled.
    """
    form = Modifiers(opcode)
    base = form.base
    if base == "setp":
        return comparing.set_predicate(form, results)
    if base in _BITS:
        return _BITS[base](form)
    kind = form.last()
    if kind == "relu":
        # Of integers it stands behind the type.
        kind = form.last()
        form.put_back("relu")
    if kind not in TYPES:
        raise form.missing()
    if TYPES[kind].kind == "f":
        if base not in _FLOAT:
            raise form.missing()
        return _FLOAT[base](form, kind, loose=loose)
    if base not in _INTEGER:
        raise form.missing()
    return _INTEGER[base](form, kind)
