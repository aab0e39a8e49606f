"""Every rule has a page that says what the rule's record says."""

from __future__ import annotations

from pathlib import Path

import pytest

from sassay.cli.lint_pages import rule_list, rule_page
from sassay.errors import UsageError
from sassay.lint import RULE_IDS, find_rule

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", RULE_IDS)
def test_page(name: str) -> None:
    rule = find_rule(name)
    page = rule_page(name)
    assert page.startswith(f"# {name}\n\n{rule.title}\n")
    assert f"Level `{rule.level.value}`." in page
    for setting in rule.settings:
        shown = str(setting.default).lower() if isinstance(setting.default, bool) else None
        assert f"| `{setting.name}` | `{shown or setting.default or ' '}` |" in page
    for heading in ("What it finds", "Example", "Settings", "How it decides", "False alarms"):
        assert f"\n## {heading}" in page


def test_list_and_overview_name_all() -> None:
    listed = rule_list()
    overview = (DOCS / "lint.md").read_text(encoding="utf-8")
    assert [line.split()[0] for line in listed.splitlines()] == list(RULE_IDS)
    for name in RULE_IDS:
        assert f"| [{name}](rules/{name}.md) | {find_rule(name).level.value} |" in overview
    assert {page.stem for page in (DOCS / "rules").glob("*.md")} == set(RULE_IDS)


def test_no_page_of_what_is_no_rule() -> None:
    with pytest.raises(UsageError, match="did you mean block-race"):
        rule_page("block-rase")
