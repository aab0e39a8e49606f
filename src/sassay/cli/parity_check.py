"""Parity contracts as findings, so that every format of findings can carry them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sassay.model.finding import Check, Finding, Outcome, RuleOutcome

if TYPE_CHECKING:
    from sassay.model.parity import CaseResult, ContractResult, Mismatch, ParityReport

_CASES = 5
_WHY = {Outcome.FIRED: "broken", Outcome.QUIET: "holds"}


def parity_check(report: ParityReport) -> Check:
    """The judgement of a contract file: one rule a contract, one finding for each broken one.

    Args:
        report: What was found.
    """
    findings = tuple(_finding(each) for each in report.contracts if each.outcome == "broken")
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
    why = f"{contract.claim} {_WHY[outcome]} in {len(bad) or len(contract.cases)} cases"
    return RuleOutcome(contract.contract, outcome, why, contract.effect)


def _finding(contract: ContractResult) -> Finding:
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
    return Finding(
        id=hashlib.sha256(named.encode()).hexdigest()[:12],
        rule=contract.contract,
        effect=contract.effect,
        reason=f"{contract.left} and {contract.right} are not {contract.claim}",
        family=contract.right,
        arch=contract.arch,
        kernels=(),
        count=sum(case.mismatch.count for case in bad if case.mismatch is not None),
        details=tuple(line for case in bad[:_CASES] for line in _lines(case)),
        source_lines=tuple(sorted(places)),
    )


def _lines(case: CaseResult) -> list[str]:
    lines = [f"{case.case}: {case.why}"]
    if case.mismatch is not None:
        lines += mismatch_lines(case.mismatch)
    return lines


def mismatch_lines(found: Mismatch) -> list[str]:
    """The first difference in a few lines.

    Args:
        found: The difference.
    """
    at = ", ".join(map(str, found.index))
    lines = [f"{found.count} of {found.compared} elements differ, first {found.buffer}[{at}]"]
    if found.left:
        lines.append(f"left {found.left}, right {found.right}")
    if found.parting is not None:
        part = found.parting
        lines.append(f"left computes {part.left} at {part.left_place}".removesuffix(" at "))
        lines.append(f"right computes {part.right} at {part.right_place}".removesuffix(" at "))
    elif found.why_not:
        lines.append(f"not followed further: {found.why_not}")
    return lines
