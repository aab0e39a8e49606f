"""Kernels of one approximate instruction each, over words of every kind.

They are part of the corpus of `python -m sassay.machine.hardware`; `measure_special` runs the same
instructions over all inputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

ROWS, COLUMNS = 512, 256
HEADER = ".version 8.3\n.target sm_90\n.address_size 64\n"
Described = dict[str, Any]


@dataclass(frozen=True)
class UnitProbe:
    """An instruction of one or two sources.

    Attributes:
        form: The opcode.
        sources: How many.
    """

    form: str
    sources: int = 1

    @property
    def name(self) -> str:
        """Of the entry and of its file."""
        return self.form.replace(".", "_")

    @property
    def kind(self) -> str:
        """Type of the operands."""
        return self.form.rsplit(".", 1)[1]

    @property
    def bits(self) -> int:
        """Of an operand."""
        return {"f16": 16, "bf16": 16, "f64": 64}.get(self.kind, 32)


PROBES = (
    *(
        UnitProbe(f"{name}.approx{ftz}.f32")
        for name in ("rcp", "rsqrt", "sqrt", "ex2", "lg2", "sin", "cos")
        for ftz in ("", ".ftz")
    ),
    *(UnitProbe(f"div.{how}{ftz}.f32", 2) for how in ("full", "approx") for ftz in ("", ".ftz")),
    *(UnitProbe(f"tanh.approx.{kind}") for kind in ("f32", "f16", "f16x2", "bf16", "bf16x2")),
    *(UnitProbe(f"ex2.approx.{kind}") for kind in ("f16", "f16x2", "ftz.bf16", "ftz.bf16x2")),
    UnitProbe("rcp.approx.ftz.f64"),
    UnitProbe("rsqrt.approx.ftz.f64"),
    UnitProbe("rsqrt.approx.f64"),
)


def ptx(probe: UnitProbe) -> str:
    """The module of a probe: a thread for each element of `x`, `y` and `out`."""
    size = probe.bits // 8
    kind = {16: "h", 32: "r", 64: "d"}[probe.bits]
    sources = ", ".join(f"%{kind}{at}" for at in range(probe.sources))
    return "\n".join(
        [
            HEADER,
            f".visible .entry {probe.name}(.param .u64 x, .param .u64 y, .param .u64 out)",
            "{",
            "    .reg .b16 %h<4>;",
            "    .reg .b32 %r<4>, %i<4>;",
            "    .reg .b64 %d<4>, %rd<4>;",
            "    mov.u32 %i0, %ctaid.x;",
            "    mov.u32 %i1, %tid.x;",
            f"    mad.lo.u32 %i2, %i0, {COLUMNS}, %i1;",
            *(
                line
                for at, name in enumerate(("x", "y", "out"))
                for line in (
                    f"    ld.param.u64 %rd{at}, [{name}];",
                    f"    mad.wide.u32 %rd{at}, %i2, {size}, %rd{at};",
                )
            ),
            f"    ld.global.b{probe.bits} %{kind}0, [%rd0];",
            f"    ld.global.b{probe.bits} %{kind}1, [%rd1];",
            f"    {probe.form} %{kind}2, {sources};",
            f"    st.global.b{probe.bits} [%rd2], %{kind}2;",
            "    ret;",
            "}",
            "",
        ]
    )


def launch(probe: UnitProbe) -> Described:
    """Its launch, as `cases` reads it."""
    seed = sum(map(ord, probe.name)) * 10
    kind, columns = probe.kind.removesuffix("x2"), COLUMNS * (1 + probe.kind.endswith("x2"))
    made: list[Described] = [
        {"make": "mixed", "type": kind, "shape": [ROWS, columns], "seed": seed + at}
        for at in range(2)
    ]
    made.append({"make": "zeros", "shape": [ROWS, COLUMNS], "dtype": f"uint{probe.bits}"})
    return {
        "entry": probe.name,
        "grid": [ROWS],
        "block": [COLUMNS],
        "arguments": made,
        "results": [2],
    }
