"""What parity contracts and probes find: records that the command line and its formats share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from sassay.model.artifact import SourceLocation
from sassay.model.finding import Effect, Verdict

ClaimWord = Literal["identical", "bitwise", "close"]
HeldWord = Literal["holds", "broken", "unknown"]
LabelWord = Literal["exact", "modelled", "approximate"]
RaceWord = Literal["race", "same-value", "unused"]


class Parting(msgspec.Struct, frozen=True):
    """Where the computations of one element part.

    Attributes:
        path: Operations that both sides have in common above it, the last one first.
        left: What the left side computes there, in words.
        right: What the right side does.
        left_place: Source line, or line of the module.
        right_place: The same for the right side.
        left_location: The source line, where the module names one.
        right_location: The same for the right side.
    """

    path: tuple[str, ...]
    left: str
    right: str
    left_place: str
    right_place: str
    left_location: SourceLocation | None = None
    right_location: SourceLocation | None = None


class Mismatch(msgspec.Struct, frozen=True):
    """The first element that differs.

    Attributes:
        buffer: Which buffer of the contract.
        index: The element, by dimension.
        left: Its value, as text with its bits; empty where only expressions were compared.
        right: The same on the right side.
        count: How many elements of all buffers differ.
        compared: Of how many.
        parting: Where the computations part; None where they could not be followed.
        why_not: Why they could not be followed; empty where they were.
    """

    buffer: str
    index: tuple[int, ...]
    left: str
    right: str
    count: int
    compared: int
    parting: Parting | None = None
    why_not: str = ""


class RaceAccess(msgspec.Struct, frozen=True):
    """One of two accesses that nothing orders.

    Attributes:
        does: What it does.
        block: Number of the thread's block in the grid.
        thread: Number of the thread in its block.
        instruction: As in the module.
        line: Its line in the module, from 1.
        location: Its line in the source, where the module tells.
    """

    does: Literal["reads", "writes", "updates"]
    block: int
    thread: int
    instruction: str
    line: int
    location: SourceLocation | None


class RaceFound(msgspec.Struct, frozen=True):
    """Two lines of a kernel that touch the same element from threads that nothing orders.

    Attributes:
        kind: `race`; `same-value` where one of them leaves the bytes as they are, `unused` where
            nothing comes of what is read.
        side: `left` or `right`.
        kernel: Which kernel.
        buffer: Which buffer of the contract.
        index: The first element, by dimension.
        first: The access that came first in the machine.
        second: The other.
        count: Accesses that met another like this.
    """

    kind: RaceWord
    side: str
    kernel: str
    buffer: str
    index: tuple[int, ...]
    first: RaceAccess
    second: RaceAccess
    count: int


class CaseResult(msgspec.Struct, frozen=True):
    """One point of a contract's grid.

    Attributes:
        case: Dimensions, types and inputs, as text.
        outcome: Whether the claim holds there.
        why: Why it is broken or not known; empty where it holds.
        compared: Elements that were compared.
        worst: Largest distance of two values that the claim bounds, as text; empty for others.
        label: How far the machine's values can be trusted; empty where none were computed.
        labels: The same for each buffer that is compared.
        forms: Instructions that ran and are not exact, with their label.
        caveats: What the claim does not cover.
        races: Where threads race for a buffer.
        mismatch: The first element that differs.
    """

    case: str
    outcome: HeldWord
    why: str = ""
    compared: int = 0
    worst: str = ""
    label: str = ""
    labels: Mapping[str, LabelWord] = {}
    forms: Mapping[str, LabelWord] = {}
    caveats: tuple[str, ...] = ()
    races: tuple[RaceFound, ...] = ()
    mismatch: Mismatch | None = None


class ContractResult(msgspec.Struct, frozen=True):
    """One contract.

    Attributes:
        contract: Its name.
        claim: What it claims.
        effect: What a broken contract asks for.
        left: Kernels of the left side.
        right: Kernels of the right side.
        arch: Their architectures.
        outcome: Broken if any case is, else unknown if any case is.
        required: The label that every compared buffer must have, or a better one; empty for any.
        labels: The worst label of each compared buffer over all cases; empty where no values were
            computed.
        forms: Instructions that ran and are not exact, with their label.
        worth: What equal values in the machine say of a GPU; empty where expressions were compared,
            which hold whatever a GPU makes of them.
        cases: In the order of the grid.
    """

    contract: str
    claim: ClaimWord
    effect: Effect
    left: str
    right: str
    arch: str
    outcome: HeldWord
    required: str
    labels: Mapping[str, LabelWord]
    forms: Mapping[str, LabelWord]
    worth: str
    cases: tuple[CaseResult, ...]


class ParityReport(msgspec.Struct, frozen=True):
    """All contracts of a file (`sassay parity --format json`).

    Attributes:
        schema: Name and version of this document.
        contracts: In the order of the file.
        verdict: Over all of them.
        file: The contract file.
    """

    schema: Literal["parity/1"]
    contracts: tuple[ContractResult, ...]
    verdict: Verdict
    file: str


class Rate(msgspec.Struct, frozen=True):
    """How often something happened: a share of trials with its 95% interval.

    Attributes:
        count: How often.
        trials: Out of how many.
        low: Lower end of the Clopper-Pearson interval.
        high: Upper end.
    """

    count: int
    trials: int
    low: float
    high: float


class Flip(msgspec.Struct, frozen=True):
    """An input row on which two implementations choose other experts, made as small as it goes.

    Attributes:
        kind: How the row was made.
        row: Which row of the probe it came from.
        values: Values by position, as text, those that are not the filling.
        filling: The value of all other positions.
        left: What the left side chose, in order.
        right: What the right side chose.
        note: What it takes: which values have to be that close.
    """

    kind: str
    row: int
    values: Mapping[str, str]
    filling: str
    left: tuple[int, ...]
    right: tuple[int, ...]
    note: str = ""


class ProbeKind(msgspec.Struct, frozen=True):
    """What was counted on the rows of one kind.

    Attributes:
        kind: How the rows were made.
        rows: How many.
        set_disagreement: Rows on which the chosen sets differ.
        order_disagreement: Rows on which the sets agree and their order does not.
        expert_flips: Chosen experts that the other side did not choose, out of all choices.
        weight_bits: Rows whose sets agree and whose weights, aligned by id, differ in any bit.
        largest_weight_difference: Over rows whose sets agree, aligned by id; None where it is
            not finite.
        largest_at: Row and expert of it; None where nothing differs.
    """

    kind: str
    rows: int
    set_disagreement: Rate
    order_disagreement: Rate
    expert_flips: Rate
    weight_bits: Rate
    largest_weight_difference: float | None
    largest_at: tuple[int, int] | None


class FamilyMoved(msgspec.Struct, frozen=True):
    """A family that two states do not have alike.

    Attributes:
        family: Its name.
        arch: Architecture.
        what: `added`, `removed`, or how deep its kernels changed.
        kernels: How many kernels did.
        words: What moved in the numeric path, in words.
    """

    family: str
    arch: str
    what: str
    kernels: int
    words: tuple[str, ...]


class StatesMoved(msgspec.Struct, frozen=True):
    """What moved between the two states whose kernels a probe runs.

    Attributes:
        before: Label of the left state.
        after: Label of the right state.
        kernels: Kernels of each.
        compared: Kernels of both.
        unchanged: Of those, kernels that are the same.
        families: What is not.
    """

    before: str
    after: str
    kernels: tuple[int, int]
    compared: int
    unchanged: int
    families: tuple[FamilyMoved, ...]


class ProbeReport(msgspec.Struct, frozen=True):
    """Two implementations of a selection step on many rows (`sassay probe --format json`).

    Attributes:
        schema: Name and version of this document.
        name: Of the probe.
        left: What the left side runs.
        right: What the right side runs.
        arch: Architectures.
        seed: Of the rows.
        kinds: By how the rows were made; `all` comes last.
        flip: The smallest input that flips an expert; None where nothing flipped.
        label: How far the machine's values can be trusted.
        labels: The same for ids and weights.
        forms: Instructions that ran and are not exact, with their label.
        worth: What these rates say of a GPU.
        races: Where threads race for a buffer.
        numeric: Which buffers' bits can differ, and why, in words; what the sides compute follows
            its buffer, after `left: ` and `right: `.
        states: What moved between the two states that were given; None without.
        verdict: Under the probe's own bounds.
        broken: Bounds that were passed, in words.
        bounded: Whether the probe sets a bound; without one only races break it.
    """

    schema: Literal["probe/1"]
    name: str
    left: str
    right: str
    arch: str
    seed: int
    kinds: tuple[ProbeKind, ...]
    flip: Flip | None
    label: str
    labels: Mapping[str, LabelWord]
    forms: Mapping[str, LabelWord]
    worth: str
    races: tuple[RaceFound, ...]
    numeric: tuple[str, ...]
    verdict: Verdict
    broken: tuple[str, ...]
    bounded: bool
    states: StatesMoved | None = None
