"""Functions of a module that many instructions share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.machine.compiled.code import LANES, Code, Unit, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_OPS = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv", "fma": "fma", "sqrt": "sqrt"}
_ROUNDINGS = {"rz": 0, "rn": 1, "rp": 2, "rm": 3}
"""Arguments of `llvm.set.rounding`."""


def called(
    code: Code,
    name: str,
    build: Callable[[Code, list[Value]], Value],
    given: Sequence[Value],
    *,
    attribute: str = "",
) -> Value:
    """Calls a function of vectors of one type, made once in a module.

    Args:
        code: Where the call is written.
        name: Of the function.
        build: Writes its body.
        given: Operands; if all lanes have the same, so has the result.
        attribute: Of the function and of the call.
    """
    wide = [code.splat(each) for each in given]
    kind = wide[0].type

    def text(unit: Unit) -> str:
        inner = Code(unit)
        names = [Value(f"%a{index}", kind, wide=True) for index in range(len(wide))]
        result = inner.splat(build(inner, names))
        inner.emit(f"ret {result.spelled} {result.text}")
        params = ", ".join(f"{each.spelled} {each.text}" for each in names)
        return inner.function(f"internal {result.spelled} @{name}({params}) noinline {attribute}")

    code.unit.helper(name, text)
    operands = ", ".join(f"{each.spelled} {each.text}" for each in wide)
    found = code.let(f"call {wide[0].spelled} @{name}({operands}) {attribute}", kind, wide=True)
    if any(each.wide for each in given):
        return found
    return code.let(f"extractelement {found.spelled} {found.text}, i32 0", kind, wide=False)


def directed(code: Code, base: str, mode: str, given: Sequence[Value]) -> Value:
    """An operation of float64 under one of the processor's rounding modes.

    Args:
        code: Where it is written.
        base: `add`, `sub`, `mul`, `div`, `fma` or `sqrt`.
        mode: `rz`, `rm` or `rp`.
        given: Operands.
    """
    wide = f"<{LANES} x double>"
    called_ = f"llvm.experimental.constrained.{_OPS[base]}.v{LANES}f64"
    count = len(given)

    def build(inner: Code, operands: list[Value]) -> Value:
        kinds = ", ".join([wide] * count)
        inner.unit.declared.add(f"declare {wide} @{called_}({kinds}, metadata, metadata)")
        inner.unit.declared.add("declare void @llvm.set.rounding(i32)")
        inner.emit(f"call void @llvm.set.rounding(i32 {_ROUNDINGS[mode]}) strictfp")
        listed = ", ".join(f"{wide} {each.text}" for each in operands)
        result = inner.let(
            f'call {wide} @{called_}({listed}, metadata !"round.dynamic", '
            'metadata !"fpexcept.ignore") strictfp',
            "double",
            wide=True,
        )
        inner.emit(f"call void @llvm.set.rounding(i32 {_ROUNDINGS['rn']}) strictfp")
        return result

    return called(code, f"{base}.{mode}.f64", build, given, attribute="strictfp")
