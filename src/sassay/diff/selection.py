"""Which kernels of which states take part in a comparison."""

from __future__ import annotations

import itertools
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import msgspec

from sassay.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sassay.diff.options import DiffOptions
    from sassay.model.kernel import Kernel
    from sassay.model.state import State


def matches(text: str, globs: Sequence[str]) -> bool:
    """Whether an anchored, case-sensitive glob matches; no globs match everything."""
    return not globs or any(fnmatchcase(text, glob) for glob in globs)


def select_states(states: Sequence[State], options: DiffOptions) -> tuple[State, ...]:
    """The states as they are compared: narrowed by globs, one state split by `across_arch`.

    Selecting twice gives the same. A single state that is compared across two architectures
    becomes two, labelled `LABEL@ARCH`.

    Args:
        states: Oldest first.
        options: What to narrow to.

    Raises:
        UsageError: Too few states, equal labels, a glob that no kernel matches, or no
            architecture in common.
    """
    chosen = tuple(states)
    if options.across_arch is not None:
        chosen = _across(chosen, options.across_arch)
    elif len(chosen) < 2:
        raise UsageError(
            "a comparison needs two states", hint="or one with --across-arch BEFORE:AFTER"
        )
    _distinct_labels(chosen)
    if options.archs:
        chosen = tuple(
            _keep(s, [k for k in s.kernels if matches(k.arch, options.archs)]) for s in chosen
        )
        if not any(state.kernels for state in chosen):
            raise UsageError(
                f"no kernel has an architecture that matches {' or '.join(options.archs)}",
                hint=_held(states),
            )
    if options.across_arch is None:
        _common_architecture(chosen)
    if options.families:
        chosen = tuple(
            _keep(s, [k for k in s.kernels if matches(k.family, options.families)]) for s in chosen
        )
        if not any(state.kernels for state in chosen):
            raise UsageError(
                f"no family matches {' or '.join(options.families)}",
                hint="sassay show STATE lists them; globs are anchored and case-sensitive",
            )
    return chosen


def architectures(state: State) -> tuple[str, ...]:
    """Architectures that a state holds kernels of, in numeric order."""
    return tuple(sorted({kernel.arch for kernel in state.kernels}, key=arch_order))


def arch_order(arch: str) -> tuple[str, int, str]:
    """Sorts `sm_90` before `sm_100`, and `sm_90` before `sm_90a`."""
    kind, _, rest = arch.partition("_")
    digits = "".join(char for char in rest if char.isdigit())
    return (kind, int(digits) if digits else 0, arch)


def _across(states: tuple[State, ...], archs: tuple[str, str]) -> tuple[State, ...]:
    if len(states) > 2:
        raise UsageError(
            f"--across-arch compares one or two states, not {len(states)}",
            hint="leave out the states between",
        )
    if archs[0] == archs[1]:
        raise UsageError(
            f"--across-arch {archs[0]}:{archs[1]} names one architecture twice",
            hint="without --across-arch, every architecture is compared with itself",
        )
    single = len(states) == 1
    pair = (states[0], states[-1])
    out = []
    for state, arch in zip(pair, archs, strict=True):
        kernels = [kernel for kernel in state.kernels if kernel.arch == arch]
        if not kernels:
            raise UsageError(f"{state.label} holds no kernel of {arch}", hint=_held([state]))
        label = f"{state.label}@{arch}" if single else state.label
        out.append(msgspec.structs.replace(_keep(state, kernels), label=label))
    return tuple(out)


def _keep(state: State, kernels: Iterable[Kernel]) -> State:
    kept = tuple(kernels)
    return (
        state if len(kept) == len(state.kernels) else msgspec.structs.replace(state, kernels=kept)
    )


def _distinct_labels(states: Sequence[State]) -> None:
    labels = [state.label for state in states]
    for label in labels:
        if labels.count(label) > 1:
            raise UsageError(f"two states are labelled {label!r}", hint="give each its own label=")


def _common_architecture(states: Sequence[State]) -> None:
    """Refuses states of which two neighbours share no architecture."""
    held = [(state, set(architectures(state))) for state in states if state.kernels]
    for (before, left), (after, right) in itertools.pairwise(held):
        if left.isdisjoint(right):
            old, new = architectures(before)[0], architectures(after)[-1]
            raise UsageError(
                f"{before.label} and {after.label} have no architecture in common",
                hint=f"{_held([before, after])}; such as --across-arch {old}:{new}",
            )


def _held(states: Sequence[State]) -> str:
    return "; ".join(
        f"{state.label} holds {', '.join(architectures(state)) or 'no kernels'}" for state in states
    )
