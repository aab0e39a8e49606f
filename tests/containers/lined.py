"""PTX of our own with source lines and inlined calls, and cubins of it."""

from __future__ import annotations

import subprocess
import tempfile
from functools import cache
from pathlib import Path

from tests.containers.kernels import TOOLS

LINED = """
.version 8.8
.target {arch}
.address_size 64

.visible .func (.param .b32 r) helper(.param .b32 a)
{{
    .reg .b32 %r<4>;
    .loc 2 30 1
    ld.param.b32 %r1, [a];
    .loc 2 31 5
    mul.lo.u32 %r2, %r1, %r1;
    st.param.b32 [r], %r2;
    .loc 2 32 1
    ret;
}}

.visible .entry outer(.param .u64 p, .param .u32 n)
{{
    .reg .b64 %d<4>;
    .reg .b32 %r<9>;
    .reg .f32 %f<9>;
    .reg .pred %q<2>;
    .loc 1 10 0
    ld.param.u64 %d1, [p];
    ld.param.u32 %r1, [n];
    .loc 1 11 3
    mov.u32 %r2, %tid.x;
    mul.wide.u32 %d2, %r2, 4;
    add.u64 %d3, %d1, %d2;
    ld.global.f32 %f1, [%d3];
    .loc 1 12 7
    .loc 2 5 9, function_name $L__names, inlined_at 1 12 7
    ex2.approx.f32 %f2, %f1;
    .loc 2 6 2, function_name $L__names, inlined_at 1 12 7
    .loc 2 20 4, function_name $L__names+6, inlined_at 2 6 2
    .loc 3 2 1, function_name $L__deep, inlined_at 2 20 4
    lg2.approx.f32 %f3, %f2;
    .loc 2 6 2, function_name $L__names, inlined_at 1 12 7
    mul.f32 %f4, %f3, %f1;
    .loc 1 0 0
    .loc 2 8 3, function_name $L__names, inlined_at 1 0 0
    mul.f32 %f5, %f4, %f1;
    .loc 1 13 3
again:
    add.f32 %f4, %f4, %f5;
    add.f32 %f4, %f4, %f3;
    .loc 1 0 0
    sub.u32 %r1, %r1, 1;
    .loc 1 14 9
    setp.ne.u32 %q1, %r1, 0;
    @%q1 bra again;
    .loc 1 15 5
    cvt.rzi.u32.f32 %r4, %f4;
    {{
        .param .b32 a;
        .param .b32 r;
        st.param.b32 [a], %r4;
        call (r), helper, (a);
        ld.param.b32 %r5, [r];
    }}
    st.global.u32 [%d3], %r5;
    .loc 1 16 1
    ret;
}}

.visible .entry plain(.param .u64 p)
{{
    .reg .b64 %d<4>;
    .loc 1 40 0
    ld.param.u64 %d1, [p];
    .loc 1 90000 0
    st.global.u64 [%d1], %d1;
    .loc 1 41 0
    ret;
}}

.file 1 "kernels/a.cu"
.file 2 "kernels/b.cuh"
.file 3 "/opt/math.cuh"
.section .debug_str
{{
$L__names:
.b8 105,110,110,101,114,0 // inner
.b8 109,105,100,0
$L__deep:
.b8 100,101,101,112
.b8 0x0
}}
"""


@cache
def assemble_lined(
    arch: str, tool: str = "ptxas", *, text: str = LINED, relocatable: bool = False
) -> bytes:
    """A cubin with line tables."""
    with tempfile.TemporaryDirectory() as folder:
        ptx, cubin = Path(folder) / "m.ptx", Path(folder) / "m.cubin"
        ptx.write_text(text.format(arch=arch))
        command = [str(TOOLS / tool), f"-arch={arch}", str(ptx), "-o", str(cubin)]
        command += ["-lineinfo"] + ["-c"] * relocatable
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return cubin.read_bytes()
