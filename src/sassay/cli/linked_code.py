"""Aligned code of the most suspect changes, for reports in which a reader moves about."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sassay.cli.session import Session
    from sassay.model.change import Change, CodeDiff, Diff
    from sassay.model.kernel import Kernel
    from sassay.model.layers import Layer
    from sassay.model.state import State

_MOST = 24
_LINES = 20_000
"""Lines of all of them together, so that a page stays one that a browser opens."""


def linked_code(
    states: Sequence[State], diff: Diff | None, session: Session
) -> tuple[CodeDiff, ...]:
    """The code of changed kernels, most suspect family first, each pair of kernels once.

    Args:
        states: As they were compared.
        diff: Their diff.
        session: Holds the code.
    """
    if diff is None:
        return ()
    from sassay.diff import code_diff

    out: list[CodeDiff] = []
    lines = 0
    for before, after, layer in _pairs(states, diff):
        code = code_diff(before, after, layer, session.store, session.disassembler)
        size = sum(len(hunk.lines) for hunk in code.hunks)
        if lines + size > _LINES:
            continue
        lines += size
        out.append(code)
        if len(out) == _MOST:
            break
    return tuple(out)


def _pairs(states: Sequence[State], diff: Diff) -> Iterator[tuple[Kernel, Kernel, Layer]]:
    """Kernels that changed, and the layer in which the change begins."""
    from sassay.model.change import KernelStatus

    rank = {(one.family, one.arch): place for place, one in enumerate(diff.suspects)}
    changed = [change for change in diff.changes if change.status is KernelStatus.CHANGED]
    changed.sort(key=lambda change: rank.get((change.family, change.arch), len(rank)))
    kernels = {kernel.id: kernel for state in states for kernel in state.kernels}
    seen: set[frozenset[str]] = set()
    for change in changed:
        if change.before is None or change.after is None:
            continue
        key = frozenset({change.before, change.after})
        before, after = kernels.get(change.before), kernels.get(change.after)
        layer = _layer(change)
        if key in seen or before is None or after is None:
            continue
        seen.add(key)
        if before.code.of(layer) and after.code.of(layer):
            yield before, after, layer


def _layer(change: Change) -> Layer:
    from sassay.model.layers import Layer, Tier

    deep = change.ptx_tier is not None and change.ptx_tier is not Tier.IDENTICAL
    return Layer.PTX if deep else Layer.SASS
