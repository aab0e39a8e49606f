"""Instructions between lanes, and atomics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.machine.harness import launch

if TYPE_CHECKING:
    from collections.abc import Callable

    from sassay.machine import Result

_HEAD = """
mov.u32 %r0, %tid.x; mov.u32 %r50, %ctaid.x; mov.u32 %r51, %ntid.x;
mad.lo.u32 %r52, %r50, %r51, %r0;
ld.param.u64 %d0, [p0]; ld.param.u64 %d1, [p1];
mul.wide.u32 %d2, %r52, 4; add.s64 %d0, %d0, %d2; add.s64 %d1, %d1, %d2;
ld.global.u32 %r1, [%d0];
"""
DATA = np.random.default_rng(5).integers(0, 1 << 32, 128, dtype=np.uint32)


def run(body: str, data: Any = DATA, **more: Any) -> Any:
    text = _HEAD + body + "st.global.u32 [%d1], %r9; ret;"
    count = len(data)
    result: Result = launch(
        text, [data, np.zeros(count, np.uint32)], block=64, grid=count // 64, **more
    )
    assert result.trap is None, result.trap
    assert result.arrays[1] is not None
    return result.arrays[1]


@pytest.mark.parametrize("mode", ["up", "down", "bfly", "idx"])
@pytest.mark.parametrize("clamp", [0x1F, 0x0, 0x181F, 0x1807, 0x1C03])
@pytest.mark.parametrize("offset", [0, 1, 5, 16, 31])
def test_shuffles(mode: str, clamp: int, offset: int) -> None:
    def source(lane: int, amount: int) -> int | None:
        # The ISA's pseudocode.
        bound, segment = clamp & 31, clamp >> 8 & 31
        high = lane & segment | bound & ~segment & 31
        low = lane & segment
        if mode == "up":
            return lane - amount if lane - amount >= high else None
        if mode == "idx":
            at = low | amount & ~segment & 31
        else:
            at = lane + amount if mode == "down" else lane ^ amount
        return at if at <= high else None

    body = f"shfl.sync.{mode}.b32 %r9|%p0, %r1, {offset}, {clamp}, -1; @!%p0 not.b32 %r9, %r9;"
    varied = f"and.b32 %r3, %r0, 7; {body.replace(f', {offset}, {clamp}', f', %r3, {clamp}')}"
    for text, amount in ((body, None), (varied, 7)):
        got = run(text)
        for thread in range(128):
            lane, warp = thread % 32, thread - thread % 32
            at = source(lane, offset if amount is None else thread % 64 & 7)
            wanted = int(DATA[warp + at]) if at is not None else int(~DATA[thread])
            assert int(got[thread]) == wanted, thread


def test_votes_and_matches() -> None:
    data = np.array([thread // 3 % 5 for thread in range(128)], np.uint32)
    warps = data.reshape(-1, 32)
    got = run("setp.eq.u32 %p0, %r1, 2; vote.sync.ballot.b32 %r9, %p0, -1;", data)
    bits = (1 << np.arange(32, dtype=np.uint64)).astype(np.uint32)
    assert (
        got.reshape(-1, 32) == ((warps == 2) * bits).sum(axis=1, dtype=np.uint32)[:, None]
    ).all()
    for mode, wanted in (("any", (warps == 4).any(axis=1)), ("all", (warps < 5).all(axis=1))):
        test = "eq.u32 %p0, %r1, 4" if mode == "any" else "lt.u32 %p0, %r1, 5"
        got = run(
            f"setp.{test}; vote.sync.{mode}.pred %p1, %p0, -1; selp.b32 %r9, 1, 0, %p1;", data
        )
        assert (got.reshape(-1, 32) == np.asarray(wanted)[:, None]).all()
    got = run("match.any.sync.b32 %r9, %r1, -1;", data).reshape(-1, 32)
    same = ((warps[:, :, None] == warps[:, None, :]) * bits).sum(axis=2, dtype=np.uint32)
    assert (got == same).all()
    got = run(
        "and.b32 %r2, %r1, 8; match.all.sync.b32 %r9|%p0, %r2, -1; @!%p0 mov.u32 %r9, 1;", data
    )
    assert (got == 0xFFFFFFFF).all()


@pytest.mark.parametrize("how", ["add", "min", "max", "and", "or", "xor"])
def test_reductions_over_part_of_a_warp(how: str) -> None:
    kind = "s32" if how in {"add", "min", "max"} else "b32"
    body = "mov.u32 %r9, 0; and.b32 %r2, %r0, 31; setp.lt.u32 %p0, %r2, 20; @!%p0 bra OUT;"
    got = run(f"{body} redux.sync.{how}.{kind} %r9, %r1, 0xfffff; OUT: ").reshape(-1, 32)
    typed = DATA.view(np.int32 if kind == "s32" else np.uint32).reshape(-1, 32)[:, :20]
    function: Any = {
        "add": np.add,
        "min": np.minimum,
        "max": np.maximum,
        "and": np.bitwise_and,
        "or": np.bitwise_or,
        "xor": np.bitwise_xor,
    }[how]
    wanted = np.asarray(function.reduce(typed, axis=1, dtype=typed.dtype)).view(np.uint32)
    assert (got[:, :20] == wanted[:, None]).all()
    assert (got[:, 20:] == 0).all()


# Atomics: threads take turns in their order.

_ATOM: dict[str, Callable[[int, int], int]] = {
    "add.u32": lambda old, new: old + new & 0xFFFFFFFF,
    "min.s32": lambda old, new: min(old, new, key=lambda v: v - (v >> 31 << 32)),
    "max.u32": max,
    "and.b32": lambda old, new: old & new,
    "or.b32": lambda old, new: old | new,
    "xor.b32": lambda old, new: old ^ new,
    "exch.b32": lambda _old, new: new,
    "inc.u32": lambda old, new: 0 if old >= new else old + 1,
    "dec.u32": lambda old, new: new if old == 0 or old > new else old - 1,
}


@pytest.mark.parametrize("how", sorted(_ATOM))
@pytest.mark.parametrize("cells", [1, 5, 64])
def test_atomics_take_turns(how: str, cells: int) -> None:
    body = (
        _HEAD
        + f"""
    ld.param.u64 %d5, [p2]; rem.u32 %r2, %r0, {cells}; mul.wide.u32 %d6, %r2, 4;
    add.s64 %d5, %d5, %d6; atom.global.{how} %r9, [%d5], %r1; st.global.u32 [%d1], %r9; ret;"""
    )
    data = (DATA >> np.uint32(25)) if how.startswith(("inc", "dec")) else DATA
    start = np.arange(cells, dtype=np.uint32) * np.uint32(3)
    result = launch(body, [data, np.zeros(128, np.uint32), start], block=64, grid=2)
    assert result.trap is None
    held, got = start.tolist(), []
    for thread in range(128):
        at = thread % 64 % cells
        got.append(held[at])
        held[at] = _ATOM[how](held[at], int(data[thread]))
    assert result.arrays[1] is not None
    assert result.arrays[2] is not None
    assert result.arrays[1].tolist() == got
    assert result.arrays[2].tolist() == held
    assert result.label == "exact"


def test_float_atomics_add_in_order_and_say_so() -> None:
    body = (
        _HEAD
        + """ld.param.u64 %d5, [p2]; red.global.add.f32 [%d5], %r1;
    red.global.gpu.relaxed.add.noftz.bf16x2 [%d5+4], %r2; ret;"""
    )
    values = np.random.default_rng(3).standard_normal(128).astype(np.float32)
    result = launch(
        body,
        [values.view(np.uint32), np.zeros(128, np.uint32), np.zeros(2, np.uint32)],
        block=64,
        grid=2,
    )
    total = np.float32(0)
    for value in values:
        total += value
    assert result.arrays[2] is not None
    assert result.arrays[2].view(np.float32)[0] == total
    assert result.label == "modelled"
    assert result.forms["red.global.add.f32"] == "modelled"


def test_guarded_and_predicated_warp_operations() -> None:
    got = run("setp.ge.u32 %p0, %r0, 32; mov.u32 %r9, 3; @%p0 vote.sync.ballot.b32 %r9, %p0, -1;")
    assert got.tolist() == ([3] * 32 + [0xFFFFFFFF] * 32) * 2
    got = run("mov.u32 %r9, %lanemask_lt; popc.b32 %r9, %r9;")
    assert got.tolist() == [thread % 32 for thread in range(128)]


@pytest.mark.parametrize("turned", [False, True])
def test_tiles_are_spread_over_a_warp(turned: bool) -> None:
    # Element (row, column) of tile i is 256 i + 16 row + column, each row at an address of its own.
    trans = ".trans" if turned else ""
    body = f"""
    .shared .align 16 .b8 tile[512];
    mov.u32 %r0, %laneid; mov.u32 %r1, tile; mul.lo.u32 %r2, %r0, 16; add.u32 %r1, %r1, %r2;
    shr.u32 %r3, %r0, 3; and.b32 %r4, %r0, 7;
    shl.b32 %r3, %r3, 8; shl.b32 %r4, %r4, 4; or.b32 %r3, %r3, %r4;
    mov.u32 %r5, 0;
    LOOP: shl.b32 %r6, %r5, 1; add.u32 %r7, %r1, %r6; add.u32 %r8, %r3, %r5; cvt.u16.u32 %s1, %r8;
    st.shared.u16 [%r7], %s1; add.u32 %r5, %r5, 1; setp.lt.u32 %p0, %r5, 8; @%p0 bra LOOP;
    bar.warp.sync -1;
    ldmatrix.sync.aligned.m8n8.x4{trans}.shared.b16 {{%r10, %r11, %r12, %r13}}, [%r1];
    bar.warp.sync -1;
    stmatrix.sync.aligned.m8n8.x4{trans}.shared.b16 [%r1], {{%r10, %r11, %r12, %r13}};
    bar.warp.sync -1;
    ld.shared.v4.b32 {{%r20, %r21, %r22, %r23}}, [%r1];
    ld.param.u64 %d0, [p0]; mul.wide.u32 %d1, %r0, 32; add.s64 %d0, %d0, %d1;
    st.global.v4.b32 [%d0], {{%r10, %r11, %r12, %r13}};
    st.global.v4.b32 [%d0+16], {{%r20, %r21, %r22, %r23}};
    ret;"""
    result = launch(body, [np.zeros((32, 16), np.uint16)], block=32)
    assert result.trap is None, str(result.trap)
    assert result.arrays[0] is not None
    for lane in range(32):
        held = result.arrays[0][lane].tolist()
        for tile in range(4):
            for half in range(2):
                row, column = lane // 4, lane % 4 * 2 + half
                if turned:
                    row, column = column, row
                assert held[2 * tile + half] == 256 * tile + 16 * row + column
        # What is stored again is what was there.
        first = 256 * (lane // 8) + 16 * (lane % 8)
        assert held[8:] == list(range(first, first + 8))


@pytest.mark.parametrize("base", ["atom", "red"])
def test_atomics_on_vectors_are_those_on_their_elements(base: str) -> None:
    got = "{%r4, %r5, %r6, %r7}, " if base == "atom" else ""
    body = f"""
    mov.u32 %r0, %tid.x; cvt.rn.f32.u32 %r1, %r0; mov.b32 %r2, 0f40000000;
    ld.param.u64 %d0, [p0]; ld.param.u64 %d1, [p1]; mul.wide.u32 %d2, %r0, 4; add.s64 %d1, %d1, %d2;
    mov.u32 %r7, 0;
    {base}.global.add.v4.f32 {got}[%d0+16], {{%r1, %r2, %r1, %r2}};
    st.global.u32 [%d1], %r7; ret;"""
    sums, found = np.zeros(8, np.float32), np.zeros(32, np.float32)
    result = launch(body, [sums, found])
    assert result.trap is None
    assert result.label == "modelled"
    assert result.arrays[0] is not None
    assert result.arrays[0].tolist() == [0, 0, 0, 0, 496, 64, 496, 64]
    assert result.arrays[1] is not None
    wanted = [2.0 * t for t in range(32)] if base == "atom" else [0.0] * 32
    assert result.arrays[1].tolist() == wanted
    misaligned = launch(body, [sums[:7], found])
    assert misaligned.trap is not None
    assert misaligned.trap.kind == "out-of-bounds"
