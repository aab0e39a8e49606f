"""The rules by name. A rule is imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from sassay.model.lint_rules import LINT_RULES

if TYPE_CHECKING:
    from sassay.lint.rule import Rule

RULE_IDS = LINT_RULES
"""Every rule's name, sorted; its module has the same, with underscores."""


def find_rule(name: str) -> Rule:
    """The rule of that name.

    Args:
        name: One of `RULE_IDS`.

    Raises:
        KeyError: There is none.
    """
    if name not in RULE_IDS:
        raise KeyError(name)
    rule: Rule = import_module(f"sassay.lint.rules.{name.replace('-', '_')}").RULE
    return rule
