"""What a policy judges: a candidate, its baseline, and what happened to each kernel in between."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from sassay.errors import PolicyError
from sassay.model.change import Change, Diff, FamilyStatus, KernelStatus
from sassay.model.state import Diagnostic, Level, State
from sassay.policy.coverage import held_archs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sassay.model.kernel import Kernel
    from sassay.model.layers import Layer

CellKey = tuple[str, str]
"""Family and architecture, `before:after` where two architectures are compared."""


@dataclass(frozen=True, eq=False, slots=True)
class Subject:
    """One kernel of the candidate or of the baseline, with its place in the comparison.

    Attributes:
        arch: The architecture under which it is compared.
        in_candidate: Of the candidate; else of the baseline.
        status: None without a baseline.
        counterpart: The kernel that it was matched with, None where it has none.
    """

    kernel: Kernel
    arch: str
    in_candidate: bool
    status: KernelStatus | None = None
    family_status: FamilyStatus | None = None
    change: Change | None = None
    counterpart: Kernel | None = None

    @property
    def cell(self) -> CellKey:
        """Family and architecture that findings are grouped by."""
        return (self.kernel.family, self.arch)

    @property
    def pair(self) -> tuple[Kernel | None, Kernel | None]:
        """The kernel before and the kernel after."""
        if self.in_candidate:
            return (self.counterpart, self.kernel)
        return (self.kernel, self.counterpart)


@dataclass(frozen=True)
class Scene:
    """Everything that rules look at.

    Attributes:
        baseline: None where there is nothing to compare with; `no_baseline` says why.
        after: Kernels of the candidate, in the order of the state.
        before: Kernels of the baseline.
    """

    candidate: State
    baseline: State | None
    after: tuple[Subject, ...]
    before: tuple[Subject, ...]
    groups: Mapping[str, tuple[str, ...]]
    no_baseline: str = ""
    fact_names: frozenset[str] = field(default_factory=frozenset)

    @cached_property
    def held_archs(self) -> Mapping[str, tuple[str, ...]]:
        """The architectures of every family of the candidate."""
        return held_archs(self.candidate.kernels)

    def gaps(self, *, with_baseline: bool) -> Iterable[Diagnostic]:
        """Diagnostics that say that evidence is missing.

        Args:
            with_baseline: Also those of the baseline.
        """
        states = [self.candidate]
        if with_baseline and self.baseline is not None and self.baseline is not self.candidate:
            states.append(self.baseline)
        for state in states:
            for diagnostic in state.diagnostics:
                if is_gap(diagnostic):
                    yield diagnostic

    def missing_layer(self, kernel: Kernel, layer: Layer) -> str:
        """Why a layer of a kernel is not known, in words."""
        words = f"the {layer.value.upper()} of {kernel.family} ({kernel.arch}) is not known"
        for diagnostic in self.gaps(with_baseline=True):
            if diagnostic.layer == layer.value and diagnostic.arch in {None, kernel.arch}:
                return f"{words}: {diagnostic.place}: {diagnostic.message}"
        return words


def is_gap(diagnostic: Diagnostic) -> bool:
    """Whether a diagnostic says that evidence is missing.

    Errors always do; warnings where they name the architecture or layer that lacks it.
    """
    if diagnostic.level is Level.ERROR:
        return True
    return diagnostic.level is Level.WARNING and (
        diagnostic.arch is not None or diagnostic.layer is not None
    )


def build_scene(
    states: Sequence[State],
    diff: Diff | None,
    *,
    groups: Mapping[str, tuple[str, ...]],
    baseline: str | None = None,
) -> Scene:
    """Find the candidate and its baseline, and what the diff says of each kernel.

    Args:
        states: Oldest first; the last is the candidate.
        diff: Their comparison, None for a single state.
        groups: Family globs by group name.
        baseline: Label of the chosen baseline; None: the first state.

    Raises:
        PolicyError: No state at all.
    """
    if not states:
        raise PolicyError("there is no state to judge")
    candidate = states[-1]
    labels = _pair_labels(states, diff, baseline)
    before = _state_of(states, labels[0]) if labels else None
    if diff is None or labels is None or before is None:
        why = "needs a baseline: give the state to compare with first"
        if len(states) > 1:
            why = "needs a baseline: the candidate was not compared with an earlier state"
        return Scene(
            candidate=candidate,
            baseline=None,
            after=tuple(
                Subject(kernel, kernel.arch, in_candidate=True) for kernel in candidate.kernels
            ),
            before=(),
            groups=groups,
            no_baseline=why,
            fact_names=_facts(candidate.kernels),
        )
    statuses = _family_statuses(diff, labels)
    across = _across(statuses)
    matched = _Matches(diff, labels, before, candidate, across)
    return Scene(
        candidate=candidate,
        baseline=before,
        after=matched.subjects(candidate, statuses, in_candidate=True),
        before=matched.subjects(before, statuses, in_candidate=False),
        groups=groups,
        fact_names=_facts((*candidate.kernels, *before.kernels)),
    )


def _facts(kernels: Iterable[Kernel]) -> frozenset[str]:
    return frozenset(name for kernel in kernels for name in kernel.facts)


def _pair_labels(
    states: Sequence[State], diff: Diff | None, baseline: str | None
) -> tuple[str, str] | None:
    """The pair that ends at the candidate and starts at the baseline."""
    if diff is None:
        return None
    last = states[-1].label
    ending = [
        (pair.before, pair.after)
        for pair in diff.pairs
        if pair.after == last or pair.after.startswith(f"{last}@")
    ]
    if not ending:
        return None
    if baseline is not None:
        chosen = [pair for pair in ending if pair[0] == baseline]
        return chosen[0] if chosen else None
    if len({pair.before for pair in diff.pairs}) == 1:
        return ending[0]
    first = [pair for pair in ending if pair[0] == states[0].label]
    return first[0] if first else ending[-1]


def _state_of(states: Sequence[State], label: str) -> State | None:
    """The state of a label; a state split across architectures is labelled `LABEL@ARCH`."""
    for state in states:
        if state.label == label:
            return state
    for state in states:
        if label.startswith(f"{state.label}@"):
            return state
    return None


def _family_statuses(diff: Diff, labels: tuple[str, str]) -> dict[CellKey, FamilyStatus]:
    position = next(
        (index for index, pair in enumerate(diff.pairs) if (pair.before, pair.after) == labels),
        None,
    )
    return {
        (row.family, row.arch): row.pairs[position].status
        if position is not None and position < len(row.pairs)
        else row.status
        for row in diff.families
    }


def _across(statuses: Mapping[CellKey, FamilyStatus]) -> tuple[str, str] | None:
    """The two architectures of a comparison across them, told from its rows."""
    for _, arch in statuses:
        before, colon, after = arch.partition(":")
        if colon:
            return (before, after)
    return None


class _Matches:
    """Which kernel was matched with which; unchanged pairs need not be listed in the diff."""

    def __init__(
        self,
        diff: Diff,
        labels: tuple[str, str],
        before: State,
        after: State,
        across: tuple[str, str] | None,
    ) -> None:
        self.across = across
        self.kernels = ({k.id: k for k in before.kernels}, {k.id: k for k in after.kernels})
        self.changes: tuple[dict[str, Change], dict[str, Change]] = ({}, {})
        for change in diff.changes:
            if change.pair == labels:
                if change.before is not None:
                    self.changes[0][change.before] = change
                if change.after is not None:
                    self.changes[1][change.after] = change
        self.unlisted: tuple[dict[tuple[str, str, str], list[Kernel]], ...] = ({}, {})
        for side, state in enumerate((before, after)):
            pool = defaultdict(list)
            for kernel in state.kernels:
                if kernel.id not in self.changes[side]:
                    pool[kernel.family, self._arch(kernel), kernel.digest].append(kernel)
            self.unlisted[side].update(pool)

    def _arch(self, kernel: Kernel) -> str:
        return ":".join(self.across) if self.across else kernel.arch

    def subjects(
        self, state: State, statuses: Mapping[CellKey, FamilyStatus], *, in_candidate: bool
    ) -> tuple[Subject, ...]:
        """The kernels of one side that the comparison covers."""
        side = int(in_candidate)
        found = []
        for kernel in state.kernels:
            if self.across and kernel.arch != self.across[side]:
                continue
            arch = self._arch(kernel)
            family_status = statuses.get((kernel.family, arch))
            if family_status is None:  # narrowed away by --family
                continue
            change = self.changes[side].get(kernel.id)
            found.append(
                Subject(
                    kernel,
                    arch,
                    in_candidate,
                    status=change.status if change else KernelStatus.UNCHANGED,
                    family_status=family_status,
                    change=change,
                    counterpart=self._counterpart(kernel, arch, change, side),
                )
            )
        return tuple(found)

    def _counterpart(
        self, kernel: Kernel, arch: str, change: Change | None, side: int
    ) -> Kernel | None:
        others = self.kernels[1 - side]
        if change is not None:
            other = change.before if side else change.after
            return others.get(other) if other is not None else None
        if kernel.id in others:
            return others[kernel.id]
        same = self.unlisted[1 - side].get((kernel.family, arch, kernel.digest))
        return same[0] if same else None
