"""Runs commands and measures them: wall time, processor time, peak resident memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True)
class Run:
    """One run of one command.

    Attributes:
        wall: Seconds from start to end of the whole process.
        cpu: Seconds of processor time, user and system, of the process and all its children.
        peak: Most resident memory that one process of it held, in MB.
    """

    wall: float
    cpu: float
    peak: float


@dataclass(frozen=True)
class Contender:
    """A command that takes part.

    Attributes:
        name: As the table calls it.
        command: Program and arguments.
        environment: What is set beside the caller's own.
        prepare: Called before each run, outside the measured time.
        statuses: Exit statuses that are fine.
        rounds: Takes part in so many rounds at most; None: in all.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    prepare: Callable[[], None] = lambda: None
    statuses: tuple[int, ...] = (0,)
    rounds: int | None = None


def sassay_program() -> str:
    """The `sassay` script beside the Python that runs the benchmark."""
    script = Path(sysconfig.get_path("scripts")) / "sassay"
    if not script.exists():
        raise SystemExit(f"{script}: not installed (make install)")
    return str(script)


def run_once(contender: Contender) -> Run:
    """Run a command to its end, its output thrown away.

    Raises:
        SystemExit: It ended with an unexpected status.
    """
    contender.prepare()
    # What Python keeps of compiled modules is there for every contender alike.
    environment = {**os.environ, **contender.environment}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    start = time.perf_counter()
    process = subprocess.Popen(
        list(contender.command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=environment,
    )  # fmt: skip
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in contender.statuses:
        raise SystemExit(f"{contender.name}: exit status {process.returncode}")
    kilobytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return Run(wall, usage.ru_utime + usage.ru_stime, kilobytes / 1024)


def compete(contenders: Sequence[Contender], repeat: int) -> dict[str, list[Run]]:
    """Run all contenders in turn, `repeat` times, so that all meet the same load.

    The first contender runs once before that, so that Python has compiled its modules.

    Returns:
        The runs of each, by name.
    """
    runs: dict[str, list[Run]] = {contender.name: [] for contender in contenders}
    run_once(contenders[0])
    for number in range(repeat):
        for contender in contenders:
            if contender.rounds is not None and number >= contender.rounds:
                continue
            runs[contender.name].append(run_once(contender))
    return runs


def median(runs: Sequence[Run]) -> Run:
    """The median of each figure."""
    return Run(
        wall=statistics.median(run.wall for run in runs),
        cpu=statistics.median(run.cpu for run in runs),
        peak=statistics.median(run.peak for run in runs),
    )


def table(runs: Mapping[str, Sequence[Run]], against: str | None = None) -> str:
    """A Markdown table of medians, fastest to slowest run in brackets.

    Args:
        runs: The runs of each contender.
        against: The one that ratios are taken against; None leaves them out.
    """
    head = ["", "wall s", "CPU s", "peak MB"]
    if against is not None:
        head.append(f"{against} / this")
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    for name, some in runs.items():
        middle = median(some)
        fastest, slowest = min(run.wall for run in some), max(run.wall for run in some)
        wall = f"{middle.wall:.2f} ({fastest:.2f} to {slowest:.2f})"
        row = [name, wall, f"{middle.cpu:.2f}", f"{middle.peak:.0f}"]
        if against is not None:
            row.append(f"{median(runs[against]).wall / middle.wall:.1f}x")
        lines.append(row)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def load() -> str:
    """How busy the machine is, for whoever reads the figures."""
    try:
        average = f", load {os.getloadavg()[0]:.1f}"
    except OSError:
        average = ""
    return f"{os.cpu_count()} cores{average}"
