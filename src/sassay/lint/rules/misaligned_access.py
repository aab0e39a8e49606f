"""Accesses that some thread must make at an address that their width does not divide."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sassay.lint.rule import Hit, Level, Options, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sassay.lint.forms import Terms
    from sassay.lint.program import Op
    from sassay.lint.subject import Subject

_SPACES = frozenset({"global", "shared", "generic", "local"})
_ALIGN = re.compile(r"\.align\s+(\d+)")


def check(subject: Subject, options: Options) -> Iterator[Hit]:
    """One hit for each access that cannot be aligned for all of its threads."""
    del options
    symbols = _symbols(subject)
    places: dict[Terms, tuple[int, int]] = {}
    for op in subject.ops:
        opcode = op.opcode
        if not (opcode.is_load or opcode.is_store) or opcode.space not in _SPACES:
            continue
        width = opcode.width
        if width < 2 or not subject.runs(op) or not op.addresses:
            continue
        form = subject.lanes.address(op)
        if form is None:
            continue
        active = subject.lanes.active(op)
        if not active.any():
            continue
        lanes = form.lanes[active]
        if bool(((lanes - lanes[0]) % width).any()):
            step = int(abs(lanes[1] - lanes[0])) if len(lanes) > 1 else 0
            yield Hit(f"`{opcode.text}` takes {width} bytes, neighbours are {step} bytes apart", op)
            continue
        start = int(lanes[0])
        align = _known_alignment(subject, form.terms, symbols)
        if align and start % min(align, width):
            yield Hit(f"`{opcode.text}` takes {width} bytes at an offset of {start}", op)
            continue
        other = places.get(form.terms)
        if other is None or other[0] < width:
            if other is not None and (start - other[1]) % other[0]:
                yield _clash(op, width, other[0])
            places[form.terms] = (width, start)
        elif (start - other[1]) % width:
            yield _clash(op, width, other[0])


def _clash(op: Op, width: int, other: int) -> Hit:
    return Hit(
        f"`{op.opcode.text}` takes {width} bytes, another access of {other} bytes from the same "
        "address lies between its words",
        op,
    )


def _symbols(subject: Subject) -> dict[str, int]:
    """Declared alignment of shared and global variables."""
    found: dict[str, int] = {}
    if subject.function is None:
        return found
    for name, variable in subject.function.module.variables.items():
        match = _ALIGN.search(variable.text)
        if match:
            found[name] = int(match[1])
    return found


def _known_alignment(subject: Subject, terms: Terms, symbols: dict[str, int]) -> int:
    """What an address without its number is surely a multiple of; 0 where that is not known."""
    align = 0
    for value, factor in terms:
        known = 1
        if value >= 0 and subject.values.op(value) is None:
            known = symbols.get(subject.values.names[value], 1)
        step = known * (factor & -factor)
        if step == 1:
            return 0
        align = step if not align else min(align, step)
    return align


RULE = Rule(
    id="misaligned-access",
    level=Level.FAIL,
    check=check,
)
