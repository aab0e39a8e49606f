"""Memory: spaces, widths, and the traps of accesses that may not be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.machine.harness import entry, launch

from sassay.errors import UsageError
from sassay.machine import Launch, Pointer, UnsupportedInstruction, load_program, run

if TYPE_CHECKING:
    from sassay.machine.launch import Argument


def _trap(body: str, size: int = 32, **more: object) -> tuple[str, tuple[int, int, int], int, str]:
    result = launch(body, [np.zeros(size, np.uint32)], **more)  # type: ignore[arg-type]  # keywords of several types
    assert result.trap is not None
    return result.trap.kind, result.trap.thread, result.trap.line, result.trap.message


_STORE = """
mov.u32 %r0, %tid.x;
ld.param.u64 %d0, [p0]; mul.wide.u32 %d1, %r0, 4; add.s64 %d0, %d0, %d1;
"""


def test_the_first_thread_beyond_an_allocation_is_named() -> None:
    kind, thread, line, message = _trap(_STORE + "st.global.u32 [%d0], %r0; ret;", 20)
    assert (kind, thread) == ("out-of-bounds", (20, 0, 0))
    assert line == 14
    assert message == "4 bytes at byte 80 of argument 0, which has 80 bytes"


def test_a_guard_keeps_threads_from_an_access() -> None:
    body = _STORE + "setp.lt.u32 %p0, %r0, 20; @%p0 st.global.u32 [%d0], %r0; ret;"
    result = launch(body, [np.zeros(20, np.uint32)])
    assert result.trap is None
    assert result.arrays[0] is not None
    assert result.arrays[0].tolist() == list(range(20))


def test_what_ran_before_a_trap_is_kept() -> None:
    body = _STORE + "st.global.u32 [%d0], %r0; trap; ret;"
    result = launch(body, [np.zeros(32, np.uint32)])
    assert result.trap is not None
    assert result.trap.kind == "trap"
    assert result.arrays[0] is not None
    assert result.arrays[0].tolist() == list(range(32))


def test_misaligned_null_and_freed_looking_addresses() -> None:
    assert _trap(_STORE + "ld.global.u64 %d2, [%d0]; ret;")[:2] == ("misaligned", (1, 0, 0))
    assert _trap("mov.u64 %d0, 0; ld.global.u32 %r1, [%d0]; ret;")[0] == "out-of-bounds"
    assert _trap("mov.u64 %d0, -8; ld.u32 %r1, [%d0]; ret;")[0] == "out-of-bounds"


def test_shared_memory_has_bounds_and_must_be_written_first() -> None:
    tile = ".shared .align 8 .b8 tile[128];\n"
    beyond = tile + "mov.u32 %r0, %tid.x; mov.u32 %r1, tile; shl.b32 %r2, %r0, 3;"
    beyond += "add.u32 %r1, %r1, %r2; st.shared.u32 [%r1], %r0; ret;"
    assert _trap(beyond)[:2] == ("out-of-bounds", (16, 0, 0))
    unread = tile + "mov.u32 %r0, %tid.x; shl.b32 %r2, %r0, 2; mov.u32 %r1, tile;"
    unread += "add.u32 %r1, %r1, %r2; setp.lt.u32 %p0, %r0, 9;"
    unread += (
        "@%p0 st.shared.u16 [%r1+2], 5; @%p0 st.shared.u8 [%r1], 5; ld.shared.u32 %r3, [%r1]; ret;"
    )
    assert _trap(unread)[:2] == ("uninitialised", (0, 0, 0))


def test_local_memory_is_each_threads_own() -> None:
    body = """
    .local .align 8 .b8 depot[16]; .reg .b64 %SP; .reg .b64 %SPL;
    mov.u64 %SPL, depot; cvta.local.u64 %SP, %SPL;
    mov.u32 %r0, %tid.x; cvt.u64.u32 %d3, %r0; st.local.u64 [%SPL+8], %d3; st.u32 [%SP], 7;
    ld.u64 %d4, [%SP+8]; ld.local.u32 %r4, [%SPL]; cvt.u32.u64 %r5, %d4; add.u32 %r5, %r5, %r4;
    ld.param.u64 %d0, [p0]; mul.wide.u32 %d1, %r0, 4; add.s64 %d0, %d0, %d1;
    st.global.u32 [%d0], %r5; ret;"""
    result = launch(body, [np.zeros(64, np.uint32)], block=64)
    assert result.trap is None, result.trap
    assert result.arrays[0] is not None
    assert result.arrays[0].tolist() == [t + 7 for t in range(64)]


def test_generic_addresses_of_several_spaces_at_once() -> None:
    body = """
    .shared .align 4 .b32 box[32];
    mov.u32 %r0, %tid.x; mov.u64 %d2, box; cvta.shared.u64 %d2, %d2;
    ld.param.u64 %d0, [p0]; and.b32 %r1, %r0, 1; setp.eq.u32 %p0, %r1, 0;
    selp.b64 %d3, %d2, %d0, %p0; mul.wide.u32 %d1, %r0, 4; add.s64 %d3, %d3, %d1;
    add.u32 %r2, %r0, 100; st.u32 [%d3], %r2; ld.u32 %r3, [%d3]; isspacep.shared %p1, %d3;
    selp.b32 %r4, 1000, 0, %p1; add.u32 %r3, %r3, %r4;
    add.s64 %d0, %d0, %d1; st.global.u32 [%d0+128], %r3; ret;"""
    result = launch(body, [np.zeros(64, np.uint32)])
    assert result.trap is None, result.trap
    assert result.arrays[0] is not None
    assert result.arrays[0][32:].tolist() == [t + 100 + (0 if t & 1 else 1000) for t in range(32)]
    assert result.arrays[0][:32].tolist() == [t + 100 if t & 1 else 0 for t in range(32)]


def test_module_variables_constants_and_dynamic_shared_memory() -> None:
    before = """
.const .align 4 .b32 table[4] = {10, 0x14, 30, -1};
.global .align 4 .f32 scale = 0f40000000;
.global .align 8 .u64 link = generic(scale);
.extern .shared .align 16 .b8 dyn[];
"""
    body = """
    .shared .align 4 .b8 small[4];
    mov.u32 %r0, %tid.x; and.b32 %r1, %r0, 3; mul.wide.u32 %d1, %r1, 4; mov.u64 %d2, table;
    add.s64 %d2, %d2, %d1; ld.const.u32 %r2, [%d2]; ld.global.u64 %d3, [link];
    ld.global.u32 %r3, [%d3]; mov.u32 %r4, dyn; shl.b32 %r5, %r0, 2; add.u32 %r4, %r4, %r5;
    mov.u32 %r6, small; st.shared.u32 [%r6], 9;
    st.shared.u32 [%r4], %r2; ld.shared.u32 %r7, [%r4]; xor.b32 %r7, %r7, %r3;
    ld.param.u64 %d0, [p0]; mul.wide.u32 %d1, %r0, 4; add.s64 %d0, %d0, %d1;
    st.global.u32 [%d0], %r7; ret;"""
    result = launch(body, [np.zeros(32, np.uint32)], before=before, shared=128)
    assert result.trap is None, result.trap
    assert result.arrays[0] is not None
    table = [10, 20, 30, 0xFFFFFFFF]
    assert result.arrays[0].tolist() == [table[t & 3] ^ 0x40000000 for t in range(32)]
    assert (trap := launch(body, [np.zeros(32, np.uint32)], before=before, shared=64).trap)
    assert (trap.kind, trap.thread) == ("out-of-bounds", (16, 0, 0))


@pytest.mark.parametrize(("width", "count"), [(1, 2), (1, 4), (2, 4), (4, 2), (4, 4), (8, 2)])
def test_vectors_of_every_width(width: int, count: int) -> None:
    kind = {1: "s", 2: "s", 4: "r", 8: "d"}[width]
    registers = ", ".join(f"%{kind}{20 + index}" for index in range(count))
    turned = ", ".join(f"%{kind}{20 + index}" for index in reversed(range(count)))
    size, bits = width * count, width * 8
    body = f"""
    mov.u32 %r0, %tid.x; ld.param.u64 %d0, [p0]; ld.param.u64 %d1, [p1];
    mul.wide.u32 %d2, %r0, {size}; add.s64 %d0, %d0, %d2; add.s64 %d1, %d1, %d2;
    setp.ne.u32 %p0, %r0, 3;
    @%p0 ld.global.nc.L1::evict_last.v{count}.b{bits} {{{registers}}}, [%d0];
    @%p0 st.global.v{count}.b{bits} [%d1], {{{turned}}}; ret;"""
    data = np.random.default_rng(1).integers(0, 256, 32 * size, dtype=np.uint8)
    result = launch(body, [data, np.zeros_like(data)])
    assert result.trap is None, result.trap
    wanted = data.reshape(32, count, width)[:, ::-1].copy()
    wanted[3] = 0
    assert result.arrays[1] is not None
    assert (result.arrays[1] == wanted.reshape(-1)).all()


def test_arguments_by_value_alias_and_offset() -> None:
    text = entry(
        """
    ld.param.u64 %d0, [a]; ld.param.u64 %d1, [b]; ld.param.s8 %r0, [c]; ld.param.f32 %r1, [d];
    ld.param.u32 %r2, [e+4]; st.global.u32 [%d1], %r0; st.global.u32 [%d0+8], %r1;
    st.global.u32 [%d1+8], %r2; ret;""",
        [".u64 a", ".u64 b", ".u8 c", ".f32 d", ".align 4 .b8 e[8]"],
    )
    array = np.zeros(4, np.uint32)
    packed = np.array([1, 2], np.uint32)
    program = load_program(text)
    given: list[Argument] = [array, Pointer(array, 4), -3, 1.5, packed]
    result = run(program, Launch(1, 1, given))
    assert result.arrays[0] is not None
    assert result.arrays[0].tolist() == [0, 0xFFFFFFFD, 0x3FC00000, 2]
    assert array.tolist() == [0, 0, 0, 0]
    with pytest.raises(UsageError, match="takes 5 arguments, not 1"):
        run(program, Launch(1, 1, [array]))
    with pytest.raises(UsageError, match="300, which does not fit 1 bytes"):
        run(program, Launch(1, 1, [array, array, 300, 1.0, packed]))


def test_missing_forms_are_all_listed_before_anything_runs() -> None:
    body = """
    alloca.u64 %d1, %d2;
    add.bogus.f32 %r1, %r2, %r3;
    alloca.u64 %d1, %d2;
    ret;"""
    with pytest.raises(UnsupportedInstruction) as caught:
        load_program(entry(body), artifact="some.ptx")
    forms = {form: (count, line) for form, count, line in caught.value.forms}
    assert forms == {"alloca.u64": (2, 12), "add.bogus.f32": (1, 13)}
    assert str(caught.value).startswith("some.ptx: line 12: ")


@pytest.mark.parametrize(
    "text",
    [
        "ld.global.b32 %r1;",
        "mov;",
        "cvta %r1, %r2;",
        "bar.sync;",
        "vote.sync %r1;",
        "mul.lo;",
        "cvt.rz.s64.f64 %d1, %d2;",
        "mad.wide.u64 %d1, %d2, %d3, %d4;",
        "shl.f32 %r1, %r2, %r3;",
        "bra NOWHERE;",
        "add.u32 %r1, %r999, 1;",
    ],
)
def test_malformed_instructions_are_refused_with_their_line(text: str) -> None:
    with pytest.raises(UnsupportedInstruction, match="line 11"):
        load_program(entry(text + " ret;"))
