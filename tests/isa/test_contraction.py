"""The contraction audit, on words that nvdisasm explains and on kernels that ptxas compiles."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from sassay.containers.cubin import read_cubin
from sassay.containers.lines import CubinLines, tables
from sassay.isa import ptx
from sassay.isa.attribution import LayerLines, sass_lines
from sassay.isa.contraction import Audit, Basis, Contracted, audit
from sassay.isa.contraction.roles import Role, multiplies_and_adds, ptx_role, sass_kind
from sassay.isa.sass import Disassembler

KERNEL = """\
.version 8.0
.target sm_90a
.address_size 64
.file 1 "norm.py"
.visible .entry k(.param .u64 x, .param .u64 y)
{{
    .reg .b32 %r<20>;
    .reg .b64 %d<8>;
    ld.param.u64 %d1, [x];
    ld.param.u64 %d2, [y];
    mov.u32 %r1, %tid.x;
    mul.wide.u32 %d3, %r1, 4;
    add.s64 %d4, %d1, %d3;
    add.s64 %d5, %d2, %d3;
    .loc 1 10 1
    ld.global.f32 %r2, [%d4];
    ld.global.f32 %r3, [%d4+512];
    ld.global.f32 %r4, [%d4+1024];
    {body}
    st.global.f32 [%d5], %r9;
    ret;
}}
"""
APART = ".loc 1 11 1\n mul.f32 %r5, %r2, %r3;\n .loc 1 12 1\n add.f32 %r9, %r5, %r4;"
BESIDE = ".loc 1 13 1\n fma.rn.f32 %r6, %r3, %r4, %r2;\n" + APART.replace("%r4;", "%r6;")
PINNED = APART.replace("mul.f32", "mul.rn.f32").replace("add.f32", "add.rn.f32")
WRITTEN = ".loc 1 11 1\n fma.rn.f32 %r9, %r2, %r3, %r4;"
DIVIDED = ".loc 1 11 1\n div.full.f32 %r5, %r2, %r3;\n .loc 1 12 1\n add.f32 %r9, %r5, %r4;"
EXACT = (
    ".loc 1 11 1\n div.rn.f32 %r5, %r2, %r3;\n mul.f32 %r6, %r5, %r5;\n .loc 1 12 1\n"
    " add.rn.f32 %r7, %r6, %r4;\n add.f32 %r9, %r7, %r4;"
)


@cache
def _ptxas() -> Path:
    import triton

    folder = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
    return next(folder / name for name in ("ptxas-blackwell", "ptxas") if (folder / name).is_file())


def compiled(body: str, folder: Path, *, fmad: bool, lines: str = "both") -> Audit:
    """What the audit says of a kernel, with line tables, source lines alone, or none."""
    text = KERNEL.format(body=body)
    (folder / "k.ptx").write_text(text)
    command = [str(_ptxas()), "-lineinfo", "--gpu-name=sm_90a", f"--fmad={str(fmad).lower()}"]
    files = [str(folder / "k.ptx"), "-o", str(folder / "k.cubin")]
    subprocess.run([*command, *files], check=True)
    cubin = read_cubin((folder / "k.cubin").read_bytes(), artifact="k")
    function = ptx.read_module(text, artifact="k").entries[0]
    code = bytes(cubin.kernels[0].sass.code)
    with Disassembler(None) as disassembler:
        (decoded,) = disassembler.opcodes([("sm_90a", code)])
    assert decoded is not None
    assert cubin.lines is not None
    found = sass_lines(
        CubinLines(*tables(cubin.lines, artifact="k"), {}), "k", len(decoded.opcodes)
    )
    assert found is not None
    if lines == "none":
        return audit(function, code, decoded, ptx=None, sass=None)
    if lines == "source":
        found = LayerLines(found.chains, found.sites)
    return audit(function, code, decoded, ptx=ptx.source_lines(function), sass=found)


@pytest.mark.parametrize(
    ("body", "fmad", "expected"),
    [
        (APART, True, Contracted.FUSED),
        (APART, False, Contracted.AS_WRITTEN),
        (BESIDE, True, Contracted.FUSED),
        (BESIDE, False, Contracted.AS_WRITTEN),
        (PINNED, True, Contracted.PINNED),
        (WRITTEN, True, Contracted.AS_WRITTEN),
        (DIVIDED, True, Contracted.FUSED),
        (DIVIDED, False, Contracted.AS_WRITTEN),
        (EXACT, True, Contracted.AS_WRITTEN),
    ],
)
def test_ptx_lines_settle_it(body: str, fmad: bool, expected: Contracted, tmp_path: Path) -> None:
    found = compiled(body, tmp_path, fmad=fmad)
    assert (found.contracted, found.basis) == (expected, Basis.PTX_LINES)
    assert bool(found.fused) == (expected is Contracted.FUSED)
    if found.fused:
        (one,) = found.fused
        assert (one.sass, one.count, one.instructions) == ("FFMA", 1, 1)
        assert one.location is not None
        assert one.location.line in {11, 12}


@pytest.mark.parametrize(
    ("body", "lines", "expected"),
    [
        (APART, "none", Contracted.FUSED),  # the PTX has no multiply-add at all
        (BESIDE, "none", Contracted.UNKNOWN),
        (BESIDE, "source", Contracted.FUSED),  # the line of the add has none
        (WRITTEN, "none", Contracted.AS_WRITTEN),  # nothing that may be fused
        (PINNED, "none", Contracted.PINNED),
    ],
)
def test_less_evidence_is_never_a_guess(
    body: str, lines: str, expected: Contracted, tmp_path: Path
) -> None:
    assert compiled(body, tmp_path, fmad=True, lines=lines).contracted is expected


@pytest.mark.parametrize(
    ("kind", "low", "high", "real"),
    [  # words as nvdisasm prints them
        ("f32", 0x1409187223, 0x41FE2000000000B, True),  # FFMA R24, R9.reuse, R20, R11
        ("f32.ftz", 0xB00007223, 0xFE200000100FF, False),  # FFMA.FTZ R0, R0, R11, RZ
        ("f32", 0xBF80000099997423, 0x80FE2000000002C, True),  # FFMA R153, R153, R44, -1
        ("f32", 0x3D8000001D1D7823, 0x1FC8000000001C, True),  # FFMA R29, R29, 0.0625, R28
        ("f16", 0x3E800000FF187435, 0xFE200000001FF, False),  # HFMA2.MMA R24, -RZ, RZ, 1.625, 0
        ("bf16", 0xC040C7235, 0x10FE200003000FF, False),  # HFMA2.MMA.BF16_V2 R12, R4, R12, -RZ
        ("bf16", 0x3F803F80110A7835, 0xFE2000020000A, False),  # ... R10, R17, 1, 1, R10
    ],
)
def test_products_sums_and_constants_are_no_multiply_adds(
    kind: str, low: int, high: int, real: bool
) -> None:
    words = np.array([[low, high]], np.uint64)
    assert multiplies_and_adds(words, kind).tolist() == [real]


def test_roles() -> None:
    expected = {
        "add.f32": ("f32", Role.SUM),
        "sub.ftz.f32": ("f32.ftz", Role.SUM),
        "mul.rn.f32": ("f32", Role.PINNED),
        "mul.bf16x2": ("bf16", Role.PRODUCT),
        "fma.rn.f64": ("f64", Role.FUSED),
        "div.full.f32": ("f32", Role.PRODUCT),
        "div.rn.f32": ("f32", Role.SEQUENCE),
        "cvt.rn.bf16.f32": ("bf16", Role.NONE),
        "add.s32": ("", Role.NONE),
    }
    assert {opcode: ptx_role(opcode) for opcode in expected} == expected
    assert sass_kind("FFMA.FTZ") == "f32.ftz"
    assert sass_kind("HFMA2.MMA.BF16_V2") == "bf16"
    assert sass_kind("FFMA.RP") == ""  # a step of a correctly rounded division
