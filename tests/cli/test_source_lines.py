"""Source lines from the compiler to every report: kept, shown, compared, pointed at, asked for."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import jsonschema
import pytest
from tests.cli.running import run
from tests.report.page import blobs

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """\
import triton
import triton.language as tl


@triton.jit
def norm_rows(x, out, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    row = tl.load(x + at)
"""
OLD = HEAD + "    tl.store(out + at, row * 2.0)\n"
TAIL = "    total = tl.sum(row * row, 0)\n    tl.store(out + at, row * 2.0 / total)\n"
NEW = f'"""Rows by their sum."""\n\n{HEAD}{TAIL}'
MANIFEST = """\
[[kernel]]
file = "kernels.py"
function = "norm_rows"
arch = "sm_90"
signature = { x = "*fp32", out = "*fp32" }
constants = { BLOCK = 1024 }
"""
POLICY = """\
version: v1
rules:
  - id: no-more-shuffles
    effect: review
    match: {category: warp_exchange, layer: sass}
    when: {delta: {gt: 0}}
    reason: More is reduced across lanes
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two checkouts of one project and their captures; one capture without its source."""
    top = tmp_path_factory.mktemp("lines")
    (top / "gate.yaml").write_text(POLICY, encoding="utf-8")
    for name, text in (("old", OLD), ("new", NEW)):
        project = top / name / "ops"
        project.mkdir(parents=True)
        (top / name / ".git").mkdir()
        (project / "kernels.py").write_text(text, encoding="utf-8")
        (project / "m.toml").write_text(MANIFEST, encoding="utf-8")
        made = run("compile", project / "m.toml", "-o", f"{name}.sassay", cwd=top)
        assert made.status == 0, made
    made = run("compile", "new/ops/m.toml", "-o", "bare.sassay", "--no-source", cwd=top)
    assert made.status == 0, made
    shutil.rmtree(top / "old")
    return top


def test_a_capture_shows_its_source_on_another_machine(folder: Path, tmp_path: Path) -> None:
    shown = run("show", folder / "old.sassay", "norm_rows", "--lines", cwd=tmp_path)
    assert "row = tl.load(x + at)" in shown.stdout
    assert "kept in the capture" in shown.stdout
    bare = run("show", folder / "bare.sassay", "norm_rows", "--lines", cwd=tmp_path)
    assert "tl.sum" not in bare.stdout
    assert "no source text at hand: --source-root DIR" in bare.stdout
    named = run(
        "show", folder / "bare.sassay", "norm_rows", "--lines", "--source-root",
        folder / "new" / "ops", cwd=tmp_path,
    )  # fmt: skip
    assert "total = tl.sum(row * row, 0)" in named.stdout
    assert "as it is now" in named.stdout


def test_a_diff_says_which_lines_grew_and_sarif_points_at_them(folder: Path) -> None:
    asked = ("check", "old.sassay", "new.sassay", "--policy", "gate.yaml")
    found = run(*asked, "--sarif", "x.sarif", "--json", "x.json", "--markdown", "x.md", cwd=folder)
    assert found.status == 0, found
    line = next(row for row in found.stdout.splitlines() if "tl.sum" in row)
    assert "kernels.py:11 new" in line
    assert "lines aligned by text" in found.stdout
    moved = next(row for row in found.stdout.splitlines() if "kernels.py:9 " in row)
    assert "kernels.py:9 \u2192 12" in moved
    assert "kernels.py:11 new" in (folder / "x.md").read_text(encoding="utf-8")
    document = json.loads((folder / "x.json").read_text(encoding="utf-8"))
    schema = json.loads(run("schema", "check").stdout)
    jsonschema.Draft202012Validator(schema).validate(document)
    (change,) = document["changes"]
    assert change["lines"]["aligned"] == "text"
    new = next(one for one in change["lines"]["lines"] if one["before"] is None)
    shuffles = new["inclusive"]["sass"]["categories"]["warp_exchange"]
    assert shuffles > 0
    assert "warp_exchange" not in new["own"]["sass"]["categories"]
    (result,) = json.loads((folder / "x.sarif").read_text())["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place["region"] == {"startLine": 11}
    # The manifest's root lies one folder below the top of the checkout.
    assert place["artifactLocation"]["uri"] == "ops/kernels.py"


def test_lines_are_a_table(folder: Path) -> None:
    sql = "select distinct line, text from lines where category = 'warp_exchange' and own = 0"
    rows = json.loads(run("query", sql, "new.sassay", "--format", "json", cwd=folder).stdout)
    assert rows == [{"line": 11, "text": "    total = tl.sum(row * row, 0)"}]
    assert (folder / "new.sassay" / "lines.parquet").is_file()


def test_the_page_holds_the_code_of_what_changed(folder: Path) -> None:
    made = run("diff", "old.sassay", "new.sassay", "--html", "x.html", cwd=folder)
    assert made.status == 0, made
    packed = blobs((folder / "x.html").read_text(encoding="utf-8"))
    data = packed["data"]
    (change,) = data["changes"]
    assert set(data["coded"]) == {change["b"], change["c"]}
    after = packed[f"code-{data['coded'][change['c']]}"]
    shown = {(data["files"][file], line + i): text
             for file, line, rows in after["texts"] for i, text in enumerate(rows)}  # fmt: skip
    assert shown["kernels.py", 11] == "    total = tl.sum(row * row, 0)"
    kernel = data["kernels"][change["c"]]
    for letter in ("p", "s"):
        counted = sum(kernel["o"][letter][1::2])
        assert len(after[letter]["t"]) == len(after[letter]["s"]) == counted
    assert sum(place >= 0 for place in after["s"]["p"]) > len(after["s"]["p"]) * 0.8
    sides = [packed[f"code-{data['coded'][change[side]]}"] for side in ("b", "c")]
    for letter in ("p", "s"):
        runs = packed["pair-0"][letter]
        sizes = dict.fromkeys(range(4), 0)
        for op, size in zip(runs[::2], runs[1::2], strict=True):
            sizes[op] += size
        lengths = (sizes[0] + sizes[1] + sizes[2], sizes[0] + sizes[1] + sizes[3])
        assert lengths == tuple(len(side[letter]["t"]) for side in sides)
    assert [data["files"][0], 9, data["files"][0], 12] in [
        [data["files"][a], b, data["files"][c], d] for a, b, c, d in packed["pair-0"]["l"]
    ]
