"""Asynchronous copies and barriers as hand-written kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.machine.harness import launch

from sassay.errors import UsageError
from sassay.machine import TensorMap, load_program, run
from sassay.machine.launch import Launch

if TYPE_CHECKING:
    from numpy.typing import NDArray

COPY = """
    .shared .align 16 .b8 tile[512];
    mov.u32 %r0, %tid.x;
    ld.param.u64 %d0, [p0];
    ld.param.u64 %d1, [p1];
    ld.param.b32 %r9, [p2];
    mad.wide.u32 %d2, %r0, 16, %d0;
    mov.u32 %r1, tile;
    mad.lo.u32 %r2, %r0, 16, %r1;
    cp.async.cg.shared.global [%r2], [%d2], 16, %r9;
    cp.async.commit_group;
    WAIT
    bar.sync 0;
    xor.b32 %r3, %r0, 31;
    mad.lo.u32 %r4, %r3, 16, %r1;
    ld.shared.v4.b32 {%r5, %r6, %r7, %r8}, [%r4];
    mad.wide.u32 %d3, %r0, 16, %d1;
    st.global.v4.b32 [%d3], {%r5, %r6, %r7, %r8};
    ret;
"""


def test_a_group_is_visible_after_its_wait() -> None:
    x = np.arange(128, dtype=np.uint32).reshape(32, 4)
    for wait in ("cp.async.wait_group 0;", "cp.async.wait_all;"):
        result = launch(COPY.replace("WAIT", wait), [x, np.zeros_like(x), 16])
        assert result.trap is None, str(result.trap)
        assert result.arrays[1] is not None
        assert (result.arrays[1] == x[::-1]).all()
        assert result.label == "exact"


def test_a_group_is_not_visible_before() -> None:
    x = np.arange(128, dtype=np.uint32)
    for wait in ("", "cp.async.wait_group 1;"):
        result = launch(COPY.replace("WAIT", wait), [x, np.zeros_like(x), 16])
        assert result.trap is not None
        assert result.trap.kind == "in-flight"


def test_what_the_source_does_not_have_is_zero() -> None:
    x = np.full((32, 16), 255, np.uint8)
    result = launch(COPY.replace("WAIT", "cp.async.wait_all;"), [x, np.zeros_like(x), 5])
    assert result.arrays[1] is not None
    assert (result.arrays[1] == [255] * 5 + [0] * 11).all()
    # Nothing is read at all of a source of no bytes.
    empty = launch(COPY.replace("WAIT", "cp.async.wait_all;"), [x[:1], np.ones_like(x), 0])
    assert empty.trap is None
    assert empty.arrays[1] is not None
    assert not empty.arrays[1].any()


MAPPED = """
.version 8.3
.target sm_90
.address_size 64
.visible .entry k(.param .align 64 .b8 map[128], .param .u64 out, .param .u32 x, .param .u32 y)
{
    .reg .pred %p<4>;
    .reg .b32 %r<16>;
    .reg .b64 %d<8>;
    .shared .align 1024 .b8 tile[1024];
    .shared .align 8 .b64 bar;
    mov.u32 %r0, %tid.x;
    setp.eq.u32 %p0, %r0, 0;
    @!%p0 bra wait;
    mbarrier.init.shared::cta.b64 [bar], 1;
    mbarrier.arrive.expect_tx.shared::cta.b64 _, [bar], 1024;
    ld.param.u32 %r1, [x];
    ld.param.u32 %r2, [y];
    mov.b64 %d0, map;
    cvta.param.u64 %d1, %d0;
    mov.u32 %r3, tile;
    mov.u32 %r4, bar;
    cp.async.bulk.tensor.2d.shared::cta.global.mbarrier::complete_tx::bytes
        [%r3], [%d1, {%r1, %r2}], [%r4];
wait:
    bar.sync 0;
    mov.u32 %r4, bar;
loop:
    mbarrier.try_wait.parity.shared::cta.b64 %p1, [%r4], 0;
    @!%p1 bra loop;
    mov.u32 %r3, tile;
    mad.lo.u32 %r5, %r0, 16, %r3;
    ld.shared.v4.b32 {%r6, %r7, %r8, %r9}, [%r5];
    ld.param.u64 %d2, [out];
    mad.wide.u32 %d3, %r0, 16, %d2;
    st.global.v4.b32 [%d3], {%r6, %r7, %r8, %r9};
    ret;
}
"""


def _box(x: int, y: int, swizzle: int, inner: int) -> NDArray[np.uint16]:
    array = np.arange(40 * 64, dtype=np.uint16).reshape(40, 64)
    rows = 512 // inner
    given = TensorMap(array, (rows, inner), swizzle)
    result = run(load_program(MAPPED), Launch(1, 64, [given, np.zeros((64, 8), np.uint16), x, y]))
    assert result.trap is None, str(result.trap)
    found = result.arrays[1]
    assert found is not None
    wanted = np.zeros((rows, inner), np.uint16)
    for row in range(rows):
        for col in range(inner):
            if 0 <= y + row < 40 and 0 <= x + col < 64:
                wanted[row, col] = array[y + row, x + col]
    chunks = wanted.reshape(-1, 8)
    for at in range(64):
        # A swizzle of 128 bytes: the chunk's number in its row, and the row's, mod 8.
        mask = swizzle // 16 - 1
        place = at ^ (at >> 3 & mask)
        assert (found[place] == chunks[at]).all(), at
    return found


def test_boxes_and_swizzles() -> None:
    _box(0, 0, 16, 64)
    _box(0, 3, 128, 64)
    _box(32, 5, 64, 32)
    _box(16, 7, 32, 16)


def test_what_lies_outside_is_zero() -> None:
    _box(-8, -3, 128, 64)
    _box(40, 37, 64, 32)
    assert not _box(64, 0, 16, 64).any()


def test_a_box_as_wide_as_its_swizzle_at_most() -> None:
    text = MAPPED.replace("[bar], 1024", "[bar], 2048")
    given = TensorMap(np.zeros((40, 64), np.uint16), (8, 64), 128)
    result = run(load_program(text), Launch(1, 64, [given, np.zeros((64, 8), np.uint16), 0, 0]))
    assert result.trap is not None
    assert result.trap.kind == "deadlock"
    assert "mbarrier" in result.trap.message


BARRIER = """
    .shared .align 8 .b64 bar;
    mov.u32 %r0, %tid.x;
    mov.u32 %r1, bar;
    setp.eq.u32 %p0, %r0, 0;
    @%p0 mbarrier.init.shared::cta.b64 [%r1], COUNT;
    bar.sync 0;
    mbarrier.arrive.shared::cta.b64 %d0, [%r1];
loop:
    mbarrier.test_wait.shared::cta.b64 %p1, [%r1], %d0;
    @!%p1 bra loop;
    ret;
"""


def test_arrivals_turn_the_phase() -> None:
    assert launch(BARRIER.replace("COUNT", "32")).trap is None
    many = launch(BARRIER.replace("COUNT", "33"), step_limit=100_000).trap
    assert many is not None
    assert many.kind == "step-limit"
    none = launch(BARRIER.replace("COUNT", "0")).trap
    assert none is not None
    assert none.kind == "barrier"
    absent = launch(BARRIER.replace("@%p0 mbarrier.init", "@!%p0 mbarrier.init").replace(
        "[%r1], COUNT", "[%r1+8], 1").replace(".b64 bar;", ".b64 bar[2];")).trap  # fmt: skip
    assert absent is not None
    assert "holds no mbarrier" in absent.message


def test_rows_start_at_multiples_of_16_bytes() -> None:
    """An H100 calls the others an illegal instruction."""
    given = TensorMap(np.zeros((40, 64), np.uint16), (8, 64), 128)
    launched = Launch(1, 64, [given, np.zeros((64, 8), np.uint16), 4, 0])
    result = run(load_program(MAPPED), launched)
    assert result.trap is not None
    assert result.trap.kind == "misaligned"


def test_what_lies_outside_is_the_nan_of_an_h100() -> None:
    for dtype in (np.float16, np.float32, np.uint16):
        inner = 128 // np.dtype(dtype).itemsize
        given = TensorMap(np.zeros((40, 64), dtype), (8, inner), 128, nan_fill=True)
        launched = Launch(1, 64, [given, np.zeros((64, 8), np.uint16), 0, 40])
        result = run(load_program(MAPPED), launched)
        assert result.arrays[1] is not None
        assert (result.arrays[1] == 0x7FF7).all()


def test_maps_that_the_driver_refuses() -> None:
    for array, box, swizzle in (
        (np.zeros((40, 64), np.uint16), (8, 64), 64),
        (np.zeros((40, 60), np.uint16), (8, 8), 16),
        (np.zeros((40, 64), np.uint16), (8, 4), 16),
        (np.zeros((400, 64), np.uint16), (257, 8), 16),
    ):
        launched = Launch(1, 64, [TensorMap(array, box, swizzle), np.zeros(512, np.uint16), 0, 0])
        with pytest.raises(UsageError, match="tensor map"):
            run(load_program(MAPPED), launched)
