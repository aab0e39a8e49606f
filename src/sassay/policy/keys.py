"""Every key that a policy may write, with its description for the loader and for editors."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

POLICY: Mapping[str, str] = {
    "version": "Language version; `v1`.",
    "name": "Name that reports print; the file's name where it is left out.",
    "description": "What the policy is for.",
    "rendering": "How much reports show by default.",
    "groups": "Families that belong together: group name to a list of family globs.",
    "rules": "The rules; every rule is judged, their order means nothing.",
    "lint": "Levels and settings of lint rules; with this section `sassay check` lints as well.",
    "waivers": "Findings that do not count for a while.",
    "tests": "Example cases with the judgement they must get; `sassay policy test` runs them.",
}
RENDERING: Mapping[str, str] = {
    "default": "`delta`: only what moved; `full`: all; `summary`: totals."
}
RULE: Mapping[str, str] = {
    "id": "Name of the rule; unique in the file, letters, digits, `.`, `_` and `-`.",
    "description": "What the rule is about, for readers of the policy.",
    "effect": "What the rule asks for when it fires; `pass` records and never overrides.",
    "reason": "What a reviewer reads in the finding.",
    "match": "What the rule selects: kernels, and instructions in them.",
    "exclude": "What it leaves out of `match`.",
    "when": "Numbers that must hold for the rule to fire.",
    "if_absent": "What the rule does where there is nothing to compare with; UNKNOWN if left out.",
    "requires": "Names of evidence; a finding stands until all of it is attached to the candidate.",
}
CONDITION: Mapping[str, str] = {
    "family": "Glob over the kernel's family.",
    "group": "Name of a group, from `groups` or the command line.",
    "kernel": "Glob over family, symbol or demangled name.",
    "arch": "Glob over the architecture, such as `sm_90a`; `compute_90` is a PTX fallback.",
    "status": "What happened to the kernel's family since the baseline.",
    "kernel_status": "What happened to the kernel itself since the baseline.",
    "tier": "How deep the kernel's change goes.",
    "resource": "Comparisons of the kernel's resources; all must hold.",
    "source": "Glob over the places or the kind of source that the kernel was found in.",
    "fact": "Name of a fact, or a mapping of names to values, comparisons or `changed`.",
    "coverage": "Families that fall short of these architectures; one finding a family.",
    "operation": "Glob over whole opcodes, such as `st.shared.*` or `HMMA.*`.",
    "layer": "`ptx` or `sass`; without it each layer is counted apart.",
    "category": "Category of instructions.",
    "all": "Selects what every condition in the list selects.",
    "any": "Selects what any condition in the list selects; an instruction counts once.",
    "exclude": "Leaves out what this condition selects.",
    "not": "Kernels for which this condition selects nothing.",
}
COMPARE: Mapping[str, str] = {
    "gte": "Greater than or equal.",
    "gt": "Greater than.",
    "lte": "Less than or equal.",
    "lt": "Less than.",
    "eq": "Equal.",
}
MEASURE: Mapping[str, str] = {
    "count": "Selected instructions of the family in the candidate (kernels, if none are named).",
    "delta": "The count in the candidate minus the count in the baseline.",
    "delta_pct": "That difference in percent of the baseline's count.",
    "ratio": "The candidate's count divided by the baseline's.",
}
WHEN: Mapping[str, str] = {
    **MEASURE,
    "resource": "At least one selected kernel of the family passes all of these comparisons.",
    "any": "At least one of these alternatives holds.",
}
RESOURCE: Mapping[str, str] = {
    **COMPARE,
    "delta": "The kernel's value minus that of its counterpart in the baseline.",
    "delta_pct": "That difference in percent of the counterpart's value.",
    "ratio": "The kernel's value divided by its counterpart's.",
}
COVERAGE: Mapping[str, str] = {
    "archs": "Architectures, or globs such as `sm_90*`, that each family must have code for.",
    "ptx": "`optional`: PTX does not count; `accepted`: it stands for newer architectures; "
    "`required`: each family must have some.",
}
FACT: Mapping[str, str] = {
    "changed": "Whether the fact has another value than in the kernel that it was matched with.",
}
WAIVER: Mapping[str, str] = {
    "rule": "Id of the rule, or a glob over ids.",
    "family": "Glob over families.",
    "arch": "Glob over architectures; all if left out.",
    "reason": "Why the finding is acceptable.",
    "owner": "Who answers for it.",
    "expires": "Last day on which the waiver holds, YYYY-MM-DD.",
}
LINT: Mapping[str, str] = {
    "level": "What the rule's findings ask for; `info` records, `off` does not run it.",
}
TEST: Mapping[str, str] = {
    "name": "Name of the case.",
    "today": "The date on which the case plays, YYYY-MM-DD; 2026-01-01 if left out.",
    "states": "One or more small states, oldest first; the last is the candidate.",
    "expect": "The judgement that the case must get.",
}
STATE: Mapping[str, str] = {
    "label": "Name of the state; `before` and `after`, or `state1`, `state2`, ... if left out.",
    "kernels": "The kernels of the state.",
    "evidence": "Attached evidence: name to value.",
    "missing": "What the state could not read.",
}
MISSING: Mapping[str, str] = {
    "place": "The file or place.",
    "message": "What went wrong.",
    "arch": "The architecture whose kernels lack evidence; any if left out.",
    "layer": "The layer that lacks evidence; the kernels themselves if left out.",
}
KERNEL: Mapping[str, str] = {
    "family": "Family of the kernel.",
    "name": "Name of this instance; pairs it between states. The family's name if left out.",
    "symbol": "Symbol; the name if left out.",
    "arch": "Architecture; `sm_90` if left out.",
    "copies": "That many equal instances; 1 if left out.",
    "source": "Path at which it was found.",
    "ptx": "Opcode to count; a layer that is left out is not known.",
    "sass": "Opcode to count; a layer that is left out is not known.",
    "resources": "Resource to value; what is left out is not known.",
    "metadata": "Launch-relevant metadata; another value makes the kernel a changed one.",
    "facts": "Fact to value.",
    "tier": "Tier of its change from the state before.",
}
EXPECT: Mapping[str, str] = {
    "verdict": "The verdict.",
    "findings": "Exactly the findings, in any order; an empty list means none.",
    "rules": "Rule id to its outcome.",
}
FINDING: Mapping[str, str] = {
    "rule": "Rule id.",
    "family": "Family.",
    "arch": "Architecture.",
    "layer": "Layer.",
    "count": "Count.",
    "waived": "Whether a waiver covers it.",
}
