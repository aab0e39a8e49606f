"""Which lines of equal shape read other values."""

from __future__ import annotations

import pytest

from sassay.diff.registers import blind, contradictions
from sassay.isa.listing import ListingLine
from sassay.model.layers import Layer

PTX, SASS = Layer.PTX, Layer.SASS


def lines(texts: list[str]) -> list[ListingLine]:
    return [ListingLine(n, text.split()[0], text, text, None) for n, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("layer", "before", "after", "facing", "found"),
    [
        pytest.param(
            PTX,
            ["ld.b32 %r1, [%rd1]", "add.s32 %r1, %r1, 1", "st.b32 [%rd1], %r1"],
            ["ld.b32 %r7, [%rd4]", "add.s32 %r8, %r7, 1", "st.b32 [%rd4], %r8"],
            [(0, 0), (1, 1), (2, 2)],
            set(),
            id="the same values in other registers",
        ),
        pytest.param(
            PTX,
            ["ld.b32 %r1, [%rd1]", "ld.b32 %r2, [%rd2]", "sub.s32 %r3, %r1, %r2"],
            ["ld.b32 %r8, [%rd1]", "ld.b32 %r9, [%rd2]", "sub.s32 %r3, %r9, %r8"],
            [(0, 0), (1, 1), (2, 2)],
            {(2, 2)},
            id="operands that traded places",
        ),
        pytest.param(
            PTX,
            ["mov.b32 {%rs1, %rs2}, %r1", "@%p1 st.b16 [%rd1], %rs2"],
            ["mov.b32 {%rs5, %rs6}, %r1", "@%p1 st.b16 [%rd1], %rs5"],
            [(0, 0), (1, 1)],
            {(1, 1)},
            id="the other half of a vector",
        ),
        pytest.param(
            PTX,
            ["setp.lt.s32 %p1, %r1, 0", "setp.gt.s32 %p2, %r1, 9", "@%p1 bra +3"],
            ["setp.lt.s32 %p4, %r1, 0", "setp.gt.s32 %p5, %r1, 9", "@%p5 bra +3"],
            [(0, 0), (1, 1), (2, 2)],
            {(2, 2)},
            id="another guard",
        ),
        pytest.param(
            SASS,
            ["SHFL.BFLY PT, R4, R2, 0x1, 0x1f", "MUFU.RCP R25, R2", "FADD R6, R4, R2"],
            ["SHFL.BFLY PT, R9, R2, 0x1, 0x1f", "MUFU.RCP R35, R2", "FADD R6, R35, R2"],
            [(0, 0), (1, 1), (2, 2)],
            {(2, 2)},
            id="another instruction's result",
        ),
        pytest.param(
            SASS,
            ["MOV R1, R2", "FADD R3, R1, R1"],
            ["MOV R1, R2", "FMUL R15, R1, R1", "FADD R3, R15, R15"],
            [(0, 0), (-1, 1), (1, 2)],
            {(1, 2)},
            id="a new instruction between a value and its reader",
        ),
        pytest.param(
            SASS,
            ["FMUL R15, R1, R1", "FADD R3, R15, R15"],
            ["FFMA R19, R1, R1, R2", "FADD R3, R19, R19"],
            [(0, -1), (-1, 0), (1, 1)],
            set(),
            id="what a line without a partner wrote stands for nothing",
        ),
        pytest.param(
            SASS,
            ["LDG.E.64 R2, [R8]", "MOV R30, R3", "LDG.E.64 R2, [R8]", "MOV R31, R3"],
            ["LDG.E.64 R4, [R8]", "MOV R40, R5", "LDG.E.64 R6, [R8]", "MOV R41, R7"],
            [(0, 0), (1, 1), (2, 2), (3, 3)],
            set(),
            id="a wide load writes registers that it does not name",
        ),
    ],
)
def test_a_line_that_reads_another_value(
    layer: Layer,
    before: list[str],
    after: list[str],
    facing: list[tuple[int, int]],
    found: set[tuple[int, int]],
) -> None:
    def same(i: int, j: int) -> bool:
        return i >= 0 and j >= 0 and blind(before[i], layer) == blind(after[j], layer)

    pairs = [(i, j, same(i, j)) for i, j in facing]
    assert contradictions(lines(before), lines(after), pairs, layer) == found
    mirrored = [(j, i, equal) for i, j, equal in pairs]
    back = contradictions(lines(after), lines(before), mirrored, layer)
    assert back == {(j, i) for i, j in found}
