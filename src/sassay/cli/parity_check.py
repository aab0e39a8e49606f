"""Parity contracts as findings, so that every format of findings can carry them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sassay.model.artifact import SourceLocation
from sassay.model.finding import Check, Finding, Outcome, RuleOutcome
from sassay.report.parity_words import labels_text, mismatch_lines, race_lines

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sassay.model.parity import CaseResult, ContractResult, ParityReport

_CASES = 5
_REASONS = {
    "identical": "are not identical",
    "bitwise": "do not give the same bits",
    "close": "are not as close as claimed",
}
_WHY = {Outcome.FIRED: "broken", Outcome.QUIET: "holds"}


def parity_check(
    report: ParityReport, folders: Sequence[Path] = (), top: Path | None = None
) -> Check:
    """The judgement of a contract file: one rule a contract, one finding for each broken one.

    Args:
        report: What was found.
        folders: Absolute, where sources lie that kernels name relative to their manifest.
        top: The repository, to which paths become relative; None leaves them as they are.
    """
    findings = tuple(
        _finding(each, folders, top) for each in report.contracts if each.outcome == "broken"
    )
    return Check(
        verdict=report.verdict,
        findings=tuple(sorted(findings, key=lambda each: (each.effect.value, each.rule))),
        rules=tuple(_outcome(each) for each in report.contracts),
        states=(),
        policy=report.file,
    )


def _outcome(contract: ContractResult) -> RuleOutcome:
    bad = [each for each in contract.cases if each.outcome != "holds"]
    if contract.outcome == "unknown":
        why = "; ".join(dict.fromkeys(f"{each.case}: {each.why}" for each in bad[:_CASES]))
        return RuleOutcome(contract.contract, Outcome.UNKNOWN, why or "no case", contract.effect)
    outcome = Outcome.FIRED if contract.outcome == "broken" else Outcome.QUIET
    number = len(bad) or len(contract.cases)
    why = f"{contract.claim} {_WHY[outcome]} in {number} {'case' if number == 1 else 'cases'}"
    why = "; ".join(part for part in (why, labels_text(contract)) if part)
    return RuleOutcome(contract.contract, outcome, why, contract.effect)


def _below(place: SourceLocation, folders: Sequence[Path], top: Path | None) -> SourceLocation:
    """A place with its path from the top of the repository, where its file is found there."""
    for folder in folders:
        file = folder / place.file
        if top is not None and file.is_file() and file.resolve().is_relative_to(top):
            return SourceLocation(file.resolve().relative_to(top).as_posix(), place.line)
    return place


def _finding(contract: ContractResult, folders: Sequence[Path], top: Path | None) -> Finding:
    bad = [each for each in contract.cases if each.outcome == "broken"]
    named = f"{contract.contract}\0{contract.claim}\0{contract.left}\0{contract.right}"
    places = {
        place
        for case in bad
        if case.mismatch is not None and case.mismatch.parting is not None
        for place in (
            case.mismatch.parting.right_location, case.mismatch.parting.left_location,
        )
        if place is not None
    }  # fmt: skip
    for case in bad:
        places |= {
            access.location
            for race in case.races
            for access in (race.first, race.second)
            if race.kind == "race" and access.location is not None
        }
    return Finding(
        id=hashlib.sha256(named.encode()).hexdigest()[:12],
        rule=contract.contract,
        effect=contract.effect,
        reason=f"{contract.left} and {contract.right} {_REASONS[contract.claim]}",
        family=contract.right,
        arch=contract.arch,
        kernels=(),
        count=sum(case.mismatch.count for case in bad if case.mismatch is not None),
        details=(*(line for case in bad[:_CASES] for line in _lines(case)), *_labels(contract)),
        source_lines=tuple(sorted(_below(each, folders, top) for each in places)),
    )


def _labels(contract: ContractResult) -> tuple[str, ...]:
    words = labels_text(contract)
    return (f"values: {words}",) if words else ()


def _lines(case: CaseResult) -> list[str]:
    lines = [f"{case.case}: {case.why}"]
    lines += [line for race in case.races if race.kind == "race" for line in race_lines(race)]
    if case.mismatch is not None:
        lines += mismatch_lines(case.mismatch)
    return lines
