"""Missing fences, planted in a kernel of one product: of registers, and of shared memory."""

from __future__ import annotations

import numpy as np
import pytest
from bench.hardware.matrix_probes import Probe, operands, ptx

from sassay.machine import Launch, Result, load_program, run

PROBE = Probe(64, 16, 16, "f32", "bf16", "bf16", warpgroup=True)
PROXY = "    fence.proxy.async.shared::cta;\n    bar.sync 0;\n"
REGISTERS = "    wgmma.fence.sync.aligned;\n"
ELECTED = "    setp.eq.u32 %p0, %r1, 0;\n    @%p0 fence.proxy.async.shared::cta;\n"


def _run(before: str, after: str, *, find_races: bool = True) -> Result:
    text = ptx(PROBE)
    assert before in text
    text = text.replace(before, after).replace(
        ".reg .b32 %r<8>;", ".reg .b32 %r<8>; .reg .pred %p<2>;"
    )
    arrays = [each[:2].copy() for each in operands(PROBE, 10)]
    return run(load_program(text), Launch(2, 128, arrays, find_races=find_races))


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (REGISTERS, "", "before the first product"),
        (REGISTERS, REGISTERS + "    add.f32 %c3, %c3, %c3;\n", "register was written"),
        (REGISTERS, REGISTERS + "    add.f32 %r6, %c3, %c3; mov.b32 %a1, %r6;\n", "was written"),
        (
            REGISTERS,
            REGISTERS + "    setp.gt.u32 %p1, %r1, 63; @!%p1 bra on; not.b32 %a0, %a0;\non:\n",
            "register was written",
        ),
        (PROXY, "    bar.sync 0;\n", "a matrix product reads byte"),
        # A fence says nothing of what other threads write, before a barrier.
        (PROXY, ELECTED + "    bar.sync 0;\n", "a matrix product reads byte"),
    ],
)
def test_a_missing_fence_is_a_trap(before: str, after: str, message: str) -> None:
    result = _run(before, after)
    assert result.trap is not None
    assert result.trap.kind == "fence"
    assert message in result.trap.message
    assert result.trap.instruction.startswith("wgmma.mma_async")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # Copies are no use; other registers do not matter; nor what a later fence orders.
        (REGISTERS, REGISTERS + "    mov.b32 %c3, %c2; add.u32 %r7, %r1, 1;\n"),
        (REGISTERS, REGISTERS + "    add.f32 %c3, %c3, %c3;\n" + REGISTERS),
        # After a barrier one thread's fence is for what all of them wrote.
        (PROXY, "    bar.sync 0;\n" + ELECTED + "    bar.sync 0;\n"),
    ],
)
def test_fences_that_are_enough(before: str, after: str) -> None:
    assert _run(before, after).trap is None


def test_memory_is_looked_at_where_races_are() -> None:
    assert _run(PROXY, "    bar.sync 0;\n", find_races=False).trap is None


def test_a_bulk_copy_reads_what_is_fenced() -> None:
    text = """.version 8.3
.target sm_90
.address_size 64
.visible .entry k(.param .u64 out)
{
    .reg .pred %p<2>;
    .reg .b32 %r<4>;
    .reg .b64 %d<2>;
    .shared .align 16 .b8 tile[512];
    mov.u32 %r0, %tid.x;
    mov.u32 %r1, tile;
    mad.lo.u32 %r2, %r0, 4, %r1;
    st.shared.b32 [%r2], %r0;
    FENCE
    bar.sync 0;
    setp.eq.u32 %p0, %r0, 0;
    ld.param.u64 %d0, [out];
    @%p0 cp.async.bulk.global.shared::cta.bulk_group [%d0], [%r1], 512;
    @%p0 cp.async.bulk.commit_group;
    @%p0 cp.async.bulk.wait_group 0;
    ret;
}
"""
    for fence, kind in (("fence.proxy.async.shared::cta;", None), ("fence.acq_rel.cta;", "fence")):
        program = load_program(text.replace("FENCE", fence))
        result = run(program, Launch(1, 128, [np.zeros(128, np.uint32)]))
        assert (result.trap and result.trap.kind) == kind
        if kind is None:
            assert result.arrays[0] is not None
            assert (result.arrays[0] == np.arange(128)).all()
