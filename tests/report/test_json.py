from __future__ import annotations

import copy
import json
import math
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import jsonschema
import msgspec
import pytest
from tests.report import samples
from tests.report.cases import cases, with_options

from sassay.errors import UsageError
from sassay.model.change import Change, FamilyRow
from sassay.model.finding import Finding
from sassay.model.state import Evidence
from sassay.report import SCHEMAS, Report, render, schema

if TYPE_CHECKING:
    from collections.abc import Callable


def _document(report: Report) -> dict[str, Any]:
    loaded = json.loads(render("json", report))
    assert isinstance(loaded, dict)
    return loaded


@cache
def _validator(name: str) -> jsonschema.Draft202012Validator:
    jsonschema.Draft202012Validator.check_schema(schema(name))
    return jsonschema.Draft202012Validator(schema(name))


@pytest.mark.parametrize("name", sorted(cases()))
@pytest.mark.parametrize("rendering", ["delta", "summary"])
def test_every_document_follows_its_schema(name: str, rendering: str) -> None:
    document = _document(with_options(cases()[name], rendering=rendering))
    assert next(iter(document)) == "schema"
    assert document["schema"] in SCHEMAS
    _validator(document["schema"]).validate(document)


def _without(key: str) -> Callable[[dict[str, Any]], None]:
    return lambda document: document.pop(key)


_WRONG: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no verdict": _without("verdict"),
    "unknown verdict": lambda document: document.update(verdict="MAYBE"),
    "unknown key": lambda document: document.update(extra=1),
    "other schema": lambda document: document.update(schema="diff/2"),
    "negative kernels": lambda document: document["states"][0].update(kernels=-1),
    "kernels as text": lambda document: document["states"][0].update(kernels="54"),
    "fractional count": lambda document: document["pairs"][0].update(changed=1.5),
    "unknown status": lambda document: document["families"][0].update(status="new"),
    "unknown layer": lambda document: document["families"][0]["opcodes"].update(gcn={}),
    "missing layer": lambda document: document["families"][0]["opcodes"].pop("ptx"),
    "pair of three": lambda document: document["changes"][0]["pair"].append("third"),
    "unknown tier": lambda document: document["changes"][0].update(tier="rewritten"),
    "finding without id": lambda document: document["findings"][0].pop("id"),
    "unknown effect": lambda document: document["findings"][0].update(effect="warn"),
}


@pytest.mark.parametrize("wrong", sorted(_WRONG))
def test_wrong_documents_are_refused(wrong: str) -> None:
    document = _document(cases()["router"])
    broken = copy.deepcopy(document)
    _WRONG[wrong](broken)
    with pytest.raises(jsonschema.ValidationError):
        _validator("diff").validate(broken)


def test_schemas_describe_their_fields_and_know_their_short_names() -> None:
    for name in SCHEMAS:
        assert schema(name) == schema(name.split("/")[0])
        root = schema(name)["$defs"][schema(name)["$ref"].rsplit("/", 1)[1]]
        for field, property_ in root["properties"].items():
            assert property_.get("description"), f"{name}: {field}"
    with pytest.raises(UsageError, match="no schema is named 'stat'"):
        schema("stat")


def test_the_diff_carries_the_records_unchanged() -> None:
    report = cases()["router"]
    document = _document(report)
    assert report.diff is not None
    assert report.check is not None
    assert tuple(msgspec.convert(document["families"], list[FamilyRow])) == report.diff.families
    assert tuple(msgspec.convert(document["changes"], list[Change])) == report.diff.changes
    assert document["verdict"] == "FAIL"
    assert tuple(msgspec.convert(document["findings"], list[Finding])) == report.check.findings
    assert document["omitted"] == {}


def test_a_check_holds_the_changes_that_its_findings_name() -> None:
    document = _document(cases()["check"])
    named = {change for finding in document["findings"] for change in finding["changes"]}
    assert named
    assert {change["id"] for change in document["changes"]} == named


def test_narrowing_says_what_it_left_out() -> None:
    report = cases()["router"]
    assert report.diff is not None
    limited = _document(with_options(report, limit=2))
    assert len(limited["families"]) == len(limited["findings"]) == 2
    assert limited["omitted"]["families"] == len(report.diff.families) - 2
    assert limited["omitted"]["findings"] == 2
    summary = _document(with_options(report, rendering="summary"))
    assert summary["changes"] == []
    assert summary["omitted"]["changes"] == len(report.diff.changes)
    assert len(summary["families"]) + summary["omitted"]["families"] == len(report.diff.families)
    assert {row["opcodes"]["sass"] for row in summary["families"]} == {None}
    assert summary["omitted"]["families.tables"] == len(summary["families"])
    assert summary["suspects"]
    assert len(json.dumps(summary)) < len(json.dumps(_document(report))) / 4
    assert summary["pairs"]
    assert summary["findings"]
    assert _document(with_options(report, limit=2, all=True))["omitted"] == {}


def test_unknown_layers_are_null_and_signatures_keep_their_order() -> None:
    state = cases()["show"].states[0]
    document = _document(cases()["show"])
    by_id = {kernel["id"]: kernel for kernel in document["kernels"]}
    lone = next(kernel for kernel in state.kernels if kernel.instructions.ptx is None)
    assert by_id[lone.id]["instructions"]["ptx"] is None
    kernel = by_id[state.kernels[0].id]
    assert list(kernel["specialization"]["signature"]) == ["x", "out", "n"]
    assert list(kernel["instructions"]["sass"]) == sorted(kernel["instructions"]["sass"])


def test_a_float_that_json_lacks_becomes_null() -> None:
    state = samples.state("odd", [], evidence={"GSM8K": Evidence(math.nan)})
    document = _document(Report(command="show", states=(state,)))
    assert document["evidence"]["GSM8K"]["value"] is None


def test_lines_stay_short_and_ascii() -> None:
    text = render("json", cases()["hostile"])
    assert text.isascii()
    assert text.endswith("}\n")
    assert "\x1b" not in text
    rows = [row for row in render("json", cases()["diff"]).splitlines() if " [" in row]
    assert any(row.rstrip(",").endswith("]") for row in rows)
    assert max(map(len, rows)) <= 120


def test_what_cannot_be_reported_is_refused() -> None:
    states = cases()["router"].states
    with pytest.raises(UsageError, match="holds one state"):
        render("json", Report(command="show", states=states))
    with pytest.raises(UsageError, match="nothing to report"):
        render("json", Report(command="code"))
    with pytest.raises(UsageError, match="unknown report format 'pdf'"):
        render("pdf", cases()["router"])
    assert _document(replace(cases()["diff"], command="check"))["schema"] == "diff/1"
