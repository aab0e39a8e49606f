"""Kernels of one `wmma` product each: matrices in memory, by rows and by columns.

They are part of the corpus of `python -m sassay.machine.hardware`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sassay.machine.hardware.words import WIDTHS

HEADER = ".version 8.3\n.target sm_80\n.address_size 64\n"
Described = dict[str, Any]


@dataclass(frozen=True)
class WmmaProbe:
    """A product.

    Attributes:
        shape: m, n and k.
        d: Type of the sums.
        a: Of the first factor; the second has the same.
        layouts: Of the factors.
    """

    shape: tuple[int, int, int]
    d: str
    a: str
    layouts: tuple[str, str] = ("row", "col")

    @property
    def name(self) -> str:
        """Of the entry and of its file."""
        m, n, k = self.shape
        return f"wmma_m{m}n{n}k{k}_{self.d}_{self.a}_{'_'.join(self.layouts)}"

    @property
    def sizes(self) -> dict[str, int]:
        """Elements of each matrix."""
        m, n, k = self.shape
        return {"a": m * k, "b": k * n, "c": m * n, "d": m * n}

    def kind(self, which: str) -> str:
        """Type of a matrix."""
        return self.a if which in "ab" else self.d

    def registers(self, which: str) -> int:
        """Of each lane."""
        kind = self.kind(which)
        if kind == "f16" and which in "ab":
            return 8
        return self.sizes[which] * WIDTHS[kind] // 32 // max(WIDTHS[kind], 32)


_WIDE = ((16, 16, 16), (8, 32, 16), (32, 8, 16))
PROBES = (
    *(WmmaProbe(shape, d, "f16") for shape in _WIDE for d in ("f16", "f32")),
    *(WmmaProbe(shape, "f32", "bf16") for shape in _WIDE),
    *(WmmaProbe(shape, "s32", kind) for shape in _WIDE for kind in ("s8", "u8")),
    WmmaProbe((16, 16, 8), "f32", "tf32"),
    WmmaProbe((8, 8, 4), "f64", "f64"),
    WmmaProbe((16, 16, 16), "f32", "f16", ("col", "row")),
    WmmaProbe((16, 16, 16), "f32", "bf16", ("row", "row")),
    WmmaProbe((32, 8, 16), "s32", "s8", ("col", "col")),
)


def ptx(probe: WmmaProbe) -> str:
    """The module of a probe: `a`, `b`, `c` and `d` point to matrices, one for each block."""
    m, n, k = probe.shape
    shape = f"m{m}n{n}k{k}"
    lines = [
        HEADER,
        f".visible .entry {probe.name}(.param .u64 a, .param .u64 b, .param .u64 c, .param .u64 d)",
        ".maxntid 32",
        "{",
        "    .reg .b32 %r<4>;",
        "    .reg .b64 %rd<8>;",
        *(
            f"    .reg .b{max(WIDTHS[probe.kind(each)], 32)} %{each}<{probe.registers(each)}>;"
            for each in "abcd"
        ),
        "    mov.u32 %r0, %ctaid.x;",
    ]
    for at, each in enumerate("abcd"):
        size = probe.sizes[each] * WIDTHS[probe.kind(each)] // 8
        lines += [
            f"    ld.param.u64 %rd{at}, [{each}];",
            f"    mad.wide.u32 %rd{at}, %r0, {size}, %rd{at};",
        ]
    leading = {
        "a": k if probe.layouts[0] == "row" else m,
        "b": n if probe.layouts[1] == "row" else k,
        "c": n,
        "d": n,
    }
    layouts = {"a": probe.layouts[0], "b": probe.layouts[1], "c": "row", "d": "row"}
    for at, each in enumerate("abcd"):
        move = "store" if each == "d" else "load"
        opcode = (
            f"wmma.{move}.{each}.sync.aligned.{layouts[each]}.{shape}.global.{probe.kind(each)}"
        )
        held = "{" + ", ".join(f"%{each}{at}" for at in range(probe.registers(each))) + "}"
        pair = f"[%rd{at}], {held}" if each == "d" else f"{held}, [%rd{at}]"
        if each == "d":
            lines.append(_product(probe, shape))
        lines.append(f"    {opcode} {pair}, {leading[each]};")
    return "\n".join([*lines, "    ret;", "}", ""])


def _product(probe: WmmaProbe, shape: str) -> str:
    kinds = (
        f"{probe.d}.{probe.d}" if probe.a == "f16" else f"{probe.d}.{probe.a}.{probe.a}.{probe.d}"
    )
    fragments = ", ".join(
        "{" + ", ".join(f"%{each}{at}" for at in range(probe.registers(each))) + "}"
        for each in "dabc"
    )
    layouts = ".".join(probe.layouts)
    return f"    wmma.mma.sync.aligned.{layouts}.{shape}.{kinds} {fragments};"


def launch(probe: WmmaProbe, blocks: int) -> Described:
    """Its launch, as `cases` reads it."""
    seed = sum(map(ord, probe.name)) * 10
    made: list[Described] = [
        {
            "make": "mixed",
            "type": probe.kind(each),
            "shape": [blocks, probe.sizes[each]],
            "seed": seed + at,
        }
        for at, each in enumerate("abc")
    ]
    word = f"uint{WIDTHS[probe.d]}"
    made.append({"make": "zeros", "shape": [blocks, probe.sizes["d"]], "dtype": word})
    return {
        "entry": probe.name,
        "grid": [blocks],
        "block": [32],
        "arguments": made,
        "results": [3],
    }
