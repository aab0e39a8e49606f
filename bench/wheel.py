"""Diffs two releases of a real wheel, every architecture in it: cold, cached, and stage by stage.

Downloads the wheels with pip if they are not there (84 MB together); that is not timed. Stages are
those of one process: reading each state, comparing, rendering.

Usage: python -m bench.wheel [--repeat 3]
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

from bench import measure
from bench.measure import Contender
from sassay.capture import CodeArchive, open_state
from sassay.diff import DiffOptions, compare
from sassay.isa.sass import Disassembler
from sassay.report import Report, ReportOptions, render
from sassay.sources import pypi

if TYPE_CHECKING:
    from collections.abc import Sequence

RELEASES = ("pypi:bitsandbytes==0.50.1", "pypi:bitsandbytes==0.50.2")


class Laps:
    """Wall and processor time from one point of a program to the next."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, float, float]] = []
        self._last = self._now()

    def lap(self, name: str) -> None:
        """What was done since the last lap."""
        now = self._now()
        self.rows.append((name, now[0] - self._last[0], now[1] - self._last[1]))
        self._last = now

    @staticmethod
    def _now() -> tuple[float, float]:
        used = os.times()
        spent = used.user + used.system + used.children_user + used.children_system
        return time.perf_counter(), spent


def stages(wheels: Sequence[Path], cache: Path) -> Laps:
    """The stages of one diff in this process.

    Args:
        wheels: Before and after.
        cache: Folder of what earlier runs learned.
    """
    laps = Laps()
    store = CodeArchive()
    states = []
    with (
        mock.patch.dict(os.environ, {"SASSAY_CACHE_DIR": str(cache)}),
        Disassembler(cache) as disassembler,
    ):
        for wheel in wheels:
            state = open_state(str(wheel), store=store, disassembler=disassembler)
            states.append(state)
            laps.lap(f"read {state.label}, {len(state.kernels)} kernels")
        diff = compare(states, store, disassembler, DiffOptions(cache_dir=cache))
        laps.lap("compare")
    report = Report(
        command="diff",
        states=tuple(states),
        diff=diff,
        check=None,
        code_diffs=(),
        options=ReportOptions(),
    )
    for name in ("terminal", "json"):
        render(name, report)
        laps.lap(f"render {name}")
    return laps


def main() -> int:
    """Run all and print two tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeat", type=int, default=3, help="rounds (default 3)")
    args = parser.parse_args()
    wheels = [pypi.fetch(release) for release in RELEASES]
    with tempfile.TemporaryDirectory(prefix="sassay-bench-") as folder:
        cache = Path(folder) / "cache"
        command = [measure.sassay_program(), "diff", *map(str, wheels)]
        mine = {"SASSAY_CACHE_DIR": str(cache)}
        cold = Contender("cold", command, mine, lambda: shutil.rmtree(cache, ignore_errors=True))
        runs = measure.compete([cold, Contender("cached", command, mine)], args.repeat)
        again = Path(folder) / "stages"
        first, second = stages(wheels, again), stages(wheels, again)
    print(f"diff of {' and '.join(RELEASES)}; {args.repeat} rounds, {measure.load()}\n")
    print(measure.table(runs))
    print("\n| stage | cold: wall s | CPU s | cached: wall s | CPU s |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for (name, *before), (_, *after) in zip(first.rows, second.rows, strict=True):
        print(f"| {name} | {' | '.join(f'{value:.2f}' for value in (*before, *after))} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
