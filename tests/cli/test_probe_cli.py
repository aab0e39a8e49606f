"""`sassay probe` on the router example, and the Python and pytest interface."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from tests.cli.running import run

from sassay.testing.parity import check_parity, parity_of, run_probe

ROUTER = Path(__file__).parents[2] / "examples" / "router"
PARITY = Path(__file__).parents[2] / "examples" / "parity"


def test_the_router_flips_experts_and_says_why() -> None:
    done = run("probe", str(ROUTER / "probe.toml"), "--rows", "300", "--format", "json")
    assert done.status == 0, done.stderr
    report = json.loads(done.stdout)
    whole = report["kinds"][-1]
    assert whole["rows"] == 300
    assert 0 < whole["set_disagreement"]["count"] < 60
    assert whole["set_disagreement"]["low"] > 0
    assert 1 <= len(report["flip"]["values"]) <= 64
    assert set(report["flip"]["left"]) != set(report["flip"]["right"])
    lines = report["numeric"]
    at = next(i for i, line in enumerate(lines) if line.startswith("scaled: all elements"))
    assert lines[at + 1].startswith("left: ")
    assert "cvt.rn.bf16.f32" in lines[at + 1]  # the rounding that the other state lacks
    assert "common/norms.py" in lines[at + 1]
    assert lines[at + 2].startswith("right: ")
    assert "pre_revert/router.py" in lines[at + 2]
    schema = json.loads(run("schema", "probe").stdout)
    jsonschema.Draft202012Validator(schema).validate(report)


def test_the_selection_alone_never_flips() -> None:
    done = run("probe", str(ROUTER / "selection.toml"), "--rows", "600")
    assert done.status == 0, done.stderr
    assert "other set: 0 of 600, 0% (0% to 0.613%)" in done.stdout
    assert "weights: all elements can differ" in done.stdout


def test_two_states_in_one_report(router: Path, tmp_path: Path) -> None:
    states = [str(router / f"{name}.sassay") for name in ("accepted", "pre_revert")]
    files = {name: tmp_path / f"p.{name}" for name in ("json", "html", "markdown")}
    more = [part for name, file in files.items() for part in (f"--{name}", str(file))]
    done = run("probe", str(ROUTER / "probe.toml"), *states, "--rows", "90", *more)
    assert done.status == 0, done.stderr
    report = json.loads(files["json"].read_text())
    moved = report["states"]
    assert (moved["kernels"], moved["compared"], moved["unchanged"]) == ([58, 59], 56, 54)
    families = [each for each in moved["families"] if each["family"] == "_router_rmsnorm_kernel"]
    assert any("bf16" in line for line in families[0]["words"])
    assert report["labels"]["ids"] in {"modelled", "approximate"}
    jsonschema.Draft202012Validator(json.loads(run("schema", "probe").stdout)).validate(report)
    for text in (done.stdout, files["html"].read_text(), files["markdown"].read_text()):
        plain = text.replace("&#95;", "_").replace("\\_", "_")
        assert "_topk_softmax_scale_kernel" in plain
        assert "experts flipped" in plain.lower()
        assert "Which bits can differ, and why" in plain


def test_what_a_probe_refuses() -> None:
    file = str(ROUTER / "selection.toml")
    assert "unknown kind 'tie'" in run("probe", file, "--kind", "tie").error
    refused = run("probe", file, "--rows", "6", "--format", "sarif").error
    assert "terminal, json, markdown or html" in refused
    assert "LEFT RIGHT" in run("probe", file, "one.sassay").error
    assert "probe" not in run("probe", str(ROUTER / "base.toml")).stdout


def test_from_python() -> None:
    report = check_parity(PARITY / "contracts.toml", contract="by hand")
    assert report.verdict == "PASS"
    probe = run_probe(ROUTER / "selection.toml", rows=60)
    assert probe.kinds[-1].rows == 60


def test_in_pytest() -> None:
    parity = parity_of(PARITY)
    parity("contracts.toml", contract="by hand")
    with pytest.raises(pytest.fail.Exception, match="swapped row"):
        parity("planted.toml", contract="swapped row")
    with pytest.raises(pytest.fail.Exception, match="--run-python"):
        parity("contracts.toml", contract="gemv q6 against Python")
