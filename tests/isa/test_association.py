"""The order of sums: PTX against SASS that ptxas made of it, or of PTX that adds otherwise."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sassay.containers.cubin import read_cubin
from sassay.containers.lines import CubinLines, tables
from sassay.isa import ptx
from sassay.isa.attribution import sass_lines
from sassay.isa.contraction import Association, Order, associate
from sassay.isa.contraction.reaching import ENTRY, Blocks, Reaching
from sassay.isa.contraction.sass_forms import Does, does, written_registers
from sassay.isa.contraction.sass_values import SassValues
from sassay.isa.sass import Disassembler
from sassay.isa.sass.branches import branch_targets
from sassay.isa.sass.renaming import operands as printed_operands
from sassay.isa.sass.tables import operands_for
from sassay.isa.sass.words import section_words

if TYPE_CHECKING:
    from sassay.isa.sass.decoded import Decoded
    from sassay.model.code import SassCode

HEAD = """\
.version 8.6
.target {arch}
.address_size 64
.file 1 "sum.py"
.visible .entry k(.param .u64 x, .param .u64 y, .param .u32 n)
{{
    .reg .b32 %r<60>;
    .reg .b64 %d<60>;
    .reg .pred %p<4>;
    ld.param.u64 %d1, [x];
    ld.param.u64 %d2, [y];
    ld.param.u32 %r1, [n];
    mov.u32 %r2, %tid.x;
    mul.wide.u32 %d3, %r2, 8;
    add.s64 %d4, %d1, %d3;
    add.s64 %d5, %d2, %d3;
"""
CHAIN = ("{t}24, {t}20, {t}21", "{t}25, {t}24, {t}22", "{t}26, {t}25, {t}23")
PAIRS = ("{t}24, {t}20, {t}21", "{t}25, {t}22, {t}23", "{t}26, {t}24, {t}25")
SWAPPED = ("{t}24, {t}20, {t}22", "{t}25, {t}24, {t}21", "{t}26, {t}25, {t}23")
TYPES = {"f32": "add.f32", "f64": "add.rn.f64", "f16x2": "add.f16x2"}

LOOP = """\
    mov.b32 %r20, 0f00000000;
    mov.u32 %r3, 0;
LOOP:
    .loc 1 20 1
    ld.global.b32 %r21, [%d4];
    add.s64 %d4, %d4, 512;
    .loc 1 21 1
    {body}
    add.u32 %r3, %r3, 1;
    setp.lt.u32 %p1, %r3, {trips};
    @%p1 bra LOOP;
    .loc 1 30 1
    st.global.b32 [%d5], %r20;
    ret;
}}
"""
KINDS_OF_LOOP = {
    "a sum": "add.f32 %r20, %r20, %r21;",
    "a dot product": "ld.global.b32 %r22, [%d4+256]; fma.rn.f32 %r20, %r21, %r22, %r20;",
    "contracted": "mul.f32 %r22, %r21, %r21;\n add.f32 %r20, %r20, %r22;",
    "divided": "div.rn.f32 %r22, %r21, %r20;\n add.f32 %r20, %r20, %r22;",
    "chosen": (
        "setp.gt.f32 %p2, %r21, 0f00000000;\n selp.f32 %r22, %r21, 0f3F800000, %p2;\n"
        " add.f32 %r20, %r20, %r22;"
    ),
}


@cache
def _ptxas() -> Path:
    import triton

    folder = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
    return next(folder / name for name in ("ptxas", "ptxas-blackwell") if (folder / name).is_file())


def sums(arch: str, kind: str, steps: tuple[str, ...]) -> str:
    """A kernel that adds four loaded values, one source line an addition."""
    register, width = ("%d", "b64") if kind == "f64" else ("%r", "b32")
    lines = [HEAD.format(arch=arch)]
    lines += [
        f".loc 1 {10 + i} 1\n ld.global.{width} {register}{20 + i}, [%d4+{512 * i}];"
        for i in range(4)
    ]
    lines += [
        f".loc 1 {20 + i} 1\n {TYPES[kind]} {step.format(t=register)};"
        for i, step in enumerate(steps)
    ]
    lines.append(f".loc 1 30 1\n st.global.{width} [%d5], {register}26;\n ret;\n}}\n")
    return "\n".join(lines)


def loop(arch: str, body: str, trips: str = "%r1") -> str:
    """A kernel that runs a body with its accumulator in `%r20`."""
    return HEAD.format(arch=arch) + LOOP.format(body=body, trips=trips)


def compiled(text: str, folder: Path, arch: str, *options: str) -> bytes:
    """The cubin that ptxas makes."""
    (folder / "k.ptx").write_text(text)
    files = [str(folder / "k.ptx"), "-o", str(folder / "k.cubin")]
    command = [str(_ptxas()), "-lineinfo", f"--gpu-name={arch}", *options, *files]
    subprocess.run(command, check=True)
    return (folder / "k.cubin").read_bytes()


def decoded(cubin: bytes) -> tuple[SassCode, Decoded]:
    """The only kernel of a cubin, decoded."""
    kernel = read_cubin(cubin, artifact="k").kernels[0]
    with Disassembler(None) as disassembler:
        (found,) = disassembler.opcodes([(kernel.sass.arch, bytes(kernel.sass.code))])
    assert found is not None
    return kernel.sass, found


def judged(text: str, cubin: bytes, *, lines: bool = True) -> Association:
    """What the audit says of PTX beside a cubin."""
    code, found = decoded(cubin)
    function = ptx.read_module(text, artifact="k").entries[0]
    raw = read_cubin(cubin, artifact="k").lines
    table = None
    if lines:
        assert raw is not None
        table = CubinLines(*tables(raw, artifact="k"), {})
    return associate(
        function,
        bytes(code.code),
        found,
        code.arch,
        ptx=ptx.source_lines(function),
        sass=sass_lines(table, "k", len(found.opcodes)) if table else None,
    )


@pytest.mark.parametrize("arch", ["sm_80", "sm_90a", "sm_100a"])
@pytest.mark.parametrize("kind", sorted(TYPES))
def test_a_planted_order_is_found(arch: str, kind: str, tmp_path: Path) -> None:
    chain, pairs = sums(arch, kind, CHAIN), sums(arch, kind, PAIRS)
    cubin = compiled(pairs, tmp_path, arch)
    assert judged(pairs, cubin).order is Order.KEPT
    found = judged(chain, cubin)
    assert found.order is Order.REASSOCIATED
    (moved,) = found.reassociated
    assert (moved.ptx, moved.sass) == ("((a + b) + c) + d", "(a + b) + (c + d)")
    assert (moved.terms, moved.precision) == (4, kind.removesuffix("x2"))
    assert moved.location is not None
    assert moved.location.line == 22


def test_the_same_shape_of_other_terms_is_another_order(tmp_path: Path) -> None:
    cubin = compiled(sums("sm_90a", "f32", SWAPPED), tmp_path, "sm_90a")
    found = judged(sums("sm_90a", "f32", CHAIN), cubin)
    assert [each.sass for each in found.reassociated] == ["(a + c) + b"]


def test_without_lines_shapes_tell(tmp_path: Path) -> None:
    chain, pairs = sums("sm_90a", "f32", CHAIN), sums("sm_90a", "f32", PAIRS)
    cubin = compiled(pairs, tmp_path, "sm_90a")
    assert judged(chain, cubin, lines=False).order is Order.REASSOCIATED
    alike = judged(pairs, cubin, lines=False)
    assert alike.order is Order.UNKNOWN
    assert "tells their terms apart" in alike.reasons[0]
    doubled = pairs.replace("st.global", "add.f32 %r26, %r26, %r20;\n st.global")
    unknown = judged(doubled, cubin, lines=False)
    assert unknown.order is Order.UNKNOWN
    assert "which of" in unknown.reasons[0]


@pytest.mark.parametrize("name", sorted(KINDS_OF_LOOP))
@pytest.mark.parametrize("options", [(), ("--fmad=false",), ("-O0",)])
def test_loops_are_unrolled_and_contracted_and_keep_their_order(
    name: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    for trips in ("%r1", "16"):
        text = loop("sm_90a", KINDS_OF_LOOP[name], trips)
        found = judged(text, compiled(text, tmp_path, "sm_90a", *options))
        assert (found.order, found.reasons) == (Order.KEPT, ())
        assert found.checked


def test_two_accumulators_for_one_are_never_kept(tmp_path: Path) -> None:
    one = loop("sm_90a", "add.f32 %r20, %r20, %r21;\n ld.global.b32 %r22, [%d4+256];", "8")
    one = one.replace("%r21;\n ld", "%r21;\n .loc 1 22 1\n ld").replace(
        "add.u32 %r3", "add.f32 %r20, %r20, %r22;\n add.u32 %r3"
    )
    two = one.replace("add.f32 %r20, %r20, %r22", "add.f32 %r30, %r30, %r22").replace(
        "mov.u32 %r3, 0;", "mov.u32 %r3, 0; mov.b32 %r30, 0f00000000;"
    )
    two = two.replace(
        "st.global.b32 [%d5], %r20", "add.f32 %r20, %r20, %r30; st.global.b32 [%d5], %r20"
    )
    cubin = compiled(two, tmp_path, "sm_90a")
    assert judged(two, cubin).order is Order.KEPT
    assert judged(one, cubin).order is not Order.KEPT
    assert judged(one, cubin, lines=False).order is not Order.KEPT


def test_what_is_not_followed_is_unknown(tmp_path: Path) -> None:
    text = sums("sm_90a", "f32", CHAIN)
    code, found = decoded(compiled(text, tmp_path, "sm_90a"))
    function = ptx.read_module(text, artifact="k").entries[0]
    answer = associate(function, bytes(code.code), found, "sm_61", ptx=None, sass=None)
    assert answer.order is Order.UNKNOWN
    assert "sm_61" in answer.reasons[0]


def test_destinations_are_those_that_are_printed(tmp_path: Path) -> None:
    text = loop("sm_90a", KINDS_OF_LOOP["divided"])
    code, found = decoded(compiled(text, tmp_path, "sm_90a"))
    operands = operands_for("sm_90a")
    assert operands is not None
    values = SassValues(bytes(code.code), found, "sm_90a", operands)
    with Disassembler(None) as disassembler:
        listing = disassembler.listing(code)
    checked = 0
    for place, line in enumerate(listing):
        if Does.SUM <= values.does[place] <= Does.FUSED:
            kind, number, _ = next(each for each in printed_operands(line.text) if each[0] == "R")
            assert (kind, number) == ("R", int(section_words(code.code)[place, 0]) >> 16 & 0xFF)
            checked += 1
    assert checked > 3
    words = section_words(code.code)
    heads = [found.names[int(each)].partition(".")[0] for each in found.opcodes]
    places = np.array([at for at, head in enumerate(heads) if head in {"BRA", "BSSY", "CALL"}])
    targets = branch_targets(words, places, "sm_90a")
    for place, target in zip(places.tolist(), targets.tolist(), strict=True):
        assert f"{target * 16:#x}" in listing[place].text


@pytest.mark.parametrize(
    ("name", "kind", "width"),
    [
        ("FADD.FTZ", Does.SUM, 1),
        ("HFMA2.MMA.BF16_V2", Does.FUSED, 1),
        ("DADD", Does.SUM, 2),
        ("FFMA2", Does.FUSED, 2),
        ("F2F.F64.F32", Does.MOVE, 2),
        ("F2F.F32.F64", Does.OTHER, 1),
        ("I2F.U64.RP", Does.OTHER, 1),
        ("F2I.S64.TRUNC", Does.OTHER, 2),
        ("LDG.E.128", Does.OTHER, 4),
        ("LDSM.16.MT88.4", Does.OTHER, 4),
        ("HMMA.16816.F32.BF16", Does.OTHER, 4),
        ("HMMA.16816.F16", Does.OTHER, 2),
        ("HGMMA.64x64x16.F32.BF16", Does.OTHER, 32),
        ("IMAD.WIDE.U32", Does.OTHER, 2),
        ("IMAD.MOV.U32", Does.MOVE, 1),
        ("CS2R", Does.MOVE, 2),
    ],
)
def test_what_mnemonics_do(name: str, kind: Does, width: int) -> None:
    assert (does(name), written_registers(name)) == (kind, width)


def test_reaching_writes_follow_guards_and_loops() -> None:
    # 0: r=  1: @p r=  2: @!p r=  3: use  4: loop back to 1  5: use
    held, register = 7 << 1, 3
    guards = [0, held, held | 1, 0, held, 0]
    blocks = Blocks([0, 1, 5], [(0, 1), (4, 1), (4, 5)])
    reaching = Reaching(blocks, {register: [0, 1, 2]}, guards, 6)
    assert reaching.before(1, register) == (0, 1)  # around the loop the guard is the same
    assert reaching.before(3, register) == (1, 2)
    assert reaching.before(4, register) == (1,)  # under the same guard as the first of the two
    assert reaching.before(3, 99) == (ENTRY,)
    # Once the predicate is written in between, its old value says nothing.
    changed = Reaching(blocks, {register: [0, 1], 7: [2]}, guards, 6)
    assert changed.before(3, register) == (0, 1)
    assert changed.before(4, register) == (0, 1)
