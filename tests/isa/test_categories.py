"""The taxonomy: every documented opcode has a home."""

from __future__ import annotations

import pytest

from sassay.isa.categories import CATEGORIES, category, summarize
from sassay.model.layers import Layer

PTX = {
    "tensor_core": "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 wmma.load.a.sync.f16 "
    "wgmma.mma_async.sync.aligned.m64n8k16.f32.f16.f16 tcgen05.mma.cta_group::1.kind::f16",
    "warpgroup": "wgmma.fence.sync.aligned wgmma.commit_group.sync wgmma.wait_group.sync "
    "setmaxnreg.inc.sync.aligned.u32",
    "tensor_memory": "tcgen05.ld.sync.aligned.32x32b.x16.b32 tcgen05.alloc.cta_group::1 "
    "tcgen05.commit.cta_group::1.mbarrier::arrive::one.b64 tcgen05.fence::before_thread_sync "
    "tcgen05.relinquish_alloc_permit.cta_group::1",
    "tma": "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes "
    "cp.async.bulk.commit_group cp.reduce.async.bulk.global.shared::cta.bulk_group.add.f32 "
    "tensormap.replace.tile.global_address.shared::cta.b1024.b64 prefetch.tensormap "
    "tensormap.cp_fenceproxy.global.shared::cta multimem.cp.async.bulk.global",
    "async_copy": "cp.async.cg.shared.global cp.async.commit_group cp.async.wait_group "
    "cp.async.mbarrier.arrive.noinc.shared::cta.b64",
    "global_memory": "ld.global.v4.b32 ld.u32 st.global.b32 ldu.global.b32 prefetch.global.L2 "
    "prefetchu.L1 multimem.ld_reduce.global.add.f32 multimem.st.global.f32 "
    "createpolicy.fractional.L2::evict_first.b64 applypriority.global.L2::evict_normal "
    "discard.global.L2 tex.2d.v4.f32.f32 suld.b.2d.b32 txq.width.b32 ld.global.nc.L2::128B.b32",
    "shared_memory": "ld.shared.b32 ld.shared::cluster.u32 st.async.shared::cluster.b64 "
    "ldmatrix.sync.aligned.m8n8.x4.shared.b16 stmatrix.sync.aligned.m8n8.x4.shared.b16 "
    "mapa.shared::cluster.u32 st.bulk.shared::cta ld.volatile.shared.f32",
    "local_memory": "ld.local.b32 st.local.v2.f32",
    "constant_memory": "ld.const.f32 ld.param.b64 st.param::func.b32",
    "atomic": "atom.global.add.f32 red.async.shared::cluster.inc.u32 multimem.red.global.add.f32",
    "synchronization": "bar.sync barrier.cluster.arrive fence.proxy.async membar.gl "
    "mbarrier.try_wait.parity.shared::cta.b64 griddepcontrol.wait bar.warp.sync "
    "clusterlaunchcontrol.try_cancel.async.b128 mbarrier.arrive.expect_tx.shared::cta.b64",
    "warp_exchange": "shfl.sync.bfly.b32 vote.sync.ballot.b32 match.any.sync.b32 "
    "redux.sync.add.s32 activemask.b32 elect.sync movmatrix.sync.aligned.m8n8.trans.b16",
    "conversion": "cvt.rn.bf16x2.f32 cvt.rn.satfinite.e4m3x2.f32 cvt.u32.u16 cvt.pack.sat.u8.s32",
    "float_arithmetic": "add.f16x2 selp.f32 setp.lt.and.f32 div.rn.f32 sqrt.rn.f32 rcp.rn.f64 "
    "fma.rn.relu.bf16x2 min.f32 neg.f16 copysign.f32 testp.finite.f32 add.f32x2 slct.f32.s32",
    "special_function": "div.full.f32 ex2.approx.ftz.f32 rsqrt.approx.f32 tanh.approx.bf16x2 "
    "lg2.approx.f32 sin.approx.f32 cos.approx.f32 rcp.approx.ftz.f64 sqrt.approx.f32",
    "integer_arithmetic": "add.s32 mad.lo.s32 mul.wide.u32 setp.eq.s32 lop3.b32 shf.l.wrap.b32 "
    "prmt.b32 and.pred dp4a.u32.u32 dp2a.lo.s32.s32 bmsk.clamp.b32 szext.wrap.u32 fns.b32 "
    "vadd4.u32.u32.u32 vabsdiff.s32.s32.s32 addc.cc.u32 bfind.shiftamt.u32 min.u16x2 div.u64",
    "address_and_move": "mov.b32 mov.f32 cvta.to.global.u64 selp.b32 isspacep.global alloca.u32",
    "control": "bra.uni brx.idx call.uni ret exit trap brkpt pmevent nanosleep.u32",
    "other": "frobnicate.f32 adder.f32",
}
SASS = {
    "tensor_core": "HMMA.16816.F32.BF16 IMMA.16832.S8.S8.SAT DMMA.884 HGMMA.64x128x16.F32 "
    "QGMMA.64x8x32.F32 UTCHMMA.2CTA UTCQMMA UTCIMMA UTCOMMA.4X QMMA.16832.F32 OMMA.SF.16864.F32",
    "warpgroup": "WARPGROUP.ARRIVE WARPGROUP.DEPBAR.LE WARPGROUPSET USETMAXREG.DEALLOC.CTAPOOL",
    "tensor_memory": "LDTM.x32 STTM UTCCP UTCBAR UTCATOMSWS.FIND_AND_SET.ALIGN UTCSHIFT",
    "tma": "UTMALDG.2D UTMASTG.3D UTMACCTL.PF UTMACMDFLUSH UBLKCP.S.G UBLKRED.G.S.ADD UBLKPF",
    "async_copy": "LDGSTS.E.BYPASS.128 LDGDEPBAR",
    "global_memory": "LDG.E.128 STG.E LD.E ST.E CCTL.IVALL TEX.B.LL SULD.D.1D LDGMC.E.ADD.F32",
    "shared_memory": "LDS.128 STS LDSM.16.MT88.4 STSM.16.M88 STAS.64 UMEMSETS.64",
    "local_memory": "LDL.64 STL",
    "constant_memory": "LDC.64 ULDC LDCU.128",
    "atomic": "ATOMG.E.ADD.F32 ATOMS.CAS RED.E.ADD.S32 REDG.E.ADD.F16x2.RN REDAS.S UREDGR",
    "synchronization": "BAR.SYNC.DEFER_BLOCKING MEMBAR.SC.GPU FENCE.VIEW.ASYNC DEPBAR.LE "
    "SYNCS.PHASECHK.TRANS64.TRYWAIT ARRIVES.LDGSTSBAR.64 ERRBAR ACQBULK UCGABAR_ARV PREEXIT",
    "warp_exchange": "SHFL.BFLY VOTE.ANY VOTEU.ALL MATCH.ANY REDUX.SUM CREDUX.MAX.F32 ELECT",
    "conversion": "F2F.BF16.F32 F2FP.BF16.F32.PACK_AB I2FP.F32.S32 F2I.TRUNC.NTZ FRND HADD2.F32 "
    "UI2FP.F32.S32 UF2F.F32.F64",
    "float_arithmetic": "FADD.FTZ FFMA HFMA2.MMA HFMA2 HADD2 FSEL FMNMX FMNMX3 FSETP.GT.AND DFMA "
    "UFADD UFFMA FADD2 VHMNMX HADD2.BF16_V2",
    "special_function": "MUFU.EX2 MUFU.RSQ",
    "integer_arithmetic": "IADD3.X IMAD.WIDE.U32 IMAD.SHL.U32 LOP3.LUT UIADD3 UIMAD ULOP3.LUT "
    "ISETP.GE.AND PRMT PLOP3.LUT VIADDMNMX SHF.R.U32.HI USHF.L.U32 UIADD3.64 IDP.4A.S8.S8",
    "address_and_move": "MOV IMAD.MOV.U32 UIMAD.MOV.U32 UMOV SEL USEL S2R S2UR CS2R R2UR P2R",
    "control": "BRA.U EXIT RET.REL.NODEC CALL.REL.NOINC BSSY.RECONVERGENT BSYNC WARPSYNC.ALL NOP "
    "NANOSLEEP YIELD ENDCOLLECTIVE BPT.TRAP BREAK.RELIABLE",
    "other": "FROB IPA.PASS",
}


@pytest.mark.parametrize("layer", list(Layer))
def test_each_opcode_is_at_home(layer: Layer) -> None:
    table = PTX if layer is Layer.PTX else SASS
    assert set(table) == set(CATEGORIES)
    found = {op: category(layer, op) for opcodes in table.values() for op in opcodes.split()}
    assert found == {op: name for name, opcodes in table.items() for op in opcodes.split()}


def test_categories_add_up() -> None:
    counts = {"ld.global.b32": 4, "frob": 2, "add.f32": 3, "add.s32": 1}
    assert summarize(Layer.PTX, counts) == {
        "global_memory": 4,
        "float_arithmetic": 3,
        "integer_arithmetic": 1,
        "other": 2,
    }
