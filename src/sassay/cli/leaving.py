"""How sassay's own process ends: at once, its memory given back in one piece.

To take a hundred thousand records apart one by one, as Python does when nobody refers to them any
more, takes half a second at the end of a large diff.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

_kept: list[object] = []
_own = False


def leave_with(work: Callable[[], int]) -> NoReturn:
    """Do the work of a whole process and end it with the status that the work returns.

    What exit handlers do is done; the interpreter's own end is left out, unless a debugger, a
    profiler or `python -i` waits for it.

    Args:
        work: Writes all that it has to say, and closes what it opened.
    """
    global _own  # noqa: PLW0603 - a fact about the process
    _own = sys.gettrace() is None and sys.getprofile() is None and not sys.flags.inspect
    status = work()
    if not _own:
        sys.exit(status)
    atexit._run_exitfuncs()  # noqa: SLF001 - nothing public runs them, and pools clean up there
    for stream in (sys.stdout, sys.stderr):  # for what those said; our own was flushed before
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def keep(item: object) -> None:
    """Keep something large until the process ends, if it is ours to end."""
    if _own:
        _kept.append(item)
