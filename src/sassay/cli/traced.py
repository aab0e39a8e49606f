"""The code that the HTML report carries: of what changed, came or went, most suspect first."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sassay.capture.texts import SourceReader
    from sassay.cli.session import Session
    from sassay.model.change import Change, Diff
    from sassay.model.kernel import Kernel
    from sassay.model.state import State
    from sassay.model.traced import TracedCode, TracedPair

    Wanted = tuple[Kernel | None, Kernel | None, str, str]  # two kernels, their states' labels

MAX_KERNELS = 160
MAX_INSTRUCTIONS = 200_000
"""Instructions of all kernels together, both layers: some 2 MB of a page, and half a minute of
disassembling where none of it was printed before."""


def traced_diff(
    states: Sequence[State],
    diff: Diff | None,
    session: Session,
    readers: Mapping[str, SourceReader],
    chosen: Sequence[tuple[Kernel, Kernel]] = (),
) -> tuple[tuple[TracedCode, ...], tuple[TracedPair, ...]]:
    """Code of the kernels of a diff, and how it lines up, within the bounds of a page.

    Args:
        states: As they were compared.
        diff: Their diff.
        session: Holds the code.
        readers: Source text of each state, by label.
        chosen: Pairs that the reader asked for; they come first.
    """
    if diff is None:
        return (), ()
    first, last = diff.pairs[-1].before, diff.pairs[-1].after
    wanted: list[Wanted] = [(before, after, first, last) for before, after in chosen]
    wanted += _changes(states, diff)
    return _trace(_within(wanted), session, readers)


def traced_state(
    kernels: Sequence[Kernel], label: str, session: Session, reader: SourceReader
) -> tuple[TracedCode, ...]:
    """Code of the kernels of one state; none where they are too many to read one by one.

    Args:
        kernels: Those to show.
        label: Of the state.
        session: Holds the code.
        reader: The state's source text.
    """
    if len(kernels) > MAX_KERNELS:
        return ()
    wanted: list[Wanted] = [(None, kernel, label, label) for kernel in kernels]
    return _trace(_within(wanted), session, {label: reader})[0]


def _changes(states: Sequence[State], diff: Diff) -> Iterator[Wanted]:
    """What changed, then what came or went; most suspect families first, the last pair first."""
    from sassay.model.change import KernelStatus

    kernels = {state.label: {kernel.id: kernel for kernel in state.kernels} for state in states}
    rank = {(one.family, one.arch): place for place, one in enumerate(diff.suspects)}
    headline = (diff.pairs[-1].before, diff.pairs[-1].after)

    def order(change: Change) -> tuple[bool, int, bool]:
        place = rank.get((change.family, change.arch), len(rank))
        return change.status is not KernelStatus.CHANGED, place, change.pair != headline

    moved = [change for change in diff.changes if change.status is not KernelStatus.UNCHANGED]
    for change in sorted(moved, key=order):
        before = kernels[change.pair[0]].get(change.before or "")
        after = kernels[change.pair[1]].get(change.after or "")
        if before is not None or after is not None:
            yield before, after, *change.pair


def _within(wanted: Sequence[Wanted]) -> list[Wanted]:
    kept: list[Wanted] = []
    seen: dict[str, Kernel] = {}
    pairs: set[frozenset[str]] = set()
    room = MAX_INSTRUCTIONS
    for item in wanted:
        both = [kernel for kernel in (item[0], item[1]) if kernel is not None]
        # What lines up one way lines up the other way, too.
        key = frozenset(kernel.id for kernel in both)
        fresh = [kernel for kernel in both if kernel.id not in seen]
        size = sum(_size(kernel) for kernel in fresh)
        if key in pairs or size > room or len(seen) + len(fresh) > MAX_KERNELS:
            continue
        pairs.add(key)
        room -= size
        seen.update({kernel.id: kernel for kernel in fresh})
        kept.append(item)
    return kept


def _size(kernel: Kernel) -> int:
    return sum(
        sum(census.values())
        for census in (kernel.instructions.ptx, kernel.instructions.sass)
        if census is not None
    )


def _trace(
    wanted: Sequence[Wanted], session: Session, readers: Mapping[str, SourceReader]
) -> tuple[tuple[TracedCode, ...], tuple[TracedPair, ...]]:
    from sassay.capture.texts import NO_TEXT
    from sassay.capture.traced import trace, warm
    from sassay.diff.traced import pair_code

    def reader(label: str) -> SourceReader:
        # A state that is split by architecture is named `LABEL@ARCH`.
        return readers.get(label) or readers.get(label.rpartition("@")[0]) or NO_TEXT

    known: dict[str, tuple[Kernel, str]] = {}
    for before, after, first, last in wanted:
        for kernel, label in ((before, first), (after, last)):
            if kernel is not None:
                known[kernel.id] = (kernel, label)
    # Each file that holds some of the code is read once, and in order.
    session.store.prefetch(
        ref
        for kernel, _ in known.values()
        for ref in (kernel.code.sass, kernel.code.ptx, kernel.code.lines)
        if ref is not None
    )
    warm([kernel for kernel, _ in known.values()], session.store, session.disassembler)
    codes: dict[str, TracedCode] = {}
    for number, (kernel, label) in enumerate(known.values()):
        session.progress.note(f"reading code, {number + 1} of {len(known)}")
        codes[kernel.id] = trace(kernel, session.store, session.disassembler, reader(label))
    pairs = []
    for before, after, first, last in wanted:
        if before is None or after is None or before.id == after.id:
            continue
        session.progress.note(f"aligning {after.name}")
        pairs.append(
            pair_code(
                (before, after),
                (codes[before.id], codes[after.id]),
                (reader(first), reader(last)),
                session.store,
                session.disassembler,
            )
        )
    return tuple(codes.values()), tuple(pairs)
