"""The numeric path of a kernel: in which order and precision it computes each output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

LevelKind = Literal["serial", "pairwise", "shuffle", "shared", "atomics", "uneven"]


class Level(msgspec.Struct, frozen=True):
    """One stage of a reduction.

    Attributes:
        kind: `serial`: one value after the other in a thread. `pairwise`: equal partial results
            in a thread, two by two. `shuffle`: between lanes. `shared`: partial results of other
            warps, through shared memory, one after the other; 1 if lanes fetch one each.
            `atomics`: between blocks, in no fixed order. `uneven`: partial results of unlike size.
        width: How many values it joins into one.
        offsets: Of shuffles, in order.
    """

    kind: LevelKind
    width: int
    offsets: tuple[int, ...] = ()


class Reduction(msgspec.Struct, frozen=True):
    """A reduction of many terms of one form.

    Attributes:
        what: `sum`, `maximum` or `minimum`.
        term: What is reduced, as a formula.
        operation: The joining instruction, such as `add.rn.f32`.
        fused: A product is added by a fused multiply-add.
        terms: How many.
        levels: From the terms to the result.
        spacing: Distance of the elements that a thread takes one after the other; None if it
            varies or if the term is no element of one input.
        place: Source file and line of the last stage.
    """

    what: str
    term: str
    operation: str
    fused: bool
    terms: int
    levels: tuple[Level, ...]
    spacing: int | None
    place: str


class Rounding(msgspec.Struct, frozen=True):
    """A point where a value loses bits by conversion.

    Attributes:
        to: Type that is rounded to, such as `bf16`.
        operation: The instruction, such as `cvt.rn.bf16.f32`.
        what: The value that is rounded, as a formula.
        then: What uses it: an instruction, or `store`.
        place: Source file and line.
    """

    to: str
    operation: str
    what: str
    then: str
    place: str


class OutputPath(msgspec.Struct, frozen=True):
    """How the elements of one output are computed.

    Attributes:
        name: Of the parameter.
        formula: With reductions folded; `~` marks approximate instructions.
        reductions: Inner ones first.
        roundings: In the order of computation.
        approximations: Approximate instructions, how often each stands in the formula.
        fused: Places outside of reductions where a fused multiply-add rounds once.
        constants: Constants that stand in the formula.
        digest: Of the expressions of all its elements.
    """

    name: str
    formula: str
    reductions: tuple[Reduction, ...]
    roundings: tuple[Rounding, ...]
    approximations: Mapping[str, int]
    fused: int
    constants: tuple[str, ...]
    digest: str


class NumericPath(msgspec.Struct, frozen=True):
    """How a kernel computes its outputs.

    Attributes:
        outputs: By the order of parameters.
        digest: Of all of them; equal digests mean equal bits, for the launch that was looked at.
        launch: Which launch that was, in words.
        caveats: What the claim does not cover.
    """

    outputs: tuple[OutputPath, ...]
    digest: str
    launch: str
    caveats: tuple[str, ...] = ()


class PathAnswer(msgspec.Struct, frozen=True):
    """What an analysis found: a path, or why there is none."""

    path: NumericPath | None
    reason: str = ""
