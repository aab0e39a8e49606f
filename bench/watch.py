"""Looks for races and for reads of unwritten outputs in kernels of caches and captures.

Run `python -m bench.watch INPUT...`: each Triton kernel is launched as for its numeric path, with
random floats, and with strides that keep what it writes apart. Every array that a kernel writes
counts as an output that holds nothing yet. Prints each alarm, and what the search cost beside the
plain run; `--harmless` also lists pairs that cannot change a result.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bench.derived import derived_launch, distinct_kernels, program_of
from sassay.cli.session import Session
from sassay.errors import SassayError
from sassay.machine import run
from sassay.machine.path.launch import NoLaunchError
from sassay.machine.watched import Watched, run_watched

if TYPE_CHECKING:
    from sassay.machine import Launch
    from sassay.machine.global_races import Access
    from sassay.machine.program import Program
    from sassay.model.kernel import Kernel


def _watch(kernel: Kernel, program: Program) -> tuple[Launch, Watched]:
    """The first derived launch that stays in bounds, looked at closely."""
    launch, plain = derived_launch(kernel, program)
    if plain.trap is not None:
        raise NoLaunchError(f"the derived launch traps: {plain.trap}")
    empty = {
        at: np.zeros(array.nbytes, np.bool_)
        for at, array in enumerate(plain.arrays)
        if array is not None
    }
    found = run_watched(program, launch, empty=empty, read_only=frozenset(empty))
    if found.trap is not None:
        # The array is in and out: what is left to look for are races.
        found = replace(run_watched(program, launch), trap=found.trap)
    return launch, found


def main() -> None:
    """Prints each alarm, then counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("inputs", nargs="+")
    parser.add_argument("--harmless", action="store_true")
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    plain_time = watched_time = 0.0
    for given in options.inputs:
        with Session(quiet=True) as session:
            for kernel in distinct_kernels(session, given):
                counts["kernels"] += 1
                try:
                    program = program_of(session, kernel)
                    started = time.process_time()
                    launch, found = _watch(kernel, program)
                    watched_time += time.process_time() - started
                    started = time.process_time()
                    run(program, launch)
                    plain_time += time.process_time() - started
                except (SassayError, NoLaunchError) as error:
                    counts["kernels without a launch that runs"] += 1
                    print(f"-- {kernel.symbol}: {str(error)[:240]}", flush=True)
                    continue
                counts["kernels looked at"] += 1
                _print(kernel, found, counts, harmless=options.harmless)
    for what, count in sorted(counts.items()):
        print(f"{count:6} {what}")
    print(f"{plain_time:.1f} s processor for plain runs, {watched_time:.1f} s with the search")


def _print(kernel: Kernel, found: Watched, counts: Counter[str], *, harmless: bool) -> None:
    if found.trap is not None:
        counts[f"alarm: {found.trap.kind}"] += 1
        where = found.trap.location
        place = f"{where.file.rpartition('/')[2]}:{where.line}" if where else ""
        print(f"{kernel.symbol}: {found.trap.message}: {place}: {found.trap.instruction}")
    if found.left_out:
        counts["not looked at whole"] += 1
        print(f"{kernel.symbol}: {found.left_out}")
    for kind in ("race", "same-value", "unused"):
        pairs = [each for each in found.races if each.kind == kind]
        counts[f"alarm: {kind}"] += bool(pairs)
        if kind != "race" and not harmless:
            continue
        for each in pairs:
            sides = " | ".join(_access(one) for one in (each.first, each.second))
            print(f"{kernel.symbol}: {kind} x{each.count}, argument {each.array}: {sides}")


def _access(one: Access) -> str:
    place = one.op.place
    line = place.location.line if place.location else "-"
    where = f"block {one.block} thread {one.thread}"
    return f"{where} {one.does} line {place.line} ({line}) {place.text}"


if __name__ == "__main__":
    main()
