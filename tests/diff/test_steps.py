from __future__ import annotations

import pytest

from sassay.diff.steps import step
from sassay.model.layers import Layer


@pytest.mark.parametrize(
    ("layer", "opcode", "words", "values"),
    [
        (Layer.PTX, "cvt.rn.bf16.f32", "roundings f32 to bf16", 1),
        (Layer.PTX, "cvt.rn.bf16x2.f32", "roundings f32 to bf16", 2),
        (Layer.SASS, "F2FP.BF16.F32.PACK_AB", "roundings f32 to bf16", 2),
        (Layer.SASS, "F2FP.BF16.PACK_AB", "roundings f32 to bf16", 2),
        (Layer.PTX, "cvt.rz.bf16.f32", "roundings f32 to bf16 toward zero", 1),
        (Layer.PTX, "cvt.f32.bf16", "conversions bf16 to f32", 1),
        (Layer.PTX, "cvt.rn.satfinite.e4m3x2.f32", "roundings f32 to e4m3", 2),
        (Layer.PTX, "cvt.rna.tf32.f32", "roundings f32 to tf32 away from zero", 1),
        (Layer.SASS, "HADD2.F32", "conversions f16 to f32", 1),
        (Layer.SASS, "F2F.F32.F64", "roundings f64 to f32", 1),
        (Layer.SASS, "FFMA.FTZ", "f32 multiply-adds", 1),
        (Layer.SASS, "HFMA2.MMA.BF16_V2", "bf16x2 multiply-adds", 1),
        (Layer.SASS, "HFMA2", "HFMA2 (which also loads constants)", 1),
        (Layer.PTX, "fma.rn.bf16x2", "bf16x2 multiply-adds", 1),
        (Layer.SASS, "UFADD", "f32 adds", 1),
        (Layer.SASS, "DMUL", "f64 multiplies", 1),
        (Layer.SASS, "MUFU.EX2", "approximate ex2", 1),
        (Layer.PTX, "ex2.approx.ftz.f32", "approximate ex2", 1),
        (Layer.PTX, "shfl.sync.bfly.b32", "reduction shuffles", 1),
        (Layer.SASS, "SHFL.IDX", "shuffles", 1),
        (Layer.SASS, "RED.E.ADD.F32.FTZ.RN.STRONG.GPU", "floating-point reductions", 1),
        (Layer.PTX, "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16",
         "tensor-core wgmma.mma_async", 1),
    ],
)  # fmt: skip
def test_both_layers_name_one_step_alike(
    layer: Layer, opcode: str, words: str, values: int
) -> None:
    one = step(layer, opcode)
    assert one is not None
    assert (one.words, one.values) == (words, values)


def test_what_rounds_nothing_is_no_step() -> None:
    assert step(Layer.PTX, "cvt.u32.u64") is None
    assert step(Layer.SASS, "IMAD.MOV.U32") is None
