"""Every instruction of every cubin below some folders against nvdisasm: source and PTX lines.

`python -m tests.isa.attribution_full FOLDER...`; minutes, so no part of the test suite.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.containers.line_oracle import check

from sassay.containers.lines import read_lines


def main(folders: list[str]) -> int:
    """Compare, and print totals; the exit status is 1 if any instruction differs."""
    cubins = instructions = inlined = alone = without = 0
    wrong: list[str] = []
    for path in sorted(path for folder in folders for path in Path(folder).rglob("*.cubin")):
        data = path.read_bytes()
        tables = read_lines(data, artifact=str(path))
        if tables.source is None and tables.ptx is None:
            without += 1
            continue
        try:
            counts = check(data, tables)
        except AssertionError as error:
            wrong.append(f"{path}: {error}")
            continue
        cubins += 1
        instructions, inlined, alone = (
            total + more for total, more in zip((instructions, inlined, alone), counts, strict=True)
        )
    sys.stdout.write(
        f"{cubins:,} cubins, {instructions:,} instructions, {inlined:,} lines through inlined "
        f"calls, "
        f"{alone:,} of which nvdisasm prints the line alone, {without:,} cubins without tables, "
        f"{len(wrong):,} wrong\n"
    )
    for line in wrong:
        sys.stdout.write(f"{line}\n")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
