"""Reads of what nobody wrote: registers, and buffers that hold nothing yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.machine.harness import entry, launch

from sassay.errors import UsageError
from sassay.machine import Launch, load_program
from sassay.machine.symbolic import run_symbolic

if TYPE_CHECKING:
    from sassay.machine import Trap

_PLACE = """
mov.u32 %r0, %tid.x; ld.param.u64 %d0, [p0]; mul.wide.u32 %d1, %r0, 4; add.s64 %d0, %d0, %d1;
"""

DECIDES = {
    "a sum": "add.u32 %r2, %r1, 1; st.global.u32 [%d0], %r2;",
    "under another guard": "setp.lt.u32 %p0, %r0, 7; setp.lt.u32 %p1, %r0, 9;"
    "@%p0 mov.u32 %r1, 3; @%p1 st.global.u32 [%d0], %r1;",
    "on one path": "setp.lt.u32 %p0, %r0, 7; @%p0 bra out; mov.u32 %r1, 3; out:"
    "st.global.u32 [%d0], %r1;",
    "a guard": "@%p3 st.global.u32 [%d0], %r0;",
    "a branch": "@%p3 bra out; st.global.u32 [%d0], %r0; out:",
    "an address": "cvt.u64.u32 %d2, %r1; add.s64 %d0, %d0, %d2; st.global.u32 [%d0], %r0;",
}

MATTERS_NOT = {
    "the same guard": "setp.lt.u32 %p0, %r0, 7; @%p0 mov.u32 %r1, 3;@%p0 st.global.u32 [%d0], %r1;",
    "half of a pair": "mov.b32 %r1, {%s1, %s2}; mov.b32 {%s3, %s4}, %r1;"
    "mov.u16 %s1, 1; st.global.u16 [%d0], %s1;",
    "a part that is dropped": "and.b32 %r2, %r1, 0; st.global.u32 [%d0], %r2;",
    "a loop": "mov.u32 %r2, 0; again: setp.eq.u32 %p0, %r2, 0; @%p0 mov.u32 %r1, 5;"
    "add.u32 %r2, %r2, %r1; setp.lt.u32 %p1, %r2, 20; @%p1 bra again; st.global.u32 [%d0], %r2;",
}


def _run(body: str) -> Trap | None:
    return launch(_PLACE + body + " ret;", [np.zeros(32, np.uint32)]).trap


@pytest.mark.parametrize("name", DECIDES)
def test_a_register_that_nobody_wrote_decides(name: str) -> None:
    trap = _run(DECIDES[name])
    assert trap is not None
    assert trap.kind == "uninitialised"
    assert "register" in trap.message
    assert "%r1" in trap.instruction or "%p3" in trap.instruction or name == "a branch"


@pytest.mark.parametrize("name", MATTERS_NOT)
def test_a_register_that_reaches_nothing_is_no_trap(name: str) -> None:
    assert _run(MATTERS_NOT[name]) is None


def test_the_register_that_matters_is_named() -> None:
    trap = _run("and.b32 %r2, %r1, 0; add.u32 %r4, %r3, %r2; st.global.u32 [%d0], %r4;")
    assert trap is not None
    assert trap.instruction == "add.u32 %r4, %r3, %r2"
    assert trap.message.endswith("decides element 0 of argument 0")


def test_a_buffer_that_holds_nothing_must_be_written_first() -> None:
    out = np.zeros(32, np.uint32)
    written = "st.global.u32 [%d0], %r0; ld.global.u32 %r1, [%d0]; ret;"
    assert launch(_PLACE + written, [out], unwritten=[0]).trap is None
    for access in (
        "ld.global.u32 %r1, [%d0];",
        "ld.u32 %r1, [%d0];",
        "red.global.add.u32 [%d0], 1;",
    ):
        body = f"{_PLACE} setp.lt.u32 %p0, %r0, 9; @%p0 st.global.u32 [%d0], 1; {access} ret;"
        assert launch(body, [out]).trap is None
        trap = launch(body, [out], unwritten=[0]).trap
        assert trap is not None
        assert (trap.kind, trap.thread) == ("uninitialised", (9, 0, 0))
    with pytest.raises(UsageError, match="given twice"):
        launch("ret;", [out, out], unwritten=[1])


@pytest.mark.parametrize("name", [*DECIDES, *MATTERS_NOT])
def test_expressions_say_what_nobody_wrote(name: str) -> None:
    body = {**DECIDES, **MATTERS_NOT}[name]
    program = load_program(entry(_PLACE + body + " ret;", [".u64 p0"]))
    assert program.undefined
    result = run_symbolic(program, Launch(1, 32, [np.zeros(32, np.uint32)]))
    kinds = [each.kind for each in result.caveats]
    assert kinds == (["undefined"] if name in DECIDES else [])
    if name == "a sum":
        assert result.explain(0, 3).render().startswith("add.u32(undefined[")
        assert "32 elements of argument 0" in result.caveats[0].message
