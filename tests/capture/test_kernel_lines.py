"""Source lines of kernels through states and captures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.capture.helpers import cache, opened
from tests.containers.kernels import assemble
from tests.containers.lined import assemble_lined
from tests.sources.material import triton_cache

from sassay.capture import CodeArchive, read_capture, write_capture
from sassay.capture.lines import read_kernel_lines
from sassay.containers import read_elf
from sassay.errors import FormatError, InputError
from sassay.isa.sass import Disassembler
from sassay.model.artifact import SourceLocation
from sassay.model.layers import Layer

if TYPE_CHECKING:
    from pathlib import Path


def test_lines_of_a_capture_are_those_of_the_state_that_was_written(tmp_path: Path) -> None:
    store, fresh = CodeArchive(), CodeArchive()
    state = opened(triton_cache(), store)
    write_capture(state, store, tmp_path / "x.sassay")
    back = read_capture(tmp_path / "x.sassay", fresh)
    with Disassembler(cache()) as disassembler:
        for kernel, again in zip(state.kernels, back.kernels, strict=True):
            lines = read_kernel_lines(kernel, store, disassembler)
            assert lines == read_kernel_lines(again, fresh, disassembler)
            for layer in Layer:
                census = kernel.instructions.of(layer)
                rest = lines.unattributed.of(layer)
                assert census is not None
                assert rest is not None
                counted = dict(rest.instructions)
                for line in lines.lines:
                    own = line.own.of(layer)
                    assert own is not None
                    for opcode, count in own.instructions.items():
                        counted[opcode] = counted.get(opcode, 0) + count
                assert counted == census


def test_a_cubin_without_metadata_says_where_its_kernels_are_defined(tmp_path: Path) -> None:
    (tmp_path / "a.cubin").write_bytes(assemble_lined("sm_90a"))
    for _ in range(2):
        kernels = {kernel.symbol: kernel for kernel in opened(tmp_path / "a.cubin").kernels}
        assert kernels["outer"].location == SourceLocation("kernels/a.cu", 10)
        assert kernels["plain"].location == SourceLocation("kernels/a.cu", 40)


def test_line_tables_stay_out_of_identity_and_code_digest(tmp_path: Path) -> None:
    (tmp_path / "a.cubin").write_bytes(assemble_lined("sm_90a"))
    (tmp_path / "b.cubin").write_bytes(assemble_lined("sm_90a").replace(b"a.cu", b"z.cu"))
    one, other = opened(tmp_path / "a.cubin"), opened(tmp_path / "b.cubin")
    assert [k.id for k in one.kernels] == [k.id for k in other.kernels]
    assert [k.digest for k in one.kernels] == [k.digest for k in other.kernels]
    assert [k.code.lines for k in one.kernels] != [k.code.lines for k in other.kernels]


def test_no_line_information_and_broken_tables_are_said(tmp_path: Path) -> None:
    store = CodeArchive()
    (tmp_path / "bare.cubin").write_bytes(assemble("sm_80"))
    with (
        Disassembler(cache()) as disassembler,
        pytest.raises(InputError, match="holds no line information"),
    ):
        read_kernel_lines(opened(tmp_path / "bare.cubin", store).kernels[0], store, disassembler)
    data = bytearray(assemble_lined("sm_80"))
    data[read_elf(bytes(data), artifact="m").by_name[".debug_line"].offset + 4] = 9
    (tmp_path / "broken.cubin").write_bytes(bytes(data))
    state = opened(tmp_path / "broken.cubin", store)
    assert {kernel.location for kernel in state.kernels} == {None}
    with (
        Disassembler(cache()) as disassembler,
        pytest.raises(FormatError, match=r"debug_line.*version 9"),
    ):
        read_kernel_lines(state.kernels[0], store, disassembler)
