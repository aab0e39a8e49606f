"""Races in shared memory: what is one, what is ordered, and what the trap says."""

from __future__ import annotations

import re

import numpy as np
import pytest
from tests.machine.harness import entry, launch

from sassay.machine import Launch, Result, load_program, run

_HEAD = """
.shared .align 16 .b8 tile[1024];
mov.u32 %r0, %tid.x; mov.u32 %r1, tile; shl.b32 %r2, %r0, 2; add.u32 %r3, %r1, %r2;
xor.b32 %r4, %r2, 128; add.u32 %r4, %r1, %r4; xor.b32 %r5, %r2, 4; add.u32 %r5, %r1, %r5;
setp.eq.u32 %p0, %r0, 0; setp.lt.u32 %p1, %r0, 32; setp.eq.u32 %p2, %r0, 40;
setp.lt.u32 %p3, %r0, 16; shr.u32 %r6, %r0, 5;
"""
"""%r3 is the thread's own word, %r4 one of another warp, %r5 one of another lane."""

_OWN = "st.shared.u32 [%r3], %r0;"
_OTHER = "ld.shared.u32 %r9, [%r4];"
_NEIGHBOUR = "ld.shared.u32 %r9, [%r5];"
_LOCK = """
mov.u64 %d1, lock; @%p0 st.shared.u32 [lock], 0; @%p0 st.shared.u32 [count], 0; bar.sync 0;
{.reg .pred %q; and.b32 %r7, %r0, 31; setp.ne.u32 %q, %r7, 0; @%q bra done;}
take: atom.acquire.shared.cas.b32 %r8, [lock], 0, 1; setp.ne.u32 %p4, %r8, 0; @%p4 bra take;
ld.shared.u32 %r9, [count]; add.u32 %r9, %r9, 1; st.shared.u32 [count], %r9;
FENCE atom.RELEASEshared.exch.b32 %r8, [lock], 0;
done: bar.sync 0;
"""

RACES = {
    "a read of another warp's word": _OWN + _OTHER,
    "a write over what another warp reads": _OWN + "bar.sync 0;" + _OTHER + _OWN,
    "a write over another warp's write": _OWN + "st.shared.u32 [%r4], 7;",
    "lanes of a warp": _OWN + _NEIGHBOUR,
    "a warp's exchange orders no other warp": _OWN + "bar.warp.sync -1;" + _OTHER,
    "one instruction, two values": "st.shared.u32 [%r1], %r0;",
    "parts of a word": "st.shared.u16 [%r3+2], 1; st.shared.u8 [%r5+2], 2;",
    "a vector over a word": _OWN + "@%p2 st.shared.v4.u32 [%r1], {%r0, %r0, %r0, %r0};",
    "an atomic and a write": "@%p0 st.shared.u32 [%r1], 0; @%p2 red.shared.add.u32 [%r1], 1;",
    "a read of an atomic's sum": "@%p0 st.shared.u32 [%r1], 0; bar.sync 0;"
    "red.shared.add.u32 [%r1], 1; ld.shared.u32 %r9, [%r1];",
    "a barrier of another pair": "@%p1 st.shared.u32 [%r3], 1; @%p1 bar.sync 1, 32;"
    "@%p2 st.shared.u32 [tile+160], 1; @%p2 ld.shared.u32 %r9, [tile+4];",
    "on two paths": _OWN
    + "bar.sync 0; @%p1 bra one; ld.shared.u32 %r9, [%r1]; bra two; one: "
    + _OWN
    + "two:",
    "through generic addresses": "cvt.u64.u32 %d1, %r3; cvt.u64.u32 %d2, %r4;"
    "cvta.shared.u64 %d1, %d1; cvta.shared.u64 %d2, %d2; st.u32 [%d1], %r0; ld.u32 %r9, [%d2];",
}

ORDERED = {
    "a barrier": _OWN + "bar.sync 0;" + _OTHER + "bar.sync 0;" + _OWN,
    "a warp's barrier": _OWN + "bar.warp.sync -1;" + _NEIGHBOUR,
    "a shuffle": _OWN + "shfl.sync.idx.b32 %r9, %r0, 0, 31, -1;" + _NEIGHBOUR,
    "its own word": _OWN + "ld.shared.u32 %r9, [%r3];" + _OWN,
    "reads only": "@%p0 st.shared.u32 [%r1], 5; bar.sync 0; ld.shared.u32 %r9, [%r1];",
    "the same value twice": "st.shared.u32 [%r1], 7; st.shared.u32 [%r1], 7;",
    "atomics": "@%p0 st.shared.u32 [%r1], 0; bar.sync 0; red.shared.add.u32 [%r1], 1;"
    "atom.shared.max.u32 %r9, [%r1], 2;",
    "volatile": "st.volatile.shared.u32 [%r3], 1; ld.volatile.shared.u32 %r9, [%r4];",
    "an arrival and a wait": "@%p1 bra give; bar.sync 1, 64; ld.shared.u32 %r9, [%r4]; bra end;"
    "give: " + _OWN + "bar.arrive 1, 64; end:",
    "a barrier on two paths": "@%p1 bra one; bar.sync 0; bra two; one: "
    + _OWN + "bar.sync 0; two: @!%p1 ld.shared.u32 %r9, [%r4];",
    "bytes side by side": "add.u32 %r7, %r1, %r0; st.shared.u8 [%r7], %r0;"
    "ld.shared.u8 %r9, [%r7];",
    "a lock": _LOCK.replace("FENCE", "").replace("RELEASE", "release."),
    "a lock with fences": _LOCK.replace("FENCE", "membar.cta;").replace("RELEASE", ""),
}  # fmt: skip


def _run(body: str, *, find_races: bool = True) -> Result:
    before = ".shared .align 4 .b32 lock;\n.shared .align 4 .b32 count;\n"
    return launch(_HEAD + body + " ret;", block=64, grid=3, before=before, find_races=find_races)


@pytest.mark.parametrize("name", RACES)
def test_races_are_found(name: str) -> None:
    result = _run(RACES[name])
    assert result.trap is not None
    assert result.trap.kind == "race", result.trap
    assert _run(RACES[name], find_races=False).trap is None


@pytest.mark.parametrize("name", ORDERED)
def test_what_is_ordered_is_no_race(name: str) -> None:
    assert _run(ORDERED[name]).trap is None


def test_the_trap_names_both_accesses() -> None:
    module = entry(_HEAD + ".loc 1 7 0\n" + _OWN + "\n.loc 1 9 0\n" + _OTHER + "\nret;")
    program = load_program('.file 1 "norm.py"\n'.join(module.partition(".visible")[::2]).replace(
        '"norm.py"\n', '"norm.py"\n.visible', 1
    ))  # fmt: skip
    trap = run(program, Launch(1, 64)).trap
    assert trap is not None
    assert (trap.kind, trap.thread, trap.instruction) == ("race", (0, 0, 0), _OTHER.rstrip(";"))
    assert trap.location is not None
    assert (trap.location.file, trap.location.line) == ("norm.py", 9)
    assert re.search(r"thread 32 of the block wrote .*norm\.py:7: st\.shared\.u32", trap.message)


def test_a_race_of_one_block_only_is_found() -> None:
    body = (
        _HEAD
        + """
    mov.u32 %r10, %ctaid.x; setp.eq.u32 %p5, %r10, 5; ld.param.u64 %d0, [p0];
    st.shared.u32 [%r3], %r0; @%p5 bra skip; bar.sync 0; skip: ld.shared.u32 %r9, [%r4]; ret;"""
    )
    trap = launch(body, [np.zeros(1, np.uint32)], block=64, grid=9).trap
    assert trap is not None
    assert (trap.kind, trap.block) == ("race", (5, 0, 0))
