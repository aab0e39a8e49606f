"""`sassay reproduce`: the file that it writes runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sassay.errors import UsageError
from sassay.machine.hardware.reproduce import Reproduction, read_argument, script, wants_shared

CORPUS = Path(__file__).parents[1] / "corpus"


def _made(*arguments: str, block: int = 96) -> Reproduction:
    return Reproduction(
        origin="rows.ptx",
        text=(CORPUS / "rows.ptx").read_text(encoding="utf-8"),
        entry="rmsnorm",
        grid=(2,),
        block=(block,),
        shared=0,
        arguments=tuple(read_argument(each, at) for at, each in enumerate(arguments, 1)),
    )


def _run(text: str, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    file = folder / "repro.py"
    file.write_text(text, encoding="utf-8")
    command = [sys.executable, str(file), *more]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_file_runs_the_kernel(tmp_path: Path) -> None:
    text = script(_made("bf16:2x1000", "bf16:1000", "zeros-bf16:2x1000", "1000", "1e-6"))
    done = _run(text, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("machine: exact, ")
    assert "argument 2: uint16 (2, 1000), sha256 " in done.stdout
    assert _run(text, tmp_path).stdout == done.stdout


def test_a_trap_ends_the_file_with_its_place(tmp_path: Path) -> None:
    text = script(_made("bf16:2x900", "bf16:1000", "zeros-bf16:2x1000", "1000", "1e-6"))
    done = _run(text, tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("trap: out-of-bounds: ")


def test_arguments_that_do_not_fit() -> None:
    with pytest.raises(UsageError, match="takes 5 arguments"):
        script(_made("bf16:2x1000"))
    with pytest.raises(UsageError, match="argument 3 is an array"):
        script(_made("bf16:2", "bf16:2", "bf16:2", "bf16:2", "1.0"))
    for wrong in ("bf17:3", "bf16", "zeros-f32:", "x"):
        with pytest.raises(UsageError, match="argument"):
            read_argument(wrong, 1)


def test_shared_memory_that_a_module_does_not_size() -> None:
    text = """.version 8.3
.target sm_80
.address_size 64
.extern .shared .align 16 .b8 pool[];
.visible .entry uses() { .reg .b32 %r<2>; mov.u32 %r1, pool; ret; }
.visible .entry leaves() { .reg .b32 %r<2>; mov.u32 %r1, 1; ret; }
"""
    assert wants_shared(text, "uses", "m.ptx")
    assert not wants_shared(text, "leaves", "m.ptx")
    assert not wants_shared(text.replace("pool[]", "pool[4]"), "uses", "m.ptx")
