"""Races in global memory and reads of outputs that nobody wrote: what is one, and what is not."""

from __future__ import annotations

import numpy as np
import pytest
from tests.machine.harness import entry

from sassay.machine import Launch, Program, load_program
from sassay.machine.reads import first_read
from sassay.machine.watched import Watched, run_watched

_HEAD = """
ld.param.u64 %d1, [x]; ld.param.u64 %d2, [y];
mov.u32 %r1, %ctaid.x; mov.u32 %r2, %tid.x; mad.lo.s32 %r3, %r1, 64, %r2;
mul.wide.u32 %d3, %r3, 4; add.s64 %d4, %d1, %d3; mul.wide.u32 %d3, %r2, 4; add.s64 %d5, %d2, %d3;
xor.b32 %r4, %r3, 32; mul.wide.u32 %d3, %r4, 4; add.s64 %d6, %d1, %d3;
and.b32 %r4, %r2, 31; mul.wide.u32 %d3, %r4, 4; add.s64 %d7, %d1, %d3;
setp.eq.u32 %p1, %r2, 0; setp.lt.u32 %p2, %r2, 32;
"""
"""%d4 is the thread's own word of x, %d6 one of another warp, %d7 one that two warps share; %d5 is
a word of y that all blocks share."""

_TICKET = """
st.global.u32 [%d4], %r3; bar.sync 0; @!%p1 bra end;
BEFORE atom.MORE.global.add.u32 %r5, [%d2], 1; AFTER
ONLY ld.global.u32 %r6, [%d1]; ld.global.u32 %r7, [%d1+256]; ld.global.u32 %r8, [%d1+512];
add.u32 %r6, %r6, %r7; add.u32 %r6, %r6, %r8; mul.wide.u32 %d3, %r1, 4; add.s64 %d3, %d3, %d2;
st.global.u32 [%d3+32], %r6; end:
"""
_LAST = "setp.ne.u32 %p3, %r5, 3; @%p3 bra end;"


def _ticket(before: str = "", more: str = "relaxed.gpu", after: str = "", only: str = _LAST) -> str:
    words = {"BEFORE": before, "MORE": more, "AFTER": after, "ONLY": only}
    text = _TICKET
    for word, replacement in words.items():
        text = text.replace(word, replacement)
    return text


RACES = {
    "blocks that write one place": "st.global.u32 [%d5], %r3;",
    "one instruction, two values": "st.global.u32 [%d2], %r2;",
    "a read of another warp's word": "st.global.u32 [%d4], %r3; ld.global.u32 %r9, [%d6];"
    "st.global.u32 [%d4], %r9;",
    "a write over what another warp reads": "ld.global.u32 %r9, [%d6]; st.global.u32 [%d4], %r9;",
    "a bare write beside atomics": "red.global.add.u32 [%d5], 1; @%p2 st.global.u32 [%d5], %r3;",
    "parts of a word": "st.global.u32 [%d5], %r3; @%p1 st.global.u8 [%d5+2], %r1;",
    "no fence before the ticket": _ticket(),
    "a fence of the block alone": _ticket("membar.cta;", after="membar.cta;"),
    "all blocks read, not the last": _ticket("membar.gl;", after="membar.gl;", only=""),
    "another thread uses what it read": "ld.global.u32 %r9, [%d7]; add.u32 %r9, %r9, 1;"
    "@%p2 st.global.u32 [%d7], %r9; @!%p2 st.global.u32 [%d5], %r9;",
}
ORDERED = {
    "its own word": "ld.global.u32 %r9, [%d4]; st.global.u32 [%d4], %r9;",
    "a barrier": "st.global.u32 [%d4], %r3; bar.sync 0; ld.global.u32 %r9, [%d6]; bar.sync 0;"
    "st.global.u32 [%d4], %r9;",
    "atomics": "red.global.add.u32 [%d5], 1; atom.global.max.u32 %r9, [%d5], 2;",
    "reads": "ld.global.u32 %r9, [%d2];",
    "volatile": "st.volatile.global.u32 [%d5], %r3; ld.volatile.global.u32 %r9, [%d5];",
    "a ticket with fences": _ticket("membar.gl;", after="membar.gl;"),
    "a ticket that acquires and releases": _ticket(more="acq_rel.gpu"),
    "the last block resets the ticket": _ticket("membar.gl;", after="membar.gl;")
    .replace("end:", "st.global.u32 [%d2], 0; end:"),
}  # fmt: skip
HARMLESS = {
    "same-value": "st.global.u32 [%d5], 7;",
    "unused": "ld.global.u32 %r9, [%d7]; add.u32 %r9, %r9, 1; @%p2 st.global.u32 [%d7], %r9;",
}


def _program(body: str) -> Program:
    return load_program(entry(_HEAD + body + " ret;", [".u64 x", ".u64 y"]))


def _watch(body: str, *, grid: int = 4, marks: int = 1 << 20) -> Watched:
    x = np.arange(256, dtype=np.uint32) + 1000
    launch = Launch(grid, 64, [x, np.zeros(64, np.uint32)])
    return run_watched(_program(body), launch, marks=marks)


@pytest.mark.parametrize("name", RACES)
def test_a_race_is_found_in_one_window_and_in_many(name: str) -> None:
    for marks in (1 << 20, 4096):
        found = _watch(RACES[name], marks=marks)
        assert found.trap is None
        assert found.races[0].kind == "race", found


@pytest.mark.parametrize("name", ORDERED)
def test_what_is_ordered_is_no_race(name: str) -> None:
    found = _watch(ORDERED[name])
    assert (found.trap, found.races, found.left_out) == (None, (), "")


@pytest.mark.parametrize("kind", HARMLESS)
def test_what_changes_no_result_is_told_apart(kind: str) -> None:
    grid = 1 if kind == "unused" else 4
    assert {each.kind for each in _watch(HARMLESS[kind], grid=grid).races} == {kind}


def test_blocks_of_different_slices_race() -> None:
    grid = 1 << 10
    x = np.zeros(64 * grid, np.uint32)
    launch = Launch(grid, 64, [x, np.zeros(64, np.uint32)])
    body = "setp.eq.u32 %p3, %r1, 0; setp.eq.u32 %p4, %r1, 1023; or.pred %p3, %p3, %p4;"
    (race,) = run_watched(_program(body + "@%p3 st.global.u32 [%d5], %r1;"), launch).races
    assert {race.first.block, race.second.block} == {0, grid - 1}
    assert run_watched(_program("st.global.u32 [%d4], %r1;"), launch).races == ()


def test_a_race_names_both_accesses() -> None:
    body = "st.global.u32 [%d4], %r3;\nld.global.u32 %r9, [%d6]; st.global.u32 [%d5], %r9;"
    found = _watch(body, grid=1).races
    race = next(each for each in found if each.second.does == "reads")
    assert (race.array, race.byte, race.count) == ("0", 128, 64)
    assert (race.first.does, race.first.block, race.first.thread) == ("writes", 0, 32)
    assert (race.second.block, race.second.thread) == (0, 0)
    assert race.second.op.place.line == race.first.op.place.line + 1


def test_more_windows_than_runs_are_said() -> None:
    found = _watch(RACES["blocks that write one place"] + "st.global.u32 [%d4], 1;", marks=512)
    assert "windows" in found.left_out


def test_an_output_is_read_before_it_is_written() -> None:
    program = _program("ld.global.u32 %r9, [%d4]; st.global.u32 [%d4], %r9;")
    x = np.zeros(256, np.uint32)
    launch = Launch(4, 64, [x, np.zeros(64, np.uint32)])
    nothing, half = np.zeros(1024, np.bool_), np.arange(1024) < 512
    found = run_watched(program, launch, empty={0: nothing})
    assert found.trap is not None
    assert (found.trap.kind, found.trap.block) == ("uninitialised", (0, 0, 0))
    assert "byte 0 of argument 0, which nobody wrote" in found.trap.message
    later = run_watched(program, launch, empty={0: half})
    assert later.trap is not None
    assert later.trap.block == (2, 0, 0)
    given = run_watched(program, launch, empty={0: np.ones(1024, np.bool_)})
    assert given.trap is None


def test_the_instruction_that_reads_a_byte_first() -> None:
    program = _program("@%p2 ld.global.u32 %r8, [%d4];\nld.global.u32 %r9, [%d6];")
    launch = Launch(2, 64, [np.zeros(256, np.uint32), np.zeros(64, np.uint32)])
    first, second = (first_read(program, launch, 0, byte) for byte in (0, 4 * 32 + 3))
    assert first is not None
    assert second is not None
    assert second.place.line == first.place.line + 1
    assert first_read(program, launch, 0, 4 * 128) is None
    assert first_read(program, launch, 1, 0) is None


def test_what_a_launch_writes_is_known_after_it() -> None:
    program = _program("@%p2 st.global.u32 [%d4], %r3;")
    launch = Launch(1, 64, [np.zeros(64, np.uint32), np.zeros(64, np.uint32)])
    nothing = np.zeros(256, np.bool_)
    found = run_watched(program, launch, empty={0: nothing, 1: nothing})
    assert found.result.written == (True, False)
    assert found.written[0].tolist() == [True] * 128 + [False] * 128
    assert not found.written[1].any()


def test_an_array_that_is_only_read_may_hold_something() -> None:
    program = _program("ld.global.u32 %r9, [%d4]; st.global.u32 [%d5], %r9;")
    launch = Launch(1, 64, [np.zeros(64, np.uint32), np.zeros(64, np.uint32)])
    nothing = np.zeros(256, np.bool_)
    both = {0: nothing, 1: nothing}
    assert run_watched(program, launch, empty=both, read_only=frozenset([0])).trap is None
    assert run_watched(program, launch, empty=both).trap is not None
