"""Which kernels a person means by an id, a symbol, a name or a family."""

from __future__ import annotations

from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from sassay.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.model.change import Diff
    from sassay.model.kernel import Kernel
    from sassay.model.layers import Layer
    from sassay.model.state import State

_SHORTEST_ID = 4
_LISTED = 8


def find_kernels(kernels: Sequence[Kernel], wanted: str) -> tuple[Kernel, ...]:
    """Kernels that `wanted` names, by the first of these that finds any.

    An id or its first digits, a symbol, a demangled name, a family, then globs over the last
    three.

    Args:
        kernels: Where to look.
        wanted: As a person wrote it.
    """
    tests = (
        lambda k: len(wanted) >= _SHORTEST_ID and k.id.startswith(wanted),
        lambda k: k.symbol == wanted,
        lambda k: k.name == wanted,
        lambda k: k.family == wanted,
        lambda k: any(fnmatchcase(text, wanted) for text in (k.symbol, k.name, k.family)),
    )
    for test in tests:
        found = tuple(kernel for kernel in kernels if test(kernel))
        if found:
            return found
    return ()


def one_or_more(states: Sequence[State], wanted: str) -> tuple[Kernel, ...]:
    """Kernels of any of the states that `wanted` names.

    Args:
        states: Where to look.
        wanted: As a person wrote it.

    Raises:
        UsageError: None does; close names are suggested.
    """
    found = tuple(kernel for state in states for kernel in find_kernels(state.kernels, wanted))
    if not found:
        families = sorted({kernel.family for state in states for kernel in state.kernels})
        close = get_close_matches(wanted, families, n=3, cutoff=0.4)
        hint = f"did you mean {', '.join(close)}?" if close else "see `sassay show STATE`"
        raise UsageError(f"no kernel is named {wanted!r}", hint=hint)
    return found


def code_pairs(
    states: Sequence[State], diff: Diff | None, wanted: Sequence[str], layer: Layer
) -> list[tuple[Kernel, Kernel]]:
    """Pairs of kernels whose code is to be aligned.

    Two names choose one kernel each, from the first and the last state. One name chooses the
    changed pairs of those kernels between first and last state. No name: every changed pair.

    Args:
        states: The states, oldest first.
        diff: Their diff, None for a single state.
        wanted: Names as a person wrote them, at most two.
        layer: The layer that must be there on both sides.

    Raises:
        UsageError: A name finds nothing, is ambiguous, or no pair is left.
    """
    if len(wanted) > 2:
        raise UsageError("--kernel can be given twice at most", hint="before and after")
    if len(wanted) == 2:
        before = _single(states[:1], wanted[0], layer)
        after = _single(states[-1:], wanted[1], layer)
        return [(before, after)]
    if diff is None:
        raise UsageError("one state and one --kernel give nothing to compare", hint="give a second")
    by_id = [{kernel.id: kernel for kernel in state.kernels} for state in states]
    labels = [state.label for state in states]
    chosen = {kernel.id for name in wanted for kernel in one_or_more(states, name)}
    pairs = []
    first_to_last = (diff.pairs[-1].before, diff.pairs[-1].after)
    for change in diff.changes:
        if change.pair != first_to_last or change.before is None or change.after is None:
            continue
        if wanted and not chosen & {change.before, change.after}:
            continue
        before_kernel = by_id[labels.index(change.pair[0])][change.before]
        after_kernel = by_id[labels.index(change.pair[1])][change.after]
        if before_kernel.code.of(layer) and after_kernel.code.of(layer):
            pairs.append((before_kernel, after_kernel))
    if wanted and not pairs:
        raise UsageError(
            f"{wanted[0]!r} has no changed pair with {layer.value} on both sides",
            hint="--all to include unchanged ones, or two --kernel to choose both sides",
        )
    return pairs


def _single(states: Sequence[State], wanted: str, layer: Layer) -> Kernel:
    found = [kernel for kernel in one_or_more(states, wanted) if kernel.code.of(layer)]
    if not found:
        raise UsageError(f"{wanted!r} has no {layer.value} here")
    if len(found) > 1:
        listed = ", ".join(f"{kernel.id} {kernel.arch}" for kernel in found[:_LISTED])
        raise UsageError(f"{wanted!r} names {len(found)} kernels", hint=f"choose an id: {listed}")
    return found[0]
