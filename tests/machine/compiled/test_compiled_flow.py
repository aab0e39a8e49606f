"""Control flow, memory and traps in compiled code and in the interpreter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.machine.harness import entry

from sassay.machine import Launch, Result, load_program, run
from sassay.machine.compiled import Backend, Choice

_AT = """
mov.u32 %r0, %tid.x; mov.u32 %r1, %ctaid.x; mov.u32 %r2, %ntid.x;
mad.lo.s32 %r3, %r1, %r2, %r0; ld.param.u64 %d0, [p0]; mul.wide.u32 %d1, %r3, 4;
add.s64 %d0, %d0, %d1; ld.global.u32 %r9, [%d0]; and.b32 %r8, %r0, 31;
"""
_END = "st.global.u32 [%d0], %r4; ret;"

BODIES = {
    "a loop of its own length": """
mov.u32 %r4, 0; mov.u32 %r5, 0;
LOOP: setp.ge.u32 %p0, %r5, %r8; @%p0 bra DONE;
add.u32 %r4, %r4, %r5; add.u32 %r5, %r5, 1; and.b32 %r6, %r5, 1; setp.eq.u32 %p1, %r6, 0;
@%p1 bra LOOP; add.u32 %r4, %r4, 100; bra LOOP;
DONE: activemask.b32 %r7; xor.b32 %r4, %r4, %r7;""",
    "ways that part and meet": """
and.b32 %r4, %r9, 3; setp.eq.u32 %p0, %r4, 0; @%p0 bra ONE; setp.eq.u32 %p1, %r4, 1;
@%p1 bra TWO; mov.u32 %r5, 7; bra JOIN; ONE: mov.u32 %r5, 1; bra JOIN;
TWO: activemask.b32 %r5; JOIN: activemask.b32 %r6; xor.b32 %r4, %r5, %r6;""",
    "loops inside of ways": """
mov.u32 %r4, 1; and.b32 %r6, %r9, 1; setp.eq.u32 %p0, %r6, 0; @%p0 bra EVEN;
mov.u32 %r5, 0; ODD: add.u32 %r4, %r4, %r9; add.u32 %r5, %r5, 1; and.b32 %r7, %r9, 7;
setp.le.u32 %p1, %r5, %r7; @%p1 bra ODD; activemask.b32 %r6; xor.b32 %r4, %r4, %r6; bra JOIN;
EVEN: shr.u32 %r4, %r9, 3; JOIN: add.u32 %r4, %r4, 5;""",
    "some exit early": """
mov.u32 %r4, 3; setp.gt.u32 %p0, %r8, 20; @%p0 ret; activemask.b32 %r4;
vote.sync.ballot.b32 %r5, %p0, 0x1fffff; add.u32 %r4, %r4, %r5;""",
    "barriers with registers alive": """
.shared .align 4 .b8 tile[512]; mov.u32 %r10, tile; shl.b32 %r11, %r0, 2; add.u32 %r12, %r10, %r11;
xor.b32 %r13, %r11, 252; add.u32 %r13, %r10, %r13; setp.lt.u32 %p1, %r9, 1000000; mov.u32 %r4, %r9;
mov.u32 %r5, 0; cvt.u64.u32 %d4, %r9; mul.lo.u64 %d4, %d4, %d4; cvt.u16.u32 %s1, %r9;
AGAIN: st.shared.u32 [%r12], %r4; bar.sync 0; ld.shared.u32 %r6, [%r13]; bar.sync 0;
add.u32 %r4, %r4, %r6; @%p1 xor.b32 %r4, %r4, 17; add.u32 %r5, %r5, 1; setp.lt.u32 %p2, %r5, 3;
@%p2 bra AGAIN; cvt.u32.u64 %r6, %d4; xor.b32 %r4, %r4, %r6; cvt.u32.u16 %r6, %s1;
add.u32 %r4, %r4, %r6;""",
    "warps at different barriers": """
.shared .align 4 .b8 tile[512]; mov.u32 %r10, tile; shl.b32 %r11, %r0, 2; add.u32 %r12, %r10, %r11;
st.shared.u32 [%r12], %r9; shr.u32 %r5, %r0, 5; setp.eq.u32 %p0, %r5, 0; @%p0 bra FIRST;
bar.sync 1, %r2; bra JOIN; FIRST: bar.sync 1, %r2; JOIN: xor.b32 %r6, %r11, 128;
add.u32 %r6, %r10, %r6; ld.shared.u32 %r4, [%r6];""",
    "a reduction over the block": """
setp.gt.u32 %p0, %r9, 0x7fffffff; bar.red.popc.u32 %r4, 0, %p0; bar.red.or.pred %p1, 0, %p0;
bar.red.and.pred %p2, 0, %p0; selp.u32 %r5, 1, 0, %p1; selp.u32 %r6, 1, 0, %p2;
mad.lo.u32 %r4, %r4, %r5, %r6;""",
    "shuffles": """
shfl.sync.bfly.b32 %r4|%p0, %r9, 5, 0x1f, -1; shfl.sync.up.b32 %r5|%p1, %r9, 3, 0, -1;
shfl.sync.down.b32 %r6, %r9, 9, 0x0f1f, -1; and.b32 %r7, %r9, 31;
shfl.sync.idx.b32 %r10|%p2, %r9, %r7, 0x101f, -1; @%p0 add.u32 %r4, %r4, %r5;
@!%p1 add.u32 %r4, %r4, %r6; @%p2 xor.b32 %r4, %r4, %r10;""",
    "votes and reductions": """
setp.gt.s32 %p0, %r9, 0; vote.sync.ballot.b32 %r4, %p0, -1; vote.sync.any.pred %p1, %p0, -1;
vote.sync.all.pred %p2, %p0, -1; redux.sync.min.s32 %r5, %r9, -1; redux.sync.max.u32 %r6, %r9, -1;
redux.sync.add.u32 %r7, %r9, -1; @%p1 xor.b32 %r4, %r4, %r5; @!%p2 add.u32 %r4, %r4, %r6;
xor.b32 %r4, %r4, %r7; and.b32 %r10, %r9, 3; match.any.sync.b32 %r11, %r10, -1;
match.all.sync.b32 %r12|%p3, %r10, -1; add.u32 %r4, %r4, %r11; add.u32 %r4, %r4, %r12;""",
    "local memory": """
.local .align 4 .b8 own[32]; and.b32 %r5, %r9, 7; shl.b32 %r5, %r5, 2; mov.u32 %r6, own;
st.local.u32 [own], %r0; st.local.u32 [own+4], %r9; st.local.u32 [own+8], 7;
st.local.u32 [own+12], 9;
st.local.v4.u32 [own+16], {%r0, %r9, %r8, %r2}; add.u32 %r6, %r6, %r5; ld.local.u32 %r4, [%r6];""",
    "guards over loads and stores": """
and.b32 %r5, %r9, 1; setp.eq.u32 %p0, %r5, 0; mov.u32 %r4, 11; @%p0 ld.global.u32 %r4, [%d0];
@!%p0 st.global.u32 [%d0], %r8; @!%p0 ld.global.u32 %r6, [%d0]; @!%p0 add.u32 %r4, %r4, %r6;""",
    "vectors and scattered words": """
ld.param.u64 %d2, [p0]; shr.u32 %r5, %r3, 2; mul.wide.u32 %d3, %r5, 16; add.s64 %d3, %d2, %d3;
ld.global.v4.u32 {%r10, %r11, %r12, %r13}, [%d3]; and.b32 %r6, %r9, 127; mul.wide.u32 %d4, %r6, 4;
add.s64 %d4, %d2, %d4; add.u32 %r4, %r10, %r13; xor.b32 %r4, %r4, %r11; bar.sync 0;""",
    "sums in memory": """
.shared .align 4 .b8 total[4]; setp.eq.u32 %p0, %r0, 0; @%p0 st.shared.u32 [total], 0; bar.sync 0;
and.b32 %r5, %r9, 15; red.shared.add.u32 [total], %r5; bar.sync 0; ld.shared.u32 %r4, [total];""",
    "a jump by a table": """
and.b32 %r5, %r9, 3; T: .branchtargets A, B, C; brx.idx %r5, T;
A: mov.u32 %r4, 1; bra.uni J; B: mov.u32 %r4, 20; bra.uni J; C: mov.u32 %r4, 300; J:""",
    "generic addresses": """
.shared .align 4 .b8 tile[512]; mov.u64 %d4, tile; cvta.shared.u64 %d4, %d4;
mul.wide.u32 %d5, %r0, 4;
add.s64 %d4, %d4, %d5; st.u32 [%d4], %r9; ld.u32 %r4, [%d4]; ld.u32 %r5, [%d0];
add.u32 %r4, %r4, %r5;""",
}

_WHOLE_WARPS = frozenset(
    {"barriers with registers alive", "warps at different barriers", "shuffles"}
)
"""They read what the lanes that a block of 52 threads lacks would have written."""


def _result(body: str, backend: Backend | None, *, block: int, **more: Any) -> Result:
    program = load_program(entry(body, [".u64 p0"]))
    words = np.random.default_rng(7).integers(0, 1 << 32, 3 * block, np.uint32)
    launch = Launch(3, block, [words], **more)
    return run(program, launch) if backend is None else backend.run(program, launch)


def _same(wanted: Result, found: Result) -> None:
    assert found.trap == wanted.trap
    for a, b in zip(wanted.arrays, found.arrays, strict=True):
        assert a is not None
        assert b is not None
        assert a.tolist() == b.tolist()
    assert (found.label, found.labels, found.forms) == (wanted.label, wanted.labels, wanted.forms)


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("block", [64, 52])
def test_the_same_as_interpreted(name: str, block: int) -> None:
    if block == 52 and name in _WHOLE_WARPS:
        block = 128
    body = _AT + BODIES[name] + _END
    wanted = _result(body, None, block=block)
    assert wanted.trap is None, wanted.trap
    found = _result(body, Backend(Choice.COMPILED, checked_threads=0), block=block)
    assert found.compiled_blocks == 3, found.not_compiled
    _same(wanted, found)
    assert found.instructions == wanted.instructions


TRAPS = {
    "out-of-bounds": "setp.eq.u32 %p0, %r3, 70; @%p0 add.s64 %d0, %d0, 4096;"
    "ld.global.u32 %r4, [%d0];",
    "misaligned": "setp.eq.u32 %p0, %r3, 100; @%p0 add.s64 %d0, %d0, 2; ld.global.u32 %r4, [%d0];",
    "trap": "mov.u32 %r4, 0; setp.eq.u32 %p0, %r3, 90; @%p0 trap;",
    "step-limit": "mov.u32 %r4, 0; FOREVER: add.u32 %r4, %r4, 1; bra FOREVER;",
    "deadlock": "mov.u32 %r4, 0; setp.lt.u32 %p0, %r0, 32; @%p0 bra ON; bar.sync 1, 64; ON:",
}


@pytest.mark.parametrize("kind", TRAPS)
def test_traps_are_those_of_the_interpreter(kind: str) -> None:
    body = _AT + TRAPS[kind] + _END
    more = {"step_limit": 100_000} if kind == "step-limit" else {}
    wanted = _result(body, None, block=64, **more)
    assert wanted.trap is not None
    assert wanted.trap.kind == kind
    found = _result(body, Backend(Choice.COMPILED, checked_threads=0), block=64, **more)
    assert found.compiled_blocks == 0
    _same(wanted, found)


def test_the_first_blocks_run_with_every_check() -> None:
    unwritten = ".shared .align 4 .b8 tile[64]; ld.shared.u32 %r4, [tile];"
    found = _result(_AT + unwritten + _END, Backend(Choice.COMPILED, checked_threads=64), block=64)
    assert found.trap is not None
    assert found.trap.kind == "uninitialised"


def test_registers_that_nobody_wrote_must_not_matter() -> None:
    body = _AT + "setp.gt.u32 %p0, %r9, 7; @%p0 mov.u32 %r4, 5;" + _END
    wanted = _result(body, None, block=64)
    found = _result(body, Backend(Choice.COMPILED, checked_threads=0), block=64)
    assert wanted.trap is None or wanted.trap.kind == "uninitialised"
    _same(wanted, found)


def test_what_is_not_compiled_says_why() -> None:
    backend = Backend(Choice.COMPILED, checked_threads=0)
    body = "rsqrt.approx.f64 %d4, %d0; mov.u32 %r4, 1;"
    found = _result(_AT + body + _END, backend, block=64)
    assert found.not_compiled == "rsqrt.approx.f64"
    assert found.compiled_blocks == 0
    assert backend.reasons == {"k": "rsqrt.approx.f64"}
    spin = "WAIT: ld.volatile.global.u32 %r4, [%d0]; setp.eq.u32 %p0, %r4, 77; @%p0 bra WAIT;"
    assert "waits" in _result(_AT + spin + _END, backend, block=64).not_compiled
    sums = "LOOP: atom.global.add.f32 %r4, [%d0], %r9; setp.eq.u32 %p0, %r4, 77; @%p0 bra LOOP;"
    assert _result(_AT + sums + _END, backend, block=64).not_compiled


def test_short_launches_are_interpreted_and_long_ones_compiled() -> None:
    program = load_program(entry(_AT + BODIES["a loop of its own length"] + _END, [".u64 p0"]))
    backend = Backend()

    def blocks(grid: int, chosen: Backend = backend) -> int:
        launch = Launch(grid, 64, [np.zeros(64 * grid, np.uint32)])
        return chosen.run(program, launch).compiled_blocks

    assert blocks(64) == 0
    assert blocks(4000) > 3900
    assert blocks(4000, Backend(Choice.INTERPRETER)) == 0
