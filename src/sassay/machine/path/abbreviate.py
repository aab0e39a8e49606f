"""Short names for what stands often in a kernel's formulas, as a paper would give them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_NAMES = "spwuyz"
_LONG, _OFTEN = 16, 3
_LINE = 160
"""Characters of a line above which names are given at all."""


def abbreviated(
    lines: Sequence[str], terms: Iterable[str], taken: Iterable[str]
) -> tuple[list[str], list[str]]:
    """Lines in which long terms that stand there often have names.

    Args:
        lines: Any number.
        terms: That may get a name; those that stand in others first.
        taken: Names that are others'.

    Returns:
        The lines, and what the names stand for, such as `s = a * b`.
    """
    found = list(lines)
    if all(len(line) <= _LINE for line in found):
        return found, []
    used = set(taken)
    names = (each for each in _NAMES if each not in used)
    meanings: list[str] = []
    known: list[tuple[str, str]] = []
    for term in dict.fromkeys(terms):
        short = term
        for name, meaning in known:
            short = short.replace(meaning, name)
        if len(short) < _LONG or sum(line.count(short) for line in found) < _OFTEN:
            continue
        name = next(names, "")
        if not name:
            break
        known.append((name, short))
        meanings.append(f"{name} = {short}")
        found = [line.replace(short, name) for line in found]
    return found, meanings
