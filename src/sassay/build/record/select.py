"""Tells the kernels that stayed from those that an autotuner only tried."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sassay.model.fact import Fact
from sassay.model.state import Diagnostic, Level, State

if TYPE_CHECKING:
    from sassay.model.kernel import Kernel

FACT = "autotuning"
REJECTED = "rejected"


def settle_rejects(state: State, rejected: frozenset[str], *, keep: bool) -> State:
    """The state without what an autotuner tried and did not keep, or with a fact on each.

    A kernel counts as rejected if every place that holds it is a rejected cache entry.

    Args:
        state: As captured.
        rejected: Names of cache entries.
        keep: Leave the kernels in, with the fact `autotuning: rejected`.
    """
    kernels = []
    count = 0
    for kernel in state.kernels:
        if not _is_rejected(kernel, rejected):
            kernels.append(kernel)
            continue
        count += 1
        if keep:
            facts = {**kernel.facts, FACT: Fact(REJECTED)}
            kernels.append(msgspec.structs.replace(kernel, facts=dict(sorted(facts.items()))))
    if not count:
        return state
    noun = "kernel" if count == 1 else "kernels"
    verb = "are kept, with a fact that says so" if keep else "are left out"
    note = Diagnostic(
        Level.NOTE, state.label, f"{count} {noun} that autotuning tried and did not keep {verb}"
    )
    return msgspec.structs.replace(
        state,
        kernels=tuple(kernels),
        diagnostics=(*state.diagnostics, note),
        counts=dict(
            sorted({**state.counts, "kernels": len(kernels), "autotuning_rejects": count}.items())
        ),
    )


def _is_rejected(kernel: Kernel, rejected: frozenset[str]) -> bool:
    return bool(kernel.sources) and all(
        any(part in rejected for part in source.path.split("/")[:-1]) for source in kernel.sources
    )
