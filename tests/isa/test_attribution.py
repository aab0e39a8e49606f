"""Every instruction of our example kernels traced to its line, against nvdisasm."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np
import pytest
from tests.containers.line_oracle import check
from tests.containers.lined import LINED, assemble_lined

from sassay.build import compile_manifest, load_manifest
from sassay.containers import read_cubin
from sassay.containers.lines import read_lines
from sassay.isa import ptx
from sassay.isa.attribution import (
    NOWHERE,
    Counted,
    LayerLines,
    kernel_lines,
    opcode_ids,
    ptx_of_sass,
    sass_lines,
)
from sassay.isa.sass import Disassembler
from sassay.model.artifact import SourceLocation
from sassay.model.layers import Layer, Layered
from sassay.model.lines import Frame

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Path(__file__).parents[2] / "examples"
ARCHS = ("sm_80", "sm_90", "sm_100", "sm_120")
CHOSEN = {
    "router/base.toml": {"_gelu_mul_kernel", "_decode_attention_kernel"},
    "ampere_hopper/path.toml": {"rmsnorm_kernel"},
}


class Compiled(NamedTuple):
    """One example kernel for one architecture."""

    name: str
    arch: str
    cubin: bytes
    ptx: str


@cache
def examples() -> tuple[Compiled, ...]:
    """The first variant of each chosen kernel, for every architecture."""
    found = []
    for path, functions in CHOSEN.items():
        manifest = load_manifest(EXAMPLES / path)
        first = {variant.function: variant for variant in reversed(manifest.variants)}
        variants = tuple(first[function] for function in sorted(functions))
        cache_dir = Path(mkdtemp())
        run = compile_manifest(
            msgspec.structs.replace(manifest, variants=variants),
            archs=ARCHS,
            cache_dir=cache_dir,
            jobs=1,
        )
        assert not run.failures
        for cubin in sorted(Path(run.caches).glob("*/*.cubin")):
            data = cubin.read_bytes()
            arch = read_cubin(data, artifact="m").arch
            text = cubin.with_suffix(".ptx").read_text(encoding="utf-8")
            found.append(Compiled(cubin.stem, arch, data, text))
    return tuple(found)


def layers(compiled: Compiled) -> tuple[LayerLines, LayerLines]:
    """PTX and SASS lines of a kernel."""
    (kernel,) = read_cubin(compiled.cubin, artifact="m").kernels
    tables = read_lines(compiled.cubin, artifact="m")
    sass = sass_lines(tables, kernel.symbol, len(kernel.code) // 16)
    function = ptx.read_module(compiled.ptx, artifact="m").entry(kernel.symbol)
    assert function is not None
    lines = ptx.source_lines(function)
    assert sass is not None
    assert lines is not None
    return lines, sass


def test_every_sass_instruction_has_the_lines_that_nvdisasm_prints() -> None:
    total = inlined = unprinted = 0
    for compiled in examples():
        counts = check(compiled.cubin, read_lines(compiled.cubin, artifact="m"))
        total, inlined = total + counts[0], inlined + counts[1]
        unprinted += counts[2]
    assert {compiled.arch for compiled in examples()} == {"sm_80", "sm_90a", "sm_100a", "sm_120a"}
    assert total > 4_000
    assert inlined > 500
    assert unprinted < total / 100


def test_sass_chains_are_those_of_the_ptx_and_ptx_lines_are_instructions() -> None:
    agree = total = 0
    for compiled in examples():
        lines, sass = layers(compiled)
        # ptxas makes up no call: what SASS says was inlined, some `.loc` says, too.
        used = {sass.chains[site] for site in sass.sites.tolist() if site != NOWHERE}
        assert used <= set(lines.chains)
        tied = ptx_of_sass(sass, lines).tolist()
        assert sum(place == NOWHERE for place in tied) <= 4
        for instruction, place in enumerate(tied):
            if place != NOWHERE and lines.sites[place] != NOWHERE:
                total += 1
                agree += sass.chain(instruction) == lines.chain(place)
    # ptxas writes no new row where only the calls around a line change.
    assert agree / total > 0.9


def test_ptx_chains_follow_the_locs_of_the_text() -> None:
    text = LINED.format(arch="sm_90")
    module = ptx.read_module(text, artifact="m")
    function = module.entry("outer")
    assert function is not None
    lines = ptx.source_lines(function)
    assert lines is not None
    by_opcode = {
        each.opcode: lines.chain(index) for index, each in enumerate(function.instructions)
    }
    outer, mid = Frame("kernels/a.cu", 12, "outer"), Frame("kernels/b.cuh", 6, "inner")
    assert by_opcode["ex2.approx.f32"] == (Frame("kernels/b.cuh", 5, "inner"), outer)
    assert by_opcode["lg2.approx.f32"] == (
        Frame("/opt/math.cuh", 2, "deep"), Frame("kernels/b.cuh", 20, "mid"), mid, outer,
    )  # fmt: skip
    assert by_opcode["mul.f32"] == (
        Frame("kernels/b.cuh", 8, "inner"),
        Frame("kernels/a.cu", 0, "outer"),
    )
    assert (mid, outer) in lines.chains
    assert by_opcode["sub.u32"] == ()
    assert by_opcode["setp.ne.u32"] == (Frame("kernels/a.cu", 14, "outer"),)
    assert lines.ptx_lines is not None
    rows = text.split("\n")
    for each, line in zip(function.instructions, lines.ptx_lines.tolist(), strict=True):
        assert each.opcode in rows[line - 1]
    # The chains of the cubin of this text are the same.
    sass = sass_lines(read_lines(assemble_lined("sm_90"), artifact="m"), "outer", 64)
    assert sass is not None
    assert {chain for chain in sass.chains if len(chain) > 1} <= set(lines.chains)


@pytest.fixture(scope="module")
def disassembler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disassembler]:
    with Disassembler(tmp_path_factory.mktemp("words")) as shared:
        yield shared


def test_counts_of_lines_add_up_in_both_layers(disassembler: Disassembler) -> None:
    compiled = next(each for each in examples() if each.name == "rmsnorm_kernel")
    lines, sass = layers(compiled)
    (kernel,) = read_cubin(compiled.cubin, artifact="m").kernels
    (decoded,) = disassembler.opcodes([(compiled.arch, bytes(kernel.code))])
    assert decoded is not None
    function = ptx.read_module(compiled.ptx, artifact="m").entries[0]
    ids, names = opcode_ids([each.opcode for each in function.instructions])
    found = kernel_lines(
        Layered(ptx=Counted(ids, names, lines), sass=Counted(decoded.opcodes, decoded.names, sass))
    )
    chains = {Layer.PTX: lines, Layer.SASS: sass}
    for layer in Layer:
        rest = found.unattributed.of(layer)
        assert rest is not None
        own = sum(sum((line.own.of(layer) or rest).instructions.values()) for line in found.lines)
        assert own + sum(rest.instructions.values()) == found.total.of(layer)
        for line in found.lines:
            counts = line.inclusive.of(layer)
            assert counts is not None
            assert sum(counts.categories.values()) == sum(counts.instructions.values())
            wanted = sum(
                line.location in {SourceLocation(f.file, f.line) for f in chains[layer].chain(i)}
                for i in range(len(chains[layer].sites))
            )
            assert sum(counts.instructions.values()) == wanted
    # The reduction is a call into Triton's library: both its line and the caller's hold shuffles.
    shuffles = {
        line.location.file.rsplit("/", 1)[-1]
        for line in found.lines
        for counts in [line.inclusive.sass]
        if counts and counts.categories.get("warp_exchange")
    }
    assert shuffles == {"kernels.py", "standard.py"}


def test_a_layer_without_line_information_is_none_not_empty() -> None:
    opcodes = np.zeros(3, dtype=np.int32)
    lines = LayerLines(((Frame("a.py", 3, "k"),),), np.array([0, NOWHERE, 0], dtype=np.int32))
    found = kernel_lines(
        Layered(ptx=Counted(opcodes, ("add.s32",), lines), sass=Counted(opcodes, ("NOP",), None))
    )
    (line,) = found.lines
    assert line.location == SourceLocation("a.py", 3)
    assert line.functions == ("k",)
    assert line.own.sass is None
    assert found.unattributed.sass is None
    assert found.total == Layered(ptx=3, sass=3)
    assert found.unattributed.ptx is not None
    assert found.unattributed.ptx.instructions == {"add.s32": 1}
    assert ptx_of_sass(lines, lines).tolist() == [NOWHERE] * 3
    # PTX without `.loc` brings no lines at all.
    text = "\n".join(row for row in LINED.split("\n") if ".loc" not in row)
    function = ptx.read_module(text.format(arch="sm_90"), artifact="m").entries[0]
    assert ptx.source_lines(function) is None
