"""Double precision between single-precision inputs and outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.lint.rule import Hit, Level, Options, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sassay.lint.program import Op
    from sassay.lint.sass import SassView
    from sassay.lint.subject import Subject

_ARITHMETIC = frozenset({
    "add", "sub", "mul", "fma", "mad", "div", "sqrt", "rcp", "rsqrt", "min", "max", "abs", "neg",
    "setp", "set", "testp",
})  # fmt: skip
_SASS = ("DADD", "DMUL", "DFMA", "DSETP", "DMNMX")
_DOUBLE = 64
_NEAR = 8
"""Users of a value that are looked at."""
_NARROW = frozenset({"f32", "f16", "bf16"})


def check(subject: Subject, options: Options) -> Iterator[Hit]:
    """One hit for each f64 operation in a kernel that widens, narrows, and keeps no f64."""
    del options
    if subject.function is None:
        if subject.sass is not None:
            yield from _sass(subject.sass)
        return
    doubles = [op for op in subject.ops if "f64" in op.opcode.types and subject.runs(op)]
    if any(op.opcode.space for op in doubles):
        return  # doubles are data here
    ends = [op.opcode.types for op in doubles if op.opcode.head == "cvt"]
    accident = any(types[0] == "f64" for types in ends) and any(
        types[-1] == "f64" and types[0] in _NARROW for types in ends
    )
    arithmetic = [op for op in doubles if op.opcode.head in _ARITHMETIC]
    kept = _kept(subject)
    if not accident or any(_touches(subject, op, kept) for op in arithmetic):
        return
    for op in arithmetic:
        yield Hit(f"`{op.opcode.text}` on values that were single precision", op)


def _kept(subject: Subject) -> set[int]:
    """Words of 64 bits that are loaded or stored: doubles, perhaps."""
    found: set[int] = set()
    for op in subject.ops:
        if op.opcode.space and op.opcode.bits == _DOUBLE:
            found.update(subject.values.written[op.index])
            found.update(subject.values.data(op))
    return found


def _touches(subject: Subject, op: Op, kept: set[int]) -> bool:
    """Whether an operand or the result of an operation is kept, moves looked through."""
    values = subject.values
    near = {*values.data(op), *values.written[op.index]}
    for value in tuple(near):
        source = values.op(value)
        if source is not None and source.opcode.head == "mov":
            near.update(values.inputs[value])
        near.update(values.users[value][:_NEAR])
    return bool(near & kept)


def _sass(code: SassView) -> Iterator[Hit]:
    names = code.census
    widened = sum(n for name, n in names.items() if name.startswith("F2F.F64.F"))
    narrowed = sum(
        n for name, n in names.items() if name.startswith(("F2F.F32.F64", "F2F.F16.F64"))
    )
    if not widened or not narrowed:
        return
    for name, count in sorted(names.items()):
        if name.split(".")[0] in _SASS:
            yield Hit(f"`{name}` on values that were single precision", opcode=name, count=count)


RULE = Rule(
    id="f64-by-accident",
    level=Level.REVIEW,
    check=check,
    layers=("ptx", "sass"),
)
