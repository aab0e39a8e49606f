"""`sassay parity` on the shipped examples: what holds, what each planted bug says, every format."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from tests.cli.running import run

EXAMPLES = Path(__file__).parents[2] / "examples" / "parity"


def test_the_example_contracts_hold() -> None:
    done = run("parity", str(EXAMPLES / "contracts.toml"), "--run-python", "--format", "json")
    report = json.loads(done.stdout)
    assert done.status == 0, done.stdout
    assert {each["contract"]: each["outcome"] for each in report["contracts"]} == dict.fromkeys(
        (
            "rmsnorm", "residual add", "rope", "swiglu", "gemv q6", "gemv q6 against Python",
            "by hand[residual]",
        ),
        "holds",
    )  # fmt: skip
    empty = [each for each in report["contracts"][0]["cases"] if "M=0" in each["case"]]
    assert empty
    assert all(each["outcome"] == "holds" and each["compared"] == 0 for each in empty)
    schema = json.loads(run("schema", "parity").stdout)
    jsonschema.Draft202012Validator(schema).validate(report)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Every format of the report of the planted bugs, and what the run printed."""
    folder = tmp_path_factory.mktemp("planted")
    files = {
        name: folder / f"parity.{name}" for name in ("json", "sarif", "junit", "markdown", "html")
    }
    options = [part for name, file in files.items() for part in (f"--{name}", str(file))]
    done = run("parity", str(EXAMPLES / "planted.toml"), *options)
    assert done.status == 1, done.stderr
    return {"terminal": done.stdout, **{name: file.read_text() for name, file in files.items()}}


@pytest.mark.parametrize(
    ("contract", "first", "left", "right"),
    [
        (
            "wrong dequantization",
            "out[0, 0]",
            "high[0, 1, 0]  at rows.py:65",
            "high[0, 1, 1]  at planted.py:21",
        ),
        ("stale position", "x[1, 0, 0]", "table[0, 0, 0]  at rows.py:", "table[7, 0, 0]"),
        ("swapped row", "out[0, 0]", "up[0, 0]  at rows.py:46", "up[1, 0]  at planted.py:43"),
        ("reordered sum", "out[0, 0]", "a sum of 1,024 terms", "then 2 pairwise in a thread"),
    ],
)
def test_each_planted_bug_is_caught_where_it_is(
    contract: str, first: str, left: str, right: str, planted: dict[str, str]
) -> None:
    text = planted["terminal"]
    section = text[text.index(f"broken  {contract}") :]
    section = section[: section.find("\n\n")]
    assert f"the first is {first}" in section
    assert left in section
    assert right in section


def test_findings_in_every_format(planted: dict[str, str]) -> None:
    suite = ET.fromstring(planted["junit"])
    assert suite.get("failures") == "4"
    assert "high[0, 1, 0]" in planted["junit"]
    sarif = json.loads(planted["sarif"])
    assert {each["ruleId"] for each in sarif["runs"][0]["results"]} == {
        "wrong dequantization", "stale position", "swapped row", "reordered sum",
    }  # fmt: skip
    uris = {
        place["physicalLocation"]["artifactLocation"]["uri"]
        for each in sarif["runs"][0]["results"]
        for place in each["locations"]
    }
    # From the top of the repository, where code scanning looks for them.
    assert "examples/parity/planted.py" in uris
    assert "examples/parity/rows.py" in planted["sarif"]
    assert "swapped row" in planted["markdown"]
    report = json.loads(planted["json"])
    assert report["verdict"] == "FAIL"


def test_the_page_says_what_the_terminal_says(planted: dict[str, str]) -> None:
    page = planted["html"]
    assert "<script" not in page
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
    for words in ("stale position", "table[7, 0, 0]", "4 broken", "exact"):
        assert words in page


def test_every_name_on_a_page_is_escaped(tmp_path: Path) -> None:
    text = (EXAMPLES / "contracts.toml").read_text()
    text = text[: text.index("[[contract]]")] + text[text.index("# Kernels of any front end") :]
    text = text.replace("by hand", "<img src=x>&").replace(
        '"residual.ptx"', f'"{EXAMPLES / "residual.ptx"}"'
    )
    file = tmp_path / "<b>.toml"
    file.write_text(text)
    page = run("parity", str(file), "--format", "html").stdout
    assert "<img" not in page
    assert "<b>.toml" not in page
    assert "&lt;img src=x&gt;&amp;" in page


def test_contracts_that_hold_say_how_far_values_can_be_trusted(tmp_path: Path) -> None:
    done = run(
        "parity", str(EXAMPLES / "contracts.toml"), "--contract", "by hand",
        "--junit", str(tmp_path / "p.xml"), "--json", str(tmp_path / "p.json"),
    )  # fmt: skip
    assert done.status == 0, done.stderr
    assert "values: residual exact" in done.stdout
    assert "residual exact" in (tmp_path / "p.xml").read_text()
    (contract,) = json.loads((tmp_path / "p.json").read_text())["contracts"]
    assert contract["labels"] == {"residual": "exact"}
    assert contract["worth"].startswith("for the inputs that were run: IEEE 754")


def test_python_runs_only_when_asked(tmp_path: Path) -> None:
    folder = tmp_path / "parity"
    shutil.copytree(EXAMPLES, folder)
    mark = folder / "ran"
    reference = folder / "reference.py"
    reference.write_text(f"open({str(mark)!r}, 'w').close()\n" + reference.read_text())
    one = ("parity", str(folder / "contracts.toml"), "--contract", "gemv q6 against Python")
    refused = run(*one)
    assert (refused.status, mark.exists()) == (2, False)
    assert "--run-python" in refused.stdout
    assert run(*one, "--allow-unknown").status == 0
    assert (run(*one, "--run-python").status, mark.exists()) == (0, True)


def test_what_cannot_be_judged_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    text = (EXAMPLES / "contracts.toml").read_text()
    file.write_text(text.replace('claim = "identical"', 'claim = "same"', 1))
    assert "line 6, contract[0].claim: unknown claim 'same'" in run("parity", str(file)).error
    file.write_text(text)
    assert "kernels.toml" in run("parity", str(file)).error
    unknown = run("parity", str(EXAMPLES / "contracts.toml"), "--contract", "rmsnrm").error
    assert "no contract is called 'rmsnrm'" in unknown
