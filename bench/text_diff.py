"""The peer: compare two Triton caches the way text tools do.

`cuobjdump -sass` for every cubin, addresses and encoded words stripped, branch targets as deltas,
trailing NOPs dropped, kernels sorted, one unified diff: what NVIDIA/cccl's SASS workflow does for
its benchmarks. Written from its documented behaviour, to have something to measure against.

Usage: python bench/text_diff.py BEFORE AFTER [--jobs 2]
"""

from __future__ import annotations

import argparse
import difflib
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_INSTRUCTION = re.compile(r"^\s*/\*([0-9a-f]+)\*/\s+(\S.*?)\s*(?:/\*\s*0x[0-9a-f]+\s*\*/)?\s*$")
_FUNCTION = re.compile(r"^\s*Function\s*:\s*(\S.*?)\s*$")
_BRANCH = re.compile(
    r"^((?:@!?\w+\s+)?(?:BRA|BSSY|CALL|JMP|BRX)[\w.]*\s+(?:\w+,\s*)?)(0x[0-9a-f]+)(.*)$"
)


def cuobjdump() -> str:
    """The disassembler from NVIDIA's wheel."""
    for root in map(Path, sys.path):
        for found in sorted(root.glob("nvidia/cu*/bin/cuobjdump")):
            return str(found)
    return "cuobjdump"


def normalized(path: Path, tool: str) -> list[tuple[str, list[str]]]:
    """Kernels of one cubin: name and normalized lines."""
    text = subprocess.run(
        [tool, "-sass", str(path)], capture_output=True, text=True, check=True
    ).stdout
    kernels: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if name := _FUNCTION.match(line):
            kernels.append((name[1], []))
        elif kernels and (match := _INSTRUCTION.match(line)):
            instruction = match[2]
            if branch := _BRANCH.match(instruction):
                delta = int(branch[2], 16) - int(match[1], 16)
                instruction = f"{branch[1]}<{delta:+#x}>{branch[3]}"
            kernels[-1][1].append(instruction)
    for _, lines in kernels:
        while lines and lines[-1].startswith("NOP"):
            lines.pop()
    return kernels


def listing(root: Path, jobs: int) -> list[str]:
    """All kernels below a folder as one sorted text."""
    tool = cuobjdump()
    files = sorted(root.rglob("*.cubin"))
    with ThreadPoolExecutor(jobs) as pool:
        kernels = [k for found in pool.map(lambda f: normalized(f, tool), files) for k in found]
    kernels.sort()
    return [line for name, lines in kernels for line in [f"Function : {name}", *lines]]


def main() -> int:
    """Print the unified diff of two caches."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    before, after = listing(args.before, args.jobs), listing(args.after, args.jobs)
    changed = False
    for line in difflib.unified_diff(before, after, "before", "after", n=3, lineterm=""):
        changed = True
        print(line)
    return int(changed)


if __name__ == "__main__":
    sys.exit(main())
