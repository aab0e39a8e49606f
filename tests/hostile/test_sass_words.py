"""Code sections that no compiler writes: words of no instruction, sections that end within one."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.cli.cubins import WORDS, cubin
from tests.cli.running import run

from sassay.containers import read_elf

if TYPE_CHECKING:
    from pathlib import Path

OPCODES = ["S2R", "FADD", "FFMA", "FADD", "EXIT", "NOP"]
_SIZE = 32
"""Of a section, within its header."""


def _resized(data: bytes, less: int) -> bytes:
    """The cubin with a code section that is so many bytes shorter."""
    elf = read_elf(data, artifact="k")
    text = next(section for section in elf.sections if section.name.startswith(".text."))
    (table,) = struct.unpack_from("<Q", data, 40)
    changed = bytearray(data)
    struct.pack_into("<Q", changed, table + 64 * text.index + _SIZE, text.size - less)
    return bytes(changed)


@pytest.mark.parametrize("word", [bytes(16), b"\xff" * 16, b"\x21\x72" + b"\xff" * 14])
def test_malformed_words_are_counted(tmp_path: Path, word: bytes) -> None:
    good = cubin("k", OPCODES, arch="sm_80")
    path = tmp_path / "k.cubin"
    path.write_bytes(good.replace(bytes.fromhex(WORDS["sm_80"]["FADD"]), word))
    document = msgspec.json.decode(run("show", path, "--format", "json").stdout)
    (kernel,) = document["kernels"]
    census = {"S2R": 1, "INVALID": 2, "FFMA": 1, "EXIT": 1, "NOP": 1}
    assert kernel["instructions"]["sass"] == census
    assert kernel["categories"]["sass"]["other"] == 2
    assert sum(kernel["categories"]["sass"].values()) == len(OPCODES)


@pytest.mark.parametrize("less", [1, 5, 15])
def test_a_section_that_ends_within_an_instruction_says_so(tmp_path: Path, less: int) -> None:
    path = tmp_path / "k.cubin"
    path.write_bytes(_resized(cubin("k", OPCODES, arch="sm_80"), less))
    document = msgspec.json.decode(run("show", path, "--format", "json").stdout)
    (kernel,) = document["kernels"]
    assert kernel["instructions"]["sass"] == {"S2R": 1, "FADD": 2, "FFMA": 1, "EXIT": 1}
    assert kernel["code_bytes"] == 16 * len(OPCODES) - less
    (found,) = document["diagnostics"]
    assert found["level"] == "warning"
    assert "1 code section ends within an instruction" in found["message"]


def test_a_section_of_a_few_bytes_is_a_kernel_without_instructions(tmp_path: Path) -> None:
    path = tmp_path / "k.cubin"
    path.write_bytes(_resized(cubin("k", OPCODES, arch="sm_80"), 16 * len(OPCODES) - 3))
    document = msgspec.json.decode(run("show", path, "--format", "json").stdout)
    (kernel,) = document["kernels"]
    assert (kernel["instructions"]["sass"], kernel["code_bytes"]) == ({}, 3)
    assert len(document["diagnostics"]) == 1
