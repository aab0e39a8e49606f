"""`python -m sassay.machine.hardware FOLDER...`: compares the machine with the GPU here.

Prints a line for each launch, and the totals by label. Exits 0 if every output of a launch that is
`exact` or `modelled` has equal bits, 1 if one has not, 2 if there is no GPU.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec

from sassay.errors import SassayError
from sassay.machine.hardware.compare import Outcome, compare
from sassay.machine.hardware.worker import Worker
from sassay.machine.matrix.rules import GPUS, gpu_of


def _out(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _say(outcome: Outcome) -> None:
    if outcome.problem is not None:
        line = f"not compared: {outcome.problem}"
    else:
        line = f"{outcome.label}: {outcome.outputs} outputs, {outcome.differing} differ"
        if outcome.first is not None:
            line += f" ({outcome.first})"
    _out(f"{outcome.name}: {line}")


def main() -> int:
    """Compares, and gives the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m sassay.machine.hardware",
        description="Run a corpus on the PTX machine and on the GPU here; compare every bit.",
    )
    parser.add_argument("folder", type=Path, nargs="+", help="of NAME.ptx with NAME.toml")
    parser.add_argument("--gpu", choices=GPUS, help="whose rules the machine follows")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there")
    options = parser.parse_args()
    try:
        with Worker() as worker:
            gpu = options.gpu or gpu_of(worker.arch)
            report = compare(options.folder, worker, gpu, progress=_say)
    except SassayError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    _out(f"{report.device}, CUDA {report.driver}")
    for total in report.totals:
        _out(
            f"{total.label}: {total.launches} launches, {total.outputs} outputs, "
            f"{total.differing} differ"
        )
    problems = sum(each.problem is not None for each in report.outcomes)
    if problems:
        _out(f"not compared: {problems} launches")
    if options.json:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    return int(any(each.differing and each.label != "approximate" for each in report.outcomes))


if __name__ == "__main__":
    sys.exit(main())
