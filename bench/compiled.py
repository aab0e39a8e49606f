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

from bench.watch import filled
from sassay.cli.session import Session
from sassay.errors import SassayError
from sassay.machine import load_program, run
from sassay.machine.compiled import Backend, Choice
from sassay.machine.path.launch import SIZES, NoLaunchError, plan_launches

if TYPE_CHECKING:
    from sassay.machine import Launch, Program, Result
    from sassay.model.kernel import Kernel


def _launch(kernel: Kernel, program: Program) -> tuple[Launch, Result]:
    """The first derived launch that stays in bounds, or the last one, and what it gave."""
    plan = plan_launches(kernel, program)
    for size in SIZES:
        launch = filled(kernel, plan, plan.launch(size).launch)
        plain = run(program, launch)
        if plain.trap is None:
            break
    return launch, plain


def _same(a: Result, b: Result) -> bool:
    pairs = zip(a.arrays, b.arrays, strict=True)
    arrays = all(x is y or (x is not None and y is not None and x.tobytes() == y.tobytes())
                 for x, y in pairs)  # fmt: skip
    return arrays and (a.trap, a.labels, a.forms) == (b.trap, b.labels, b.forms)


def main() -> None:
    """Prints what differs, then counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("inputs", nargs="+")
    parser.add_argument("--limit", type=int, default=1 << 30)
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    spent = 0.0
    for given in options.inputs:
        with Session(quiet=True) as session:
            seen: set[str] = set()
            for kernel in session.open(given).kernels[: options.limit]:
                if kernel.code.ptx is None or kernel.code.ptx in seen:
                    continue
                seen.add(kernel.code.ptx)
                counts["kernels"] += 1
                try:
                    text = session.store.ptx(kernel.code.ptx)
                    program = load_program(text, kernel.symbol, artifact=kernel.symbol)
                    launch, wanted = _launch(kernel, program)
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
