"""States in, a diff out."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from sassay.capture.families import qualify_families
from sassay.diff.changes import pair_changes
from sassay.diff.comparability import comparability
from sassay.diff.kept import KeptDiffs
from sassay.diff.libraries import library_report
from sassay.diff.lines import LineComparer
from sassay.diff.memo import TierMemo
from sassay.diff.migration import migrations
from sassay.diff.next_steps import next_steps
from sassay.diff.options import DiffOptions
from sassay.diff.pairing import PairComparison, compare_pair, group_kernels
from sassay.diff.rows import family_rows, group_rows
from sassay.diff.selection import select_states
from sassay.diff.suspects import suspects
from sassay.diff.tiers import TierJudge
from sassay.errors import UsageError
from sassay.model.change import Change, Diff, KernelStatus, Pair, PairLabels, StateSummary
from sassay.model.later import LaterKernels, hold_both, hold_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.isa.sass import Disassembler
    from sassay.model.code import CodeStore
    from sassay.model.state import Diagnostic, State

_DEFAULT = DiffOptions()


def selected(states: Sequence[State], options: DiffOptions = _DEFAULT) -> tuple[State, ...]:
    """The states as `compare` compares them, for whoever looks up the kernels of its diff.

    Narrowed to the architectures and families of the options, split by `across_arch`, with
    families named alike in all of them. Selecting twice gives the same.

    Args:
        states: Oldest first.
        options: What to narrow to.

    Raises:
        UsageError: The states cannot be compared so.
    """
    return select_states(qualify_families(states), options)


def compare(
    states: Sequence[State],
    store: CodeStore,
    disassembler: Disassembler,
    options: DiffOptions = _DEFAULT,
) -> Diff:
    """Compares two or more states, or one across two of its architectures.

    Args:
        states: Oldest first.
        store: Where their code is.
        disassembler: Reads SASS where the code itself must be compared.
        options: How to compare.

    Raises:
        UsageError: The states cannot be compared so: too few, equal labels, no architecture in
            common, a baseline or glob that names nothing.
    """
    return select_and_compare(states, store, disassembler, options)[1]


def select_and_compare(
    states: Sequence[State],
    store: CodeStore,
    disassembler: Disassembler,
    options: DiffOptions = _DEFAULT,
) -> tuple[tuple[State, ...], Diff]:
    """What `selected` and `compare` give; of a comparison of an earlier run nothing is looked at.

    Arguments and errors as `compare`.
    """
    kept = KeptDiffs(options, states)
    known = kept.load()
    if known is not None:
        return _selected_later(states, options), known
    chosen = selected(states, options)
    diff = _compare(states, chosen, store, disassembler, options)
    kept.save(diff)
    return chosen, diff


def _selected_later(states: Sequence[State], options: DiffOptions) -> tuple[State, ...]:
    """As `selected`, once somebody looks at a kernel, if that is when they are made."""
    lazy = all(isinstance(state.kernels, LaterKernels) for state in states)
    if not lazy or options.across_arch or options.archs or options.families:
        return selected(states, options)

    @lru_cache(maxsize=1)
    def chosen() -> tuple[State, ...]:
        return selected(states, options)

    def kernels(place: int) -> LaterKernels:
        held = states[place].kernels
        return LaterKernels(
            len(held),
            lambda: chosen()[place].kernels,
            linked=hold_both(held),
            lines=hold_lines(held),
        )

    return tuple(
        msgspec.structs.replace(state, kernels=kernels(place)) for place, state in enumerate(states)
    )


def _compare(
    states: Sequence[State],
    chosen: Sequence[State],
    store: CodeStore,
    disassembler: Disassembler,
    options: DiffOptions,
) -> Diff:
    positions = _positions([state.label for state in chosen], options.baseline)
    labels = [(chosen[one].label, chosen[other].label) for one, other in positions]
    groups = [group_kernels(state, options.across_arch) for state in chosen]
    memo = TierMemo(options.cache_dir)
    judge = TierJudge(store, disassembler, memo)
    compared = [
        compare_pair(groups[one], groups[other], judge, strict=options.strict)
        for one, other in positions
    ]
    memo.save()
    changes = [
        change
        for position, (label, pair) in enumerate(zip(labels, compared, strict=True))
        for change in pair_changes(position, label, pair, unchanged=options.all)
    ]
    lines = LineComparer(chosen, store, disassembler, options.readers)
    changes = lines.with_lines(changes)
    headline = len(positions) - 1
    rows = family_rows(groups, labels, compared, headline)
    ranked = suspects(rows, labels, compared, options.limit)
    across = options.across_arch
    return Diff(
        states=tuple(map(_summary, chosen)),
        comparability=comparability(chosen, across),
        pairs=tuple(_pair(label, pair) for label, pair in zip(labels, compared, strict=True)),
        families=rows,
        changes=tuple(changes),
        groups=group_rows(options.groups, groups, labels, compared, headline),
        suspects=ranked,
        migrations=migrations(groups[0], groups[1], across) if across else (),
        next_steps=next_steps(
            [state.label for state in chosen], rows, _in_headline(changes, labels), ranked, options
        ),
        diagnostics=_diagnostics(states, lines.diagnostics),
        libraries=library_report(groups, compared[headline]),
    )


def _positions(labels: Sequence[str], baseline: str | None) -> list[tuple[int, int]]:
    """Which states are compared: (before, after); the headline pair comes last."""
    last = len(labels) - 1
    if baseline is not None:
        if baseline not in labels:
            raise UsageError(
                f"no state is labelled {baseline!r}", hint=f"labels: {', '.join(labels)}"
            )
        first = labels.index(baseline)
        return [(first, other) for other in range(len(labels)) if other != first]
    consecutive = [(i, i + 1) for i in range(last)]
    return consecutive if last == 1 else [*consecutive, (0, last)]


def _in_headline(changes: Sequence[Change], labels: Sequence[PairLabels]) -> list[Change]:
    """Changes in the headline pair first, then those of other pairs; unchanged kernels never."""
    moved = [change for change in changes if change.status is not KernelStatus.UNCHANGED]
    return sorted(moved, key=lambda change: change.pair != labels[-1])


def _pair(labels: PairLabels, pair: PairComparison) -> Pair:
    compared = [item for family in pair.values() for item in family.compared]
    unchanged = sum(item.unchanged for item in compared)
    tiers: dict[str, int] = {}
    for item in compared:
        name = item.depth.tier.value if item.depth.tier else "unknown"
        tiers[name] = tiers.get(name, 0) + 1
    return Pair(
        before=labels[0],
        after=labels[1],
        compared=len(compared),
        unchanged=unchanged,
        changed=len(compared) - unchanged,
        added=sum(len(family.added) for family in pair.values()),
        removed=sum(len(family.removed) for family in pair.values()),
        tiers=dict(sorted(tiers.items())),
    )


def _summary(state: State) -> StateSummary:
    return StateSummary(
        label=state.label,
        kernels=len(state.kernels),
        families=len({kernel.family for kernel in state.kernels}),
        environment=state.environment,
        evidence=state.evidence,
        code_bytes=sum(kernel.code_bytes or 0 for kernel in state.kernels),
        counts=state.counts,
        tools=state.tools,
    )


def _diagnostics(states: Sequence[State], own: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
    entries = {entry for state in states for entry in state.diagnostics}
    return tuple(sorted(entries | {*own}, key=_order))


def _order(entry: Diagnostic) -> tuple[str, ...]:
    """By everything, `None` before any text."""
    return (
        entry.level,
        entry.place,
        entry.message,
        entry.arch or "",
        entry.layer or "",
        entry.family or "",
    )
