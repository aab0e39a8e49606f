"""Kernels of what orders threads and copies: arrivals of copies, and barriers of clusters.

They are part of the corpus of `python -m sassay.machine.hardware`.
"""

from __future__ import annotations

from typing import Any

BLOCKS, THREADS = 64, 128
HEADER = ".version 8.3\n.target sm_90\n.address_size 64\n"
Described = dict[str, Any]

_REVERSED = """
.visible .entry NAME(.param .u64 x, .param .u64 out)
.maxntid 128
{
    .reg .pred %p<4>;
    .reg .b32 %r<12>;
    .reg .b64 %rd<8>;
    .shared .align 16 .b8 tile[2048];
    .shared .align 8 .b8 barrier[8];
    mov.u32 %r0, %tid.x;
    mov.u32 %r1, %ctaid.x;
    mad.lo.u32 %r2, %r1, 128, %r0;
    ld.param.u64 %rd0, [x];
    mad.wide.u32 %rd0, %r2, 16, %rd0;
    ld.param.u64 %rd1, [out];
    mad.wide.u32 %rd1, %r2, 16, %rd1;
    mov.u32 %r3, tile;
    mad.lo.u32 %r4, %r0, 16, %r3;
    xor.b32 %r5, %r0, 127;
    mad.lo.u32 %r5, %r5, 16, %r3;
BODY
    ld.shared.v4.b32 {%r6, %r7, %r8, %r9}, [%r5];
    st.global.v4.b32 [%rd1], {%r6, %r7, %r8, %r9};
    ret;
}
"""
_ARRIVES = """    mov.u32 %r10, barrier;
    setp.eq.u32 %p0, %r0, 0;
    @%p0 mbarrier.init.shared.b64 [%r10], COUNT;
    bar.sync 0;
    cp.async.cg.shared.global [%r4], [%rd0], 16;
    cp.async.mbarrier.arriveMORE.shared.b64 [%r10];PLAIN
$wait:
    mbarrier.try_wait.parity.shared.b64 %p1, [%r10], 0;
    @!%p1 bra $wait;"""
_CLUSTER = """    ld.global.v4.b32 {%r6, %r7, %r8, %r9}, [%rd0];
    st.shared.v4.b32 [%r4], {%r6, %r7, %r8, %r9};
    barrier.cluster.arriveFORM;
    barrier.cluster.waitWAIT;"""
_BODIES = {
    "cp_async_arrive_noinc": _ARRIVES.replace("COUNT", "128")
    .replace("MORE", ".noinc")
    .replace("PLAIN", ""),
    "cp_async_arrive": _ARRIVES.replace("COUNT", "128")
    .replace("MORE", "")
    .replace("PLAIN", "\n    mbarrier.arrive.shared.b64 %rd2, [%r10];"),
    "cluster_barrier": _CLUSTER.replace("FORM", "").replace("WAIT", ""),
    "cluster_barrier_aligned": _CLUSTER.replace("FORM", ".release.aligned").replace(
        "WAIT", ".acquire.aligned"
    ),
}
PROBES = tuple(_BODIES)
"""Their names."""


def ptx(name: str) -> str:
    """The module of a probe: each block turns the order of its 128 chunks round."""
    return HEADER + _REVERSED.replace("NAME", name).replace("BODY", _BODIES[name])


def launch(name: str) -> Described:
    """Its launch, as `cases` reads it."""
    shape = [BLOCKS * THREADS, 4]
    return {
        "entry": name,
        "grid": [BLOCKS],
        "block": [THREADS],
        "arguments": [
            {"make": "uint32", "shape": shape, "seed": 1},
            {"make": "zeros", "shape": shape, "dtype": "uint32"},
        ],
        "results": [1],
    }
