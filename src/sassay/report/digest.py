"""Diagnostics in few lines: one a kind, with how many are like it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sassay.model.state import Level
from sassay.report.numbers import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.model.state import Diagnostic

_FIGURES = re.compile(r"\b(?:sm|compute)_\d+[a-f]?\b|0x[0-9a-f]+|\d[\d,.]*|'[^']*'|\"[^\"]*\"")


@dataclass(frozen=True)
class Kind:
    """Diagnostics that say the same thing of several places.

    Attributes:
        first: The first of them.
        more: How many others there are.
    """

    first: Diagnostic
    more: int

    @property
    def text(self) -> str:
        """`lib.so: no disassembler knows sm_60 (and 3 like it)`."""
        more = f" (and {self.more:,} like it)" if self.more else ""
        return f"{self.first.place}: {self.first.message}{more}"


def kinds(items: Sequence[Diagnostic], *, notes: bool = False) -> tuple[Kind, ...]:
    """Diagnostics by kind, in the order of the first of each.

    Args:
        items: Sorted.
        notes: Whether notes are wanted too.
    """
    grouped: dict[tuple[Level, str], list[Diagnostic]] = {}
    for item in items:
        if notes or item.level is not Level.NOTE:
            key = (item.level, _FIGURES.sub("#", item.message))
            grouped.setdefault(key, []).append(item)
    return tuple(Kind(same[0], len(same) - 1) for same in grouped.values())


def quiet_notes(items: Sequence[Diagnostic]) -> str | None:
    """`7 notes: --all shows them`, None without notes."""
    number = sum(item.level is Level.NOTE for item in items)
    if not number:
        return None
    return f"{plural(number, 'note')}: --all shows {'it' if number == 1 else 'them'}"
