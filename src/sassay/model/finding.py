"""A finding: a policy or lint rule that fired, with its evidence; and the verdict over all."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from sassay.model.artifact import SourceLocation
from sassay.model.change import StateSummary
from sassay.model.state import Diagnostic


class Verdict(StrEnum):
    """What a policy says of the candidate. Precedence: FAIL, UNKNOWN, REVIEW, PASS."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    REVIEW = "REVIEW"
    UNKNOWN = "UNKNOWN"
    FAIL = "FAIL"


VERDICT_ORDER: tuple[Verdict, ...] = (Verdict.FAIL, Verdict.UNKNOWN, Verdict.REVIEW, Verdict.PASS)


class Effect(StrEnum):
    """What a rule does when it fires; `pass` records and never overrides."""

    FAIL = "fail"
    REVIEW = "review"
    PASS = "pass"  # noqa: S105 - an effect, not a password


class Outcome(StrEnum):
    """What became of one rule."""

    FIRED = "fired"
    QUIET = "quiet"
    UNKNOWN = "unknown"


class Waived(msgspec.Struct, frozen=True):
    """Why a finding does not count."""

    reason: str
    owner: str
    expires: str


class CodePlace(msgspec.Struct, frozen=True):
    """One instruction that a finding is about, or a kernel as a whole.

    Attributes:
        kernel: Kernel id.
        layer: `ptx` or `sass`; None for the kernel as a whole.
        offset: Line in the PTX module from 1, or byte offset in the SASS section.
        text: The instruction as a person reads it; empty for a kernel.
        message: What is said of it.
        location: Source line that it comes from, or where the kernel is defined.
    """

    kernel: str
    layer: str | None
    offset: int | None
    text: str
    message: str
    location: SourceLocation | None = None


class Finding(msgspec.Struct, frozen=True):
    """A rule that fired on one family and architecture.

    Attributes:
        id: Stable fingerprint of rule, family, architecture and layer; equal on every machine
            and from run to run.
        effect: What it asks for.
        count: Matched instructions in the candidate, or kernels where the rule has no
            instruction condition.
        layer: `ptx` or `sass` where an instruction condition matched in one layer.
        kernels: Kernel ids, candidate's first.
        matches: Matched opcodes and their counts in the candidate.
        changes: Ids of the changes that it rests on.
        details: Lines that a reader opens: what moved, against which baseline.
        source_lines: Lines that moved what the rule counts, largest movement first, then where the
            kernels are defined.
        waived: None where it counts.
        requires: Evidence that would settle it and is not attached.
        places: Instructions that a lint rule names; `count` holds all, this the first of them.
    """

    id: str
    rule: str
    effect: Effect
    reason: str
    family: str
    arch: str
    kernels: tuple[str, ...]
    count: int
    layer: str | None = None
    matches: Mapping[str, int] = {}
    changes: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    source_lines: tuple[SourceLocation, ...] = ()
    waived: Waived | None = None
    requires: tuple[str, ...] = ()
    places: tuple[CodePlace, ...] = ()


class RuleOutcome(msgspec.Struct, frozen=True):
    """What became of one rule of the policy, with a reason in words."""

    rule: str
    outcome: Outcome
    why: str
    effect: Effect = Effect.REVIEW


class Judged(msgspec.Struct, frozen=True):
    """What a wing judged: a policy's waivers and its verdict cover it like its own rules.

    Attributes:
        findings: None is waived.
        rules: What became of each rule that ran.
        diagnostics: What kept something from being read.
    """

    findings: tuple[Finding, ...] = ()
    rules: tuple[RuleOutcome, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


class Check(msgspec.Struct, frozen=True):
    """A policy's judgement of one candidate.

    Attributes:
        verdict: Over all findings that count.
        findings: Sorted by effect (worst first), rule, family, architecture, layer.
        policy: Name or path of the policy.
        rendering: The policy's default rendering: `delta`, `full` or `summary`.
    """

    verdict: Verdict
    findings: tuple[Finding, ...]
    rules: tuple[RuleOutcome, ...]
    states: tuple[StateSummary, ...]
    diagnostics: tuple[Diagnostic, ...] = ()
    policy: str = ""
    rendering: str = "delta"
