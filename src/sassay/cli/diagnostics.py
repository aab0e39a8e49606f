"""A state's diagnostics on standard error, so that a report in a pipe stays clean."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sassay.model.state import State

_SHOWN = 20


def say_diagnostics(*states: State) -> None:
    """Print errors and warnings of states on standard error, a line each, at most 20.

    Args:
        states: The states that were read.
    """
    lines = [
        f"sassay: {each.level.value}: {each.place}: {each.message}"
        for state in states
        for each in state.diagnostics
        if each.level.value != "note"
    ]
    for line in lines[:_SHOWN]:
        plain = "".join(
            c if c.isprintable() else f"\\x{ord(c):02x}" for c in " ".join(line.split())
        )
        sys.stderr.write(f"{plain}\n")
    if len(lines) > _SHOWN:
        sys.stderr.write(f"sassay: {len(lines) - _SHOWN} more; --format json lists all\n")
