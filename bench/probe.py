"""Measures probes and parity contracts of the examples, in rows and cases a second.

Run `python -m bench.probe` in a checkout with Triton and llvmlite; `--rows` changes the size in the
interpreter, `--many` that in compiled code, whose compiling counts. Triton's kernels are compiled
before the clock starts. Processor time stands beside wall time, since other work may share the
machine.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import msgspec

from sassay.cli.kernels import KernelFinder
from sassay.machine.compiled import Backend, Choice
from sassay.machine.parity import Chooser, Sides, check_contracts, load_contracts
from sassay.machine.probe import load_probe, run_probe

EXAMPLES = Path(__file__).parents[1] / "examples"


def probe(name: str, rows: int, choice: Choice) -> None:
    """One probe of the router example."""
    path = EXAMPLES / "router" / name
    spec = load_probe(path)
    with KernelFinder(path.parent, quiet=True) as finder:
        chooser = Chooser(finder.kernels)
        sides = Sides(chooser)
        run_probe(msgspec.structs.replace(spec, rows=len(spec.kinds)), sides)
        wall, processor = time.perf_counter(), time.process_time()
        sides = Sides(chooser, runs=Backend(choice).runs)
        report = run_probe(msgspec.structs.replace(spec, rows=rows), sides)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
    whole = report.kinds[-1]
    print(
        f"{name}, {choice.value}: {rows:,} rows in {wall:.1f} s wall, {processor:.1f} s processor; "
        f"{whole.set_disagreement.count:,} other sets, {whole.weight_bits.count:,} other weights"
    )


def contracts() -> None:
    """The contracts of the parity example."""
    path = EXAMPLES / "parity" / "contracts.toml"
    with KernelFinder(path.parent, quiet=True) as finder:
        sides = Sides(Chooser(finder.kernels))
        file = load_contracts(path)
        steps = [
            step
            for each in file.contracts
            for side in (each.left, each.right)
            for step in side.kernels
        ]
        for origin in sides.chooser.prepare(steps):
            sides.chooser.all(origin)
        processor = time.process_time()
        report = check_contracts(file, sides)
        processor = time.process_time() - processor
    cases = [case for each in report.contracts for case in each.cases]
    held = sum(case.outcome == "holds" for case in cases)
    elements = sum(case.compared for case in cases)
    print(
        f"contracts.toml: {held} of {len(cases)} cases hold, {elements:,} elements, in "
        f"{processor:.1f} s processor"
    )


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--many", type=int, default=819_200)
    options = parser.parse_args()
    for name in ("selection.toml", "probe.toml"):
        probe(name, options.rows, Choice.INTERPRETER)
    probe("selection.toml", options.rows, Choice.COMPILED)
    probe("selection.toml", options.many, Choice.COMPILED)
    contracts()
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB")


if __name__ == "__main__":
    main()
