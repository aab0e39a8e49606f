"""Several inputs as one state: what `sassay capture A B -o OUT` writes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from sassay.capture.diagnostics import sort_diagnostics
from sassay.capture.families import kernel_order, qualify_families
from sassay.model.state import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.model.artifact import Scalar
    from sassay.model.kernel import Function, Kernel
    from sassay.model.text import TextRun


def merge_states(states: Sequence[State], *, label: str) -> State:
    """One state of the kernels of several; equal kernels merge, with all their places.

    Args:
        states: What to merge; their order does not matter.
        label: The name of the whole.
    """
    kernels: dict[str, Kernel] = {}
    for state in states:
        for kernel in state.kernels:
            held = kernels.get(kernel.id)
            kernels[kernel.id] = _joined(held, kernel) if held else kernel
    functions: dict[tuple[str, str, int, tuple[tuple[str, int], ...]], Function] = {}
    for state in states:
        for function in state.functions:
            census = tuple(sorted((function.instructions.sass or {}).items()))
            key = (function.symbol, function.arch, function.code_bytes, census)
            held_function = functions.get(key)
            if held_function is not None:
                sources = tuple(sorted({*held_function.sources, *function.sources}))
                functions[key] = msgspec.structs.replace(function, sources=sources)
            else:
                functions[key] = function
    counts: Counter[str] = Counter()
    for state in states:
        counts.update(state.counts)
    counts.update({"kernels": len(kernels) - counts["kernels"]})
    merged = State(
        label=label,
        kernels=tuple(sorted(kernels.values(), key=kernel_order)),
        functions=tuple(
            sorted(functions.values(), key=lambda f: (f.name, f.arch, f.sources, f.code_bytes))
        ),
        environment=_environment(states),
        evidence={name: each for state in states for name, each in state.evidence.items()},
        tools={name: each for state in states for name, each in state.tools.items()},
        diagnostics=sort_diagnostics([each for state in states for each in state.diagnostics]),
        counts=dict(sorted(counts.items())),
        texts=_texts(states),
    )
    return qualify_families([merged])[0]


def _joined(held: Kernel, other: Kernel) -> Kernel:
    return msgspec.structs.replace(
        held,
        sources=tuple(sorted({*held.sources, *other.sources})),
        toolchains=tuple(sorted({*held.toolchains, *other.toolchains}, key=repr)),
        location=min((x for x in (held.location, other.location) if x), default=None),
    )


def _texts(states: Sequence[State]) -> dict[str, tuple[TextRun, ...]]:
    """Texts of files that all states which hold them agree on: two versions are no version."""
    found: dict[str, set[tuple[TextRun, ...]]] = {}
    for state in states:
        for path, runs in state.texts.items():
            found.setdefault(path, set()).add(runs)
    return {path: next(iter(runs)) for path, runs in sorted(found.items()) if len(runs) == 1}


def _environment(states: Sequence[State]) -> dict[str, Scalar]:
    """Facts that agree stay; facts that differ are listed."""
    found: dict[str, set[Scalar]] = {}
    for state in states:
        for key, value in state.environment.items():
            found.setdefault(key, set()).add(value)
    return {
        key: next(iter(values)) if len(values) == 1 else ", ".join(sorted(map(str, values)))
        for key, values in sorted(found.items())
    }
