"""Real kernels of our own: compiled by manifest, changed, compiled again, compared and judged."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.cli.running import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KERNELS = """\
import torch  # never imported: only the kernels below are taken out
import triton
import triton.language as tl


@triton.jit
def copy_rows(source, target, block: tl.constexpr):
    at = tl.program_id(0) * block + tl.arange(0, block)
    tl.store(target + at, tl.load(source + at))


@triton.jit
def sum_rows(source, target, block: tl.constexpr):
    at = tl.program_id(0) * block + tl.arange(0, block)
    tl.store(target + tl.program_id(0), tl.sum(tl.load(source + at), 0))


@triton.jit
def round_rows(source, target, block: tl.constexpr):
    at = tl.program_id(0) * block + tl.arange(0, block)
    row = tl.load(source + at) * 2.5 + 1.0
    tl.store(target + at, ROUND)
"""
TABLE = """\
[[kernel]]
file = "kernels.py"
function = "{name}"
signature = {{ source = "*fp32", target = "{target}" }}
constants = {{ block = 256 }}
divisibility = {{ source = 16, target = 16 }}
options = {{ num_warps = {warps} }}
"""
NEAREST = "row.to(tl.bfloat16)"
ZERO = 'row.to(tl.bfloat16, fp_downcast_rounding="rtz")'


def manifest(folder: Path, kernels: dict[str, int], rounding: str) -> None:
    """Write a manifest and its kernels."""
    folder.mkdir(parents=True)
    (folder / "kernels.py").write_text(KERNELS.replace("ROUND", rounding))
    text = '[defaults]\narch = ["sm_80", "sm_90"]\n\n'
    for name, warps in kernels.items():
        target = "*bf16" if name == "round_rows" else "*fp32"
        text += TABLE.format(name=name, warps=warps, target=target) + "\n"
    (folder / "kernels.toml").write_text(text)


def _make(folder: Path) -> None:
    manifest(folder / "old", {"copy_rows": 4, "sum_rows": 4, "round_rows": 4}, NEAREST)
    manifest(folder / "new", {"copy_rows": 4, "sum_rows": 8, "round_rows": 4}, ZERO)
    for name in ("old", "new"):
        result = run("compile", f"{name}/kernels.toml", "-o", f"{name}.sassay", cwd=folder)
        assert result.status == 0, result.stderr
        assert "0 failed" in result.stdout
    assert (folder / "old.sassay").is_dir()


@pytest.fixture(scope="module")
def compiled(made_once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    return made_once("cli-compiled", _make)


def test_every_kind_of_change_is_told_apart(compiled: Path) -> None:
    line = ("diff", "old.sassay", "new.sassay", "--format", "json")
    document = json.loads(run(*line, cwd=compiled).stdout)
    status = {(row["family"], row["arch"]): row["status"] for row in document["families"]}
    assert {name for name, _ in status} == {"copy_rows", "sum_rows", "round_rows"}
    archs = sorted({arch for _, arch in status})
    assert len(archs) == 2
    assert archs[0] == "sm_80"
    for (family, _), what in status.items():
        assert what == ("unchanged" if family == "copy_rows" else "changed")
    for change in document["changes"]:
        ptx = change["deltas"]["ptx"]
        if change["family"] == "sum_rows":
            assert change["deltas"]["metadata"]["num_warps"] == {"before": 4, "after": 8}
        else:
            toward_zero = sum(n for opcode, n in ptx.items() if opcode.startswith("cvt.rz.bf16"))
            nearest = sum(n for opcode, n in ptx.items() if opcode.startswith("cvt.rn.bf16"))
            assert (toward_zero > 0 > nearest) or change["arch"] == "sm_80", ptx
    suspects = [suspect["family"] for suspect in document["suspects"]]
    assert "round_rows" in suspects


def test_a_kernel_that_fails_is_named_and_the_others_are_captured(tmp_path: Path) -> None:
    folder = tmp_path / "bad"
    manifest(folder, {"copy_rows": 4, "round_rows": 4}, "row.to(tl.no_such_type)")
    result = run("compile", "bad/kernels.toml", "-o", "x.sassay", "--arch", "sm_90", cwd=tmp_path)
    assert result.status == 2
    assert "1 kernel, 1 family, 1 failed" in result.stdout
    assert "no_such_type" in result.stderr
    assert "kernels.py" in result.stderr
    number = KERNELS.splitlines().index("    tl.store(target + at, ROUND)") + 1
    assert f"{number}" in result.stderr
    shown = json.loads(run("show", "x.sassay", "--format", "json", cwd=tmp_path).stdout)
    assert [kernel["family"] for kernel in shown["kernels"]] == ["copy_rows"]
    assert any("no_such_type" in each["message"] for each in shown["diagnostics"])
    assert run("check", "x.sassay", "x.sassay", cwd=tmp_path).status == 2, "not seen is UNKNOWN"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[kernl]]\n", "kernl"),
        ('[[kernel]]\narch = "sm_90"\nfile = "none.py"\nfunction = "f"\n', "none.py"),
        ("label = ", "not TOML"),
        ("", "no [[kernel]]"),
    ],
)
def test_a_wrong_manifest_is_one_line(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(text)
    result = run("compile", "m.toml", "-o", "x.sassay", "--arch", "sm_90", cwd=tmp_path)
    assert (result.status, result.stdout) == (2, "")
    assert said in result.error
    assert not (tmp_path / "x.sassay").exists()
