"""Whole comparisons kept from run to run, by all that they are made of."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from sassay.model.change import Diff
from sassay.model.later import Later, hold_lines
from sassay.sources.record_cache import RecordCache

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.diff.options import DiffOptions
    from sassay.model.kernel import Kernel
    from sassay.model.state import State

MIN_KERNELS = 2000
"""Smaller states are compared anew: that is as fast as looking."""
_ANALYSIS = "analysis"


class KeptDiffs:
    """Comparisons of earlier runs.

    Args:
        options: How states are compared; without a cache folder, or with sources that lie outside
            the states, nothing is kept.
        states: As they were opened.
    """

    def __init__(self, options: DiffOptions, states: Sequence[State]) -> None:
        kept = (
            options.cache_dir is not None
            and not (options.readers and any(hold_lines(state.kernels) for state in states))
            and sum(len(state.kernels) for state in states) >= MIN_KERNELS
        )
        folder = options.cache_dir / _ANALYSIS if kept and options.cache_dir else None
        self._records = RecordCache(folder, "diffs", Diff)
        self._key = _key(options, states) if kept else ""

    def load(self) -> Diff | None:
        """The comparison, None where it was never made."""
        return self._records.load(self._key) if self._key else None

    def save(self, diff: Diff) -> None:
        """Keep the comparison."""
        if self._key:
            self._records.save(self._key, diff)


def _key(options: DiffOptions, states: Sequence[State]) -> str:
    encoder = msgspec.msgpack.Encoder(order="deterministic")
    digest = hashlib.sha256(
        encoder.encode(
            (
                options.strict, options.baseline, options.across_arch, options.groups,
                options.archs, options.families, options.all, options.limit, options.inputs,
            )
        )
    )  # fmt: skip
    for state in states:
        digest.update(
            encoder.encode(
                (
                    state.label, state.environment, state.evidence, state.tools, state.counts,
                    state.diagnostics,
                )
            )
        )  # fmt: skip
        kernels = state.kernels
        known = kernels.identity if isinstance(kernels, Later) else None
        digest.update(encoder.encode(known or [_identity(kernel) for kernel in kernels]))
    return digest.hexdigest()


def _identity(kernel: Kernel) -> tuple[object, ...]:
    """What a comparison may look at; the id covers symbol, code, launch and specialization.

    The census follows from the code and the tools, except that it may not be known.
    """
    return (
        kernel.id, kernel.family, kernel.name, kernel.sources, kernel.toolchains, kernel.location,
        kernel.facts, kernel.instructions.sass is None, kernel.instructions.ptx is None,
        kernel.code,
    )  # fmt: skip
