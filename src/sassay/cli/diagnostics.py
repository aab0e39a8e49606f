"""A state's diagnostics on standard error, so that a report in a pipe stays clean."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sassay.cli.text import printable

if TYPE_CHECKING:
    from sassay.model.state import State

_SHOWN = 20


def say_diagnostics(*states: State, shown: int | None = _SHOWN) -> None:
    """Print errors and warnings of states on standard error, a line each.

    Args:
        states: The states that were read.
        shown: Most lines; None for all.
    """
    lines = [
        f"sassay: {each.level.value}: {each.place}: {each.message}"
        for state in states
        for each in state.diagnostics
        if each.level.value != "note"
    ]
    for line in lines[:shown]:
        sys.stderr.write(f"{printable(line)}\n")
    if shown is not None and len(lines) > shown:
        sys.stderr.write(f"sassay: {len(lines) - shown} more; --format json lists all\n")
