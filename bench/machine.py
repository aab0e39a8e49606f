"""Measures the PTX machine: RMSNorm of rows of bf16, in thread-instructions a second.

Run `python -m bench.machine` in a checkout with Triton and llvmlite; `--rows` and `--width` change
the size, `--symbolic` the mode. Interpreter and compiled code take turns, on one core, in
processor time; compiled code counts with the blocks that the interpreter checks before it, and its
arrays have to be the same, byte for byte.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import resource
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from sassay.machine import Launch, Program, Result, load_program, run
from sassay.machine.compiled import Backend, Choice
from sassay.machine.symbolic import run_symbolic

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sassay.machine.symbolic import SymbolicResult

NORMS = Path(__file__).parents[1] / "examples" / "router" / "common" / "norms.py"


def compile_rmsnorm(block: int, warps: int, arch: int) -> tuple[str, int]:
    """The PTX of the router example's RMSNorm, and its bytes of shared memory."""
    spec = importlib.util.spec_from_file_location("norms", NORMS)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(NORMS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    types = dict.fromkeys(("x_ptr", "weight_ptr", "out_ptr"), "*bf16")
    types |= dict.fromkeys(("stride_x", "stride_out", "hidden"), "i32")
    signature = {**types, "eps": "fp32", "BLOCK": "constexpr"}
    aligned = {(index,): [["tt.divisibility", 16]] for index in range(6)}
    source = ASTSource(vars(module)["_rmsnorm_kernel"], signature, {(7,): block}, aligned)
    built = triton.compile(source, target=GPUTarget("cuda", arch, 32), options={"num_warps": warps})
    return str(built.asm["ptx"]), int(built.metadata.shared)


def _arguments(rows: int, width: int) -> list[Any]:
    random = np.random.default_rng(0)
    values = random.standard_normal((rows + 1, width), dtype=np.float32)
    words = (values.view(np.uint32) >> np.uint32(16)).astype(np.uint16)
    out = np.zeros((rows, width), np.uint16)
    return [words[:rows].copy(), words[rows].copy(), out, width, width, width, 1e-6]


def _measure(
    runs: Mapping[str, Callable[[], Result | SymbolicResult]], rounds: int
) -> dict[str, list[float]]:
    """Millions of thread-instructions a second of each way, in every round."""
    rates: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        digests = set()
        for name, one in runs.items():
            wall, processor = time.perf_counter(), time.process_time()
            result = one()
            wall, processor = time.perf_counter() - wall, time.process_time() - processor
            if result.trap is not None:
                raise SystemExit(str(result.trap))
            if isinstance(result, Result):
                digests.add(_digest(result))
                if name == "compiled" and not result.compiled_blocks:
                    raise SystemExit(f"not compiled: {result.not_compiled}")
            rates[name].append(result.instructions / processor / 1e6)
            print(
                f"{name}: {result.instructions / 1e6:.0f} M thread-instructions: {wall:.3f} s, "
                f"{processor:.3f} s of processor time, {rates[name][-1]:.0f} M a second"
            )
        if len(digests) > 1:
            raise SystemExit("the interpreter and compiled code differ")
    return rates


def _digest(result: Result) -> str:
    found = hashlib.sha256()
    for array in result.arrays:
        found.update(b"" if array is None else array.tobytes())
    return found.hexdigest()


def main() -> None:
    """Prints one line for each run, and the median."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=4096)
    parser.add_argument("--width", type=int, default=4096)
    parser.add_argument("--warps", type=int, default=8)
    parser.add_argument("--arch", type=int, default=90)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--symbolic", action="store_true", help="expressions, not numbers")
    options = parser.parse_args()
    block = 1 << (options.width - 1).bit_length()
    ptx, shared = compile_rmsnorm(block, options.warps, options.arch)
    started = time.process_time()
    program: Program = load_program(ptx)
    print(f"lowering: {time.process_time() - started:.3f} s")
    arguments = _arguments(options.rows, options.width)
    scratch = [None] * (len(program.params) - len(arguments))
    launch = Launch(options.rows, options.warps * 32, [*arguments, *scratch], shared=shared)
    runs: dict[str, Callable[[], Result | SymbolicResult]] = {
        "interpreter": lambda: run(program, launch)
    }
    if options.symbolic:
        runs = {"symbolic": lambda: run_symbolic(program, launch)}
    else:
        backend = Backend(Choice.COMPILED)
        runs["compiled"] = lambda: backend.run(program, launch)
        started = time.process_time()
        backend.run(program, launch)
        print(f"compiling, and a first run: {time.process_time() - started:.3f} s")
    rates = _measure(runs, options.rounds)
    medians = {name: statistics.median(each) for name, each in rates.items()}
    for name, rate in medians.items():
        print(f"{name}: median {rate:.0f} M a second of processor time")
    if "compiled" in medians:
        print(f"compiled is {medians['compiled'] / medians['interpreter']:.1f} times as fast")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak {peak:.0f} MB")


if __name__ == "__main__":
    main()
