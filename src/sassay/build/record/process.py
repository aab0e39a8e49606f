"""Runs a command as if sassay were not there: its own streams, its signals, its exit status."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sassay.errors import ToolError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

GRACE_S = 5.0
"""How long processes that the command left behind may take to end before it is captured."""
_FORWARDED = (
    signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2,
)  # fmt: skip
_STOPPING = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT})
_PR_SET_CHILD_SUBREAPER = 36
_LONG = 3600.0


class Ended(msgspec.Struct, frozen=True):
    """How a command ended.

    Attributes:
        status: Exit status as a shell tells it: 128 and the signal's number for one that killed it.
        signal: Name of the signal that killed it, None if it ended by itself.
        stopped_by: Name of the signal by which somebody asked the recording to stop, None if
            nobody did: the usual end of a server.
        seconds: Wall time from its start to its end.
        survivors: Processes of the command that still run.
    """

    status: int
    signal: str | None
    stopped_by: str | None
    seconds: float
    survivors: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether what it emitted is all that it would have: it ended well, or as it was asked."""
        return self.status == 0 or self.stopped_by is not None

    def describe(self) -> str:
        """A clause: `ended with status 1`, `was killed by SIGKILL`, `was stopped by SIGINT`."""
        if self.stopped_by is not None:
            return f"was stopped by {self.stopped_by}"
        if self.signal is not None:
            return f"was killed by {self.signal}"
        return f"ended with status {self.status}"


def run_command(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    poll: Callable[[int], None] | None = None,
    poll_seconds: float = 0.5,
) -> Ended:
    """Run a command to its end. Called from the main thread.

    The command shares the terminal and the process group, so that Ctrl-C and Ctrl-Z reach it from
    the terminal itself; a signal that is sent to this process alone is passed on.

    Args:
        arguments: The program, found on PATH, and its arguments.
        environment: Its whole environment.
        poll: Called with its process id now and then while it runs.
        poll_seconds: Time between two calls.

    Raises:
        UsageError: There is no such program, or it cannot be executed.
        ToolError: The system has no `sigtimedwait` (macOS, Windows).
    """
    if not hasattr(signal, "sigtimedwait"):
        raise ToolError("recording needs Linux", hint=f"this is {sys.platform}")
    with _held_signals() as before:
        _adopt_orphans()
        started = time.monotonic()
        pid = _spawn(arguments, environment, before)
        code, stopped_by = _wait(pid, poll, poll_seconds)
        seconds = time.monotonic() - started
        survivors = _wait_for_orphans()
    killed = signal.Signals(-code).name if code < 0 else None
    return Ended(
        status=128 - code if code < 0 else code,
        signal=killed,
        stopped_by=stopped_by,
        seconds=seconds,
        survivors=survivors,
    )


@contextmanager
def _held_signals() -> Iterator[set[signal.Signals]]:
    """Signals wait to be asked for, so that none ends this process before its command's capture."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*_FORWARDED, signal.SIGCHLD})
    try:
        yield {signal.Signals(number) for number in before}
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _spawn(
    arguments: Sequence[str], environment: Mapping[str, str], mask: set[signal.Signals]
) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        # Python ignores these two; a command expects the system's defaults.
        return os.posix_spawnp(
            arguments[0],
            list(arguments),
            dict(environment),
            setsigmask=mask,
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
        )
    except FileNotFoundError as error:
        raise UsageError("there is no such command", artifact=arguments[0]) from error
    except OSError as error:
        raise UsageError(
            f"cannot be run: {error.strerror or error}", artifact=arguments[0]
        ) from error


def _wait(
    pid: int, poll: Callable[[int], None] | None, poll_seconds: float
) -> tuple[int, str | None]:
    """Exit code (negative for a signal) and the signal by which somebody asked to stop."""
    stopped_by: str | None = None
    wanted = {*_FORWARDED, signal.SIGCHLD}
    while True:
        info = signal.sigtimedwait(wanted, poll_seconds if poll else _LONG)
        if poll is not None:
            poll(pid)
        if info is not None and info.si_signo != signal.SIGCHLD:
            if info.si_signo in _STOPPING:
                stopped_by = signal.Signals(info.si_signo).name
            # From the terminal (a code above 0) the whole process group has got it already.
            if info.si_code <= 0:
                with suppress(ProcessLookupError):
                    os.kill(pid, info.si_signo)
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status), stopped_by


def _adopt_orphans() -> None:
    """Processes that the command leaves behind become children of this one, to be waited for."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _wait_for_orphans() -> int:
    """Number of processes that still run after the grace period."""
    deadline = time.monotonic() + GRACE_S
    while True:
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                continue
        alive = children(os.getpid())
        left = deadline - time.monotonic()
        if not alive or left <= 0:
            return len(alive)
        info = signal.sigtimedwait({*_FORWARDED, signal.SIGCHLD}, min(left, 0.5))
        if info is not None and info.si_signo in _STOPPING:
            return len(children(os.getpid()))


def children(pid: int) -> list[int]:
    """Process ids of the children of a process, sorted; empty if it is gone."""
    found: set[int] = set()
    with suppress(OSError, ValueError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                found.update(map(int, (task / "children").read_text().split()))
    return sorted(found)


def descendants(pid: int) -> list[int]:
    """The process and all that come from it."""
    found: list[int] = []
    todo = [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        todo += children(one)
    return found
