"""Learns the tables from nvdisasm, from scratch, and writes them."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from sassay.errors import SassayError
from sassay.isa.sass import tables
from sassay.isa.sass.learn.run import WORKERS, learn_all

DEFAULT_OUT = Path(tables.__file__).parent / "data"


def main() -> int:
    """Run the generator; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m sassay.isa.sass.learn", description=__doc__)
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="folder of the tables")
    parser.add_argument(
        "--arch", action="append", help="only the family of this one, as sm_90a; repeatable"
    )
    parser.add_argument(
        "--offline", action="store_true", help="no download, so nothing for sm_70 and sm_72"
    )
    parser.add_argument("--jobs", type=int, default=WORKERS, help="families at a time")
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="sassay-") as folder:
            learn_all(
                options.out,
                options.arch,
                Path(folder),
                download=not options.offline,
                jobs=options.jobs,
            )
    except SassayError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
