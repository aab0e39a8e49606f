"""Diffs two Triton caches of 60 kernels each: sassay cold and warm, and the text tools' way.

All contenders run in turn in one call, as whole processes. Cold means an empty cache of sassay's
own; what Python keeps of compiled modules is there for all. The peer is `bench/text_diff.py`:
`cuobjdump -sass` for each cubin, normalized, one unified diff, two jobs.

Usage: python -m bench.diff_caches [--repeat 7] [--peer 3] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from bench import measure
from bench.caches import kernels_in, triton_caches
from bench.measure import Contender

COLD, WARM, PEER = "sassay, cold", "sassay, cached", "cuobjdump and text diff"


def contenders(before: Path, after: Path, scratch: Path, peer_rounds: int) -> list[Contender]:
    """Who takes part, in the order of a round: cold fills the cache that warm then finds.

    Args:
        before: The earlier Triton cache.
        after: The later one.
        scratch: An empty folder.
        peer_rounds: The peer takes half a minute, so it sits out the later rounds.
    """
    cache = scratch / "cache"
    diff = [measure.sassay_program(), "diff", str(before), str(after)]
    mine = {"SASSAY_CACHE_DIR": str(cache)}
    peer = Path(__file__).with_name("text_diff.py")
    return [
        Contender(COLD, diff, mine, lambda: shutil.rmtree(cache, ignore_errors=True)),
        Contender(WARM, diff, mine),
        Contender(
            PEER,
            [sys.executable, str(peer), str(before), str(after), "--jobs", "2"],
            {},
            statuses=(0, 1),
            rounds=peer_rounds,
        ),
    ]


def main() -> int:
    """Run all and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeat", type=int, default=7, help="rounds (default 7)")
    parser.add_argument("--peer", type=int, default=3, help="rounds with the peer (default 3)")
    parser.add_argument("--json", type=Path, help="also write every run to this file")
    args = parser.parse_args()
    before, after = triton_caches()
    with tempfile.TemporaryDirectory(prefix="sassay-bench-") as folder:
        runs = measure.compete(
            contenders(before, after, Path(folder), max(1, args.peer)), args.repeat
        )
    kernels = f"{kernels_in(before)} and {kernels_in(after)} kernels"
    print(f"diff of two Triton caches, {kernels}; {args.repeat} rounds, {measure.load()}\n")
    print(measure.table(runs, against=PEER))
    if args.json is not None:
        record = {name: [asdict(run) for run in some] for name, some in runs.items()}
        args.json.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
