"""Waivers: findings that do not count for a while, and what to say once they have expired."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from sassay.model.finding import Effect, Finding, Waived
from sassay.model.lint_rules import LINT_RULES
from sassay.model.state import Diagnostic, Level
from sassay.policy.fingerprint import fingerprint
from sassay.policy.globs import matches
from sassay.policy.loader import EXPIRED_WAIVER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.policy import schema


def lint_part(policy: schema.Policy) -> schema.Policy:
    """A policy without its own rules, and with those waivers alone that cover lint rules.

    Args:
        policy: The policy.
    """
    own = [rule.id for rule in policy.rules]
    waivers = tuple(
        waiver
        for waiver in policy.waivers
        if any(matches(waiver.rule, name) for name in LINT_RULES)
        or not any(matches(waiver.rule, name) for name in own)
    )
    return msgspec.structs.replace(policy, rules=(), waivers=waivers)


def waivers_in_use(policy: schema.Policy, findings: Sequence[Finding]) -> schema.Policy:
    """A policy with those waivers alone that cover one of the findings.

    Where only a part was judged, a waiver that covers nothing says nothing.

    Args:
        policy: The policy.
        findings: What was judged.
    """
    used = tuple(w for w in policy.waivers if any(covers(w, finding) for finding in findings))
    return msgspec.structs.replace(policy, waivers=used)


class WaiverResult(msgspec.Struct, frozen=True):
    """What waivers made of the findings.

    Attributes:
        findings: The same findings, waived where a waiver holds.
        expired: One finding for each expired waiver.
        notes: Waivers that cover nothing.
    """

    findings: tuple[Finding, ...]
    expired: tuple[Finding, ...]
    notes: tuple[Diagnostic, ...]


def is_expired(waiver: schema.Waiver, today: dt.date) -> bool:
    """Whether the last day of a waiver is over."""
    return today > dt.date.fromisoformat(waiver.expires)


def covers(waiver: schema.Waiver, finding: Finding) -> bool:
    """Whether a waiver is about a finding, expired or not."""
    return (
        matches(waiver.rule, finding.rule)
        and matches(waiver.family, finding.family)
        and matches(waiver.arch, finding.arch)
    )


def apply_waivers(
    waivers: Sequence[schema.Waiver],
    findings: Sequence[Finding],
    *,
    today: dt.date,
    policy: str,
) -> WaiverResult:
    """Waive findings.

    Args:
        waivers: Of the policy.
        findings: Of its rules.
        today: A waiver holds up to and including its last day.
        policy: Name of the policy, for notes.
    """
    waived: list[Finding] = []
    for finding in findings:
        holding = next(
            (w for w in waivers if not is_expired(w, today) and covers(w, finding)), None
        )
        if holding is None:
            waived.append(finding)
            continue
        why = Waived(reason=holding.reason, owner=holding.owner, expires=holding.expires)
        waived.append(msgspec.structs.replace(finding, waived=why))
    expired: list[Finding] = []
    notes: list[Diagnostic] = []
    for waiver in waivers:
        covered = [finding for finding in findings if covers(waiver, finding)]
        if is_expired(waiver, today):
            expired.append(_expired(waiver, covered))
        elif not covered:
            message = f"the waiver of {waiver.rule} for {waiver.family} covers nothing"
            notes.append(Diagnostic(Level.NOTE, f"{policy}: line {waiver.line}", message))
    return WaiverResult(tuple(waived), tuple(expired), tuple(notes))


def _expired(waiver: schema.Waiver, covered: Sequence[Finding]) -> Finding:
    again = len(covered)
    return Finding(
        id=fingerprint(f"{EXPIRED_WAIVER}/{waiver.rule}", waiver.family, waiver.arch, None),
        rule=EXPIRED_WAIVER,
        effect=Effect.REVIEW,
        reason=f"The waiver of {waiver.rule} by {waiver.owner} expired on {waiver.expires}: "
        f"{waiver.reason}",
        family=waiver.family,
        arch=waiver.arch,
        kernels=tuple(dict.fromkeys(kernel for finding in covered for kernel in finding.kernels)),
        count=again,
        details=tuple(f"counts again: {f.rule} on {f.family} ({f.arch})" for f in covered)
        or ("covers nothing any more: remove it",),
    )
