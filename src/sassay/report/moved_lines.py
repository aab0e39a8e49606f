"""Source lines that grew or shrank, in the words that every format uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sassay.report.numbers import ARROW, signed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.model.artifact import SourceLocation
    from sassay.model.lines import LineChange, LineDelta, LineMoves

HOW = {
    "text": "lines aligned by text",
    "number": "lines aligned by number",
    "mixed": "lines aligned by text where it is at hand, else by number",
}


@dataclass(frozen=True)
class MovedLine:
    """One line as a report tells it.

    Attributes:
        place: `router.py:57`, `router.py:57 → 106`, `router.py:58 new`.
        text: The code, without its indentation; empty where it is not at hand.
        layer: The layer of the figures.
        parts: `+12 warp_exchange`, largest first.
        inlined: Whether some of it moved in what the line calls, not in the line itself.
    """

    place: str
    text: str
    layer: str
    parts: tuple[str, ...]
    inlined: bool


def moved_lines(moves: LineMoves | None) -> list[MovedLine]:
    """The lines whose categories moved, largest first; those that only swapped opcodes last."""
    if moves is None:
        return []
    told = [_told(line) for line in moves.lines]
    return [line for line in told if line.parts]


def _told(line: LineChange) -> MovedLine:
    layer, delta, own = _layer(line)
    ranked = sorted(
        (delta.categories if delta else {}).items(), key=lambda one: (-abs(one[1]), one[0])
    )
    return MovedLine(
        place=_place(line.before, line.after),
        text=(line.text or "").strip(),
        layer=layer,
        parts=tuple(f"{signed(value)} {name}" for name, value in ranked),
        inlined=bool(delta and own and delta.categories != own.categories),
    )


def _layer(line: LineChange) -> tuple[str, LineDelta | None, LineDelta | None]:
    sass, ptx = line.inclusive.sass, line.inclusive.ptx
    if sass is not None and (sass.categories or ptx is None or not ptx.categories):
        return "sass", sass, line.own.sass
    return "ptx", ptx, line.own.ptx


def _place(before: SourceLocation | None, after: SourceLocation | None) -> str:
    shown = after or before
    if shown is None:
        return ""
    name = shown.file.replace("\\", "/").rsplit("/", 1)[-1]
    if before is None:
        return f"{name}:{shown.line} new"
    if after is None:
        return f"{name}:{shown.line} gone"
    moved = f"{before.line}{ARROW}" if before.line != after.line else ""
    return f"{name}:{moved}{after.line}"


def more_lines(lines: Sequence[MovedLine], most: int) -> str | None:
    """`3 more lines moved`, None where all are shown."""
    rest = len(lines) - most
    if rest <= 0:
        return None
    return f"{rest} more {'line' if rest == 1 else 'lines'} moved"
