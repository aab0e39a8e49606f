"""The numeric path of kernels that no signature describes: by what their code does."""

from __future__ import annotations

import pytest

from sassay.isa.ptx import read_module
from sassay.machine import load_program
from sassay.machine.path import describe_path, numeric_path
from sassay.machine.path.launch import NoLaunchError
from sassay.machine.path.parameters import parameters_of
from sassay.model.kernel import Kernel, Resources, Specialization
from sassay.model.layers import Layered
from sassay.model.numeric_path import Level

HEAD = """
.version 8.0
.target sm_90
.address_size 64
.visible .entry k({params})
{block}
{{
.reg .pred %p<4>; .reg .b32 %r<30>; .reg .b64 %rd<30>; .reg .f32 %f<30>; .reg .b16 %h<9>;
"""
PARAMS = (
    ".param .u64 k_param_0, .param .u64 k_param_1, .param .u32 k_param_2, .param .f32 k_param_3"
)
SUM = """
ld.param.u64 %rd1, [k_param_0]; ld.param.u64 %rd2, [k_param_1];
ld.param.u32 %r1, [k_param_2]; ld.param.f32 %f9, [k_param_3];
cvta.to.global.u64 %rd3, %rd1; cvta.to.global.u64 %rd4, %rd2;
mov.u32 %r2, %tid.x; mov.u32 %r3, %ctaid.x; mov.f32 %f1, 0f00000000; mad.lo.s32 %r4, %r3, %r1, %r2;
again: setp.ge.s32 %p1, %r2, %r1; @%p1 bra done;
mul.wide.s32 %rd5, %r4, 2; add.s64 %rd6, %rd3, %rd5;
ld.global.nc.u16 %h1, [%rd6]; cvt.f32.bf16 %f2, %h1; fma.rn.f32 %f1, %f2, %f2, %f1;
add.s32 %r2, %r2, 64; add.s32 %r4, %r4, 64; bra again;
done: mul.f32 %f3, %f1, %f9; mov.u32 %r7, %tid.x; mad.lo.s32 %r8, %r3, 64, %r7;
mul.wide.s32 %rd7, %r8, 4; add.s64 %rd8, %rd4, %rd7; st.global.f32 [%rd8], %f3; ret; }
"""


def kernel(body: str, params: str = PARAMS, block: str = ".maxntid 64, 1, 1") -> tuple[Kernel, str]:
    """A kernel as a capture of bare PTX holds it."""
    text = HEAD.format(params=params, block=block) + body
    (entry,) = read_module(text, artifact="k.ptx").entries
    return Kernel(
        id="", name="k", symbol="k", family="k", specialization=Specialization(), arch="compute_90",
        sources=(), launch=entry.launch, resources=Resources(), code_bytes=None, digest="",
        instructions=Layered(), categories=Layered(),
    ), text  # fmt: skip


def test_parameters_are_what_the_code_does_with_them() -> None:
    described, text = kernel(SUM)
    found = parameters_of(described, load_program(text))
    assert [(each.name, each.kind, each.dtype, each.floats) for each in found] == [
        ("p0", "array", "u2", True),
        ("p1", "array", "f4", True),
        ("p2", "integer", "", False),
        ("p3", "float", "", True),
    ]


def test_a_path_without_a_signature() -> None:
    described, text = kernel(SUM)
    path = numeric_path(described, load_program(text))
    (output,) = path.outputs
    assert output.formula == "sum(p0 * p0) * p3"
    (total,) = output.reductions
    assert (total.terms, total.fused, total.spacing) == (4, True, 64)
    assert total.levels == (Level("serial", 4),)
    assert describe_path(path)[-1] == "seen in a launch of grid 2, block 64, p2=256"


@pytest.mark.parametrize(
    ("params", "block", "reason"),
    [
        (PARAMS, "", r"neither \.reqntid nor \.maxntid"),
        (f"{PARAMS}, .param .align 8 .b8 rest[40]", ".reqntid 64", "rest is a structure of 40 byt"),
    ],
)
def test_what_nothing_says_is_asked_for(params: str, block: str, reason: str) -> None:
    described, text = kernel(SUM, params, block)
    with pytest.raises(NoLaunchError, match=reason):
        numeric_path(described, load_program(text))


def test_another_shape_at_another_size_is_said() -> None:
    rounds = SUM.replace(
        "done: mul.f32",
        "done: setp.lt.s32 %p3, %r1, 512; @%p3 bra last; cvt.rn.bf16.f32 %h2, %f1;"
        "cvt.f32.bf16 %f1, %h2; last: mul.f32",
    )
    path, plain = (
        numeric_path(described, load_program(text))
        for described, text in (kernel(rounds), kernel(SUM))
    )
    (said,) = path.caveats
    assert said == (
        "a launch of grid 2, block 64, p2=512 has another shape: p1: a BF16 rounding of "
        "sum(p0 * p0) before a product is new"
    )
    assert not plain.caveats
    # In the launch that is shown both are the same: the other one tells them apart.
    assert path.outputs == plain.outputs
    assert path.digest != plain.digest
