"""Kernels of one matrix instruction each: fragments in, fragments out, as they lie in registers.

They are what the accumulation rules were measured with, and part of the corpus. Run
`python -m bench.hardware.matrix_probes FOLDER` to write them.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sassay.machine.hardware.words import WIDTHS, mixed_words

HEADER = ".version 8.3\n.target {target}\n.address_size 64\n"


@dataclass(frozen=True)
class Probe:
    """One shape of `mma.sync` or `wgmma`."""

    m: int
    n: int
    k: int
    d: str
    a: str
    b: str
    warpgroup: bool = False

    @property
    def name(self) -> str:
        """Of the entry and of its file."""
        kind = "wgmma" if self.warpgroup else "mma"
        return f"{kind}_m{self.m}n{self.n}k{self.k}_{self.d}_{self.a}_{self.b}"

    @property
    def threads(self) -> int:
        """Of a block: a warp or a warpgroup."""
        return 128 if self.warpgroup else 32

    def registers(self, rows: int, columns: int, kind: str) -> int:
        """Registers of each thread for a fragment."""
        bits = max(WIDTHS[kind], 32)
        return rows * columns * WIDTHS[kind] // self.threads // bits

    @property
    def counts(self) -> tuple[int, int, int]:
        """Registers of A, B (words of shared memory by thread for `wgmma`) and C."""
        return (
            self.registers(self.m, self.k, self.a),
            self.registers(self.k, self.n, self.b),
            self.registers(self.m, self.n, self.d),
        )


PROBES = (
    *(Probe(16, 8, 16, d, t, t) for t, d in (("f16", "f32"), ("bf16", "f32"), ("f16", "f16"))),
    *(Probe(16, 8, 8, d, t, t) for t, d in (("f16", "f32"), ("bf16", "f32"), ("f16", "f16"))),
    Probe(16, 8, 8, "f32", "tf32", "tf32"),
    Probe(16, 8, 4, "f32", "tf32", "tf32"),
    *(Probe(16, 8, 32, "f32", a, b) for a in ("e4m3", "e5m2") for b in ("e4m3", "e5m2")),
    Probe(8, 8, 4, "f64", "f64", "f64"),
    *(Probe(16, 8, k, "f64", "f64", "f64") for k in (4, 8, 16)),
    *(Probe(16, 8, k, "s32", a, b) for k in (16, 32) for a, b in (("s8", "s8"), ("u8", "s8"))),
    *(
        Probe(64, 16, 16, d, t, t, warpgroup=True)
        for t, d in (("f16", "f32"), ("bf16", "f32"), ("f16", "f16"))
    ),
    Probe(64, 16, 8, "f32", "tf32", "tf32", warpgroup=True),
    *(
        Probe(64, 16, 32, "f32", a, b, warpgroup=True)
        for a in ("e4m3", "e5m2")
        for b in ("e4m3", "e5m2")
    ),
    Probe(64, 16, 32, "f16", "e4m3", "e4m3", warpgroup=True),
    Probe(64, 16, 32, "s32", "s8", "s8", warpgroup=True),
)


def _moves(op: str, prefix: str, count: int, bits: int, base: str) -> list[str]:
    lines = []
    for at in range(count):
        place = f"[{base}+{at * bits // 8}]"
        register = f"%{prefix}{at}"
        pair = f"{register}, {place}" if op == "ld" else f"{place}, {register}"
        lines.append(f"    {op}.global.b{bits} {pair};")
    return lines


def _list(prefix: str, count: int) -> str:
    return "{" + ", ".join(f"%{prefix}{at}" for at in range(count)) + "}"


def ptx(probe: Probe) -> str:
    """The module of a probe: `a`, `b`, `c` and `d` point to fragments, thread by thread."""
    na, nb, nc = probe.counts
    width = {
        each: max(WIDTHS[kind], 32)
        for each, kind in zip("abc", (probe.a, probe.b, probe.d), strict=True)
    }
    lines = [HEADER.format(target="sm_90a" if probe.warpgroup else "sm_80")]
    if "e4m3" in probe.name or "e5m2" in probe.name:
        lines = [lines[0].replace("8.3", "8.4").replace("sm_80", "sm_89")]
    if probe.d == "f64" and probe.m == 16:
        lines = [lines[0].replace("sm_80", "sm_90")]
    params = ", ".join(f".param .u64 {each}" for each in "abcd")
    lines += [
        f".visible .entry {probe.name}({params})",
        f".maxntid {probe.threads}",
        "{",
        "    .reg .b32 %r<8>;",
        "    .reg .b64 %rd<12>;",
        f"    .reg .b{width['a']} %a<{na}>;",
        f"    .reg .b{width['b']} %b<{nb}>;",
        f"    .reg .b{width['c']} %c<{nc}>;",
    ]
    if probe.warpgroup:
        lines.append(f"    .shared .align 128 .b8 tile[{nb * 4 * probe.threads}];")
    lines += [
        "    mov.u32 %r0, %ctaid.x;",
        "    mov.u32 %r1, %tid.x;",
        f"    mad.lo.u32 %r2, %r0, {probe.threads}, %r1;",
    ]
    for at, (each, count) in enumerate(zip("abcd", (na, nb, nc, nc), strict=True)):
        size = count * width["c" if each == "d" else each] // 8
        lines += [
            f"    ld.param.u64 %rd{at}, [{each}];",
            f"    mad.wide.u32 %rd{at}, %r2, {size}, %rd{at};",
        ]
    lines += _moves("ld", "a", na, width["a"], "%rd0")
    lines += _moves("ld", "b", nb, width["b"], "%rd1")
    lines += _moves("ld", "c", nc, width["c"], "%rd2")
    if probe.warpgroup:
        lines += _warpgroup(probe, nb)
    else:
        kinds = f"{probe.d}.{probe.a}.{probe.b}.{probe.d}"
        lines.append(
            f"    mma.sync.aligned.m{probe.m}n{probe.n}k{probe.k}.row.col.{kinds} "
            f"{_list('c', nc)}, {_list('a', na)}, {_list('b', nb)}, {_list('c', nc)};"
        )
    lines += _moves("st", "c", nc, width["c"], "%rd3")
    return "\n".join([*lines, "    ret;", "}", ""])


def _warpgroup(probe: Probe, nb: int) -> list[str]:
    nc = probe.counts[2]
    lines = ["    mov.u32 %r3, tile;", f"    mad.lo.u32 %r4, %r1, {nb * 4}, %r3;"]
    lines += [f"    st.shared.b32 [%r4+{at * 4}], %b{at};" for at in range(nb)]
    # Core matrices of 8 rows of 16 bytes follow one another along k.
    fixed = (128 >> 4) << 16 | (256 >> 4) << 32
    scales = {"f16": "1, 1, 0", "bf16": "1, 1, 0", "tf32": "1, 1", "e4m3": "1, 1", "e5m2": "1, 1"}
    scale = f", {scales[probe.a]}" if probe.a in scales else ""
    kinds = f"{probe.d}.{probe.a}.{probe.b}"
    fragments = f"{_list('c', nc)}, {_list('a', 4)}"
    return [
        *lines,
        "    fence.proxy.async.shared::cta;",
        "    bar.sync 0;",
        "    shr.u32 %r5, %r3, 4;",
        "    cvt.u64.u32 %rd4, %r5;",
        f"    or.b64 %rd5, %rd4, {fixed:#x};",
        "    wgmma.fence.sync.aligned;",
        f"    wgmma.mma_async.sync.aligned.m64n16k{probe.k}.{kinds} {fragments}, %rd5, 1{scale};",
        "    wgmma.commit_group.sync.aligned;",
        "    wgmma.wait_group.sync.aligned 0;",
    ]


def operands(probe: Probe, warps: int) -> list[np.ndarray[Any, np.dtype[Any]]]:
    """A, B, C and an empty D for blocks of a warp or of a warpgroup."""
    seed = sum(map(ord, probe.name))
    sizes = (probe.m * probe.k, probe.k * probe.n, probe.m * probe.n)
    found = [
        mixed_words(kind, (warps, size), seed * 10 + at)
        for at, (kind, size) in enumerate(zip((probe.a, probe.b, probe.d), sizes, strict=True))
    ]
    return [*found, np.zeros_like(found[2])]


def main() -> None:
    """Writes every probe."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for probe in PROBES:
        (folder / f"{probe.name}.ptx").write_text(ptx(probe), encoding="utf-8")


if __name__ == "__main__":
    main()
