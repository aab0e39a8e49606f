"""Which source line before is which line after.

Files are the same by their path, else the two that define the kernel, else by a name that no other
file has. In files whose text is at hand on both sides, lines are the same by their text, in order;
where one was edited, by its place between lines that were not. Else by number, counted from where
the kernel is defined in the kernel's own file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

import msgspec

from sassay.model.artifact import SourceLocation

if TYPE_CHECKING:
    from collections.abc import Iterable

_ALIKE = 0.5
"""An edited line shares at least this much with what it was."""
_MOST = 4_000
"""Lines of a file between the first and the last that are compared by text."""
_MARGIN = 20


class Side(msgspec.Struct, frozen=True):
    """One kernel's source lines.

    Attributes:
        places: Every line that its instructions name.
        defined: Where it is defined.
        texts: The text at hand, by file and number.
    """

    places: frozenset[SourceLocation]
    defined: SourceLocation | None
    texts: Mapping[str, Mapping[int, str]]


class Alignment(msgspec.Struct, frozen=True):
    """Lines before and their lines after, and how they were found (see `LineMoves.aligned`)."""

    pairs: Mapping[SourceLocation, SourceLocation]
    how: str


def align_lines(before: Side, after: Side) -> Alignment:
    """Pairs the lines of two kernels; each line is in one pair at most."""
    pairs: dict[SourceLocation, SourceLocation] = {}
    ways: set[str] = set()
    for file, other in _files(before, after).items():
        mine, theirs = _numbers(before, file), _numbers(after, other)
        texts = before.texts.get(file), after.texts.get(other)
        if texts[0] and texts[1]:
            found = _by_text(texts[0], texts[1], mine, theirs)
            ways.add("text")
        else:
            found = _by_number(before, after, file, other, mine)
            ways.add("number")
        for line, match in found.items():
            if line in mine and match in theirs:
                pairs[SourceLocation(file, line)] = SourceLocation(other, match)
    return Alignment(pairs, ways.pop() if len(ways) == 1 else "mixed" if ways else "number")


def _numbers(side: Side, file: str) -> set[int]:
    return {place.line for place in side.places if place.file == file}


def _files(before: Side, after: Side) -> dict[str, str]:
    mine = {place.file for place in before.places}
    theirs = {place.file for place in after.places}
    found = {file: file for file in mine & theirs}
    left, right = mine - theirs, theirs - mine
    if before.defined and after.defined:
        own, other = before.defined.file, after.defined.file
        if own in left and other in right:
            found[own] = other
            left, right = left - {own}, right - {other}
    names = _unique(left), _unique(right)
    found |= {file: names[1][name] for name, file in names[0].items() if name in names[1]}
    return dict(sorted(found.items()))


def _unique(files: Iterable[str]) -> dict[str, str]:
    """Files by their names, without names that several have."""
    named = [(file.replace("\\", "/").rsplit("/", 1)[-1], file) for file in files]
    counts = Counter(name for name, _ in named)
    return {name: file for name, file in named if counts[name] == 1}


def _by_number(
    before: Side, after: Side, file: str, other: str, lines: Iterable[int]
) -> dict[int, int]:
    one, two = before.defined, after.defined
    moved = one is not None and two is not None and (one.file, two.file) == (file, other)
    shift = two.line - one.line if moved and one and two else 0
    start = one.line if moved and one else 0
    return {line: line + shift if line >= start else line for line in lines}


def _by_text(
    before: Mapping[int, str], after: Mapping[int, str], mine: set[int], theirs: set[int]
) -> dict[int, int]:
    one, two = _stretch(before, mine), _stretch(after, theirs)
    left = [before[number].strip() for number in one]
    right = [after[number].strip() for number in two]
    if left == right:
        return dict(zip(one, two, strict=True))
    found: dict[int, int] = {}
    matcher = SequenceMatcher(None, left, right, autojunk=False)
    for tag, i, k, j, m in matcher.get_opcodes():
        if tag == "equal":
            found.update(zip(one[i:k], two[j:m], strict=True))
        elif tag == "replace":
            old = {number: before[number].strip() for number in one[i:k] if number in mine}
            new = {number: after[number].strip() for number in two[j:m] if number in theirs}
            found.update(_edited(old, new))
    return found


def _stretch(text: Mapping[int, str], lines: set[int]) -> list[int]:
    """The numbers around the lines that matter, of which the text is at hand."""
    low, high = min(lines) - _MARGIN, max(lines) + _MARGIN
    numbers = [number for number in range(low, high + 1) if number in text]
    return numbers if len(numbers) <= _MOST else sorted(lines & text.keys())[:_MOST]


def _edited(before: Mapping[int, str], after: Mapping[int, str]) -> dict[int, int]:
    """Lines of an edited stretch that stayed alike, in order; each takes the most alike one."""
    found: dict[int, int] = {}
    rest = list(after)
    for number, text in before.items():
        if not rest:
            break
        likeness = [SequenceMatcher(None, text, after[each]).ratio() for each in rest]
        best = max(range(len(rest)), key=likeness.__getitem__)
        if likeness[best] >= _ALIKE:
            found[number] = rest[best]
            rest = rest[best + 1 :]
    return found
