"""What recording adds to a command: a script that compiles, launches and computes, without a GPU.

Usage: python -m bench.record [--repeat 5] [--kernels 30] [--seconds 10]

The script compiles `kernels` variants of one Triton function (0.2 s each), then computes for
`seconds`. It times itself, from its first line to its last; the whole command is timed too, and
under `sassay record` that holds the capture.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import measure

_SCRIPT = """\
import time
started = time.perf_counter()
import sys
import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget
from kernels import add


class Driver:
    def get_current_target(self):
        return GPUTarget("cuda", 90, 32)

    def get_current_device(self):
        return 0

    def get_current_stream(self, device):
        return 0


class Tensor:
    dtype, shape = "fp32", [1]

    def data_ptr(self):
        return 4096


triton.runtime.driver.set_active(Driver())
for number in range(int(sys.argv[1])):
    add.warmup(1.0, 1 << 20, BLOCK=64, STEP=number, grid=(1,))
end = time.perf_counter() + float(sys.argv[2])
while time.perf_counter() < end:
    add.warmup(1.0, 1 << 20, BLOCK=64, STEP=0, grid=(1,))
print("OWN", time.perf_counter() - started)
"""
_KERNELS = """\
import triton
import triton.language as tl


@triton.jit
def add(factor, n, BLOCK: tl.constexpr, STEP: tl.constexpr):
    o = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.device_assert(tl.sum(o.to(tl.float32) * factor, 0) + STEP < n)
"""


def main() -> int:
    """Run both ways by turns and print medians."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeat", type=int, default=5, help="rounds (default 5)")
    parser.add_argument("--kernels", type=int, default=30, help="compilations (default 30)")
    parser.add_argument("--seconds", type=float, default=10.0, help="computing (default 10)")
    args = parser.parse_args()
    own: dict[str, list[float]] = {"bare": [], "recorded": []}
    whole: dict[str, list[float]] = {"bare": [], "recorded": []}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "run.py").write_text(_SCRIPT)
        (folder / "kernels.py").write_text(_KERNELS)
        command = [sys.executable, "run.py", str(args.kernels), str(args.seconds)]
        recording = [measure.sassay_program(), "record", "-o", "run.sassay", "--", *command]
        for number in range(args.repeat):
            for name, line in (("bare", command), ("recorded", recording)):
                cache = folder / f"cache{number}"
                started = time.perf_counter()
                done = subprocess.run(
                    line,
                    cwd=folder,
                    env={**os.environ, "TRITON_CACHE_DIR": str(cache)},
                    capture_output=True,
                    text=True,
                    check=False,
                )
                whole[name].append(time.perf_counter() - started)
                found = re.search(r"OWN ([\d.]+)", done.stdout)
                if done.returncode or found is None:
                    raise SystemExit(done.stderr)
                own[name].append(float(found[1]))
    print(f"{args.kernels} compilations and {args.seconds:g} s; {measure.load()}\n")
    for title, times in (("the command's own time", own), ("the whole, capture included", whole)):
        bare, recorded = (statistics.median(times[name]) for name in ("bare", "recorded"))
        both = f"bare {bare:6.2f} s  recorded {recorded:6.2f} s"
        print(f"{title:<28} {both}  {recorded - bare:+.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
