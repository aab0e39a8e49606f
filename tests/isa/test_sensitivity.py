"""Which instructions are precision-sensitive."""

from __future__ import annotations

from sassay.isa.sensitivity import KINDS, sensitive_kind
from sassay.model.layers import Layer

PTX = {
    "conversion": "cvt.rn.bf16x2.f32 cvt.f32.f16 cvt.rn.satfinite.e4m3x2.f32 cvt.rn.f32.s32",
    "approximation": "ex2.approx.ftz.f32 div.full.f32 rsqrt.approx.f32 rcp.approx.f32",
    "contraction": "fma.rn.f32 fma.rn.bf16x2 mad.f32",
    "multiply": "mul.f32 mul.rn.f16x2",
    "add": "add.f32 sub.f16 add.f32x2",
    "reduction": "shfl.sync.bfly.b32 redux.sync.min.f32 red.global.add.f32 atom.add.noftz.f16x2",
    "matrix": "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 wgmma.mma_async.sync.aligned",
    None: "cvt.u32.u64 add.s32 mad.lo.s32 redux.sync.add.s32 setp.lt.f32 atom.global.add.u32 "
    "max.f32 wmma.load.a.sync.aligned.f16 cp.async.bulk.tensor.2d div.rn.f32 ld.global.f32",
}
SASS = {
    "conversion": "F2FP.BF16.F32.PACK_AB HADD2.F32 I2FP.F32.S32 FRND.FLOOR UF2F.F32.F64",
    "approximation": "MUFU.RSQ",
    "contraction": "FFMA.FTZ HFMA2.MMA DFMA UFFMA FFMA2",
    "multiply": "FMUL HMUL2.BF16_V2 DMUL UFMUL",
    "add": "FADD.FTZ HADD2 DADD UFADD",
    "reduction": "SHFL.BFLY CREDUX.MAX.F32 RED.E.ADD.F32.FTZ.RN.STRONG.GPU REDG.E.ADD.F16x2.RN",
    "matrix": "HMMA.16816.F32 HGMMA.64x64x16.F32 UTCHMMA QMMA.16832.F32.E4M3.E4M3",
    None: "REDUX.SUM IADD3 FSETP.GT.AND FMNMX LDG.E I2I ATOMG.E.ADD.STRONG.GPU MOV PRMT",
}


def test_each_opcode_has_its_kind() -> None:
    for layer, table in ((Layer.PTX, PTX), (Layer.SASS, SASS)):
        assert {kind for kind in table if kind} == set(KINDS)
        found = {op: sensitive_kind(layer, op) for ops in table.values() for op in ops.split()}
        assert found == {op: kind for kind, ops in table.items() for op in ops.split()}
