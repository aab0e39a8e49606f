"""Families that count as added or removed and are neither: unread on one side, or renamed."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from sassay.model.change import Comparability
from sassay.model.state import Level

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sassay.model.kernel import Kernel
    from sassay.model.state import State

_LISTED = 6
_NOTHING = "nothing"


def doubtful(states: Sequence[State]) -> Iterator[Comparability]:
    """What a reader should not take for added or removed, in states as they are compared."""
    yield from _unread(states)
    yield from _renamed(states)


def _unread(states: Sequence[State]) -> Iterator[Comparability]:
    """Families that one state failed to compile and another one holds."""
    failed = [
        {
            (entry.family, entry.arch)
            for entry in state.diagnostics
            if entry.level is Level.ERROR and entry.family is not None
        }
        for state in states
    ]
    held = [{(_function(k), k.arch) for k in state.kernels} for state in states]
    everywhere = set[tuple[str, str]]().union(*held)
    told = [
        sorted({str(family) for family, arch in missed - own if (family, arch) in everywhere})
        for missed, own in zip(failed, held, strict=True)
    ]
    if any(told):
        yield Comparability(
            "failed",
            tuple(map(_spell, told)),
            "did not compile in that state: added or removed says nothing of them",
        )


def _renamed(states: Sequence[State]) -> Iterator[Comparability]:
    """Families of two neighbouring states that share all their code and not their names."""
    for before, after in itertools.pairwise(states):
        old, new = _by_family(before), _by_family(after)
        gone = {family: code for family, code in old.items() if family not in new}
        come = {family: code for family, code in new.items() if family not in old}
        named: dict[frozenset[tuple[str, str]], list[str]] = {}
        for family, code in sorted(come.items()):
            named.setdefault(code, []).append(family)
        pairs = []
        for family, code in sorted(gone.items()):
            if named.get(code):
                pairs.append((family, named[code].pop(0)))
        if pairs:
            values = [_NOTHING for _ in states]
            values[states.index(before)] = _spell([one for one, _ in pairs])
            values[states.index(after)] = _spell([other for _, other in pairs])
            yield Comparability(
                "renamed", tuple(values), "equal code under another name: no instruction moved"
            )


def _by_family(state: State) -> dict[str, frozenset[tuple[str, str]]]:
    found: dict[str, set[tuple[str, str]]] = {}
    for kernel in state.kernels:
        found.setdefault(kernel.family, set()).add((kernel.arch, kernel.digest))
    return {family: frozenset(code) for family, code in found.items()}


def _function(kernel: Kernel) -> str:
    """A family's name without the file that tells it from another of the same name."""
    return kernel.family.split("@")[0]


def _spell(families: Sequence[str]) -> str:
    if not families:
        return _NOTHING
    more = len(families) - _LISTED
    listed = ", ".join(families[:_LISTED])
    return f"{listed}, {more} more" if more > 0 else listed
