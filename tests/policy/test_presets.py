"""Every preset and example holds its own cases; the JSON Schema agrees with the loader."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML
from tests.hostile.policies import WRONG, Wrong

from sassay.errors import PolicyError
from sassay.policy import (
    catalogue,
    list_presets,
    load_policy,
    parse_policy,
    policy_schema,
    run_policy_tests,
)
from sassay.policy.catalogue import Preset, preset_text

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples" / "policies").glob("*.yaml"))
AVAILABLE = [preset.name for preset in list_presets() if preset.available]
VALIDATOR = jsonschema.Draft202012Validator(
    policy_schema(), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
)


def _plain(text: str) -> object:
    return json.loads(json.dumps(YAML(typ="safe", pure=True).load(text), default=str))


@pytest.mark.parametrize("policy", [*AVAILABLE, *map(str, EXAMPLES)])
def test_own_cases_hold(policy: str) -> None:
    results = run_policy_tests(load_policy(policy))
    assert len(results) >= 2
    assert [(r.name, r.problems) for r in results if not r.passed] == []


def test_a_case_that_does_not_hold_says_what_differs() -> None:
    text = preset_text("tma-expected").replace("count: 8", "count: 7")
    bad = [
        result for result in run_policy_tests(parse_policy(text, artifact="x")) if not result.passed
    ]
    assert len(bad) == 1
    assert bad[0].problems[0].startswith("missing finding: rule review-gemm-when-tma-expected")
    assert bad[0].problems[1].endswith("layer ptx, count 8")


@pytest.mark.parametrize("name", AVAILABLE)
def test_presets_have_a_page_and_follow_the_schema(name: str) -> None:
    page = (ROOT / "docs" / "presets" / f"{name}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {name}\n")
    for rule in load_policy(name).rules:
        assert f"`{rule.id}`" in page
    VALIDATOR.validate(_plain(preset_text(name)))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_follow_the_schema(path: Path) -> None:
    VALIDATOR.validate(_plain(path.read_text(encoding="utf-8")))


def test_a_preset_whose_wing_is_missing_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    later = Preset("later", "what a later release judges", available=False, needs="a later wing")
    monkeypatch.setattr(catalogue, "_PRESETS", (*list_presets(), later))
    with pytest.raises(PolicyError, match="needs a later wing, which this release does not have"):
        load_policy("later")


def test_schema_is_a_schema_and_describes_every_key() -> None:
    schema = policy_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    for part in (schema, *schema["$defs"].values()):
        for key, value in part.get("properties", {}).items():
            assert value.get("description"), key


@pytest.mark.parametrize("wrong", [w for w in WRONG if w.in_schema], ids=lambda w: w.name)
def test_schema_refuses_what_the_loader_refuses(wrong: Wrong) -> None:
    assert not VALIDATOR.is_valid(_plain(wrong.text))
