"""Kernels of one scalar instruction each, for `python -m sassay.machine.hardware`.

Run `python -m bench.hardware.scalar_probes FOLDER`: it writes a module and a launch for each form.
Floats are drawn as for the matrix instructions: near one, of
any exponent, special ones, any bits; integers of any bits, or small where they count or choose.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from itertools import product
from pathlib import Path

BLOCKS, THREADS = 160, 128
BITS = {
    "f16": 16, "bf16": 16, "f32": 32, "f64": 64, "f16x2": 32, "bf16x2": 32,
    "e4m3x2": 16, "e5m2x2": 16, "b16": 16, "b32": 32, "b64": 64, "small": 32, "place": 32,
    "step": 32, "pred": 0,
}  # fmt: skip
_RANGES = {"small": ("uint32", 0, 70), "place": ("uint32", 0, 31), "step": ("int32", -9, 9)}
"""How operands are drawn that count or choose: dtype, least and most."""

HEADER = ".version 8.5\n.target sm_90\n.address_size 64\n"
_REGISTER = {16: "h", 32: "r", 64: "d"}
FORMS = """
{add,sub,mul}.{rn,rz,rm,rp}.f64 | f64 f64 | f64
fma.{rn,rz,rm,rp}.f64 | f64 f64 f64 | f64
{add,sub,mul}.{rn,rz,rm,rp}{,.ftz,.sat,.ftz.sat}.f32 | f32 f32 | f32
fma.{rn,rz,rm,rp}{,.ftz,.sat,.ftz.sat}.f32 | f32 f32 f32 | f32
{add,sub,mul}.rn{,.ftz,.sat,.ftz.sat}.K | K K | K | f16 f16x2
fma.rn{,.ftz,.sat,.ftz.sat}.K | K K K | K | f16 f16x2
{add,sub,mul}.rn.K | K K | K | bf16 bf16x2
fma.rn{,.relu}.K | K K K | K | bf16 bf16x2
fma.rn.relu.K | K K K | K | f16 f16x2
div.{rn,rz,rm,rp}{,.ftz}.f32 | f32 f32 | f32
{sqrt,rcp}.{rn,rz,rm,rp}{,.ftz}.f32 | f32 | f32
div.{rn,rz,rm,rp}.f64 | f64 f64 | f64
{sqrt,rcp}.{rn,rz,rm,rp}.f64 | f64 | f64

{min,max}.f64 | f64 f64 | f64
{min,max}{,.ftz,.NaN,.xorsign.abs,.NaN.xorsign.abs}.K | K K | K | f16 f16x2 f32
{min,max}{,.NaN,.xorsign.abs,.NaN.xorsign.abs}.K | K K | K | bf16 bf16x2
{min,max}.{s32.relu,s16x2.relu,s16x2,u16x2} | b32 b32 | b32
{abs,neg}.K | K | K | f16 f16x2 bf16 bf16x2 f32 f64
{abs,neg}.ftz.f32 | f32 | f32
copysign.K | K K | K | f32 f64
testp.{finite,infinite,number,notanumber,normal,subnormal}.K | K | pred | f32 f64
setp.{eq,ne,lt,le,gt,ge,equ,neu,ltu,leu,gtu,geu,num,nan}.K | K K | pred | f16 bf16 f32 f64
setp.{lt,geu,nan}.ftz.K | K K | pred | f16 f32
set.{lt,geu,nan}.f32.f32 | f32 f32 | f32
set.{lt,geu,nan}.u32.K | K K | b32 | f64 f16x2 bf16x2
set.{lt,geu,nan}.K.K | K K | K | f16x2 bf16x2
slct{,.ftz}.b32.f32 | b32 b32 f32 | b32

cvt.{rni,rzi,rmi,rpi}.{u,s}16.K | K | b16 | f16 f32 f64
cvt.{rni,rzi,rmi,rpi}.{u,s}32.K | K | b32 | f16 f32 f64
cvt.{rni,rzi,rmi,rpi}.{u,s}64.K | K | b64 | f16 f32 f64
cvt.{rni,rzi}.{u,s}16.bf16 | bf16 | b16
cvt.{rni,rzi}.{u,s}32.bf16 | bf16 | b32
cvt.{rni,rzi}.{u,s}64.bf16 | bf16 | b64
cvt.{rn,rz,rm,rp}.K.{u,s}16 | b16 | K | f32 f64
cvt.{rn,rz,rm,rp}.K.{u,s}32 | b32 | K | f32 f64
cvt.{rn,rz,rm,rp}.K.{u,s}64 | b64 | K | f32 f64
cvt.rn.K.{u,s}16 | b16 | K | f16 bf16
cvt.rn.K.{u,s}32 | b32 | K | f16 bf16
cvt.rn.K.{u,s}64 | b64 | K | f16 bf16
cvt.{rni,rzi,rmi,rpi}.K.K | K | K | f16 f32 f64
cvt.{rn,rz,rm,rp}.f16.K | K | f16 | f32 f64
cvt.{rn,rz,rm,rp}.f32.f64 | f64 | f32
cvt.{rn,rz,rn.relu}.bf16.f32 | f32 | bf16
cvt.rn.bf16.K | K | bf16 | f16 f64
cvt.rn.f16.bf16 | bf16 | f16
cvt.f32.K | K | f32 | f16 bf16
cvt.f64.K | K | f64 | f16 f32
cvt.{ftz,sat}.f32.f16 | f16 | f32
cvt.rn.{ftz,sat,relu}.f16.f32 | f32 | f16
cvt.rn.{ftz,sat}.f32.f64 | f64 | f32
cvt.sat.f32.f32 | f32 | f32
cvt.{rna,rn,rz}.tf32.f32 | f32 | b32
cvt.{rn,rz}{,.relu}.K.f32 | f32 f32 | K | f16x2 bf16x2
cvt.rn.satfinite{,.relu}.{e4m3x2,e5m2x2}.f32 | f32 f32 | b16
cvt.rn.satfinite{,.relu}.{e4m3x2,e5m2x2}.f16x2 | f16x2 | b16
cvt.rn{,.relu}.f16x2.{e4m3x2,e5m2x2} | b16 | f16x2
cvt.pack.sat.{u16,s16}.s32 | b32 b32 | b32
cvt.pack.sat.{u8,s8}.s32.b32 | b32 b32 b32 | b32

{add,sub,mul.lo,mul.hi,div,rem,min,max}.{u,s}16 | b16 b16 | b16
{add,sub,mul.lo,mul.hi,div,rem,min,max}.{u,s}32 | b32 b32 | b32
{add,sub,mul.lo,mul.hi,div,rem,min,max}.{u,s}64 | b64 b64 | b64
{sad,mad.lo,mad.hi}.{u,s}16 | b16 b16 b16 | b16
{sad,mad.lo,mad.hi}.{u,s}32 | b32 b32 b32 | b32
{sad,mad.lo,mad.hi}.{u,s}64 | b64 b64 b64 | b64
mul.wide.{u,s}16 | b16 b16 | b32
mul.wide.{u,s}32 | b32 b32 | b64
mad.wide.{u,s}16 | b16 b16 b32 | b32
mad.wide.{u,s}32 | b32 b32 b64 | b64
{add,sub}.sat.s32 | b32 b32 | b32
mad.hi.sat.s32 | b32 b32 b32 | b32
{mul24.lo,mul24.hi}.{u,s}32 | b32 b32 | b32
{dp4a,dp2a.lo,dp2a.hi}.{u,s}32.{u,s}32 | b32 b32 b32 | b32
shr.{u,s}16 | b16 small | b16
shr.{u,s}32 | b32 small | b32
shr.{u,s}64 | b64 small | b64
shl.K | K small | K | b16 b32 b64
{bfind,bfind.shiftamt}.{u,s}32 | b32 | b32
{bfind,bfind.shiftamt}.{u,s}64 | b64 | b32
bfe.{u,s}32 | b32 small small | b32
bfe.{u,s}64 | b64 small small | b64
bfi.K | K K small small | K | b32 b64
{popc,clz}.K | K | b32 | b32 b64
{brev,not,cnot}.K | K | K | b32 b64
szext.{clamp,wrap}.{u,s}32 | b32 small | b32
bmsk.{clamp,wrap}.b32 | small small | b32
shf.{l,r}.{clamp,wrap}.b32 | b32 b32 small | b32
fns.b32 | b32 place step | b32
prmt.b32{,.f4e,.b4e,.rc8,.ecl,.ecr,.rc16} | b32 b32 b32 | b32
{vadd,vsub,vavrg,vabsdiff,vmin,vmax}{2,4}.{u,s}32.{u,s}32.{u,s}32{,.sat,.add} | b32 b32 b32 | b32
"""
"""Opcodes with `{either,or}`, sources, result, and what `K` stands for."""

_CHOICE = re.compile(r"\{([^{}]*)\}")
_TABLES = (0x1D, 0x96, 0xCA, 0xE8)
_CARRIES = (
    ("sub.cc.u32 %r1, #0, #1; addc.u32 $, 0, 0;", 2),
    ("add.cc.u32 %r1, #0, #1; subc.u32 $, 0, 0;", 2),
    ("sub.cc.u32 %r1, #0, #1; subc.cc.u32 %r2, #2, #0; subc.u32 $, 0, 0;", 3),
    ("mad.lo.cc.u32 %r1, #0, #1, #2; madc.hi.u32 $, #0, #1, #2;", 3),
)


@dataclass(frozen=True)
class Probe:
    """One form.

    Attributes:
        text: With `$` for the result, `#0` ... for sources; `%p1` is a predicate.
        sources: Keys of `BITS`.
        result: Key of `BITS`; `pred` results are stored as 0 or 1.
    """

    text: str
    sources: tuple[str, ...]
    result: str

    @property
    def name(self) -> str:
        """Name of the entry."""
        words = self.text if self.text.count(";") > 1 else self.text.split(" ")[0]
        words += self.text.rpartition(",")[2] if words == "lop3.b32" else ""
        return re.sub(r"\W+", "_", words).strip("_")


def _spelled(opcode: str) -> list[str]:
    """All choices of a template."""
    parts = _CHOICE.split(opcode)
    choices = [part.split(",") if at % 2 else [part] for at, part in enumerate(parts)]
    return ["".join(each) for each in product(*choices)]


def probes() -> list[Probe]:
    """All forms."""
    found = []
    for line in filter(None, FORMS.split("\n")):
        opcode, *rest = (part.strip() for part in line.split("|"))
        for kind in rest[2].split() if len(rest) > 2 else [""]:
            sources = tuple(kind if each == "K" else each for each in rest[0].split())
            result = kind if rest[1] == "K" else rest[1]
            operands = ", ".join(["$", *(f"#{index}" for index in range(len(sources)))])
            found += [
                Probe(f"{each.replace('K', kind)} {operands};", sources, result)
                for each in _spelled(opcode)
            ]
    found += [Probe(f"lop3.b32 $, #0, #1, #2, {table};", ("b32",) * 3, "b32") for table in _TABLES]
    return [*found, *(Probe(text, ("b32",) * count, "b32") for text, count in _CARRIES)]


def _entry(probe: Probe) -> str:
    kinds = [*probe.sources, probe.result]
    lines = ["mov.u32 %r1, %ctaid.x;", "mov.u32 %r2, %tid.x;"]
    lines.append(f"mad.lo.s32 %r3, %r1, {THREADS}, %r2;")
    text = probe.text
    for index, kind in enumerate(kinds):
        bits = BITS[kind] or 32
        lines.append(f"ld.param.u64 %d{index}, [p{index}];")
        lines.append(f"mad.wide.u32 %d{index}, %r3, {bits // 8}, %d{index};")
        if index < len(probe.sources):
            register = f"%{_REGISTER[bits]}{20 + index}"
            lines.append(f"ld.global.b{bits} {register}, [%d{index}];")
            text = text.replace(f"#{index}", register)
    bits = BITS[probe.result] or 32
    register = f"%{_REGISTER[bits]}10"
    text = text.replace("$", "%p1" if probe.result == "pred" else register)
    lines.append(text)
    if probe.result == "pred":
        lines.append(f"selp.b32 {register}, 1, 0, %p1;")
    lines.append(f"st.global.b{bits} [%d{len(probe.sources)}], {register};")
    params = ", ".join(f".param .u64 p{index}" for index in range(len(kinds)))
    body = "\n".join([*lines, "ret;"])
    return f"""
.visible .entry {probe.name}({params})
{{
.reg .pred %p<4>; .reg .b16 %h<32>; .reg .b32 %r<32>; .reg .b64 %d<32>;
{body}
}}
"""


def _argument(kind: str, seed: int) -> str:
    if kind in _RANGES:
        dtype, low, high = _RANGES[kind]
        bounds = f", low = {low}, high = {high}"
        return f'{{ make = "{dtype}", shape = [{BLOCKS * THREADS}], seed = {seed}{bounds} }}'
    if kind.startswith("b") and kind[1:].isdigit():
        return f'{{ make = "uint{BITS[kind]}", shape = [{BLOCKS * THREADS}], seed = {seed} }}'
    pair = 2 if kind.endswith("x2") else 1
    shape = f"shape = [{BLOCKS}, {pair * THREADS}], seed = {seed}"
    return f'{{ make = "mixed", type = "{kind.removesuffix("x2")}", {shape} }}'


def write_probe(folder: Path, probe: Probe) -> None:
    """Writes a kernel of one instruction, with its launch."""
    arguments = [_argument(kind, seed) for seed, kind in enumerate(probe.sources, 1)]
    size = BITS[probe.result] or 32
    arguments.append(f'{{ make = "zeros", shape = [{BLOCKS * THREADS}], dtype = "uint{size}" }}')
    lines = [
        "[[launch]]",
        f'entry = "{probe.name}"',
        f"grid = [{BLOCKS}]",
        f"block = [{THREADS}]",
        f"arguments = [{', '.join(arguments)}]",
        f"results = [{len(probe.sources)}]",
        "",
    ]
    (folder / f"{probe.name}.ptx").write_text(HEADER + _entry(probe), encoding="utf-8")
    (folder / f"{probe.name}.toml").write_text("\n".join(lines), encoding="utf-8")


def main() -> None:
    """Writes all forms."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    found = probes()
    for probe in found:
        write_probe(folder, probe)
    print(f"{len(found)} forms, {BLOCKS * THREADS} operands each")


if __name__ == "__main__":
    main()
