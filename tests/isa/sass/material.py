"""Code for the SASS tests: PTX of our own through Triton's ptxas, and words made by hand."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sassay.containers.cubin import CubinKernel, read_cubin
from sassay.model.code import SassCode

if TYPE_CHECKING:
    from sassay.isa.sass.words import Words

NO_BARRIER = 0x000FC00000000000
EXIT = (0x794D, 0x000FEA0003800000)
NOP = (0x7918, 0x000FC00000000000)

HEADER = ".version {version}\n.target sm_{sm}\n.address_size 64\n"

# Calls, relocations, constant tables, atomics, shuffles, loops, barriers, doubles.
CALLS = """
.extern .func (.param .b32 vr) vprintf(.param .b64 f, .param .b64 a);
.global .align 4 .u32 counter = 7;
.const .align 4 .u32 tab[4] = {1,2,3,4};
.global .align 1 .b8 msg[4] = {104,105,10,0};
.visible .entry calls(.param .u64 p, .param .u32 n)
{ .reg .b32 %r<30>; .reg .b64 %d<20>; .reg .pred %q<9>;
 ld.param.u64 %d1,[p]; ld.param.u32 %r1,[n]; cvta.to.global.u64 %d1,%d1;
 mov.u64 %d2, counter; atom.global.add.u32 %r2,[%d2],%r1;
 mov.u32 %r9,%tid.x; and.b32 %r9,%r9,3; mul.wide.u32 %d5,%r9,4;
 mov.u64 %d6,tab; add.u64 %d6,%d6,%d5; ld.const.u32 %r10,[%d6]; mov.u32 %r3,%r2;
 { .param .b64 x; .param .b64 z; .param .b32 y; mov.u64 %d9,msg; cvta.global.u64 %d9,%d9;
   mov.u64 %d10,0; st.param.b64 [x],%d9; st.param.b64 [z],%d10; call (y), vprintf, (x,z); }
 mov.u32 %r5,0;
L: add.u32 %r5,%r5,1; mad.lo.u32 %r3,%r3,%r5,%r10; setp.lt.u32 %q1,%r5,%r1;
 st.global.u32 [%d1],%r3; add.u64 %d1,%d1,4; @%q1 bra L;
 ret; }
"""

ARITHMETIC = """
.visible .entry arithmetic(.param .u64 p, .param .u32 n)
{ .reg .b32 %r<30>; .reg .b64 %d<20>; .reg .f32 %f<20>; .reg .f64 %g<9>; .reg .pred %q<9>;
 .reg .b16 %h<9>;
 .shared .align 16 .b8 buf[4096];
 ld.param.u64 %d1,[p]; ld.param.u32 %r1,[n]; cvta.to.global.u64 %d1,%d1;
 mov.u32 %r2,%tid.x; mul.wide.u32 %d2,%r2,16; add.u64 %d3,%d1,%d2;
 ld.global.v4.f32 {%f1,%f2,%f3,%f4},[%d3];
 fma.rn.f32 %f5,%f1,%f2,%f3; rsqrt.approx.f32 %f6,%f5; ex2.approx.f32 %f7,%f6;
 cvt.f64.f32 %g1,%f7; fma.rn.f64 %g2,%g1,%g1,%g1; cvt.rn.f32.f64 %f8,%g2;
 cvt.rn.f16.f32 %h1,%f8; cvt.f32.f16 %f9,%h1;
 shl.b32 %r3,%r2,4; mov.u32 %r4,buf; add.u32 %r4,%r4,%r3; st.shared.f32 [%r4],%f9;
 bar.sync 0; ld.shared.f32 %f10,[%r4+16];
 shfl.sync.bfly.b32 %f11,%f10,16,31,-1; add.f32 %f12,%f11,%f10;
 setp.lt.u32 %q1,%r2,%r1; @%q1 red.global.add.f32 [%d3],%f12;
 sqrt.rn.f32 %f13,%f12; div.rn.f32 %f14,%f13,%f5; st.global.f32 [%d3+4],%f14;
 vote.sync.ballot.b32 %r6,%q1,-1; popc.b32 %r7,%r6; st.global.u32 [%d3+8],%r7;
 ret; }
"""


def _entry(name: str, body: str) -> str:
    return (
        f".visible .entry {name}(.param .u64 p)\n"
        "{ .reg .b32 %r<9>; .reg .b64 %d<20>; .reg .f32 %f<200>;\n"
        " ld.param.u64 %d1,[p]; cvta.to.global.u64 %d1,%d1;\n" + body + " ret; }\n"
    )


def table_entry(name: str, table: str) -> str:
    """An entry that reads one user constant at a fixed place."""
    body = f" ld.const.u32 %r1,[{table}+4]; st.global.u32 [%d1],%r1;\n"
    return _entry(name, body)


def pressure(name: str, live: int) -> str:
    """An entry that keeps `live` values alive at once, in an order that needs them all."""
    loads = "".join(f" ld.volatile.global.f32 %f{i},[%d1+{4 * i}];\n" for i in range(live))
    stores = "".join(
        f" st.volatile.global.f32 [%d1+{4 * i}],%f{i};\n" for i in reversed(range(live))
    )
    return _entry(name, loads + " bar.sync 0;\n" + stores)


def nvidia_program(name: str) -> Path:
    """One of the programs in the Triton wheel."""
    spec = importlib.util.find_spec("triton")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "backends" / "nvidia" / "bin" / name


def ptxas(body: str, sm: int, folder: Path, *options: str) -> tuple[bytes, str]:
    """Compile PTX without a header; the cubin and what `-v` printed."""
    program = "ptxas-blackwell" if sm >= 100 else "ptxas"
    source = folder / "module.ptx"
    target = folder / "module.cubin"
    version = "9.0" if sm >= 110 else "8.8" if sm >= 100 else "8.0"
    source.write_text(HEADER.format(version=version, sm=sm) + body)
    done = subprocess.run(
        [
            str(nvidia_program(program)),
            "-v",
            f"-arch=sm_{sm}",
            *options,
            str(source),
            "-o",
            str(target),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return target.read_bytes(), done.stderr + done.stdout


def kernels(cubin: bytes) -> dict[str, CubinKernel]:
    return {kernel.symbol: kernel for kernel in read_cubin(cubin, artifact="test").kernels}


def spills(log: str) -> tuple[int, int]:
    """Loads and stores as `ptxas -v` prints them."""
    found = re.search(r"(\d+) bytes spill stores, (\d+) bytes spill loads", log)
    assert found is not None
    return int(found[2]), int(found[1])


def fadd(target: int, left: int, right: int) -> tuple[int, int]:
    """`FADD Rtarget, Rleft, Rright` in the encoding of sm_75 to sm_90."""
    return (0x7221 | target << 16 | left << 24 | right << 32, NO_BARRIER)


def ffma(target: int, left: int, right: int, addend: int) -> tuple[int, int]:
    """`FFMA Rtarget, Rleft, Rright, Raddend` in the encoding of sm_75 to sm_90."""
    return (0x7223 | target << 16 | left << 24 | right << 32, NO_BARRIER | addend)


def program(*words: tuple[int, int]) -> Words:
    return np.array(words, dtype=np.uint64)


def section(words: Words, arch: str = "sm_80") -> SassCode:
    return SassCode(arch=arch, code=words.astype("<u8").tobytes())
