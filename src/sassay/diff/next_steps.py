"""What to look at next, as commands that can be pasted."""

from __future__ import annotations

import shlex
from itertools import islice
from typing import TYPE_CHECKING

from sassay.model.change import Change, FamilyRow, FamilyStatus, KernelStatus, Suspect
from sassay.model.layers import Tier

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sassay.diff.options import DiffOptions

_MOST = 5
_SUSPECTS = 2


def next_steps(
    labels: Sequence[str],
    rows: Sequence[FamilyRow],
    changes: Sequence[Change],
    suspects: Sequence[Suspect],
    options: DiffOptions,
) -> tuple[str, ...]:
    """At most five commands, the most telling first.

    Args:
        labels: Of the states, oldest first.
        rows: One a family.
        changes: Changed kernels.
        suspects: Most suspect first.
        options: What was compared, and how the states were named.
    """
    inputs = _inputs(labels, options)
    steps = dict.fromkeys(_steps(inputs, rows, changes, suspects, options))
    return tuple(islice(steps, _MOST))


def _inputs(labels: Sequence[str], options: DiffOptions) -> dict[str, str]:
    """What to type for each state."""
    named = options.inputs
    if len(named) == len(labels):
        return dict(zip(labels, named, strict=True))
    if len(named) == 1 and options.across_arch is not None:
        return dict.fromkeys(labels, named[0])
    return {label: label for label in labels}


def _steps(
    inputs: dict[str, str],
    rows: Sequence[FamilyRow],
    changes: Sequence[Change],
    suspects: Sequence[Suspect],
    options: DiffOptions,
) -> Iterator[str]:
    across = options.across_arch
    paired = {(c.family, c.arch): c for c in changes if c.status is KernelStatus.CHANGED}
    for suspect in suspects[:_SUSPECTS]:
        change = paired.get((suspect.family, suspect.arch))
        if change is not None:
            yield _aligned(inputs, change, options)
        else:
            yield from _one_side(inputs, changes, suspect.family, suspect.arch)
    arch = f"--across-arch {':'.join(across)}" if across else ""
    for row in rows:
        if row.status is FamilyStatus.CHANGED and (row.family, row.arch) in paired:
            yield _aligned(inputs, paired[row.family, row.arch], options)
            break
    for change in changes:
        if change.status is KernelStatus.CHANGED and "spill_load_bytes" in change.deltas.resources:
            yield _show(inputs[change.pair[1]], change.after, "sass")
            break
    if changes:
        names = " ".join(shlex.quote(name) for name in dict.fromkeys(inputs.values()))
        yield " ".join(f"sassay diff {names} {arch} --html report.html".split())


def _aligned(inputs: dict[str, str], change: Change, options: DiffOptions) -> str:
    """The aligned code of a family's changed kernels, in the layer where the change begins."""
    deep = change.ptx_tier is not None and change.ptx_tier is not Tier.IDENTICAL
    states = list(dict.fromkeys(inputs[label] for label in change.pair))
    words = ["sassay", "diff", *states, "--family", _literal(change.family)]
    if options.across_arch is not None:
        words += ["--across-arch", ":".join(options.across_arch)]
    else:
        words += ["--arch", change.arch]
    words += ["--layer", "ptx" if deep else "sass"]
    return shlex.join(words)


def _one_side(
    inputs: dict[str, str], changes: Sequence[Change], family: str, arch: str
) -> Iterator[str]:
    """The code of one kernel that came or went."""
    for change in changes:
        if (change.family, change.arch) != (family, arch):
            continue
        gone = change.status is KernelStatus.REMOVED
        kernel = change.before if gone else change.after
        layer = "sass" if change.deltas.ptx is None else "ptx"
        yield _show(inputs[change.pair[0 if gone else 1]], kernel, layer)
        return


def _show(state: str, kernel: str | None, layer: str) -> str:
    return shlex.join(["sassay", "show", state, kernel or "", "--layer", layer])


def _literal(family: str) -> str:
    """A glob that matches this family and nothing else."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in family)
