"""The wing that analyzes PTX: control flow, reaching definitions, where values come from; rules."""

from __future__ import annotations

from sassay.lint.profile import Profile, read_settings, read_value, rule_names
from sassay.lint.registry import RULE_IDS, find_rule
from sassay.lint.rule import Hit, Level, Options, Rule, Setting
from sassay.lint.run import Linter

__all__ = [
    "RULE_IDS",
    "Hit",
    "Level",
    "Linter",
    "Options",
    "Profile",
    "Rule",
    "Setting",
    "find_rule",
    "read_settings",
    "read_value",
    "rule_names",
]
