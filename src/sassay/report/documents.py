"""The JSON documents, typed: what `sassay schema NAME` describes and `json` writes.

Each field is a record of `model/` or plain data. `omitted` says how many entries of which list
`--summary` or `--limit` left out, so that a narrowed document is never mistaken for a whole one.
A summary keeps every list that says what moved, and leaves the tables of its rows null
(`families.tables` in `omitted`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from sassay.model.artifact import Scalar, SourceLocation
from sassay.model.change import (
    Change,
    CodeDiff,
    Comparability,
    FamilyRow,
    Migration,
    Pair,
    StateSummary,
    Suspect,
)
from sassay.model.finding import Finding, RuleOutcome, Verdict
from sassay.model.kernel import Function, Kernel
from sassay.model.library import Coverage, LibraryReport
from sassay.model.lines import KernelLines
from sassay.model.parity import ParityReport, ProbeReport
from sassay.model.state import Diagnostic, Evidence


class ListingEntry(msgspec.Struct, frozen=True):
    """One instruction of a listing.

    Attributes:
        offset: Byte offset in the code section (SASS) or line of the text (PTX).
        text: The instruction.
        location: The source line that it comes from, where the code names one.
        ptx_line: SASS: the line of the PTX module that it comes from, where the cubin tells.
    """

    offset: int
    text: str
    location: SourceLocation | None
    ptx_line: int | None


class ListingDocument(msgspec.Struct, frozen=True):
    """The code of one kernel in one layer.

    Attributes:
        kernel: Kernel id.
        layer: `ptx` or `sass`.
        lines: The instructions in order.
    """

    kernel: str
    layer: str
    lines: tuple[ListingEntry, ...]


class StateDocument(msgspec.Struct, frozen=True):
    """One state: all kernels of one build or run (`sassay show --format json`).

    Attributes:
        schema: Name and version of this document.
        label: The state's name in reports.
        environment: What the run says of itself, flat.
        evidence: Attached measurements by name.
        tools: Versions of what read the state.
        counts: What was seen and left out while the state was read.
        kernels: Sorted by family, architecture, name and id.
        functions: Device functions with code sections of their own; no kernel counts them.
        listing: The code of the kernel that was asked for; null without one.
        lines: What each source line of that kernel became; null where it was not asked for.
        coverage: Which families exist for which architecture; null where one kernel is shown.
        diagnostics: What kept sassay from reading something, or what a reader should know.
        omitted: Entries left out of this document, by list.
    """

    schema: Literal["state/1"]
    label: str
    environment: Mapping[str, Scalar]
    evidence: Mapping[str, Evidence]
    tools: Mapping[str, str]
    counts: Mapping[str, int]
    kernels: tuple[Kernel, ...]
    functions: tuple[Function, ...]
    listing: ListingDocument | None
    lines: KernelLines | None
    coverage: Coverage | None
    diagnostics: tuple[Diagnostic, ...]
    omitted: Mapping[str, int]


class DiffDocument(msgspec.Struct, frozen=True):
    """Two or more states compared, oldest first (`sassay diff --format json`).

    Attributes:
        schema: Name and version of this document.
        verdict: The policy's verdict; null without a policy.
        states: What each state holds.
        comparability: What makes the states hard to compare.
        pairs: Kernel counts of each pair of states.
        families: Each family of each architecture; lists hold one entry a state.
        groups: The same rows for groups of families that a person named.
        changes: Kernels that changed; unchanged ones with `--all` only.
        code: Aligned code, where it was asked for.
        suspects: Families ranked by how much their numerical execution moved.
        migrations: With `--across-arch`: which families moved to the newer paths.
        findings: Policy rules that fired; empty without a policy.
        rules: What became of each rule of the policy; empty without a policy.
        libraries: Shared objects, architectures and largest movers; empty lists without a library.
        next_steps: What to look at next.
        diagnostics: Of all states and of the comparison.
        omitted: Entries left out of this document, by list.
    """

    schema: Literal["diff/1"]
    verdict: Verdict | None
    states: tuple[StateSummary, ...]
    comparability: tuple[Comparability, ...]
    pairs: tuple[Pair, ...]
    families: tuple[FamilyRow, ...]
    groups: tuple[FamilyRow, ...]
    changes: tuple[Change, ...]
    code: tuple[CodeDiff, ...]
    suspects: tuple[Suspect, ...]
    migrations: tuple[Migration, ...]
    findings: tuple[Finding, ...]
    rules: tuple[RuleOutcome, ...]
    libraries: LibraryReport
    next_steps: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]
    omitted: Mapping[str, int]


class CheckDocument(msgspec.Struct, frozen=True):
    """A policy's judgement of the last state (`sassay check --format json`).

    Attributes:
        schema: Name and version of this document.
        verdict: FAIL, UNKNOWN, REVIEW or PASS; the first of these that holds.
        policy: Name or path of the policy.
        rendering: The policy's default rendering.
        findings: Rules that fired, worst first; waived ones are listed and do not count.
        rules: What became of each rule, and why.
        states: What each state holds; the last is the candidate.
        comparability: What makes the states hard to compare; empty for a single state.
        pairs: Kernel counts of each pair of states; empty for a single state.
        changes: The changes that findings name by id.
        diagnostics: Of all states and of the policy.
        omitted: Entries left out of this document, by list.
    """

    schema: Literal["check/1"]
    verdict: Verdict
    policy: str
    rendering: str
    findings: tuple[Finding, ...]
    rules: tuple[RuleOutcome, ...]
    states: tuple[StateSummary, ...]
    comparability: tuple[Comparability, ...]
    pairs: tuple[Pair, ...]
    changes: tuple[Change, ...]
    diagnostics: tuple[Diagnostic, ...]
    omitted: Mapping[str, int]


class CodeDocument(msgspec.Struct, frozen=True):
    """Aligned code of kernels, only the regions that differ (`sassay diff --kernel`).

    Attributes:
        schema: Name and version of this document.
        states: What each state holds; empty where the states were not compared.
        code: One entry for each pair of kernels and layer.
        omitted: Entries left out of this document, by list.
    """

    schema: Literal["code/1"]
    states: tuple[StateSummary, ...]
    code: tuple[CodeDiff, ...]
    omitted: Mapping[str, int]


class MatchedInstruction(msgspec.Struct, frozen=True):
    """An instruction of the candidate that a finding rests on.

    Attributes:
        kernel: Kernel id.
        layer: `ptx` or `sass`.
        offset: Byte offset in the code section (SASS) or line of the text (PTX).
        opcode: Its opcode.
        text: The instruction.
        location: The source line that it comes from, where the code names one.
    """

    kernel: str
    layer: str
    offset: int
    opcode: str
    text: str
    location: str | None


class ExplainDocument(msgspec.Struct, frozen=True):
    """Everything that a finding rests on (`sassay explain --format json`).

    Attributes:
        schema: Name and version of this document.
        finding: The finding.
        steps: Why the rule fired, in words.
        changes: Changes that it rests on.
        instructions: Instructions that match; `matched` says how many there are.
        matched: Instructions that match.
        code: Aligned regions of the first changes.
        notes: What could not be read.
        next: Commands that look further.
    """

    schema: Literal["explain/1"]
    finding: Finding
    steps: tuple[str, ...]
    changes: tuple[Change, ...]
    instructions: tuple[MatchedInstruction, ...]
    matched: int
    code: tuple[CodeDiff, ...]
    notes: tuple[str, ...]
    next: tuple[str, ...]


class BisectAnswer(msgspec.Struct, frozen=True):
    """Where one thing turned; places count from 0 in `states`.

    Attributes:
        what: A family, or the condition that was asked about.
        arch: Architecture; null where it is not about a family.
        became: What it became where it turned first.
        last: What it is in the last state.
        first_in: Place of the first state in which it is so; null if it never turned.
        not_yet: Place of the last state before that in which it is not.
        skipped: Places between the two that could not be captured.
        turns: Places at which it turned, of those that were asked.
        monotonic: Whether it turned once.
        asked: Places that were asked.
    """

    what: str
    arch: str | None
    became: str
    last: str
    first_in: int | None
    not_yet: int | None
    skipped: tuple[int, ...]
    turns: tuple[int, ...]
    monotonic: bool
    asked: tuple[int, ...]


class BisectDocument(msgspec.Struct, frozen=True):
    """The first state or commit at which something turned (`sassay bisect --format json`).

    Attributes:
        schema: Name and version of this document.
        states: Labels, oldest first.
        opened: How many of them were looked at.
        failures: Commits that could not be captured, and why.
        answers: One for each thing that was asked about.
    """

    schema: Literal["bisect/1"]
    states: tuple[str, ...]
    opened: int
    failures: Mapping[str, str]
    answers: tuple[BisectAnswer, ...]


Document = (
    StateDocument
    | DiffDocument
    | CheckDocument
    | CodeDocument
    | ExplainDocument
    | BisectDocument
    | ParityReport
    | ProbeReport
)

DOCUMENTS: dict[str, type[Document]] = {
    "bisect/1": BisectDocument,
    "check/1": CheckDocument,
    "code/1": CodeDocument,
    "diff/1": DiffDocument,
    "explain/1": ExplainDocument,
    "parity/1": ParityReport,
    "probe/1": ProbeReport,
    "state/1": StateDocument,
}
