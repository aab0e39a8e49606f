"""Raw words against NVIDIA's own reading of whole cubins."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.isa.sass import material

from sassay.containers.elf import read_elf
from sassay.isa.sass import Disassembler, census, spill_bytes

if TYPE_CHECKING:
    from pathlib import Path

_LABEL = re.compile(r"`\((?:\.L_x_\d+|\$__internal_\w+\$\w+|arithmetic|calls)\)")
_SELF = re.compile(r"\(k? ?\w+ \+ \.L_x_\d+@srel\)|\w+\+0x[0-9a-f]+")
_PLACE = re.compile(r"0x[0-9a-f]+ \([+-]0x[0-9a-f]+\)")


def _nvdisasm(disassembler: Disassembler, cubin: bytes, folder: Path, *options: str) -> bytes:
    path = folder / "oracle.cubin"
    path.write_bytes(cubin)
    done = subprocess.run(
        [disassembler.tools[0].path, *options, str(path)], capture_output=True, check=True
    )
    return done.stdout


def _sections(cubin: bytes) -> dict[str, bytes]:
    elf = read_elf(cubin, artifact="test")
    return {
        section.name.removeprefix(".text."): bytes(elf.content(section))
        for section in elf.sections
        if section.name.startswith(".text.")
    }


def _check(disassembler: Disassembler, cubin: bytes, arch: str, folder: Path) -> int:
    answer = msgspec.json.decode(_nvdisasm(disassembler, cubin, folder, "-json"))
    expected = {
        function["function-name"]: [item["opcode"] for item in function["sass-instructions"]]
        for function in answer[1]
    }
    sections = _sections(cubin)
    assert set(sections) == set(expected)
    decoded = disassembler.opcodes([(arch, code) for code in sections.values()])
    for name, section in zip(sections, decoded, strict=True):
        assert section is not None
        assert [section.names[i] for i in section.opcodes.tolist()] == expected[name]
    return sum(map(len, expected.values()))


@pytest.mark.oracle
@pytest.mark.parametrize("sm", [75, 80, 86, 89, 90, 100, 103, 110, 120, 121])
def test_opcodes_equal_the_whole_cubin(disassembler: Disassembler, tmp_path: Path, sm: int) -> None:
    cubin, _ = material.ptxas(material.CALLS + material.ARITHMETIC, sm, tmp_path)
    assert _check(disassembler, cubin, f"sm_{sm}", tmp_path) > 100


@pytest.mark.oracle
@pytest.mark.parametrize("sm", [80, 90, 100, 120])
def test_opcodes_of_a_triton_matmul_equal_the_whole_cubin(
    disassembler: Disassembler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sm: int
) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "triton"))
    from tests.isa.sass.triton_kernels import compile_matmul

    cubin, arch = compile_matmul(sm)
    assert _check(disassembler, cubin, arch, tmp_path) > 200
    counted = disassembler.opcodes([(arch, code) for code in _sections(cubin).values()])[0]
    assert counted is not None
    assert any("MMA" in name for name in census(counted))


@pytest.mark.oracle
@pytest.mark.parametrize("sm", [75, 80, 90, 100, 120])
def test_listing_equals_the_whole_cubin(
    disassembler: Disassembler, tmp_path: Path, sm: int
) -> None:
    """Text equals nvdisasm's to the letter, targets and self references aside."""
    cubin, _ = material.ptxas(material.CALLS + material.ARITHMETIC, sm, tmp_path)
    printed = _nvdisasm(disassembler, cubin, tmp_path, "-c").decode()
    for name, kernel in material.kernels(cubin).items():
        block = printed.partition(f".text.{name}:")[2].partition("//-----")[0]
        expected = [
            line.partition("*/")[2].strip(" ;")
            for line in block.splitlines()
            if line.startswith("        /*")
        ]
        lines = disassembler.listing(kernel.sass)
        assert len(lines) == len(expected) > 30
        for line, text in zip(lines, expected, strict=True):
            ours = _SELF.sub("SELF", _PLACE.sub("TARGET", line.text.partition(" // ")[0]))
            theirs = _LABEL.sub("TARGET", _SELF.sub("SELF", text))
            assert ours == theirs
        assert any("// counter" in line.text for line in lines) is (name == "calls")
        assert [line.offset for line in lines] == list(range(0, 16 * len(lines), 16))


@pytest.mark.oracle
@pytest.mark.parametrize("sm", [75, 80, 90, 100, 120])
def test_spills_equal_what_ptxas_says(disassembler: Disassembler, tmp_path: Path, sm: int) -> None:
    cubin, log = material.ptxas(material.pressure("many", 90), sm, tmp_path, "-maxrregcount=32")
    kernel = material.kernels(cubin)["many"]
    decoded = disassembler.opcodes([(f"sm_{sm}", kernel.sass.code)])[0]
    assert decoded is not None
    assert spill_bytes(census(decoded)) == material.spills(log)
    assert spill_bytes(census(decoded)) > (0, 0)


def test_spill_widths() -> None:
    counts = {"LDL": 2, "LDL.64": 1, "LDL.LU.128": 1, "STL.U8": 3, "STL.S16": 1, "STG.E": 5}
    assert spill_bytes(counts) == (32, 5)
