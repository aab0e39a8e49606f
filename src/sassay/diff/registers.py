"""Tells a value that got another register from an instruction that reads another value.

Lines that are equal up to the names of registers face each other. Going down such pairs, what one
side writes to a register, the other side writes to the register that faces it; a later read must
name that pair of registers again. Where it does not, the instruction reads another value, and
equal shape does not make it equal.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sassay.model.layers import Layer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sassay.isa.listing import ListingLine

_REGISTER: Mapping[Layer, re.Pattern[str]] = {
    Layer.SASS: re.compile(r"\b(UR|UP|R|P|B|SB)(\d+)\b"),
    Layer.PTX: re.compile(r"%(rs|rd|rq|fd|f|r|p|h|hh|b|q|x)(\d+)\b"),
}
_WRITTEN: Mapping[Layer, re.Pattern[str]] = {
    # What stands in front of the first operand, and that operand: a register, or a list of them.
    Layer.SASS: re.compile(r"(?:@!?U?P\d+ )?\S+ (?:U?PT, )?((?:U?R|U?P)\d+\b)"),
    Layer.PTX: re.compile(r"(?:@!?%\w+ )?\S+ (%\w+(?:\|%\w+)?|\{[^}]*\})"),
}
_SILENT = re.compile(r"(?:@!?[%\w]+ )?(?:st|red|bar|bra|ret|exit|prefetch|membar|fence)\b")
"""PTX instructions whose first operand is read."""
_WIDE = 8
"""A SASS instruction may write the registers after the one that it names; which, its width says.
What was known of so many is forgotten, so that no read of them is called another value wrongly."""

_Name = tuple[str, int]


def blind(key: str, layer: Layer) -> str:
    """A line's key without the numbers of its registers.

    Args:
        key: Of a listing's line.
        layer: Its layer.
    """
    return _REGISTER[layer].sub(r"\1", key)


def contradictions(
    left: Sequence[ListingLine],
    right: Sequence[ListingLine],
    facing: Iterable[tuple[int, int, bool]],
    layer: Layer,
) -> frozenset[tuple[int, int]]:
    """The pairs of equally shaped lines that read values that do not face each other.

    A register that was last written by a line without a partner stands for nothing: a read of it
    is not held against a line.

    Args:
        left: Lines before.
        right: Lines after.
        facing: Line before, line after, and whether they are equal up to registers; in order.
            -1 stands for the missing partner of a line.
        layer: Layer of the lines.
    """
    there: dict[_Name, _Name] = {}
    back: dict[_Name, _Name] = {}
    found: set[tuple[int, int]] = set()
    for i, j, equal in facing:
        before = _registers(left[i].key, layer) if i >= 0 else []
        after = _registers(right[j].key, layer) if j >= 0 else []
        writes = _writes(left[i].key, layer) if i >= 0 else 0
        echoes = _writes(right[j].key, layer) if j >= 0 else 0
        if equal:
            reads = zip(before[writes:], after[writes:], strict=True)
            if any(there.get(a, b) != b or back.get(b, a) != a for a, b in reads):
                found.add((i, j))
        for name in before[:writes]:
            _forget(name, there, back, layer)
        for name in after[:echoes]:
            _forget(name, back, there, layer)
        if writes == echoes:
            for a, b in zip(before[:writes], after[:writes], strict=True):
                there[a] = b
                back[b] = a
    return frozenset(found)


def _registers(key: str, layer: Layer) -> list[_Name]:
    """Registers in the order of the text, those written first; the guard is one that is read."""
    guard, _, rest = key.partition(" ") if key.startswith("@") else ("", "", key)
    pattern = _REGISTER[layer]
    return [(kind, int(number)) for kind, number in pattern.findall(f"{rest} {guard}")]


def _writes(key: str, layer: Layer) -> int:
    """How many of the registers that come first are written."""
    if layer is Layer.PTX and _SILENT.match(key):
        return 0
    match = _WRITTEN[layer].match(key)
    return len(_REGISTER[layer].findall(match[1])) if match else 0


def _forget(name: _Name, there: dict[_Name, _Name], back: dict[_Name, _Name], layer: Layer) -> None:
    kind, number = name
    for each in range(number, number + (_WIDE if layer is Layer.SASS else 1)):
        partner = there.pop((kind, each), None)
        if partner is not None and back.get(partner) == (kind, each):
            del back[partner]
