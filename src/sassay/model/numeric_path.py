"""The numeric path of a kernel: in which order and precision it computes each output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

LevelKind = Literal["serial", "pairwise", "shuffle", "shared", "atomics", "uneven", "rescaled"]
Joined = Literal["", "rescaled", "added", "scaled", "atomics"]


class Level(msgspec.Struct, frozen=True):
    """One stage of a reduction.

    Attributes:
        kind: `serial`: one value after the other in a thread. `pairwise`: equal partial results
            in a thread, two by two. `shuffle`: between lanes. `shared`: partial results of other
            warps, through shared memory, one after the other; 1 if lanes fetch one each.
            `atomics`: between blocks, in no fixed order. `uneven`: partial results of unlike size.
            `rescaled`: tiles, one after the other, what was joined before multiplied by a factor.
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
        factor: By what a sum is multiplied before the next tile, as a formula.
    """

    what: str
    term: str
    operation: str
    fused: bool
    terms: int
    levels: tuple[Level, ...]
    spacing: int | None
    place: str
    factor: str = ""


class Product(msgspec.Struct, frozen=True):
    """A dot product that matrix instructions compute.

    Attributes:
        left: First factor, as a formula.
        right: Second factor.
        unit: `mma` or `wgmma`.
        shape: Of the instruction, such as `m16n8k16`; m and n make no difference to a result.
        k: Products in one instruction.
        types: Of the factors.
        accumulator: Type that the unit sums in.
        gpu: Whose unit, where GPUs differ in how they sum; empty where they do not.
        tiles: Instructions in each stretch of them that goes through the accumulator.
        joined: How stretches are joined: what was summed before is multiplied (`rescaled`),
            sums of their own are added outside of the unit (`added`), the same with a factor
            for each (`scaled`), or by atomics of several blocks (`atomics`).
        factor: The factor, as a formula.
        start: What the first instruction adds to, as a formula; empty for zero.
        order: In which order the instructions take k, if they do not ascend.
        place: Source file and line.
    """

    left: str
    right: str
    unit: str
    shape: str
    k: int
    types: tuple[str, str]
    accumulator: str
    gpu: str
    tiles: tuple[int, ...]
    joined: Joined
    factor: str
    start: str
    order: tuple[int, ...]
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
        products: Dot products of matrix instructions, inner ones first.
    """

    name: str
    formula: str
    reductions: tuple[Reduction, ...]
    roundings: tuple[Rounding, ...]
    approximations: Mapping[str, int]
    fused: int
    constants: tuple[str, ...]
    digest: str
    products: tuple[Product, ...] = ()


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
