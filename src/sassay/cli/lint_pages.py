"""The lint rules as a list, and each rule's page."""

from __future__ import annotations

from pathlib import Path

import sassay
from sassay.errors import InputError


def rule_list() -> str:
    """One line for each rule: name, level, when it runs, what is wrong."""
    from sassay.lint import RULE_IDS, find_rule

    when = {"always": "", "changed": "with --changed", "asked": "when asked"}
    rows = []
    for name in RULE_IDS:
        rule = find_rule(name)
        note = "with BASE" if rule.compares else when[rule.default]
        rows.append((name, rule.level.value, note, rule.title))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=False))
        + f"  {row[3]}"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def rule_page(name: str) -> str:
    """The page of a rule, with its settings.

    Args:
        name: The rule.

    Raises:
        UsageError: There is no such rule.
        InputError: Its page is not installed.
    """
    from sassay.lint import find_rule
    from sassay.lint.profile import known_rule

    rule = find_rule(known_rule(name).id)
    package = Path(sassay.__file__).parent
    # An installed package carries the pages; a checkout has them among its documents.
    for folder in (package / "lint" / "pages", package.parents[1] / "docs" / "rules"):
        page = folder / f"{rule.id}.md"
        if page.is_file():
            return page.read_text(encoding="utf-8")
    raise InputError("the rule's page is not installed", artifact=rule.id)
