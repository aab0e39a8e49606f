"""Which compilers made a state's kernels, and what to say where two sides differ in them."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.model.artifact import Toolchain
    from sassay.model.kernel import Kernel
    from sassay.model.state import State

FIELDS: tuple[tuple[str, str], ...] = (
    ("ptxas", "ptxas"),
    ("ptx_version", "PTX version"),
    ("frontend", "front end"),
    ("options", "ptxas options"),
)
"""Field of `Toolchain`, and its name in reports."""

_LISTED = 4
_ARCH_OPTION = re.compile(r"(?<!\S)--?(?:arch|gpu-name)[= ]\S+\s*")


def versions(kernel: Kernel, field: str) -> tuple[str, ...]:
    """The known values of one field of a kernel's toolchains, sorted."""
    return _versions(kernel.toolchains, field)


def _versions(toolchains: Sequence[Toolchain], field: str) -> tuple[str, ...]:
    return tuple(sorted({value for t in toolchains if (value := _value(t, field))}))


def _value(toolchain: Toolchain, field: str) -> str | None:
    value = getattr(toolchain, field)
    if value is None:
        return None
    # The architecture is said by the kernel itself; left in, it would make every state a mix.
    return (_ARCH_OPTION.sub("", value).strip() or "default") if field == "options" else str(value)


def tally(state: State, field: str) -> Counter[str]:
    """Kernels by the value of one field; kernels that do not tell are left out."""
    counts: Counter[str] = Counter()
    for made_by, kernels in Counter(kernel.toolchains for kernel in state.kernels).items():
        for value in _versions(made_by, field):
            counts[value] += kernels
    return counts


def spell(counts: Counter[str]) -> str:
    """`V13.0.88`, or `V13.0.88 (57 kernels), V12.8.93 (2)`; the most frequent first."""
    if not counts:
        return "not recorded"
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    if len(ordered) == 1:
        return ordered[0][0]
    words = [f"{value} ({count})" for value, count in ordered[:_LISTED]]
    words[0] = f"{ordered[0][0]} ({ordered[0][1]} kernels)"
    if len(ordered) > _LISTED:
        words.append(f"{len(ordered) - _LISTED} more")
    return ", ".join(words)


def toolchain_notes(before: Kernel, after: Kernel) -> tuple[str, ...]:
    """What to know of a change whose two sides were made by different compilers."""
    if before.toolchains == after.toolchains:
        return ()
    notes = []
    for field, _ in FIELDS:
        old, new = versions(before, field), versions(after, field)
        if old and new and old != new:
            notes.append(f"{_OTHER[field]} ({_join(old)} -> {_join(new)})")
    return tuple(notes)


_OTHER = {
    "ptxas": "compiled by another ptxas",
    "ptx_version": "another PTX version",
    "frontend": "lowered by another front end",
    "options": "compiled with other ptxas options",
}


def _join(values: Sequence[str]) -> str:
    return " and ".join(values)
