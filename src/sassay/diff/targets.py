"""Tells branches that jump elsewhere from those whose way only grew longer.

A branch's key holds the distance to its target, and one instruction more on the way changes it.
Where the code before and after has been aligned once, the lines that targets lie on face each
other, and two branches to such a pair of lines are one branch.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sassay.model.layers import Layer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sassay.isa.listing import ListingLine

_WORD_BYTES = 16
_BRANCH: Mapping[Layer, re.Pattern[str]] = {
    Layer.PTX: re.compile(r"bra\b|call\b"),
    Layer.SASS: re.compile(r"BRA\b|BSSY\b|CALL\b|BREAK\b|WARPSYNC\b|JMP\b"),
}
_DISTANCE = re.compile(r"(?<= )[+-](?:0x[0-9a-f]+|\d+)$")


def follow(
    left: Sequence[ListingLine],
    right: Sequence[ListingLine],
    keys: tuple[Sequence[str], Sequence[str]],
    facing: Mapping[int, int],
    layer: Layer,
) -> tuple[list[str], list[str]]:
    """Keys in which a branch names the line that it reaches, alike on both sides.

    Args:
        left: Lines before.
        right: Lines after.
        keys: Their keys.
        facing: Line before to the line after that it faces, equal or not.
        layer: Layer of the lines.
    """
    ends = {**facing, len(left): len(right)}
    before = [
        _named(line, key, place, layer, lambda to: f"{ends[to]}" if to in ends else f"before {to}")
        for place, (line, key) in enumerate(zip(left, keys[0], strict=True))
    ]
    after = [
        _named(line, key, place, layer, str)
        for place, (line, key) in enumerate(zip(right, keys[1], strict=True))
    ]
    return before, after


def _named(
    line: ListingLine, key: str, place: int, layer: Layer, spell: Callable[[int], str]
) -> str:
    found = _DISTANCE.search(key)
    if found is None or not _BRANCH[layer].match(line.opcode):
        return key
    distance = int(found.group(), 0)
    if layer is Layer.SASS:
        distance = (line.offset + distance) // _WORD_BYTES - place
    return f"{key[: found.start()]}to {spell(place + distance)}"
