"""`show STATE KERNEL --lines`: in the terminal, in JSON, and where there is nothing to show."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import jsonschema
from tests.cli.running import run
from tests.containers.lined import assemble_lined

if TYPE_CHECKING:
    from pathlib import Path


def test_lines_of_a_cubin_in_the_terminal_and_in_json(tmp_path: Path) -> None:
    (tmp_path / "m.cubin").write_bytes(assemble_lined("sm_90a"))
    line = ("show", "m.cubin", "outer", "--lines")
    terminal = run(*line, cwd=tmp_path)
    assert terminal.status == 0, terminal
    rows = {row.split()[0]: row.split() for row in terminal.stdout.splitlines() if row.split()}
    # PTX is not at hand; inlined code counts at its own line and at every line around it.
    assert rows["opt/math.cuh:2"][1] == "-"
    assert int(rows["kernels/a.cu:12"][2]) >= int(rows["opt/math.cuh:2"][2]) > 0
    found = run(*line, "--format", "json", cwd=tmp_path)
    document = json.loads(found.stdout)
    schema = json.loads(run("schema", "state").stdout)
    jsonschema.Draft202012Validator(schema).validate(document)
    lines = document["lines"]
    (kernel,) = document["kernels"]
    own = sum(sum(each["own"]["sass"]["instructions"].values()) for each in lines["lines"])
    rest = sum(lines["unattributed"]["sass"]["instructions"].values())
    assert own + rest == lines["total"]["sass"] == sum(kernel["instructions"]["sass"].values())
    assert lines["unattributed"]["ptx"] is None
    assert ["deep"] in [each["functions"] for each in lines["lines"]]


def test_a_kernel_is_needed_and_line_information(inputs: Path) -> None:
    missing = run("show", "before", "--lines", cwd=inputs)
    assert (missing.status, missing.stdout) == (2, "")
    assert missing.error.startswith("--lines needs a KERNEL")
    without = run("show", "before", "round_rows", "--lines", cwd=inputs)
    assert (without.status, without.stdout) == (2, "")
    assert "holds no line information" in without.error
