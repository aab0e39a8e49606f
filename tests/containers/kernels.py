"""Kernels of our own, assembled by Triton's ptxas: the forms that Triton itself never emits."""

from __future__ import annotations

import re
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import triton

TOOLS = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"

MODULE = """
.version 8.8
.target {arch}
.address_size 64
.global .align 4 .u32 table[4] = {{1, 2, 3, 4}};
.const .align 4 .u32 unused[4] = {{9, 9, 9, 9}};
.const .align 4 .u32 factors[4] = {{5, 6, 7, {factor}}};
.extern .shared .align 16 .b8 dynamic[];

.visible .func (.param .b32 r) {helper}(.param .b32 a)
{{
    .reg .u32 %r<4>;
    ld.param.u32 %r1, [a];
    mul.lo.u32 %r2, %r1, %r1;
    st.param.b32 [r], %r2;
    ret;
}}

.visible .entry everything(.param .u64 p, .param .u32 n, .param .align 8 .b8 s[24])
.reqntid 128, 2, 1
{{
    .reg .u64 %rd<9>;
    .reg .u32 %r<12>;
    .reg .pred %q<2>;
    .shared .align 4 .b8 tile[512];
    .local .align 4 .b8 frame[256];
    ld.param.u64 %rd1, [p];
    ld.param.u32 %r1, [n];
    mov.u32 %r2, %tid.x;
    mov.u32 %r3, tile;
    st.shared.u32 [%r3], %r2;
    bar.sync 0;
    bar.sync 3;
    ld.shared.u32 %r4, [%r3];
    {{
        .param .b32 a;
        .param .b32 r;
        st.param.b32 [a], %r4;
        call (r), {helper}, (a);
        ld.param.b32 %r5, [r];
    }}
    mov.u64 %rd2, frame;
    mov.u32 %r8, 0;
again:
    mul.wide.u32 %rd3, %r8, 4;
    add.u64 %rd4, %rd2, %rd3;
    xor.b32 %r9, %r8, %r5;
    st.local.u32 [%rd4], %r9;
    add.u32 %r8, %r8, 1;
    setp.lt.u32 %q1, %r8, %r1;
    @%q1 bra again;
    mul.wide.u32 %rd3, %r2, 4;
    add.u64 %rd4, %rd2, %rd3;
    ld.local.u32 %r6, [%rd4];
    mov.u64 %rd5, table;
    ld.global.u32 %r7, [%rd5];
    add.u32 %r6, %r6, %r7;
    ld.const.u32 %r7, [factors + 12];
    add.u32 %r6, %r6, %r7;
    st.global.u32 [%rd1], %r6;
    ret;
}}

.visible .entry bounded(.param .u64 p) .maxntid 256, 1, 1 {cluster}
{{
    .reg .u64 %rd<3>;
    .reg .u32 %r<5>;
    ld.param.u64 %rd1, [p];
    mov.u32 %r3, dynamic;
    ld.shared.u32 %r4, [%r3];
    st.global.u32 [%rd1], %r4;
    ret;
}}

.visible .entry nothing()
{{
    ret;
}}
"""

NO_KERNEL = """
.version 8.8
.target {arch}
.address_size 64
.global .align 4 .u32 alone;
"""


@cache
def assemble(
    arch: str,
    *,
    tool: str = "ptxas",
    text: str = MODULE,
    helper: str = "helper",
    factor: int = 8,
    relocatable: bool = False,
) -> bytes:
    """A cubin of `text` for one architecture, by either of Triton's two assemblers."""
    hopper = int(re.sub(r"\D", "", arch)) >= 90
    source = text.format(
        arch=arch,
        helper=helper,
        factor=factor,
        cluster=".reqnctapercluster 2, 1, 1" if hopper else "",
    )
    with tempfile.TemporaryDirectory() as folder:
        ptx, cubin = Path(folder) / "m.ptx", Path(folder) / "m.cubin"
        ptx.write_text(source)
        command = [str(TOOLS / tool), f"-arch={arch}", str(ptx), "-o", str(cubin)]
        subprocess.run(command + ["-c"] * relocatable, check=True, capture_output=True)
        return cubin.read_bytes()


def nvidia(tool: str, *arguments: str, data: bytes) -> str:
    """What one of NVIDIA's tools prints of a cubin."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.cubin"
        path.write_bytes(data)
        command = [str(TOOLS / tool), *arguments, str(path)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
