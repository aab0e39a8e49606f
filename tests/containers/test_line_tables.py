"""Line tables of cubins, against nvdisasm and against programs encoded by hand."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from tests.containers.kernels import assemble
from tests.containers.line_oracle import check
from tests.containers.line_programs import END, SET_ADDRESS, run, uleb, unit
from tests.containers.lined import LINED, assemble_lined

from sassay.containers.lines import NOWHERE, read_lines
from sassay.model.lines import Frame

PRODUCERS = [
    ("sm_80", "ptxas", False),
    ("sm_90a", "ptxas", True),
    ("sm_100a", "ptxas-blackwell", False),
    ("sm_120a", "ptxas-blackwell", False),
]


@pytest.mark.parametrize(("arch", "tool", "relocatable"), PRODUCERS)
def test_every_instruction_has_the_lines_that_nvdisasm_prints(
    arch: str, tool: str, relocatable: bool
) -> None:
    data = assemble_lined(arch, tool, relocatable=relocatable)
    lines = read_lines(data, artifact="m")
    assert lines.source is not None
    assert set(lines.source) >= {"outer", "plain"}
    assert ("helper" in lines.source) == relocatable
    total, inlined, _ = check(data, lines)
    assert total >= 80
    assert inlined >= 3


def test_inlined_calls_name_their_functions_and_every_line_around_them() -> None:
    lines = read_lines(assemble_lined("sm_90a"), artifact="m")
    assert lines.source is not None
    table = lines.source["outer"]
    chains = {table.chain(site) for site in table.sites.tolist()}
    around = (Frame("kernels/b.cuh", 6, "inner"), Frame("kernels/a.cu", 12, "outer"))
    deep = (Frame("/opt/math.cuh", 2, "deep"), Frame("kernels/b.cuh", 20, "mid"), *around)
    assert deep in chains
    assert around in chains
    assert (Frame("kernels/b.cuh", 8, "inner"), Frame("kernels/a.cu", 0, "outer")) in chains
    assert (Frame("kernels/a.cu", 90000, "plain"),) in {
        lines.source["plain"].chain(site) for site in lines.source["plain"].sites.tolist()
    }


@pytest.mark.parametrize("relocatable", [False, True])
def test_the_embedded_ptx_has_the_line_numbers_of_the_text_that_was_compiled(
    relocatable: bool,
) -> None:
    lines = read_lines(assemble_lined("sm_90a", relocatable=relocatable), artifact="m")
    assert lines.ptx is not None
    given = LINED.format(arch="sm_90a").split("\n")
    named = {(frame.file, frame.line) for frame in lines.ptx["outer"].frames}
    assert len(named) > 8
    for section, line in named:
        held = lines.ptx_texts[section].split("\n")
        assert held[line - 1].split() == given[line - 1].split()


def test_a_cubin_without_line_tables_says_so() -> None:
    lines = read_lines(assemble("sm_80"), artifact="m")
    assert (lines.source, lines.ptx, lines.ptx_texts) == (None, None, {})


def test_offsets_outside_any_row_are_nowhere() -> None:
    table = (read_lines(assemble_lined("sm_80"), artifact="m").source or {})["plain"]
    end = int(table.offsets[-1])
    assert table.at(np.array([end - 16, end, end + 16])).tolist()[1:] == [NOWHERE, NOWHERE]
    assert table.at(np.array([end - 16])).tolist() != [NOWHERE]


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("version", [2, 3, 4, 5])
def test_programs_of_every_version_yield_their_rows(version: int, wide: bool) -> None:
    program = SET_ADDRESS + b"".join(
        [
            b"\x03\x0a\x01",  # line 11
            b"\x02\x04\x04\x02\x01",  # 4 steps of 4 bytes, file 2
            bytes([10 + 14 * 2 + (3 + 5)]),  # special: 2 steps, 3 lines
            b"\x08\x05\x63\x01",  # as far as opcode 255 goes; a column
            b"\x09\x30\x00\x03\x7f\x01",  # 48 bytes, a line back
            b"\0\x05\x90\x02\x00xy\x01",  # inlined at row 2, with bytes behind the operands
            b"\0\x03\xee\x01\x02\x06\x07\x01",  # an unknown extended opcode; flags
            b"\x02\x01" + END,
        ]
    )
    two = unit(version, program, wide=wide) * 2
    for sequence in run(two):
        far = (255 - 10) // 14 * 4
        start = 0x58 + far
        assert list(sequence.addresses) == [0x40, 0x50, 0x58, start, *[start + 0x30] * 3]
        assert list(sequence.lines) == [11, 11, 14, 14, 13, 13, 13]
        assert list(sequence.calls) == [0, 0, 0, 0, 0, 2, 2]
        assert sequence.end == start + 0x34
        assert [sequence.files[number] for number in sequence.file] == ["here.cu"] + [
            "sub/there.cuh"
        ] * 6
    assert len(run(two)) == 2


def test_version_5_reads_names_out_of_the_string_sections() -> None:
    body = bytes([1, 1, 1, 0xFB, 14, 1])
    body += bytes([1]) + uleb(1) + uleb(0x1F) + uleb(1) + struct.pack("<I", 4)
    body += bytes([3]) + uleb(1) + uleb(0x0E) + uleb(2) + uleb(0x0F) + uleb(9) + uleb(0x09)
    body += uleb(1) + struct.pack("<I", 2) + uleb(0) + uleb(3) + b"abc"
    program = SET_ADDRESS + b"\0\x01\x01"
    content = struct.pack("<HBBI", 5, 8, 0, len(body)) + body + program
    data = struct.pack("<I", len(content)) + content
    (sequence,) = run(data, {".debug_str": b"x\0y.cu\0", ".debug_line_str": b"abc\0/src\0"})
    assert sequence.files == {0: "y.cu"}


def test_opcode_bases_of_newer_and_older_writers_shift_the_special_opcodes() -> None:
    for base in (4, 10, 13):
        special = bytes([base + 14 + 5 + 1])
        (sequence,) = run(unit(2, SET_ADDRESS + special + END, opcode_base=base))
        assert list(sequence.addresses) == [0x44]
        assert list(sequence.lines) == [2]
