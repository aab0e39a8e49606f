"""How long `sassay --help` and `sassay --version` take, as whole processes.

Usage: python -m bench.startup [--repeat 11]
"""

from __future__ import annotations

import argparse
import sys

from bench import measure
from bench.measure import Contender


def main() -> int:
    """Run all and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeat", type=int, default=11, help="rounds (default 11)")
    args = parser.parse_args()
    program = measure.sassay_program()
    contenders = [
        Contender("sassay --help", [program, "--help"], {}),
        Contender("sassay --version", [program, "--version"], {}),
        Contender("python -c pass", [sys.executable, "-c", "pass"], {}),
    ]
    runs = measure.compete(contenders, args.repeat)
    print(f"start-up; {args.repeat} rounds, {measure.load()}\n")
    print(measure.table(runs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
