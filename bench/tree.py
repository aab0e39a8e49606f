"""Runs a command and measures it with all processes that it starts."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SAMPLE_SECONDS = 0.1


@dataclass(frozen=True)
class TreeRun:
    """One run.

    Attributes:
        wall: Seconds.
        cpu: Seconds of processor time of all processes.
        peak: Most memory that all of them held at one time, in MB: pages that several map count
            once (proportional set size, sampled ten times a second; Linux).
        output: Standard output.
    """

    wall: float
    cpu: float
    peak: float
    output: str


def run_tree(command: Sequence[str], environment: Mapping[str, str]) -> TreeRun:
    """Run a command to its end.

    Raises:
        SystemExit: It failed.
    """
    before = os.times()
    start = time.perf_counter()
    process = subprocess.Popen(
        list(command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **environment},
    )  # fmt: skip
    peaks = [0]
    ended = threading.Event()
    watch = threading.Thread(target=_watch, args=(process.pid, ended, peaks))
    watch.start()
    output, errors = process.communicate()
    wall = time.perf_counter() - start
    ended.set()
    watch.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit status {process.returncode}\n{errors}")
    after = os.times()
    used = after.children_user + after.children_system
    spent = used - before.children_user - before.children_system
    return TreeRun(wall, spent, peaks[0] / 1024, output)


def _watch(root: int, ended: threading.Event, peaks: list[int]) -> None:
    while not ended.wait(_SAMPLE_SECONDS):
        peaks[0] = max(peaks[0], sum(map(_pss, _tree(root))))


def _tree(root: int) -> list[int]:
    found = [root]
    for pid in found:
        try:
            text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        except OSError:
            continue
        found += [int(child) for child in text.split()]
    return found


def _pss(pid: int) -> int:
    """Kilobytes of one process, its part of what it shares."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0
