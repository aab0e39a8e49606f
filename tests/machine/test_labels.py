"""Labels of single arrays: which of them depend on what is not exact."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from tests.machine import harness

launch = partial(harness.launch, gpu="a100")
"""The tables of approximate instructions are those of another GPU."""

_HEAD = """
.shared .align 4 .b8 tile[128]; .local .align 4 .b8 own[8]; mov.u32 %r0, %tid.x;
ld.param.u64 %d0, [p0]; ld.param.u64 %d1, [p1]; ld.param.u64 %d2, [p2];
mul.wide.u32 %d3, %r0, 4; add.s64 %d0, %d0, %d3; add.s64 %d1, %d1, %d3; add.s64 %d2, %d2, %d3;
mov.u32 %r1, tile; shl.b32 %r2, %r0, 2; add.u32 %r1, %r1, %r2;
ld.global.f32 %r10, [%d0]; sin.approx.f32 %r11, %r10;
add.f32 %r13, %r10, %r10;
"""
_STORES = "st.global.f32 [%d1], %r20; st.global.f32 [%d2], %r13;"
_WEAK = "setp.lt.f32 %p0, %r11, %r13;"

FLOWS = {
    "a value": "mul.f32 %r20, %r11, %r13;",
    "shared memory": "st.shared.f32 [%r1], %r11; bar.sync 0; ld.shared.f32 %r20, [%r1];",
    "local memory": "st.local.f32 [own], %r11; ld.local.f32 %r20, [own];",
    "a shuffle": "shfl.sync.bfly.b32 %r20, %r11, 1, 31, -1;",
    "a selection": _WEAK + "selp.f32 %r20, 1.0, 2.0, %p0;",
    "a guard": _WEAK + "mov.u32 %r20, 0; @%p0 mov.u32 %r20, 1;",
    "a branch": _WEAK + "mov.u32 %r20, 0; @%p0 bra out; mov.u32 %r20, 1; out:",
    "a loop": "mov.u32 %r20, 0; again: add.u32 %r20, %r20, 1; mul.f32 %r11, %r11, 0f3F000000;"
    "setp.gt.f32 %p0, %r11, 0f3DCCCCCD; @%p0 bra again;",
}


@pytest.mark.parametrize("name", FLOWS)
def test_only_what_depends_on_it_is_approximate(name: str) -> None:
    arrays = [np.linspace(0, 1, 32, dtype=np.float32), *(np.zeros(32, np.float32) for _ in "ab")]
    result = launch(_HEAD + FLOWS[name] + _STORES + "ret;", [*arrays, 3])
    assert result.trap is None
    assert result.label == "approximate"
    assert result.labels == ("exact", "approximate", "exact", None)


def test_what_is_read_back_from_an_array() -> None:
    arrays = [np.linspace(0, 1, 32, dtype=np.float32), *(np.zeros(32, np.float32) for _ in "ab")]
    body = "st.global.f32 [%d2], %r11; ld.global.f32 %r20, [%d2]; st.global.f32 [%d1], %r20; ret;"
    result = launch(_HEAD + body, arrays)
    assert result.labels == ("exact", "approximate", "approximate")


def test_weaker_of_two_and_code_that_did_not_run() -> None:
    arrays = [np.linspace(0, 1, 32, dtype=np.float32), *(np.zeros(32, np.float32) for _ in "ab")]
    both = _HEAD + "add.f32 %r20, %r11, %r13; st.global.f32 [%d1], %r20;"
    result = launch(both + "red.global.add.f32 [%d2], %r13; ret;", arrays)
    assert result.labels == ("exact", "approximate", "modelled")
    skipped = _HEAD.replace("sin.approx.f32 %r11, %r10;", "mov.u32 %r11, %r10;")
    skipped += "setp.gt.u32 %p0, %r0, 99; @!%p0 bra out; sin.approx.f32 %r20, %r10; "
    skipped += "st.global.f32 [%d1], %r20; out: red.global.add.f32 [%d2], %r13; ret;"
    result = launch(skipped, arrays)
    assert (result.label, result.labels) == ("modelled", ("exact", "exact", "modelled"))


def test_an_address_that_is_approximate() -> None:
    arrays = [np.linspace(0, 1, 32, dtype=np.float32), *(np.zeros(64, np.float32) for _ in "ab")]
    body = "cvt.rzi.u32.f32 %r14, %r11; mul.wide.u32 %d4, %r14, 4; add.s64 %d1, %d1, %d4;"
    result = launch(_HEAD + body + "st.global.f32 [%d1], %r13; ret;", arrays)
    assert result.labels == ("exact", "approximate", "exact")
