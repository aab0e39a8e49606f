"""Counts what of a cache's kernels the PTX machine runs, and which instruction forms are missing.

Run `python -m bench.machine_coverage CACHE...` on folders that hold `.ptx` files (a Triton cache is
one); `--symbolic` also counts what the symbolic mode refuses, `--matrix` keeps kernels with matrix
instructions and asynchronous copies.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from sassay.errors import SassayError
from sassay.isa.ptx import read_module
from sassay.machine import UnsupportedInstruction
from sassay.machine.lower import lower
from sassay.machine.symbolic.handlers import refuse_unfollowed

_MATRIX = ("mma", "wgmma", "tcgen05", "cp", "mbarrier", "wmma")


def main() -> None:
    """Prints how many entries parse, lower and are refused, and the missing forms by count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--symbolic", action="store_true")
    parser.add_argument("--matrix", action="store_true")
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    missing: Counter[str] = Counter()
    for file in sorted(path for folder in options.folders for path in folder.rglob("*.ptx")):
        counts["modules"] += 1
        try:
            module = read_module(file.read_text(encoding="utf-8"), artifact=str(file))
        except SassayError as error:
            counts["modules that do not parse"] += 1
            print(error)
            continue
        for entry in module.entries:
            counts["entries"] += 1
            bases = {each.opcode.split(".", 1)[0] for each in entry.instructions}
            if bases.intersection(_MATRIX) and not options.matrix:
                counts["entries with matrix instructions or asynchronous copies"] += 1
                continue
            try:
                program = lower(module, entry, str(file))
                if options.symbolic:
                    refuse_unfollowed(program)
            except UnsupportedInstruction as error:
                counts["entries refused"] += 1
                for form, _, _ in error.forms:
                    missing[form] += 1
            else:
                counts["entries that run"] += 1
    for what, count in counts.items():
        print(f"{count:6} {what}")
    for form, count in missing.most_common():
        print(f"{count:6} entries need {form}")


if __name__ == "__main__":
    main()
