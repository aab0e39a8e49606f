"""Runs the Triton kernels of caches and captures in compiled code and in the interpreter.

Run `python -m bench.compiled INPUT...`: each kernel is launched as for its numeric path, with
random floats; `--limit` takes the first kernels only. Counts which kernels are compiled, and prints
those whose bits, labels or traps differ, which none may; then what keeps kernels from being
compiled, by count.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from typing import TYPE_CHECKING

from bench.derived import derived_launch, distinct_kernels, program_of
from sassay.cli.session import Session
from sassay.errors import SassayError
from sassay.machine.compiled import Backend, Choice
from sassay.machine.path.launch import NoLaunchError

if TYPE_CHECKING:
    from sassay.machine import Result


def _same(a: Result, b: Result) -> bool:
    pairs = zip(a.arrays, b.arrays, strict=True)
    arrays = all(x is y or (x is not None and y is not None and x.tobytes() == y.tobytes())
                 for x, y in pairs)  # fmt: skip
    return arrays and (a.trap, a.labels, a.forms) == (b.trap, b.labels, b.forms)


def main() -> None:
    """Prints what differs, then counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("inputs", nargs="+")
    parser.add_argument("--limit", type=int)
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    spent = 0.0
    for given in options.inputs:
        with Session(quiet=True) as session:
            for kernel in distinct_kernels(session, given, options.limit):
                counts["kernels"] += 1
                try:
                    program = program_of(session, kernel)
                    launch, wanted = derived_launch(kernel, program)
                except (SassayError, NoLaunchError):
                    counts["kernels without a launch"] += 1
                    continue
                started = time.process_time()
                found = Backend(Choice.COMPILED, checked_threads=0).run(program, launch)
                spent += time.process_time() - started
                if found.not_compiled:
                    counts["kernels left to the interpreter"] += 1
                    reasons[found.not_compiled] += 1
                    continue
                ended = "run" if wanted.trap is None else "trap, which the interpreter tells"
                counts[f"kernels compiled that {ended}"] += 1
                if not _same(wanted, found):
                    counts["kernels that differ"] += 1
                    print(f"{kernel.symbol}: differs", flush=True)
    for what, count in sorted(counts.items()):
        print(f"{count:6} {what}")
    for reason, count in reasons.most_common():
        print(f"{count:6} kernels have {reason}")
    print(f"{spent:.1f} s processor for compiling and running")


if __name__ == "__main__":
    main()
