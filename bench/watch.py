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
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from sassay.cli.session import Session
from sassay.errors import SassayError
from sassay.machine import Launch, load_program, run
from sassay.machine.parity.formats import FORMATS, words_of
from sassay.machine.path.launch import SIZES, NoLaunchError, Plan, plan_launches
from sassay.machine.watched import Watched, run_watched

if TYPE_CHECKING:
    from sassay.machine.global_races import Access
    from sassay.machine.program import Program
    from sassay.model.kernel import Kernel

_ROW = 256
"""Elements from one row, or one plane of rows, to the next."""
_STEPS = 1 << 26


def _array(name: str) -> str:
    """What strides of one array have in common: their names but for the dimension."""
    return name[:-1].rstrip("_") if "stride" in name.lower() else name


def filled(kernel: Kernel, plan: Plan, launch: Launch) -> Launch:
    """The same launch with random floats, and strides that keep what a kernel writes apart."""
    random = np.random.default_rng(0)
    arguments: list[Any] = list(launch.arguments)
    signature = kernel.specialization.signature
    named = list(enumerate(plan.parameters))
    for at, each in named:
        form = FORMATS.get(str(signature.get(each.name, "")).lstrip("*"))
        old = arguments[at]
        if isinstance(old, np.ndarray) and form is not None and form.is_float:
            arguments[at] = words_of(random.standard_normal(old.size), form).view(old.dtype)
    for _, group in groupby(named, lambda item: _array(item[1].name)):
        strides = [(at, each) for at, each in group if "stride" in each.name.lower()]
        for level, (at, _) in enumerate(reversed(strides)):
            if len(strides) > 1 and isinstance(arguments[at], int):
                arguments[at] = _ROW**level
    return Launch(launch.grid, launch.block, arguments, shared=launch.shared, step_limit=_STEPS)


def _watch(kernel: Kernel, program: Program) -> tuple[Launch, Watched]:
    """The first derived launch that stays in bounds, looked at closely."""
    plan = plan_launches(kernel, program)
    for size in SIZES:
        launch = filled(kernel, plan, plan.launch(size).launch)
        plain = run(program, launch)
        if plain.trap is None:
            break
        if plain.trap.kind != "out-of-bounds":
            raise NoLaunchError(f"the derived launch traps: {plain.trap}")
    else:
        raise NoLaunchError(f"no derived launch stays in bounds: {plain.trap}")
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
            seen: set[str] = set()
            for kernel in session.open(given).kernels:
                if kernel.code.ptx is None or kernel.code.ptx in seen:
                    continue
                seen.add(kernel.code.ptx)
                counts["kernels"] += 1
                try:
                    text = session.store.ptx(kernel.code.ptx)
                    program = load_program(text, kernel.symbol, artifact=kernel.symbol)
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
