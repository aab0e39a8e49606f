"""Progress on standard error, only on a terminal, gone before the report is printed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sassay.cli.text import printable

if TYPE_CHECKING:
    from rich.status import Status

_WIDTH = 76


class Progress:
    """A one-line status; silent where standard error is no terminal."""

    def __init__(self, *, enabled: bool = True) -> None:
        self._enabled = enabled and sys.stderr.isatty()
        self._status: Status | None = None

    def start(self) -> None:
        """Show the status line."""
        if self._enabled and self._status is None:
            from rich.console import Console
            from rich.text import Text

            self._status = Console(stderr=True).status(Text("starting"))
            self._status.start()

    def note(self, what: str) -> None:
        """Say what is being done now.

        Args:
            what: One clause; control characters are replaced.
        """
        if self._status is not None:
            from rich.text import Text

            plain = printable(what)
            short = plain if len(plain) <= _WIDTH else f"{plain[: _WIDTH - 1]}…"
            self._status.update(Text(short))

    def stop(self) -> None:
        """Take the line away."""
        if self._status is not None:
            self._status.stop()
            self._status = None
