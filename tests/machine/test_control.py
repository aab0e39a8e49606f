"""Control flow: divergence, warps at different places, barriers, spin loops, and their traps."""

from __future__ import annotations

import numpy as np
import pytest
from tests.machine.harness import launch

_AT = """
mov.u32 %r0, %tid.x;
mov.u32 %r1, %ctaid.x;
mov.u32 %r2, %ntid.x;
mad.lo.s32 %r3, %r1, %r2, %r0;
ld.param.u64 %d0, [p0];
mul.wide.u32 %d1, %r3, 4;
add.s64 %d0, %d0, %d1;
"""


def _zeros(count: int) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
    return np.zeros(count, np.uint32)


def test_each_thread_loops_its_own_number_of_times() -> None:
    body = (
        _AT
        + """
    mov.u32 %r4, 0; mov.u32 %r5, 0;
    LOOP: setp.ge.u32 %p0, %r5, %r0;
    @%p0 bra DONE;
    add.u32 %r4, %r4, %r5; add.u32 %r5, %r5, 1;
    and.b32 %r6, %r5, 1; setp.eq.u32 %p1, %r6, 0;
    @%p1 bra LOOP;
    add.u32 %r4, %r4, 100;
    bra LOOP;
    DONE: activemask.b32 %r7;
    st.global.u32 [%d0], %r4;
    ret;"""
    )
    result = launch(body, [_zeros(300)], grid=3, block=100)
    assert result.trap is None
    wanted = [sum(range(t)) + 100 * ((t + 1) // 2) for t in range(100)] * 3
    assert result.arrays[0] is not None
    assert result.arrays[0].tolist() == wanted


def test_lanes_meet_again_at_the_post_dominator() -> None:
    body = (
        _AT
        + """
    and.b32 %r4, %r0, 3; setp.eq.u32 %p0, %r4, 0;
    @%p0 bra ONE;
    setp.eq.u32 %p1, %r4, 1;
    @%p1 bra TWO;
    mov.u32 %r5, 7; bra JOIN;
    ONE: mov.u32 %r5, 1; bra JOIN;
    TWO: activemask.b32 %r5;
    JOIN: activemask.b32 %r6;
    xor.b32 %r5, %r5, %r6;
    st.global.u32 [%d0], %r5; ret;"""
    )
    result = launch(body, [_zeros(64)], grid=1, block=64)
    picked = {0: 1, 1: 0x22222222, 2: 7, 3: 7}
    assert result.arrays[0] is not None
    assert result.arrays[0].tolist() == [picked[t & 3] ^ 0xFFFFFFFF for t in range(64)]


def test_indexed_branches_and_early_returns() -> None:
    body = (
        _AT
        + """
    setp.gt.u32 %p0, %r0, 5;
    @%p0 ret;
    TABLE: .branchtargets A, B, C;
    rem.u32 %r4, %r0, 3;
    brx.idx %r4, TABLE;
    A: mov.u32 %r5, 10; bra E;
    B: mov.u32 %r5, 20; bra E;
    C: mov.u32 %r5, 30;
    E: st.global.u32 [%d0], %r5; ret;"""
    )
    result = launch(body, [_zeros(32)])
    assert result.arrays[0] is not None
    assert result.arrays[0].tolist() == [10, 20, 30, 10, 20, 30] + [0] * 26


def test_producer_and_consumer_warps_on_named_barriers() -> None:
    # Warp 0 fills a slot and arrives; warp 1 waits for it, adds, and hands the slot back.
    body = """
    .shared .align 4 .b32 slot[32];
    mov.u32 %r0, %tid.x; mov.u32 %r10, %laneid; mov.u32 %r1, slot;
    shl.b32 %r2, %r10, 2; add.u32 %r1, %r1, %r2;
    mov.u32 %r3, 0; mov.u32 %r4, 0;
    setp.lt.u32 %p0, %r0, 32;
    @%p0 bra PRODUCE;
    CONSUME:
    bar.sync 1, 64;
    ld.shared.u32 %r5, [%r1]; add.u32 %r4, %r4, %r5;
    bar.arrive 2, 64;
    add.u32 %r3, %r3, 1; setp.lt.u32 %p1, %r3, 5;
    @%p1 bra CONSUME;
    ld.param.u64 %d0, [p0]; mul.wide.u32 %d1, %r10, 4; add.s64 %d0, %d0, %d1;
    st.global.u32 [%d0], %r4;
    ret;
    PRODUCE:
    mul.lo.u32 %r6, %r3, 100; add.u32 %r6, %r6, %r10;
    st.shared.u32 [%r1], %r6;
    bar.arrive 1, 64;
    bar.sync 2, 64;
    add.u32 %r3, %r3, 1; setp.lt.u32 %p1, %r3, 5;
    @%p1 bra PRODUCE;
    ret;"""
    result = launch(body, [_zeros(32)], block=64)
    assert result.trap is None, result.trap
    assert result.arrays[0] is not None
    assert result.arrays[0].tolist() == [1000 + 5 * lane for lane in range(32)]


_LOCK = """
ld.param.u64 %d0, [p0]; ld.param.u64 %d1, [p1];
TAKE: atom.global.cas.b32 %r1, [%d0], 0, 1;
setp.ne.u32 %p0, %r1, 0;
@%p0 bra TAKE;
ld.volatile.global.u32 %r2, [%d1]; add.u32 %r2, %r2, 1; st.volatile.global.u32 [%d1], %r2;
membar.gl;
atom.global.exch.b32 %r3, [%d0], 0;
ret;"""


def test_a_spin_lock_that_all_lanes_of_all_blocks_want() -> None:
    result = launch(_LOCK, [_zeros(1), _zeros(1)], grid=2, block=16)
    assert result.trap is None
    assert result.arrays[1] is not None
    assert result.arrays[1].tolist() == [32]


def test_a_lock_that_nobody_gives_back_is_a_trap() -> None:
    result = launch(_LOCK, [np.ones(1, np.uint32), _zeros(1)], block=32, step_limit=20000)
    assert result.trap is not None
    assert result.trap.kind == "step-limit"


def test_a_barrier_that_half_a_warp_never_reaches() -> None:
    body = """
    mov.u32 %r0, %tid.x; setp.lt.u32 %p0, %r0, 16;
    @%p0 bra A;
    bar.sync 1;
    ret;
    A: bar.sync 0;
    ret;"""
    trap = launch(body, block=32).trap
    assert trap is not None
    assert trap.kind == "divergent-barrier"
    assert trap.instruction in {"bar.sync 0", "bar.sync 1"}


def test_warps_at_barriers_that_nobody_else_reaches_are_a_deadlock() -> None:
    body = """
    mov.u32 %r0, %tid.x; setp.lt.u32 %p0, %r0, 32;
    @%p0 bra A;
    bar.sync 1, 96;
    A: bar.sync 0, 96;
    ret;"""
    trap = launch(body, block=64).trap
    assert trap is not None
    assert trap.kind == "deadlock"


def test_warps_that_left_do_not_hold_up_a_barrier() -> None:
    body = """
    .shared .align 4 .b32 box[1];
    mov.u32 %r0, %tid.x; setp.ge.u32 %p0, %r0, 64;
    @%p0 ret;
    setp.eq.u32 %p1, %r0, 63; mov.u32 %r1, box; mov.u32 %r2, 5;
    @%p1 st.shared.u32 [%r1], %r2;
    bar.sync 0;
    ld.shared.u32 %r3, [%r1];
    ld.param.u64 %d0, [p0]; mul.wide.u32 %d1, %r0, 4; add.s64 %d0, %d0, %d1;
    st.global.u32 [%d0], %r3; ret;"""
    result = launch(body, [_zeros(128)], block=128)
    assert result.trap is None
    assert result.arrays[0] is not None
    assert result.arrays[0].tolist() == [5] * 64 + [0] * 64


def test_barrier_reductions_together_and_apart() -> None:
    body = (
        _AT
        + """
    and.b32 %r4, %r0, 1; setp.eq.u32 %p0, %r4, 0;
    bar.red.popc.u32 %r5, 0, %p0;
    setp.lt.u32 %p1, %r0, 32;
    @%p1 bra WARP0;
    nanosleep.u32 10;
    setp.lt.u32 %p3, %r0, 200;
    bra MEET;
    WARP0: setp.lt.u32 %p3, %r0, 31;
    MEET: bar.red.and.pred %p2, 0, %p3;
    selp.b32 %r6, 1000, 2000, %p2; add.u32 %r5, %r5, %r6;
    st.global.u32 [%d0], %r5; ret;"""
    )
    result = launch(body, [_zeros(128)], grid=2, block=64)
    assert result.arrays[0] is not None
    assert result.arrays[0].tolist() == [2032] * 128


def test_sync_instructions_wait_for_the_lanes_they_name() -> None:
    # The upper half comes to the shuffle by a longer way.
    body = (
        _AT
        + """
    mov.u32 %r4, %r0; setp.lt.u32 %p0, %r0, 16;
    @%p0 bra MEET;
    mov.u32 %r5, 0;
    LOOP: add.u32 %r4, %r4, 1000; add.u32 %r5, %r5, 1;
    setp.lt.u32 %p1, %r5, 3;
    @%p1 bra LOOP;
    MEET: shfl.sync.bfly.b32 %r6, %r4, 16, 31, -1;
    st.global.u32 [%d0], %r6; ret;"""
    )
    result = launch(body, [_zeros(32)])
    assert result.arrays[0] is not None
    wanted = [t + 16 + 3000 if t < 16 else t - 16 for t in range(32)]
    assert result.arrays[0].tolist() == wanted


def test_slices_of_a_grid_agree_with_one_run() -> None:
    body = (
        _AT
        + """
    mov.u32 %r4, %ctaid.y; mad.lo.u32 %r5, %r4, 1000, %r1; mov.u32 %r6, %nctaid.x;
    mad.lo.u32 %r7, %r4, %r6, %r1; mad.lo.u32 %r7, %r7, %r2, %r0;
    ld.param.u64 %d0, [p0]; mul.wide.u32 %d1, %r7, 4; add.s64 %d0, %d0, %d1;
    st.global.u32 [%d0], %r5; ret;"""
    )
    result = launch(body, [_zeros(50 * 40 * 32)], grid=(50, 40), block=32)
    assert result.trap is None
    assert result.arrays[0] is not None
    got = result.arrays[0].reshape(40, 50, 32)
    assert (got == (np.arange(40) * 1000)[:, None, None] + np.arange(50)[None, :, None]).all()


def test_empty_launches_run_nothing() -> None:
    result = launch("trap; ret;", [_zeros(0)], grid=(0, 3))
    assert result.trap is None
    assert result.instructions == 0
    assert result.label == "exact"


def test_calls_of_device_functions_and_scopes_of_inline_assembly() -> None:
    functions = """
.func (.param .b32 out) twice(.param .b32 in, .param .b64 in2)
{ .reg .b32 %r<9>; .reg .b64 %d<3>; .reg .pred %p<2>;
ld.param.b32 %r1, [in]; ld.param.b64 %d1, [in2]; cvt.u32.u64 %r2, %d1;
setp.gt.u32 %p1, %r1, 7;
@%p1 bra BIG;
add.u32 %r3, %r1, %r2; st.param.b32 [out], %r3; ret;
BIG: st.param.b32 [out], 77; ret; }
"""
    body = (
        _AT
        + """
    { .reg .b32 t; .reg .pred q; mov.u32 t, 5; setp.lt.u32 q, %r0, 3;
    @q bra AGAIN; add.u32 t, t, 1; AGAIN: mov.u32 %r4, t; }
    { .reg .b32 t; .reg .pred q; mov.u32 t, 50; setp.lt.u32 q, %r0, 3;
    @q bra AGAIN; add.u32 t, t, 1; AGAIN: add.u32 %r4, %r4, t; }
    cvt.u64.u32 %d5, %r4;
    { .param .b32 a; .param .b64 b; .param .b32 c;
    st.param.b32 [a], %r0; st.param.b64 [b], %d5;
    call.uni (c), twice, (a, b);
    ld.param.b32 %r5, [c]; }
    st.global.u32 [%d0], %r5; ret;"""
    )
    result = launch(body, [_zeros(32)], before=functions)
    assert result.trap is None
    assert result.arrays[0] is not None
    wanted = [(77 if t > 7 else t + (55 if t < 3 else 57)) for t in range(32)]
    assert result.arrays[0].tolist() == wanted


_LOOPS = {
    "body last": """
    LOOP: setp.lt.u32 %p0, %r5, %r0;
    @%p0 bra BODY;
    bra DONE;
    DONE: activemask.b32 %r7; st.global.u32 [%d0], %r7; ret;
    BODY: add.u32 %r5, %r5, 1; bra LOOP;""",
    "body first": """
    LOOP: setp.ge.u32 %p0, %r5, %r0;
    @%p0 bra DONE;
    add.u32 %r5, %r5, 1; bra LOOP;
    DONE: activemask.b32 %r7; st.global.u32 [%d0], %r7; ret;""",
}


@pytest.mark.parametrize("layout", sorted(_LOOPS))
def test_all_lanes_have_left_a_loop_before_any_goes_on(layout: str) -> None:
    result = launch(_AT + "mov.u32 %r5, 0;" + _LOOPS[layout], [_zeros(64)], block=64)
    assert result.arrays[0] is not None
    assert result.arrays[0].tolist() == [0xFFFFFFFF] * 64


def test_a_loop_of_nothing_ends_at_the_step_limit() -> None:
    trap = launch("L: bra L;", step_limit=5000).trap
    assert trap is not None
    assert trap.kind == "step-limit"
