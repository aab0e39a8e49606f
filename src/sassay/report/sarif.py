"""SARIF 2.1.0 for code scanning: findings at the source lines of their kernels.

A finding without a source line has no place in SARIF and is left to the other formats; how many
there are is said in a notification. GitHub shows at most 5,000 results of a run, so no more are
written. Sections of the specification are named where a field follows one.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from sassay.errors import UsageError
from sassay.model.finding import Effect, Outcome
from sassay.model.lint_rules import LINT_TITLES
from sassay.model.state import SOURCE_FOLDER
from sassay.report.names import plain, portable_path

if TYPE_CHECKING:
    from sassay.model.artifact import SourceLocation
    from sassay.model.finding import Check, Finding
    from sassay.report.bundle import Report

MAX_RESULTS = 5_000
"""Results of a run that GitHub keeps."""
_LEVELS = {Effect.FAIL: "error", Effect.REVIEW: "warning", Effect.PASS: "note"}
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


@dataclass(frozen=True)
class _Sources:
    """How paths of line tables become paths of the repository."""

    root: str | None
    folder: str | None

    def path(self, file: str) -> str:
        """Relative to the repository, as far as that is known."""
        found = portable_path(file, self.root)
        # Manifests write paths relative to their own root.
        relative = self.folder is not None and not file.startswith(("/", ".."))
        return portable_path(f"{self.folder}/{found}") if relative else found


def render(report: Report) -> str:
    """The judgement as SARIF.

    Args:
        report: With a check; `options.source_root` makes paths relative to a checkout.

    Raises:
        UsageError: Nothing was judged.
    """
    check = report.check
    if check is None:
        raise UsageError("SARIF reports the findings of a policy", hint="use check, or --policy")
    log = {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [_run(check, report.options.source_root)],
    }
    return json.dumps(log, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def _run(check: Check, root: str | None) -> dict[str, Any]:
    placed = [finding for finding in check.findings if finding.source_lines]
    spots = [(finding, spot) for finding in placed for spot in _spots(finding)]
    rules = _rules(check)
    index = {rule["id"]: number for number, rule in enumerate(rules)}
    folder = check.states[-1].environment.get(SOURCE_FOLDER) if check.states else None
    sources = _Sources(root, str(folder) if folder else None)
    results = [_result(finding, spot, index, sources) for finding, spot in spots[:MAX_RESULTS]]
    driver: dict[str, Any] = {"name": "sassay", "rules": rules}
    version = check.states[-1].tools.get("sassay") if check.states else None
    if version:
        driver["version"] = plain(version)
    return {
        "tool": {"driver": driver},
        # 3.20: what kept the run from judging is a notification of its invocation.
        "invocations": [
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": _notes(check, len(placed), len(spots)),
            }
        ],
        "columnKind": "unicodeCodePoints",
        "results": results,
        "properties": {"verdict": check.verdict.value},
    }


def _rules(check: Check) -> list[dict[str, Any]]:
    reasons: dict[str, tuple[str, Effect]] = {}
    for outcome in check.rules:
        reasons[outcome.rule] = (LINT_TITLES.get(outcome.rule, ""), outcome.effect)
    for finding in check.findings:
        if not reasons.get(finding.rule, ("", finding.effect))[0]:
            reasons[finding.rule] = (finding.reason, finding.effect)
    return [
        {
            "id": plain(rule),
            "shortDescription": {"text": plain(reason or rule)},
            "defaultConfiguration": {"level": _LEVELS[effect]},
            **(_help(rule) if rule in LINT_TITLES else {}),
        }
        for rule, (reason, effect) in sorted(reasons.items())
    ]


def _help(rule: str) -> dict[str, Any]:
    """Where the page of a lint rule lies: relative to the documents of sassay."""
    return {
        "helpUri": f"docs/rules/{rule}.md",
        "help": {"text": f"`sassay lint --explain {rule}` prints the rule's page."},
    }


class _Spot(NamedTuple):
    """One result of a finding: what it says, where, and what makes it the same from run to run."""

    message: str
    places: tuple[SourceLocation, ...]
    fingerprint: str


def _spots(finding: Finding) -> list[_Spot]:
    """One for a policy's rule; for a lint rule one for each source line and thing said of it."""
    groups: Counter[tuple[SourceLocation, str]] = Counter()
    for place in finding.places:
        if place.location is not None:
            groups[place.location, place.message] += 1
    if not groups:
        return [_Spot(_message(finding), finding.source_lines, finding.id)]
    turns: Counter[str] = Counter()
    found = []
    for (location, said), count in sorted(groups.items()):
        turns[said] += 1
        # Lines move, so what is said and its turn tell one result from the next.
        name = f"{finding.id} {turns[said]} {said}"
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        times = f" ({count} instructions)" if count > 1 else ""
        parts = [f"{finding.family} [{finding.arch}]: {said}{times}", finding.reason]
        found.append(_Spot(_text(parts), (location,), digest))
    return found


def _result(
    finding: Finding, spot: _Spot, index: dict[str, int], sources: _Sources
) -> dict[str, Any]:
    rule = plain(finding.rule)
    result: dict[str, Any] = {
        "ruleId": rule,
        "ruleIndex": index[rule],
        "level": _LEVELS[finding.effect],
        "message": {"text": spot.message},
        "locations": [_location(finding, spot.places[0], sources)],
        "partialFingerprints": {"sassayFinding/v1": spot.fingerprint},
    }
    if len(spot.places) > 1:
        result["relatedLocations"] = [
            _location(finding, place, sources) for place in spot.places[1:20]
        ]
    if finding.waived is not None:
        waived = finding.waived
        why = f"{waived.reason} ({waived.owner}, until {waived.expires})"
        result["suppressions"] = [
            {"kind": "external", "status": "accepted", "justification": plain(why)}
        ]
    return result


def _message(finding: Finding) -> str:
    parts = [f"{finding.family} [{finding.arch}]: {finding.reason}"]
    if finding.matches:
        shown = ", ".join(f"{name} {count}" for name, count in sorted(finding.matches.items())[:8])
        parts.append(f"{finding.layer or 'count'} {finding.count}: {shown}")
    parts += finding.details[:4]
    return _text(parts)


def _text(parts: list[str]) -> str:
    # 3.11.5: `{0}` and `[text](1)` in a message have meanings; names are no such thing.
    text = ". ".join(plain(part).rstrip(".") for part in parts)
    for special in "\\[]{}":
        text = text.replace(special, f"\\{special}" if special in "\\[]" else special * 2)
    return text


def _location(finding: Finding, place: SourceLocation, sources: _Sources) -> dict[str, Any]:
    return {
        "physicalLocation": {
            "artifactLocation": {
                "uri": quote(sources.path(place.file), safe="/"),
                "uriBaseId": "%SRCROOT%",
            },
            "region": {"startLine": max(1, place.line)},
        },
        "logicalLocations": [{"fullyQualifiedName": plain(finding.family), "kind": "function"}],
    }


def _notes(check: Check, placed: int, results: int) -> list[dict[str, Any]]:
    notes = [
        _note("warning", f"Rule {rule.rule} could not judge: {rule.why}")
        for rule in check.rules
        if rule.outcome is Outcome.UNKNOWN
    ]
    notes += [
        _note(item.level.value, f"{item.place}: {item.message}") for item in check.diagnostics
    ]
    homeless = len(check.findings) - placed
    if homeless:
        notes.append(_note("note", f"{homeless} findings have no source line; see other formats"))
    if results > MAX_RESULTS:
        notes.append(_note("warning", f"{results - MAX_RESULTS} more findings are left out"))
    return notes


def _note(level: str, text: str) -> dict[str, Any]:
    return {"level": level, "message": {"text": plain(text)}}
