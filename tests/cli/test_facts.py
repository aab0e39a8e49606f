"""The contraction audit on the command line: a flipped default of the front end is caught."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.cli.running import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KERNEL = """\
import triton
import triton.language as tl


@triton.jit
def scale_rows(source, target, factor, block: tl.constexpr):
    at = tl.program_id(0) * block + tl.arange(0, block)
    x = tl.load(source + at)
    total = tl.sum(x * x, 0)
    tl.store(target + at, x * factor + total)
"""
MANIFEST = """\
[[kernel]]
file = "kernels.py"
function = "scale_rows"
arch = ["sm_90"]
signature = {{ source = "*fp32", target = "*fp32", factor = "fp32" }}
constants = {{ block = 256 }}
options = {{ enable_fp_fusion = {fusion} }}
"""


@pytest.fixture(scope="module")
def states(made_once: Callable[[str, Callable[[Path], None]], Path]) -> dict[bool, str]:
    """Captures with contraction by the front end, and without."""

    def make(folder: Path) -> None:
        (folder / "kernels.py").write_text(KERNEL)
        for fusion in (True, False):
            manifest = folder / f"{fusion}.toml"
            manifest.write_text(MANIFEST.format(fusion=str(fusion).lower()))
            done = run("compile", str(manifest), "-o", str(folder / f"{fusion}.sassay"))
            assert done.status == 0, done.stderr

    folder = made_once("contraction", make)
    return {fusion: str(folder / f"{fusion}.sassay") for fusion in (True, False)}


def facts(state: str) -> dict[str, object]:
    """Values of the facts of the only kernel."""
    (kernel,) = json.loads(run("show", state, "--format", "json").stdout)["kernels"]
    return {name: fact["value"] for name, fact in kernel["facts"].items()}


def test_show_and_diff_carry_the_facts(states: dict[bool, str]) -> None:
    with_fusion, without = facts(states[True]), facts(states[False])
    assert with_fusion["fp_contraction"] in {"as written", "fused"}
    assert with_fusion["fp_written"] == "both"
    assert without == {
        "fp_association": "kept",
        "fp_contracted": 0,
        "fp_contraction": "pinned",
        "fp_reassociated": 0,
        "fp_written": "apart",
    }
    assert "fp_contraction" in run("show", states[False], "scale_rows").stdout
    diff = json.loads(run("diff", states[True], states[False], "--format", "json").stdout)
    (change,) = diff["changes"]
    assert change["deltas"]["facts"]["fp_contraction"] == {
        "before": with_fusion["fp_contraction"],
        "after": "pinned",
    }


def test_the_preset_fails_on_a_flipped_default(states: dict[bool, str]) -> None:
    policy = ("--policy", "no-fp-contraction-change", "--format", "json")
    flipped = run("check", states[True], states[False], *policy)
    assert flipped.status == 1
    assert [each["rule"] for each in json.loads(flipped.stdout)["findings"]] == [
        "contraction-changed",
        "multiply-adds-rewritten",
    ]
    same = run("check", states[False], states[False], *policy)
    assert (same.status, json.loads(same.stdout)["verdict"]) == (0, "PASS")
    alone = run("check", states[False], *policy)
    assert (alone.status, json.loads(alone.stdout)["verdict"]) == (2, "UNKNOWN")
