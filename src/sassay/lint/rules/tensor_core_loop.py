"""Tensor-core kernels whose loops do their arithmetic without matrix instructions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.lint.rule import Hit, Level, Options, Rule, Setting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sassay.lint.flow import Loop
    from sassay.lint.sass import SassView
    from sassay.lint.subject import Subject

_MULTIPLY_ADD = frozenset({"fma", "mad"})
_SASS_MULTIPLY_ADD = ("FFMA", "HFMA2", "DFMA", "UFFMA")


def check(subject: Subject, options: Options) -> Iterator[Hit]:
    """One hit for a kernel with matrix instructions, none of which its main loop holds."""
    least = options.number("multiply_adds")
    expected = bool(options.text("kernels")) and subject.named(options.text("kernels"))
    if subject.function is None:
        if subject.sass is not None:
            yield from _sass(subject.sass, least, expected=expected)
        return
    flow = subject.flow
    matrix = [op for op in subject.ops if op.opcode.category == "tensor_core" and subject.runs(op)]
    if not matrix and not expected:
        return
    inside = {flow.block_of[op.index] for op in matrix}
    loops = [loop for loop in flow.loops if _weight(subject, loop) >= least]
    if not loops or any(inside & loop.blocks for loop in flow.loops):
        return
    main = max(loops, key=lambda loop: (_weight(subject, loop), -loop.header))
    first = flow.ops(main.header)[0]
    yield Hit(
        "the main loop multiplies and adds without matrix instructions, "
        + ("which stand outside of it" if matrix else "and the kernel has none"),
        first,
        count=_weight(subject, main),
    )


def _weight(subject: Subject, loop: Loop) -> int:
    """Floating-point multiply-adds of a loop, the scalar way."""
    return sum(
        op.opcode.head in _MULTIPLY_ADD and op.opcode.is_float
        for block in loop.blocks
        for op in subject.flow.ops(block)
    )


def _sass(code: SassView, least: int, *, expected: bool) -> Iterator[Hit]:
    if not expected and not code.matrix.any():
        return
    loops = [(start, stop) for start, stop in code.loops]
    if any(code.matrix[start:stop].any() for start, stop in loops):
        return
    weights = [int(code.having(_SASS_MULTIPLY_ADD)[start:stop].sum()) for start, stop in loops]
    if weights and max(weights) >= least:
        start = loops[weights.index(max(weights))][0]
        yield Hit(
            "the main loop multiplies and adds without matrix instructions",
            opcode="FFMA",
            offset=start * 16,
            count=max(weights),
        )


RULE = Rule(
    id="tensor-core-loop",
    level=Level.REVIEW,
    check=check,
    layers=("ptx", "sass"),
    settings=(
        Setting("multiply_adds", 8, "scalar multiply-adds that make a loop the main one"),
        Setting("kernels", "", "globs of kernels that should use tensor cores"),
    ),
)
