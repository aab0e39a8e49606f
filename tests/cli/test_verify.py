"""`sassay verify`: the decoder against nvdisasm, and what it says when they disagree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.cli.running import run
from tests.isa.sass.material import ARITHMETIC, CALLS, ptxas

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def cubin(tmp_path: Path) -> Path:
    path = tmp_path / "both.cubin"
    path.write_bytes(ptxas(CALLS + ARITHMETIC, 80, tmp_path)[0])
    (tmp_path / "module.cubin").unlink()
    (tmp_path / "module.ptx").unlink()
    return path


def test_both_count_alike(cubin: Path) -> None:
    result = run("verify", str(cubin), "--full")
    assert (result.status, result.stderr) == (0, "")
    assert result.stdout.endswith(
        "ok: nvdisasm counts the same; 2 of 2 functions checked (every function)\n"
    )
    assert "against nvdisasm 1" in result.stdout
    document = msgspec.json.decode(run("verify", str(cubin), "--format", "json").stdout)
    total = document["total"]
    assert document["architectures"] == {"sm_80": total}
    assert total["instructions"] == total["checked"] == total["asked"] > 100
    assert total["by_tables"] + total["by_nvdisasm"] == total["checked"]
    assert (total["mismatches"], document["mismatches"], document["diagnostics"]) == (0, [], [])


def test_a_difference_fails_and_is_named(cubin: Path, tmp_path: Path) -> None:
    answers = tmp_path / "answers.jsonl"
    assert run("verify", str(cubin), "--full", "--keep", str(answers)).status == 0
    first = msgspec.json.decode(answers.read_bytes().splitlines()[0])
    first["census"]["EXIT"] += 1
    answers.write_bytes(answers.read_bytes() + msgspec.json.encode(first) + b'\n{"cut')
    result = run("verify", str(cubin), "--full", "--keep", str(answers))
    assert result.status == 1
    assert "mismatch: both.cubin: " in result.stdout
    assert ": EXIT " in result.stdout
    assert "WRONG: nvdisasm counts 1 otherwise; 2 of 2 functions checked" in result.stdout


def test_answers_are_not_asked_again(cubin: Path, tmp_path: Path) -> None:
    answers = tmp_path / "answers.jsonl"
    arguments = ("verify", str(cubin), "--full", "--keep", str(answers), "--format", "json")
    first, second = (msgspec.json.decode(run(*arguments).stdout)["total"] for _ in range(2))
    assert first["asked"] == first["checked"] == second["checked"]
    assert second["asked"] == 0
    assert len(answers.read_bytes().splitlines()) == 2


def test_each_different_word_is_asked_once(cubin: Path, tmp_path: Path) -> None:
    (tmp_path / "again.cubin").write_bytes(cubin.read_bytes())
    kept = str(tmp_path / "kept")
    result = run("verify", str(tmp_path), "--words", "--keep", kept)
    assert (result.status, result.stderr) == (0, "")
    assert "sassay against nvdisasm 1" in result.stdout
    document = msgspec.json.decode(run("verify", str(tmp_path), "--words", "-f", "json").stdout)
    assert document["schema"] == "verify-words/1"
    total = document["total"]
    assert document["architectures"] == {"sm_80": total}
    assert total["asked"] <= total["instructions"] / 2
    assert result.stdout.endswith(
        f"ok: nvdisasm names the same; {total['different']} different words, "
        f"which are all {total['instructions']} instructions\n"
    )
    again = run("verify", str(cubin), "--words", "--keep", kept, "-f", "json").stdout
    half = msgspec.json.decode(again)["total"]
    assert (half["asked"], half["different"]) == (0, total["different"])
    assert half["known"] == total["known"] / 2
    assert run("verify", str(cubin), "--words", "--full").status == 2


def test_what_cannot_be_checked_is_no_success(cubin: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.cubin"
    cut.write_bytes(cubin.read_bytes()[:200])
    alone = run("verify", str(cut))
    assert alone.status == 2
    assert alone.stderr.startswith("sassay: ")
    assert "cut.cubin" in alone.stderr
    beside = run("verify", str(tmp_path), "--full")
    assert beside.status == 0
    assert "error: cut.cubin" in beside.stdout
    assert run("verify", str(cubin), "--arch", "sm_9*").status == 2
    assert run("verify", str(tmp_path / "none.so")).status == 2
