"""Every JSON that the command line writes follows the schema that it prints."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from tests.cli.running import run

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTS = [
    ("state", "show before"),
    ("state", "show before round_rows"),
    ("state", "show before round_rows --layer sass"),
    ("state", "show mixed"),
    ("state", "show rows.fatbin"),
    ("state", "show lone.ptx"),
    ("diff", "diff before after"),
    ("diff", "diff before after --all --full --layer ptx"),
    ("diff", "diff a=before b=after c=before --baseline b"),
    ("diff", "diff before after --policy gate.yaml --group Norms=*rmsnorm*"),
    ("diff", "diff before --across-arch sm_80:sm_90a"),
    ("diff", "diff before mixed --limit 1 --summary"),
    ("check", "check before after"),
    ("check", "check after"),
    ("check", "check before after --policy waived.yaml --today 2026-07-01"),
    ("check", "check before after --policy tied.yaml --evidence gsm8k.json"),
    ("code", "diff before after -k round_rows"),
    ("code", "diff before after -k rmsnorm_rows -k rmsnorm_scale_rows --layer ptx"),
]


@cache
def schema(name: str) -> Any:
    """The schema as `sassay schema` prints it, as what validates by it."""
    found = json.loads(run("schema", name).stdout)
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(found)


@pytest.mark.parametrize(("name", "line"), DOCUMENTS, ids=[line for _, line in DOCUMENTS])
def test_documents_follow_their_schema(name: str, line: str, inputs: Path) -> None:
    result = run(*line.split(), "--format", "json", cwd=inputs)
    document = json.loads(result.stdout)
    assert document["schema"] == f"{name}/1"
    schema(name).validate(document)


def test_what_a_finding_rests_on_follows_its_schema(inputs: Path) -> None:
    states = ("before", "after", "--policy", "gate.yaml")
    found = json.loads(run("check", *states, "--format", "json", cwd=inputs).stdout)["findings"][0]
    result = run("explain", found["id"], *states, "--format", "json", cwd=inputs)
    document = json.loads(result.stdout)
    assert (document["schema"], document["finding"]) == ("explain/1", found)
    schema("explain").validate(document)


def test_where_something_turned_follows_its_schema(inputs: Path) -> None:
    result = run("bisect", "before", "after", "--format", "json", cwd=inputs)
    document = json.loads(result.stdout)
    assert (document["schema"], document["states"]) == ("bisect/1", ["before", "after"])
    assert {each["first_in"] for each in document["answers"]} == {1}
    schema("bisect").validate(document)


@pytest.mark.parametrize("policy", ["gate", "tied", "waived", "quiet"])
def test_policies_follow_their_schema(policy: str, inputs: Path) -> None:
    from ruamel.yaml import YAML

    document = YAML(typ="safe", pure=True).load((inputs / f"{policy}.yaml").read_text())
    # Dates reach a validator as text, as they stand in the file.
    plain = json.loads(json.dumps(document, default=str))
    schema("policy").validate(plain)
    broken = YAML(typ="safe", pure=True).load((inputs / "broken.yaml").read_text())
    assert list(schema("policy").iter_errors(broken))


def test_the_files_of_one_run_say_the_same(workplace: Path) -> None:
    line = ("check", "before", "after", "--policy", "gate.yaml")
    more = ("--json", "c.json", "--html", "c.html", "--markdown", "c.md", "--sarif", "c.sarif")
    both = run(*line, *more, "--junit", "c.xml", "--format", "json", cwd=workplace)
    assert (workplace / "c.json").read_text() == both.stdout
    for format_, name in (("html", "c.html"), ("markdown", "c.md"), ("sarif", "c.sarif"),
                          ("junit", "c.xml")):  # fmt: skip
        alone = run(*line, "--format", format_, cwd=workplace)
        assert alone.stdout == (workplace / name).read_text()
        assert alone.status == both.status == 1
    page = (workplace / "c.html").read_text()
    assert "<script src" not in page
    assert "<link" not in page


def test_counts_add_up(inputs: Path) -> None:
    document = json.loads(run("diff", "before", "after", "--format", "json", cwd=inputs).stdout)
    pair = document["pairs"][0]
    before, after = (state["kernels"] for state in document["states"])
    assert pair["compared"] == pair["unchanged"] + pair["changed"]
    assert before == pair["compared"] + pair["removed"]
    assert after == pair["compared"] + pair["added"]
    assert (pair["changed"], pair["added"], pair["removed"]) == (3, 1, 2)
    status = {row["family"]: row["status"] for row in document["families"]}
    assert status["rmsnorm_scale_rows"] == "added"
    assert status["scale_rows"] == status["rmsnorm_rows"] == "removed"
    assert status["round_rows"] == status["sum_rows"] == status["grow_rows"] == "changed"
    moved = {change["family"]: change["deltas"] for change in document["changes"]}
    assert moved["round_rows"]["ptx"] == {
        "add.f32": -1, "cvt.rn.bf16.f32": -1, "cvt.rz.bf16.f32": 1, "fma.rn.f32": 1, "mul.f32": -1
    }  # fmt: skip
    assert moved["grow_rows"]["resources"] == {
        "registers": 215, "spill_load_bytes": 4, "spill_store_bytes": 4
    }  # fmt: skip
    assert moved["sum_rows"]["metadata"]["num_warps"] == {"before": 4, "after": 8}
