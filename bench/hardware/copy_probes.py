"""Kernels of one tensor copy each: a box into shared memory and out as it lies there, or back.

The host makes the tensor maps. Coordinates reach over every edge of the tensor. They are part of
the corpus of `python -m sassay.machine.hardware`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np

THREADS = 128
HEADER = ".version 8.3\n.target sm_90\n.address_size 64\n"
Described = dict[str, Any]


@dataclass(frozen=True)
class CopyProbe:
    """A tensor copy.

    Attributes:
        what: `load`, `store`, or the operation of a reduction such as `add`.
        dtype: Of the elements, as numpy names it.
        shape: Of the tensor, slowest dimension first.
        box: Elements of the copy in each dimension.
        swizzle: Bytes of a swizzled row, 16 for none.
        fills: What lies outside reads as NaN.
    """

    what: str
    dtype: str
    shape: tuple[int, ...]
    box: tuple[int, ...]
    swizzle: int = 16
    fills: bool = False

    @property
    def name(self) -> str:
        """Of the entry and of its file."""
        nan = "_nan" if self.fills else ""
        return f"tma_{self.what}_{len(self.shape)}d_{self.dtype}_swizzle{self.swizzle}{nan}"

    @property
    def size(self) -> int:
        """Bytes of the box."""
        return prod(self.box) * np.dtype(self.dtype).itemsize

    @property
    def places(self) -> list[tuple[int, ...]]:
        """Where boxes start, fastest dimension first: inside, over each edge, and outside."""
        steps: list[list[int]] = []
        for size, box in zip(self.shape, self.box, strict=True):
            if self.what != "load":
                # Boxes that do not meet, so that no order decides; none may start below zero.
                steps.append([*range(0, size + box, box)])
            else:
                steps.append(sorted({-box, -(box // 2), 0, size - box, size - box // 2, size}))
        return list(product(*steps[::-1]))


PROBES = (
    CopyProbe("load", "uint8", (256,), (64,)),
    *(
        CopyProbe("load", "uint16", (40, 200), (16, max(span // 2, 16)), span)
        for span in (16, 32, 64, 128)
    ),
    CopyProbe("load", "float16", (40, 200), (16, 32), 64, fills=True),
    CopyProbe("load", "float32", (12, 20, 40), (4, 8, 32), 128),
    CopyProbe("load", "float32", (40, 40), (8, 32), 16, fills=True),
    CopyProbe("load", "float64", (24, 20), (8, 4), 32, fills=True),
    CopyProbe("load", "int64", (6, 8, 10, 24), (2, 4, 2, 8), 64),
    CopyProbe("load", "int32", (3, 4, 5, 6, 16), (2, 2, 2, 2, 8), 32),
    *(
        CopyProbe("store", "uint16", (40, 200), (16, max(span // 2, 16)), span)
        for span in (16, 32, 64, 128)
    ),
    CopyProbe("store", "float32", (6, 10, 40), (4, 4, 16), 64),
    *(
        CopyProbe(how, dtype, (40, 64), (8, 16), 16)
        for dtype, hows in (
            ("uint32", ("add", "min", "max", "inc", "dec", "and", "or", "xor")),
            ("int32", ("add", "min", "max")),
            ("uint64", ("add", "min", "max", "and", "or", "xor")),
            ("int64", ("min", "max")),
            ("float16", ("add", "min", "max")),
            ("float32", ("add",)),
        )
        for how in hows
    ),
)


@dataclass(frozen=True)
class BulkProbe:
    """A plain bulk reduction into global memory.

    Attributes:
        how: Such as `add`.
        kind: Type, as PTX names it.
    """

    how: str
    kind: str

    @property
    def name(self) -> str:
        """Of the entry and of its file."""
        return f"bulk_{self.how}_{self.kind}"

    @property
    def form(self) -> str:
        """The operation, as PTX spells it."""
        half = self.kind in {"f16", "bf16"} and self.how == "add"
        return f"{self.how}{'.noftz' if half else ''}.{self.kind}"


BULK = tuple(
    BulkProbe(how, kind)
    for kind, hows in (
        ("u32", ("add", "min", "max", "inc", "dec")),
        ("s32", ("add", "min", "max")),
        ("u64", ("add", "min", "max")),
        ("s64", ("min", "max")),
        ("b32", ("and", "or", "xor")),
        ("b64", ("and", "or", "xor")),
        ("f16", ("add", "min", "max")),
        ("bf16", ("add", "min", "max")),
        ("f32", ("add",)),
        ("f64", ("add",)),
    )
    for how in hows
)
_BULK_BYTES = 2048


def bulk_ptx(probe: BulkProbe) -> str:
    """The module of a reduction: each block brings 2048 bytes to its part of `out`."""
    return (
        HEADER
        + f"""
.visible .entry {probe.name}(.param .u64 x, .param .u64 out)
.maxntid {THREADS}
{{
    .reg .pred %p<2>;
    .reg .b32 %r<10>;
    .reg .b64 %rd<4>;
    .shared .align 16 .b8 tile[{_BULK_BYTES}];
    mov.u32 %r0, %ctaid.x;
    mov.u32 %r1, %tid.x;
    mov.u32 %r2, tile;
    mad.lo.u32 %r3, %r1, 16, %r2;
    ld.param.u64 %rd0, [x];
    mad.wide.u32 %rd0, %r0, {_BULK_BYTES}, %rd0;
    mad.wide.u32 %rd2, %r1, 16, %rd0;
    ld.param.u64 %rd1, [out];
    mad.wide.u32 %rd1, %r0, {_BULK_BYTES}, %rd1;
    ld.global.v4.b32 {{%r4, %r5, %r6, %r7}}, [%rd2];
    st.shared.v4.b32 [%r3], {{%r4, %r5, %r6, %r7}};
    fence.proxy.async.shared::cta;
    bar.sync 0;
    setp.eq.u32 %p0, %r1, 0;
    @%p0 cp.reduce.async.bulk.global.shared::cta.bulk_group.{probe.form}
        [%rd1], [%r2], {_BULK_BYTES};
    @%p0 cp.async.bulk.commit_group;
    @%p0 cp.async.bulk.wait_group 0;
    ret;
}}
"""
    )


def bulk_launch(probe: BulkProbe) -> Described:
    """Its launch, as `cases` reads it."""
    blocks, bits = 40, int(probe.kind.lstrip("busf"))
    shape = [blocks, _BULK_BYTES * 8 // bits]
    seed = sum(map(ord, probe.name)) * 10
    if "f" in probe.kind:
        made = [
            {"make": "mixed", "type": probe.kind, "shape": shape, "seed": seed + at}
            for at in range(2)
        ]
    else:
        kind = f"{'int' if probe.kind[0] == 's' else 'uint'}{bits}"
        made = [{"make": kind, "shape": shape, "seed": seed + at} for at in range(2)]
    return {
        "entry": probe.name,
        "grid": [blocks],
        "block": [THREADS],
        "arguments": made,
        "results": [1],
    }


def ptx(probe: CopyProbe) -> str:
    """The module of a probe: a map, coordinates by block, and the bytes of boxes."""
    rank = len(probe.shape)
    index = "{" + ", ".join(f"%c{at}" for at in range(rank)) + "}"
    lines = [
        HEADER,
        f".visible .entry {probe.name}(.param .align 64 .b8 map[128], .param .u64 places,",
        "    .param .u64 boxes)",
        f".maxntid {THREADS}",
        "{",
        "    .reg .pred %p<4>;",
        "    .reg .b32 %r<12>, %c<5>;",
        "    .reg .b64 %rd<8>;",
        f"    .shared .align 1024 .b8 tile[{probe.size}];",
        "    .shared .align 8 .b8 barrier[8];",
        "    mov.u32 %r0, %ctaid.x;",
        "    mov.u32 %r1, %tid.x;",
        "    mov.u32 %r2, tile;",
        "    mov.u32 %r3, barrier;",
        "    ld.param.u64 %rd0, [places];",
        f"    mad.wide.u32 %rd0, %r0, {4 * rank}, %rd0;",
        *(f"    ld.global.b32 %c{at}, [%rd0+{4 * at}];" for at in range(rank)),
        "    ld.param.u64 %rd1, [boxes];",
        f"    mad.wide.u32 %rd1, %r0, {probe.size}, %rd1;",
        "    mov.b64 %rd2, map;",
        "    cvta.param.u64 %rd2, %rd2;",
        "    setp.eq.u32 %p0, %r1, 0;",
        *(_load(probe, rank, index) if probe.what == "load" else _store(probe, rank, index)),
        "    ret;",
        "}",
        "",
    ]
    return "\n".join(lines)


def _each_word(probe: CopyProbe, moves: tuple[str, str]) -> list[str]:
    return [
        "    shl.b32 %r4, %r1, 2;",
        "$each:",
        f"    setp.ge.u32 %p1, %r4, {probe.size};",
        "    @%p1 bra $done;",
        "    add.u32 %r5, %r2, %r4;",
        "    cvt.u64.u32 %rd3, %r4;",
        "    add.u64 %rd3, %rd1, %rd3;",
        *(f"    {move};" for move in moves),
        f"    add.u32 %r4, %r4, {4 * THREADS};",
        "    bra $each;",
        "$done:",
    ]


def _load(probe: CopyProbe, rank: int, index: str) -> list[str]:
    copy = f"cp.async.bulk.tensor.{rank}d.shared::cluster.global.mbarrier::complete_tx::bytes"
    return [
        "    @%p0 mbarrier.init.shared.b64 [%r3], 1;",
        "    fence.proxy.async.shared::cta;",
        "    bar.sync 0;",
        f"    @%p0 mbarrier.arrive.expect_tx.shared.b64 %rd4, [%r3], {probe.size};",
        f"    @%p0 {copy} [%r2], [%rd2, {index}], [%r3];",
        "$wait:",
        "    mbarrier.try_wait.parity.shared.b64 %p2, [%r3], 0;",
        "    @!%p2 bra $wait;",
        *_each_word(probe, ("ld.shared.b32 %r6, [%r5]", "st.global.b32 [%rd3], %r6")),
    ]


def _store(probe: CopyProbe, rank: int, index: str) -> list[str]:
    copy = f"cp.async.bulk.tensor.{rank}d.global.shared::cta"
    if probe.what != "store":
        copy = f"cp.reduce.async.bulk.tensor.{rank}d.global.shared::cta.{probe.what}.tile"
    return [
        *_each_word(probe, ("ld.global.b32 %r6, [%rd3]", "st.shared.b32 [%r5], %r6")),
        "    fence.proxy.async.shared::cta;",
        "    bar.sync 0;",
        f"    @%p0 {copy}.bulk_group [%rd2, {index}], [%r2];",
        "    @%p0 cp.async.bulk.commit_group;",
        "    @%p0 cp.async.bulk.wait_group 0;",
    ]


def launch(probe: CopyProbe) -> Described:
    """Its launch, as `cases` reads it."""
    places = np.array(probe.places)
    blocks = len(places)
    floats = probe.dtype.startswith("float")
    drawn: Described = {"make": probe.dtype, "shape": list(probe.shape), "seed": 1}
    if not floats and probe.what not in {"load", "store"}:
        drawn |= {"low": 0, "high": 100}
    bytes_: Described = {"make": "zeros", "shape": [blocks, probe.size], "dtype": "uint8"}
    if probe.what != "load":
        count = probe.size // np.dtype(probe.dtype).itemsize
        bytes_ = {"make": probe.dtype, "shape": [blocks, count], "seed": 2}
    tensor = drawn | {
        "box": list(probe.box),
        "swizzle": probe.swizzle,
        "nan_fill": probe.fills,
    }
    return {
        "entry": probe.name,
        "grid": [blocks],
        "block": [THREADS],
        "arguments": [tensor, {"values": places.ravel().tolist(), "dtype": "int32"}, bytes_],
        "results": [2] if probe.what == "load" else [0],
    }
