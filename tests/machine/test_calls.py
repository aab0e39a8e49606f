"""Calls through registers, and parameters that caller and callee cut in different pieces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.machine.harness import entry, launch

from sassay.machine import Launch, UnsupportedInstruction, load_program
from sassay.machine.symbolic import Leaf, run_symbolic

_AT = """
mov.u32 %r0, %tid.x;
ld.param.u64 %d0, [p0];
mul.wide.u32 %d1, %r0, 4;
add.s64 %d0, %d0, %d1;
"""
_FUNCTIONS = """
.func (.param .b32 out) plus_one(.param .b32 in)
{ .reg .b32 %r<3>; ld.param.b32 %r1, [in]; add.u32 %r1, %r1, 1; st.param.b32 [out], %r1; ret; }
.func (.param .b32 out) times_three(.param .b32 in)
{ .reg .b32 %r<3>; ld.param.b32 %r1, [in]; mul.lo.u32 %r1, %r1, 3; st.param.b32 [out], %r1; ret; }
.func (.param .b64 out) of_another_shape(.param .b32 in)
{ .reg .b64 %d<3>; mov.u64 %d1, 0; st.param.b64 [out], %d1; ret; }
"""
_TABLE = ".global .align 8 .u64 table[4] = {plus_one, times_three, of_another_shape, 0};\n"
_CALL = """
{ .param .b32 a; .param .b32 b;
st.param.b32 [a], %r0;
shape: .callprototype (.param .b32 _) _ (.param .b32 _);
call (b), %d4, (a), shape;
ld.param.b32 %r5, [b]; }
st.global.u32 [%d0], %r5; ret;
"""
_PICK = """
rem.u32 %r2, %r0, {count}; mul.wide.u32 %d2, %r2, 8; mov.u64 %d3, table; add.s64 %d3, %d3, %d2;
ld.global.u64 %d4, [%d3];
"""


def test_threads_call_the_functions_that_their_registers_hold() -> None:
    body = _AT + _PICK.replace("{count}", "2") + _CALL
    result = launch(body, [np.zeros(32, np.uint32)], before=_FUNCTIONS + _TABLE)
    assert result.trap is None
    assert result.arrays[0] is not None
    assert result.arrays[0].tolist() == [t * 3 if t % 2 else t + 1 for t in range(32)]


@pytest.mark.parametrize(("count", "first"), [("3", 2), ("4", 2)])
def test_a_function_of_another_shape_and_a_null_pointer_trap(count: str, first: int) -> None:
    body = _AT + _PICK.replace("{count}", count) + _CALL
    result = launch(body, [np.zeros(32, np.uint32)], before=_FUNCTIONS + _TABLE)
    assert result.trap is not None
    assert (result.trap.kind, result.trap.thread) == ("trap", (first, 0, 0))


def test_a_function_whose_address_is_moved_is_a_candidate_and_others_are_not() -> None:
    body = _AT + "mov.u64 %d4, times_three;" + _CALL
    result = launch(body, [np.zeros(32, np.uint32)], before=_FUNCTIONS)
    assert result.trap is None
    assert result.arrays[0] is not None
    assert result.arrays[0].tolist() == [t * 3 for t in range(32)]
    program = load_program(entry(body, [".u64 p0"], before=_FUNCTIONS))
    forms = [op.form for block in program.blocks for op in block.ops]
    assert forms.count("setp.eq.u64") == 1


_RECURSIVE = """
.func (.param .b32 out) down(.param .b32 in)
{ .reg .b32 %r<9>; .reg .b64 %d<3>; .reg .pred %p<3>;
ld.param.b32 %r1, [in];
setp.eq.u32 %p1, %r1, 0;
@%p1 bra END;
HOW
ld.param.b32 %r1, [y];
END: st.param.b32 [out], %r1; ret; }
"""


def test_recursion_is_refused_by_name_or_traps_through_a_register() -> None:
    how = "sub.u32 %r2, %r1, 1; .param .b32 x; .param .b32 y; st.param.b32 [x], %r2;"
    plain = _RECURSIVE.replace("HOW", how + "call (y), down, (x);")
    body = _AT + "mov.u64 %d4, down;" + _CALL
    with pytest.raises(UnsupportedInstruction, match="call down, which is recursive"):
        launch(body, [np.zeros(32, np.uint32)], before=plain)
    hidden = _RECURSIVE.replace("HOW", how + "mov.u64 %d1, down; call (y), %d1, (x), shape;")
    result = launch(body, [np.zeros(32, np.uint32)], before=hidden)
    assert result.trap is not None
    assert (result.trap.kind, result.trap.thread) == ("trap", (1, 0, 0))


def test_pieces_of_a_parameter_may_overlap() -> None:
    # Written as a word of 64 bits and two of 16, read as bytes, as words and as a vector.
    function = """
.func (.param .align 8 .b8 out[16]) mix(.param .align 8 .b8 in[16])
{ .reg .b16 %s<9>; .reg .b32 %r<9>; .reg .b64 %d<9>;
ld.param.b32 %r1, [in+4]; ld.param.b8 %s1, [in+1]; ld.param.s8 %s2, [in+8];
ld.param.v2.b32 {%r2, %r3}, [in+8];
cvt.u32.u16 %r4, %s1; cvt.s32.s16 %r5, %s2;
st.param.v2.b32 [out], {%r1, %r4}; st.param.b32 [out+8], %r5; add.u32 %r6, %r2, %r3;
st.param.b16 [out+12], %s1; st.param.b32 [out+12], %r6; ret; }
"""
    body = """
    mov.u32 %r0, %tid.x; ld.param.u64 %d0, [p0]; mul.wide.u32 %d1, %r0, 16; add.s64 %d0, %d0, %d1;
    ld.global.u64 %d2, [%d0]; ld.global.u16 %s1, [%d0+8]; ld.global.u16 %s2, [%d0+10];
    ld.global.u32 %r3, [%d0+12];
    { .param .align 8 .b8 a[16]; .param .align 8 .b8 b[16];
    st.param.b64 [a], %d2; st.param.b16 [a+8], %s1; st.param.b16 [a+10], %s2;
    setp.lt.u32 %p0, %r0, 9; st.param.b32 [a+12], 5; @%p0 st.param.b32 [a+12], %r3;
    call (b), mix, (a);
    ld.param.b64 %d3, [b]; ld.param.b64 %d4, [b+8]; }
    st.global.v2.u64 [%d0], {%d3, %d4}; ret;
    """
    given = np.random.default_rng(1).integers(0, 256, (32, 16), dtype=np.uint8)
    words = given.view(np.uint32)
    last = np.where(np.arange(32) < 9, words[:, 3], np.uint32(5))
    wanted = np.stack(
        [
            words[:, 1],
            given[:, 1].astype(np.uint32),
            given[:, 8].view(np.int8).astype(np.int32).view(np.uint32),
            words[:, 2] + last,
        ],
        axis=1,
    )
    result = launch(body, [given], before=function)
    assert result.trap is None
    assert result.arrays[0] is not None
    assert (result.arrays[0].view(np.uint32) == wanted).all()


def test_bytes_of_a_record_keep_their_expressions_through_a_call() -> None:
    text = (Path(__file__).parent / "corpus" / "calls.ptx").read_text(encoding="utf-8")
    records = np.zeros((32, 48), np.uint8)
    proof = run_symbolic(
        load_program(text, "records"), Launch(1, 32, [records, 32]), leaves={0: Leaf("x")}
    )
    assert proof.caveats == ()
    assert proof.explain(0, 9 * 48 + 40).render() == f"xor.b8(x[{9 * 48 + 40}], 9)"
    assert proof.explain(0, 9 * 48 + 41).render() == f"x[{9 * 48 + 41}]"


def test_an_indexed_branch_under_a_guard() -> None:
    body = (
        _AT
        + """
    mov.u32 %r5, 7; setp.lt.u32 %p0, %r0, 6; rem.u32 %r4, %r0, 2;
    TABLE: .branchtargets A, B;
    @%p0 brx.idx %r4, TABLE;
    bra E;
    A: mov.u32 %r5, 10; bra E;
    B: mov.u32 %r5, 20;
    E: st.global.u32 [%d0], %r5; ret;"""
    )
    result = launch(body, [np.zeros(32, np.uint32)])
    assert result.arrays[0] is not None
    assert result.arrays[0].tolist() == [10, 20, 10, 20, 10, 20] + [7] * 26
