"""Rules, waivers and presets: judges states and their diff, and says how it came to that."""

from __future__ import annotations

from sassay.policy.casetest import CaseResult, run_policy_tests
from sassay.policy.catalogue import Preset, list_presets
from sassay.policy.clock import resolve_today
from sassay.policy.evaluate import evaluate
from sassay.policy.explain import explain
from sassay.policy.jsonschema import policy_schema
from sassay.policy.loader import load_policy, parse_policy
from sassay.policy.schema import Policy
from sassay.policy.waivers import lint_part, waivers_in_use

__all__ = [
    "CaseResult",
    "Policy",
    "Preset",
    "evaluate",
    "explain",
    "lint_part",
    "list_presets",
    "load_policy",
    "parse_policy",
    "policy_schema",
    "resolve_today",
    "run_policy_tests",
    "waivers_in_use",
]
