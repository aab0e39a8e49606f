"""The source lines that a finding points at: those that moved, then where kernels are defined."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sassay.model.artifact import SourceLocation
    from sassay.model.change import Change
    from sassay.model.layers import Layer
    from sassay.model.lines import LineChange
    from sassay.policy.judge import Cell

MAX_MOVED = 8
"""Lines that moved, of one finding."""


def source_lines(cell: Cell) -> tuple[SourceLocation, ...]:
    """Where a reader of the finding should look, most telling line first.

    Lines of the kernel's own file come before those of libraries that it calls, since a reviewer
    sees only the former in a pull request.

    Args:
        cell: What fired.
    """
    opcodes = frozenset(cell.after | cell.before) if cell.layer is not None else frozenset()
    moved: dict[SourceLocation, tuple[bool, int]] = {}
    for subject in cell.concerned:
        if subject.change is None:
            continue
        for place, size in _moved(subject.change, cell.layer, opcodes):
            own = subject.change.location is not None and place.file == subject.change.location.file
            held = moved.get(place, (True, 0))
            moved[place] = (held[0] and not own, held[1] + size)
    ranked = sorted(moved, key=lambda place: (moved[place][0], -moved[place][1], place))
    defined = {
        subject.kernel.location for subject in cell.concerned if subject.kernel.location is not None
    }
    return tuple(dict.fromkeys([*ranked[:MAX_MOVED], *sorted(defined)]))


def _moved(
    change: Change, layer: Layer | None, opcodes: frozenset[str]
) -> Iterator[tuple[SourceLocation, int]]:
    """Lines that gained or lost what the rule counts, and how much of it."""
    for line in change.lines.lines if change.lines is not None else ():
        size = _size(line, layer, opcodes)
        if size and line.after is not None:
            yield line.after, size


def _size(line: LineChange, layer: Layer | None, opcodes: frozenset[str]) -> int:
    if layer is None:
        delta = line.inclusive.sass or line.inclusive.ptx
        return sum(map(abs, delta.categories.values())) if delta else 0
    delta = line.inclusive.of(layer)
    return (
        sum(abs(value) for name, value in delta.opcodes.items() if name in opcodes) if delta else 0
    )
