"""What makes states hard to compare, said before anything is compared."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sassay.diff.doubtful import doubtful
from sassay.diff.selection import architectures
from sassay.diff.toolchains import FIELDS, spell, tally, versions
from sassay.model.change import Comparability
from sassay.model.state import Level, State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sassay.model.artifact import Scalar

_FEWER = 0.6
_FEW_KERNELS = 5
_LISTED = 6
_NOT_RECORDED = "not recorded"

_MAY_CAUSE = {
    "ptxas": "a change may come from ptxas alone",
    "ptx_version": "the PTX was written for another version; a change may come from that alone",
    "frontend": "a change may come from the front end alone",
    "options": "a change may come from the options alone",
}


def comparability(
    states: Sequence[State], across: tuple[str, str] | None
) -> tuple[Comparability, ...]:
    """Every way in which the states are hard to compare, in the order in which it matters.

    Args:
        states: The states as they are compared, oldest first.
        across: The two architectures, where they differ on purpose.
    """
    compilers = tuple(_toolchains(states))
    return (
        *compilers,
        *_architectures(states, across),
        *_sizes(states),
        *_missing(states),
        *doubtful(states),
        *_tools(states),
        *(note for note in _environment(states) if not _said(note, compilers)),
    )


def _said(note: Comparability, compilers: Sequence[Comparability]) -> bool:
    """Whether the environment repeats what the kernels say of their compilers."""
    return any(note.values == known.values for known in compilers)


def _toolchains(states: Sequence[State]) -> Iterator[Comparability]:
    for field, name in FIELDS:
        tallies = [tally(state, field) for state in states]
        known = [set(counts) for counts in tallies if counts]
        if not known:
            continue
        differ = any(values != known[0] for values in known)
        notes = []
        if differ:
            notes.append(_MAY_CAUSE[field])
        notes += [
            _mixed(state, counts, field, name)
            for state, counts in zip(states, tallies, strict=True)
            if len(counts) > 1
        ]
        # A library built with several toolkits mixes them alike in both states: nothing to say.
        if differ or (notes and any(counts != tallies[0] for counts in tallies if counts)):
            yield Comparability(name, tuple(map(spell, tallies)), "; ".join(notes))


def _mixed(state: State, counts: Counter[str], field: str, name: str) -> str:
    """`2 of pr's 59 kernels have another ptxas than the rest`."""
    common = min(counts, key=lambda value: (-counts[value], value))
    others = sum(any(v != common for v in versions(kernel, field)) for kernel in state.kernels)
    verb = "has" if others == 1 else "have"
    total = len(state.kernels)
    return f"{others} of {state.label}'s {total} kernels {verb} another {name} than the rest"


def _architectures(
    states: Sequence[State], across: tuple[str, str] | None
) -> Iterator[Comparability]:
    held = [architectures(state) for state in states]
    if across is not None:
        yield Comparability(
            "architectures",
            tuple(", ".join(archs) for archs in held),
            "every kernel is expected to change, and SASS counts of one architecture say little "
            "about those of the other",
        )
        return
    filled = [set(archs) for archs in held if archs]
    if any(archs != filled[0] for archs in filled):
        yield Comparability(
            "architectures",
            tuple(", ".join(archs) or "none" for archs in held),
            "kernels of an architecture that a state was not built for count as added or removed",
        )


def _sizes(states: Sequence[State]) -> Iterator[Comparability]:
    counts = [len(state.kernels) for state in states]
    largest = max(counts)
    small = [
        state.label
        for state, count in zip(states, counts, strict=True)
        if count < _FEWER * largest and (largest - count >= _FEW_KERNELS or not count)
    ]
    if small:
        yield Comparability(
            "kernels",
            tuple(map(str, counts)),
            f"{' and '.join(small)} holds far fewer kernels: what was not warmed up is not removed",
        )


def _missing(states: Sequence[State]) -> Iterator[Comparability]:
    """What could not be read, by architecture and layer."""
    found = [
        Counter(
            " ".join(part for part in (d.arch, d.layer) if part) or "kernels"
            for d in state.diagnostics
            if d.level is Level.ERROR
        )
        for state in states
    ]
    if not any(found):
        return
    yield Comparability(
        "unread",
        tuple(_spell_missing(counts) for counts in found),
        "what was not read is missing from the comparison: it says nothing of its kernels",
    )


def _spell_missing(counts: Counter[str]) -> str:
    if not counts:
        return "nothing"
    ordered = sorted(counts.items())
    words = [f"{what} ({count})" if count > 1 else what for what, count in ordered[:_LISTED]]
    if len(ordered) > _LISTED:
        words.append(f"{len(ordered) - _LISTED} more")
    return ", ".join(words)


def _tools(states: Sequence[State]) -> Iterator[Comparability]:
    for name in sorted({name for state in states for name in state.tools}):
        values = [state.tools.get(name) for state in states]
        if len({value for value in values if value is not None}) > 1:
            yield Comparability(
                f"tools.{name}",
                tuple(value or _NOT_RECORDED for value in values),
                "read by other versions: an opcode can be spelled in two ways",
            )


def _environment(states: Sequence[State]) -> Iterator[Comparability]:
    silent = [state.label for state in states if not state.environment]
    if silent and len(silent) < len(states):
        yield Comparability(
            "environment",
            tuple("recorded" if state.environment else _NOT_RECORDED for state in states),
            f"nothing is known of how {' and '.join(silent)} was run",
        )
    for name in sorted({name for state in states for name in state.environment}):
        values = [state.environment.get(name) for state in states]
        told = [
            _text(value)
            for state, value in zip(states, values, strict=True)
            if name in state.environment
        ]
        if len(set(told)) > 1:
            texts = tuple(
                _text(state.environment[name]) if name in state.environment else _NOT_RECORDED
                for state in states
            )
            note = (
                "two versions are compared"
                if name.startswith("package.")
                else f"the runs differ in {name}: so may their kernels"
            )
            yield Comparability(f"environment.{name}", texts, note)


def _text(value: Scalar) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)
