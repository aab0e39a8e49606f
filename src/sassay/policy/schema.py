"""What a policy file says, as typed records. Nothing here reads YAML or judges."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from sassay.model.artifact import Scalar
from sassay.model.change import FamilyStatus, KernelStatus
from sassay.model.finding import Effect, Outcome, Verdict
from sassay.model.layers import Layer, Tier


class Rendering(StrEnum):
    """How much a report shows unless the command line says otherwise."""

    DELTA = "delta"
    FULL = "full"
    SUMMARY = "summary"


class IfAbsent(StrEnum):
    """What a rule does where there is nothing to compare with."""

    FIRE = "fire"
    QUIET = "quiet"
    UNKNOWN = "unknown"


class Operator(StrEnum):
    """A comparison; its value is the key that a policy writes."""

    GTE = "gte"
    GT = "gt"
    LTE = "lte"
    LT = "lt"
    EQ = "eq"


class Measure(StrEnum):
    """What a threshold looks at.

    `COUNT` and `VALUE` are the candidate's own; `DELTA` is after minus before, `DELTA_PCT` that in
    percent of before, `RATIO` after divided by before.
    """

    COUNT = "count"
    VALUE = "value"
    DELTA = "delta"
    DELTA_PCT = "delta_pct"
    RATIO = "ratio"


class Comparison(msgspec.Struct, frozen=True):
    """One comparison with a number."""

    operator: Operator
    number: float


class KernelField(StrEnum):
    """Kernel conditions that compare text with globs."""

    FAMILY = "family"
    GROUP = "group"
    KERNEL = "kernel"
    ARCH = "arch"
    SOURCE = "source"


class KernelGlob(msgspec.Struct, frozen=True, tag=True):
    """Kernels with a name, architecture, source or group that any pattern matches."""

    field: KernelField
    patterns: tuple[str, ...]


class FamilyStatusIs(msgspec.Struct, frozen=True, tag=True):
    """Kernels whose family came, went, grew, shrank, changed in place, or stayed."""

    statuses: tuple[FamilyStatus, ...]


class KernelStatusIs(msgspec.Struct, frozen=True, tag=True):
    """Kernels that themselves came, went, changed or stayed."""

    statuses: tuple[KernelStatus, ...]


class TierIs(msgspec.Struct, frozen=True, tag=True):
    """Kernels whose change is of one of these tiers."""

    tiers: tuple[Tier, ...]


class ResourceTest(msgspec.Struct, frozen=True):
    """Comparisons of one resource of one kernel; all of them must hold.

    Attributes:
        name: Such as `registers`; see `resources.RESOURCES`.
        measure: The candidate's value, or how it moved in a matched pair of kernels.
    """

    name: str
    measure: Measure
    comparisons: tuple[Comparison, ...]


class ResourceIs(msgspec.Struct, frozen=True, tag=True):
    """Kernels whose resources pass every test."""

    tests: tuple[ResourceTest, ...]


class FactIs(msgspec.Struct, frozen=True, tag=True):
    """Kernels with a fact: any value, a value that a pattern or number equals, or a comparison.

    Attributes:
        values: Globs for text, numbers and booleans compared as they are; empty: any value.
        comparisons: All must hold, for facts that are numbers.
        changed: Whether the value is another one than in the matched kernel; None: never mind.
    """

    name: str
    values: tuple[Scalar, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    changed: bool | None = None


class PtxFallback(StrEnum):
    """What a rule about architectures makes of PTX that stands alone.

    `OPTIONAL`: nothing. `ACCEPTED`: it stands for an architecture that it can be compiled for.
    `REQUIRED`: every family must have some.
    """

    OPTIONAL = "optional"
    ACCEPTED = "accepted"
    REQUIRED = "required"


class CoverageLacks(msgspec.Struct, frozen=True, tag=True):
    """Families that lack code for one of these architectures (globs), or the PTX fallback."""

    archs: tuple[str, ...] = ()
    ptx: PtxFallback = PtxFallback.OPTIONAL


class OperationIs(msgspec.Struct, frozen=True, tag=True):
    """Instructions whose opcode any pattern matches."""

    patterns: tuple[str, ...]


class LayerIs(msgspec.Struct, frozen=True, tag=True):
    """Instructions of these layers."""

    layers: tuple[Layer, ...]


class CategoryIs(msgspec.Struct, frozen=True, tag=True):
    """Instructions of these categories."""

    categories: tuple[str, ...]


class AllOf(msgspec.Struct, frozen=True, tag=True):
    """What every condition selects; without any condition, everything."""

    items: tuple[Condition, ...]


class AnyOf(msgspec.Struct, frozen=True, tag=True):
    """What at least one condition selects; an instruction counts once."""

    items: tuple[Condition, ...]


class NoneOf(msgspec.Struct, frozen=True, tag=True):
    """Kernels for which the condition selects nothing."""

    item: Condition


class Without(msgspec.Struct, frozen=True, tag=True):
    """What the base selects and the excluded condition does not."""

    base: Condition
    excluded: Condition


Condition = (
    KernelGlob
    | FamilyStatusIs
    | KernelStatusIs
    | TierIs
    | ResourceIs
    | FactIs
    | CoverageLacks
    | OperationIs
    | LayerIs
    | CategoryIs
    | AllOf
    | AnyOf
    | NoneOf
    | Without
)


class Threshold(msgspec.Struct, frozen=True):
    """Comparisons of one measure of the counted instructions (or kernels); all must hold."""

    measure: Measure
    comparisons: tuple[Comparison, ...]


class When(msgspec.Struct, frozen=True):
    """When a selection makes a rule fire: everything in it must hold.

    Attributes:
        thresholds: On the sum over a family.
        resources: At least one selected kernel of the family passes every test.
        any: At least one of these alternatives holds; empty: no such demand.
    """

    thresholds: tuple[Threshold, ...] = ()
    resources: tuple[ResourceTest, ...] = ()
    any: tuple[When, ...] = ()


class Rule(msgspec.Struct, frozen=True):
    """One rule.

    Attributes:
        match: What it selects, `exclude` included.
        when: None: fires on what is selected; without an instruction condition, on families that
            moved.
        requires: Evidence that settles a finding once it is attached to the candidate.
        line: Where it stands in the file, from 1.
    """

    id: str
    effect: Effect
    reason: str
    match: Condition
    when: When | None = None
    if_absent: IfAbsent = IfAbsent.UNKNOWN
    requires: tuple[str, ...] = ()
    description: str = ""
    line: int = 0


class Waiver(msgspec.Struct, frozen=True):
    """Findings that do not count for a while.

    Attributes:
        rule: Rule id, or a glob over them.
        family: Glob over families.
        arch: Glob over architectures.
        expires: Last day on which it holds, `YYYY-MM-DD`.
    """

    rule: str
    family: str
    reason: str
    owner: str
    expires: str
    arch: str = "*"
    line: int = 0


class LintRule(msgspec.Struct, frozen=True):
    """What a policy sets of one lint rule.

    Attributes:
        rule: The lint rule's name.
        settings: By name, `level` among them; the rule knows which there are.
        line: Where it stands in the file, from 1.
    """

    rule: str
    settings: Mapping[str, str | int | bool]
    line: int = 0


class CaseKernel(msgspec.Struct, frozen=True):
    """One kernel of an example case; everything but the family has a default.

    Attributes:
        name: Tells instances of one family apart and pairs them between the states.
        copies: That many equal instances.
        tier: Tier of its change, where the case is about tiers; None: told from the censuses.
    """

    family: str
    name: str
    symbol: str
    arch: str = "sm_90"
    copies: int = 1
    source: str | None = None
    ptx: Mapping[str, int] | None = None
    sass: Mapping[str, int] | None = None
    resources: Mapping[str, int] = {}
    metadata: Mapping[str, Scalar] = {}
    facts: Mapping[str, str | int | float | bool] = {}
    tier: Tier | None = None


class CaseMissing(msgspec.Struct, frozen=True):
    """Something that a case's state could not read."""

    place: str
    message: str
    arch: str | None = None
    layer: Layer | None = None


class CaseState(msgspec.Struct, frozen=True):
    """One inline state of an example case."""

    label: str
    kernels: tuple[CaseKernel, ...]
    evidence: Mapping[str, Scalar] = {}
    missing: tuple[CaseMissing, ...] = ()


class ExpectedFinding(msgspec.Struct, frozen=True):
    """What a case says of one finding; None is not looked at."""

    rule: str
    family: str | None = None
    arch: str | None = None
    layer: Layer | None = None
    count: int | None = None
    waived: bool | None = None


class Expectation(msgspec.Struct, frozen=True):
    """What a case expects; None is not looked at, an empty tuple means no finding at all."""

    verdict: Verdict | None = None
    findings: tuple[ExpectedFinding, ...] | None = None
    rules: Mapping[str, Outcome] = {}


class TestCase(msgspec.Struct, frozen=True):
    """One example case of a policy: small states and the judgement that they must get."""

    __test__ = False  # pytest must not collect it

    name: str
    states: tuple[CaseState, ...]
    expect: Expectation
    today: str = "2026-01-01"
    line: int = 0


class Policy(msgspec.Struct, frozen=True):
    """A policy.

    Attributes:
        name: Preset name or file name, as reports print it.
        groups: Group name to family globs.
        lint: What it sets of lint rules; None where it has no such section.
    """

    name: str
    rules: tuple[Rule, ...]
    rendering: Rendering = Rendering.DELTA
    groups: Mapping[str, tuple[str, ...]] = {}
    waivers: tuple[Waiver, ...] = ()
    tests: tuple[TestCase, ...] = ()
    description: str = ""
    lint: tuple[LintRule, ...] | None = None
