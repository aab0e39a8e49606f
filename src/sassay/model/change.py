"""A change: one kernel or family compared between two states, and the diff that holds them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from sassay.model.artifact import Scalar, SourceLocation
from sassay.model.kernel import Census
from sassay.model.layers import Layered, Tier
from sassay.model.library import LibraryReport
from sassay.model.lines import LineMoves
from sassay.model.state import Diagnostic, Evidence

PairLabels = tuple[str, str]
"""Labels of the state before and the state after."""


class KernelStatus(StrEnum):
    """What happened to one kernel from one state to the next."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


class FamilyStatus(StrEnum):
    """What happened to one family: it came, went, gained or lost kernels, or changed in place."""

    ADDED = "added"
    REMOVED = "removed"
    EXPANDED = "expanded"
    SHRUNK = "shrunk"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


class StateSummary(msgspec.Struct, frozen=True):
    """What a diff says of each of its states."""

    label: str
    kernels: int
    families: int
    environment: Mapping[str, Scalar]
    evidence: Mapping[str, Evidence]
    code_bytes: int = 0
    counts: Mapping[str, int] = {}
    tools: Mapping[str, str] = {}


class Comparability(msgspec.Struct, frozen=True):
    """One way in which the states are hard to compare.

    Attributes:
        field: What differs (`ptxas`, `architectures`, `kernels`, `environment.dtype`, ...).
        values: One value a state, in the order of the states, as text.
        note: What a reader should conclude, and not conclude.
    """

    field: str
    values: tuple[str, ...]
    note: str


class Pair(msgspec.Struct, frozen=True):
    """Kernel counts of one pair of states. compared = unchanged + changed."""

    before: str
    after: str
    compared: int
    unchanged: int
    changed: int
    added: int
    removed: int
    tiers: Mapping[str, int] = {}


class FamilyPair(msgspec.Struct, frozen=True):
    """One family in one pair of states: its status, kernel counts and deepest tier."""

    before: str
    after: str
    status: FamilyStatus
    compared: int
    unchanged: int
    changed: int
    added: int
    removed: int
    tier: Tier | None = None


class FamilyRow(msgspec.Struct, frozen=True):
    """One family of one architecture across all states; every list has one entry a state.

    `instructions`, `categories` and `opcodes` hold None for a state where the layer is not
    known. `status` is from the first state (or the chosen baseline) to the last.

    Attributes:
        per_kernel: Average instructions a kernel, rounded to 2 decimals.
        resources: Largest value in the family, by resource name.
        pairs: The same comparison pair by pair, in the order of `Diff.pairs`.
        members: For a group's row: the families in it; empty for a family.
        per_kernel_categories: Average instructions a kernel by category, rounded to 2 decimals.
    """

    family: str
    arch: str
    status: FamilyStatus
    kernels: tuple[int, ...]
    code_bytes: tuple[int | None, ...]
    instructions: Layered[tuple[int | None, ...]]
    per_kernel: Layered[tuple[float | None, ...]]
    categories: Layered[Mapping[str, tuple[int | None, ...]]]
    opcodes: Layered[Mapping[str, tuple[int | None, ...]]]
    resources: Mapping[str, tuple[int | None, ...]]
    pairs: tuple[FamilyPair, ...] = ()
    members: tuple[str, ...] = ()
    per_kernel_categories: Layered[Mapping[str, tuple[float | None, ...]]] = Layered()


class Moved(msgspec.Struct, frozen=True):
    """A value that is not the same on both sides; None where a side has none."""

    before: Scalar
    after: Scalar


class ToldMove(Moved, frozen=True):
    """A value that is not the same on both sides, and what that means.

    Attributes:
        words: One line for each thing that moved.
    """

    words: tuple[str, ...] = ()


class Deltas(msgspec.Struct, frozen=True):
    """What moved in one change: after minus before, zeros left out.

    An added kernel's deltas are its whole census, a removed kernel's the negative of it. A layer
    that either side does not hold is None.
    """

    ptx: Census | None = None
    sass: Census | None = None
    categories: Layered[Census] = Layered()
    resources: Census = {}
    metadata: Mapping[str, Moved] = {}
    facts: Mapping[str, Moved] = {}


class Change(msgspec.Struct, frozen=True):
    """One kernel compared between two states.

    Attributes:
        id: Stable fingerprint of pair position, family, architecture and the two kernels.
        name: Demangled name, of the candidate where it exists.
        tier: SASS tier (PTX tier for PTX that stands alone); None for added and removed, and
            where no layer could be compared.
        ptx_tier: None where a side has no PTX.
        before: Kernel id in the state before, None if added.
        after: Kernel id in the state after, None if removed.
        specialization: One line that tells this instance from its siblings.
        location: Source line of the kernel, candidate first.
        notes: What a reader should know, such as "compiled by another ptxas".
        lines: Source lines that grew or shrank; None for kernels that did not change in place and
            where a side has no line information.
    """

    id: str
    pair: PairLabels
    family: str
    arch: str
    status: KernelStatus
    name: str
    tier: Tier | None
    ptx_tier: Tier | None
    before: str | None
    after: str | None
    deltas: Deltas
    specialization: str = ""
    location: SourceLocation | None = None
    notes: tuple[str, ...] = ()
    lines: LineMoves | None = None


class SensitiveMove(msgspec.Struct, frozen=True):
    """Precision-sensitive instructions of one opcode, one count a state (totals of a family).

    Attributes:
        layer: `ptx` or `sass`.
        kind: `conversion`, `approximation`, `contraction`, `multiply`, `add`, `reduction`,
            or `matrix`.
    """

    layer: str
    opcode: str
    kind: str
    counts: tuple[int | None, ...]


class Suspect(msgspec.Struct, frozen=True):
    """A family ranked by how much its numerical execution moved.

    Attributes:
        score: Larger is more suspect; comparable within one diff only.
        why: One line in a kernel author's words.
        moves: Precision-sensitive instructions that moved, largest first.
    """

    family: str
    arch: str
    status: FamilyStatus
    score: float
    why: str
    moves: tuple[SensitiveMove, ...]


class Migration(msgspec.Struct, frozen=True):
    """Whether one family moved to the newer architecture's tensor and memory paths.

    `yes`, `no`, or `not applicable` for a family that uses no such path on either side.
    """

    family: str
    before_arch: str
    after_arch: str
    tensor_path: str
    memory_path: str
    before: Mapping[str, int]
    after: Mapping[str, int]
    why: str


class Diff(msgspec.Struct, frozen=True):
    """Two or more states compared, oldest first.

    Attributes:
        pairs: Each consecutive pair, then first to last where there are more than two; or each
            state against the chosen baseline.
        families: Sorted by status, then family and architecture.
        groups: The same rows for groups that a person named.
        changes: Sorted by pair, status, family, architecture, name; unchanged kernels only on
            request.
        suspects: Most suspect first.
        migrations: Filled when two architectures are compared.
        next_steps: What to look at next, as commands where there is one.
        diagnostics: Of all states, and of the comparison itself.
        libraries: Shared objects, architectures and largest movers, from the first state (or the
            baseline) to the last; empty where no state holds a library.
    """

    states: tuple[StateSummary, ...]
    comparability: tuple[Comparability, ...]
    pairs: tuple[Pair, ...]
    families: tuple[FamilyRow, ...]
    changes: tuple[Change, ...]
    groups: tuple[FamilyRow, ...] = ()
    suspects: tuple[Suspect, ...] = ()
    migrations: tuple[Migration, ...] = ()
    next_steps: tuple[str, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    libraries: LibraryReport = LibraryReport()


class DiffLine(msgspec.Struct, frozen=True):
    """One aligned line of two listings; a side is None where it has no counterpart.

    Attributes:
        op: `equal`, `replace`, `delete` or `insert`.
        before_offset: Byte offset (SASS) or line (PTX) on the side before.
    """

    op: str
    before: str | None
    after: str | None
    before_offset: int | None = None
    after_offset: int | None = None


class Hunk(msgspec.Struct, frozen=True):
    """A region that differs, with its context lines; counts from 0 in instructions."""

    before_start: int
    before_count: int
    after_start: int
    after_count: int
    lines: tuple[DiffLine, ...]


class CodeDiff(msgspec.Struct, frozen=True):
    """Two kernels' aligned code in one layer, only the regions that differ."""

    layer: str
    before: str
    after: str
    tier: Tier
    before_instructions: int
    after_instructions: int
    hunks: tuple[Hunk, ...]
