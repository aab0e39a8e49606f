from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import jsonschema
import msgspec
import pytest
from tests.report import samples
from tests.report.cases import cases, with_options

from sassay.errors import UsageError
from sassay.model.artifact import SourceLocation
from sassay.report import Report, render
from sassay.report.names import portable_path

_TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}
_LEVEL = {"enum": ["none", "note", "warning", "error"]}
_LOCATION = {
    "type": "object",
    "required": ["physicalLocation"],
    "properties": {
        "physicalLocation": {
            "type": "object",
            "required": ["artifactLocation", "region"],
            "properties": {
                "artifactLocation": {
                    "type": "object",
                    "required": ["uri"],
                    "properties": {
                        "uri": {"type": "string", "pattern": "^[A-Za-z0-9._~%-][A-Za-z0-9._~%/-]*$"}
                    },
                },
                "region": {
                    "type": "object",
                    "required": ["startLine"],
                    "properties": {"startLine": {"type": "integer", "minimum": 1}},
                },
            },
        }
    },
}
_RESULT = {
    "type": "object",
    "required": ["ruleId", "level", "message", "locations", "partialFingerprints"],
    "properties": {
        "level": _LEVEL,
        "message": _TEXT,
        "ruleIndex": {"type": "integer", "minimum": 0},
        "locations": {"type": "array", "minItems": 1, "items": _LOCATION},
        "relatedLocations": {"type": "array", "items": _LOCATION},
        "suppressions": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["kind"],
                "properties": {"kind": {"enum": ["inSource", "external"]}},
            },
        },
    },
}
_DRIVER = {
    "type": "object",
    "required": ["name", "rules"],
    "properties": {
        "rules": {
            "type": "array",
            "uniqueItems": True,
            "items": {
                "type": "object",
                "required": ["id"],
                "properties": {
                    "shortDescription": _TEXT,
                    "defaultConfiguration": {"properties": {"level": _LEVEL}},
                },
            },
        }
    },
}
_STRUCTURE = {
    "type": "object",
    "required": ["$schema", "version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "properties": {
                    "tool": {"required": ["driver"], "properties": {"driver": _DRIVER}},
                    "results": {"type": "array", "maxItems": 5000, "items": _RESULT},
                },
            },
        },
    },
}
"""The parts of SARIF 2.1.0 (OASIS, sections 3.13 to 3.35) that sassay writes."""


def _run(report: Report) -> dict[str, Any]:
    log = json.loads(render("sarif", report))
    jsonschema.Draft202012Validator(_STRUCTURE).validate(log)
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    return dict(run)


def test_findings_with_a_source_line_become_results() -> None:
    run = _run(cases()["check"])
    assert [(one["ruleId"], one["level"]) for one in run["results"]] == [
        ("no-new-conversions", "error"),
        ("review-kernel-family-deltas", "warning"),
    ]
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "kernels.py"
    assert place["region"] == {"startLine": 88}
    assert run["results"][0]["partialFingerprints"] == {"sassayFinding/v1": "f00000000001"}
    notes = [
        note["message"]["text"] for note in run["invocations"][0]["toolExecutionNotifications"]
    ]
    assert "2 findings have no source line; see other formats" in notes
    assert any(note.startswith("Rule register-growth could not judge") for note in notes)
    assert "/home" not in render("sarif", cases()["check"])


def test_paths_are_relative_to_the_checkout_where_it_is_known() -> None:
    report = with_options(cases()["check"], source_root="/home/someone/checkout/")
    place = _run(report)["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "python/router/kernels.py"


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/home/me/x/kernels.py", "kernels.py"),
        ("C:\\Users\\me\\kernels.py", "kernels.py"),
        ("python/router/kernels.py", "python/router/kernels.py"),
        ("../../etc/kernels.py", "etc/kernels.py"),
        ("/opt/venv/lib/site-packages/sglang/k.py", "sglang/k.py"),
        ("/", "unknown"),
    ],
)
def test_no_path_names_a_machine(path: str, shown: str) -> None:
    assert portable_path(path) == shown


def test_waived_findings_are_suppressed_and_results_are_capped() -> None:
    report = cases()["check"]
    assert report.check is not None
    where = (SourceLocation("k.py", 0), SourceLocation("k.py", 7))
    waived = msgspec.structs.replace(report.check.findings[2], source_lines=where)
    many = tuple(msgspec.structs.replace(waived, id=f"{index:012d}") for index in range(5_010))
    check = msgspec.structs.replace(report.check, findings=many)
    run = _run(replace(report, check=check))
    assert len(run["results"]) == 5_000
    assert run["results"][0]["suppressions"][0]["kind"] == "external"
    assert run["results"][0]["locations"][0]["physicalLocation"]["region"] == {"startLine": 1}
    assert len(run["results"][0]["relatedLocations"]) == 1
    notes = str(run["invocations"])
    assert "10 more findings are left out" in notes


def test_hostile_rules_keep_the_structure() -> None:
    run = _run(cases()["hostile"])
    assert len(run["results"]) == len(samples.HOSTILE_NAMES)


def test_nothing_judged_is_refused() -> None:
    with pytest.raises(UsageError, match="findings of a policy"):
        render("sarif", cases()["diff"])
