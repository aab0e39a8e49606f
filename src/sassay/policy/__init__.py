"""Rules, waivers and presets: judges states and their diff, and says how it came to that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.lazy import export

if TYPE_CHECKING:
    from sassay.policy.casetest import CaseResult as CaseResult
    from sassay.policy.casetest import run_policy_tests as run_policy_tests
    from sassay.policy.catalogue import Preset as Preset
    from sassay.policy.catalogue import list_presets as list_presets
    from sassay.policy.clock import resolve_today as resolve_today
    from sassay.policy.evaluate import evaluate as evaluate
    from sassay.policy.explain import explain as explain
    from sassay.policy.jsonschema import policy_schema as policy_schema
    from sassay.policy.loader import load_policy as load_policy
    from sassay.policy.loader import parse_policy as parse_policy
    from sassay.policy.schema import Policy as Policy
    from sassay.policy.waivers import lint_part as lint_part
    from sassay.policy.waivers import waivers_in_use as waivers_in_use

export(
    __name__,
    {
        ".casetest": "CaseResult run_policy_tests",
        ".catalogue": "Preset list_presets",
        ".clock": "resolve_today",
        ".evaluate": "evaluate",
        ".explain": "explain",
        ".jsonschema": "policy_schema",
        ".loader": "load_policy parse_policy",
        ".schema": "Policy",
        ".waivers": "lint_part waivers_in_use",
    },
)
