"""JUnit XML: one test case for each rule and family that it fired on.

There is no standard; this follows what Jenkins, GitLab and GitHub's reporters read in common:
`testsuites/testsuite/testcase` with `failure`, `error` or `skipped`. A finding of effect `fail`
or `review` is a failure whose `type` is the effect, a waived one is skipped, an unknown rule is
an error, and quiet rules and findings of effect `pass` pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from sassay.errors import UsageError
from sassay.model.finding import Effect, Outcome
from sassay.report.names import location_text, plain
from sassay.report.select import labels

if TYPE_CHECKING:
    from sassay.model.finding import Finding, RuleOutcome
    from sassay.report.bundle import Report


def render(report: Report) -> str:
    """The judgement as JUnit XML.

    Args:
        report: With a check.

    Raises:
        UsageError: Nothing was judged.
    """
    check = report.check
    if check is None:
        raise UsageError("JUnit reports the findings of a policy", hint="use check, or --policy")
    cases: list[Element] = []
    for rule in check.rules:
        mine = [finding for finding in check.findings if finding.rule == rule.rule]
        cases += [_finding(finding) for finding in mine]
        if rule.outcome is Outcome.UNKNOWN:
            cases.append(_unknown(rule))
        elif not mine:
            cases.append(_case(rule.rule, "all families") if check.states else _held(rule))
    known = {rule.rule for rule in check.rules}
    # Findings that no rule of the policy names, such as an expired waiver's.
    cases += [_finding(finding) for finding in check.findings if finding.rule not in known]
    totals = {
        "tests": len(cases),
        "failures": sum(case.find("failure") is not None for case in cases),
        "errors": sum(case.find("error") is not None for case in cases),
        "skipped": sum(case.find("skipped") is not None for case in cases),
    }
    counts = {name: str(number) for name, number in totals.items()}
    root = Element("testsuites", {"name": "sassay", **counts, "time": "0"})
    suite = SubElement(
        root, "testsuite", {"name": plain(check.policy or "sassay"), **counts, "time": "0"}
    )
    properties = SubElement(suite, "properties")
    for name, value in (
        ("verdict", check.verdict.value),
        ("states", ", ".join(labels(report))),
    ):
        SubElement(properties, "property", {"name": name, "value": plain(value)})
    suite.extend(cases)
    indent(root)
    text = tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _case(rule: str, name: str) -> Element:
    attributes = {"classname": plain(rule), "name": plain(name), "time": "0"}
    return Element("testcase", attributes)


def _finding(finding: Finding) -> Element:
    layer = f" ({finding.layer})" if finding.layer else ""
    case = _case(finding.rule, f"{finding.family} [{finding.arch}]{layer}")
    if finding.waived is not None:
        waived = finding.waived
        note = f"waived by {waived.owner} until {waived.expires}: {waived.reason}"
        SubElement(case, "skipped", {"message": plain(note)})
    elif finding.effect is Effect.PASS:
        SubElement(case, "system-out").text = _body(finding)
    else:
        attributes = {"type": finding.effect.value, "message": plain(finding.reason)}
        SubElement(case, "failure", attributes).text = _body(finding)
    return case


def _held(rule: RuleOutcome) -> Element:
    """A contract that holds: no states are compared, and what it holds for is worth knowing."""
    case = _case(rule.rule, "all cases")
    SubElement(case, "system-out").text = plain(rule.why)
    return case


def _unknown(rule: RuleOutcome) -> Element:
    case = _case(rule.rule, "could not judge")
    SubElement(case, "error", {"type": "unknown", "message": plain(rule.why)})
    return case


def _body(finding: Finding) -> str:
    lines = [f"count {finding.count}"]
    lines += [f"{opcode} {number}" for opcode, number in sorted(finding.matches.items())]
    lines += list(finding.details)
    lines += [location_text(place) for place in finding.source_lines]
    if finding.requires:
        lines.append(f"stands until attached: {', '.join(finding.requires)}")
    lines.append(f"finding {finding.id}")
    return "\n".join(map(plain, lines))
