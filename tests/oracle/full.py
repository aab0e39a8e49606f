"""Compares every cubin of wheels and libraries with NVIDIA's tools; minutes for a large wheel.

Run as `python -m tests.oracle.full WHEEL_OR_SO...`. Prints what was compared, then every
mismatch; exits 1 if there is one.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from tests.oracle.compare import Oracle, Tally, check, cubins_of

if TYPE_CHECKING:
    from collections.abc import Iterator

SHOWN = 20


def shown(spec: Path, *arguments: str) -> dict[str, Any]:
    """The document that `sassay show` prints of an input, by a process of its own."""
    start = [sys.executable, "-c", "from sassay.cli.main import run; run()"]
    command = [*start, "show", str(spec), *arguments, "--all", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    document: dict[str, Any] = msgspec.json.decode(done.stdout)
    return document


def libraries(path: Path, folder: Path) -> Iterator[Path]:
    """The libraries of a wheel, or the one that was named."""
    if path.suffix != ".whl":
        yield path
        return
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".so"):
                yield Path(archive.extract(name, folder / path.stem))


def main(arguments: list[str]) -> int:
    """Compare the named files; 0 if all agrees."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle.full", description=__doc__)
    parser.add_argument("file", nargs="+", type=Path)
    total = Tally()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        oracle = Oracle(folder)
        for path in parser.parse_args(arguments).file:
            for library in libraries(path, folder):
                tally = Tally()
                cubins = cubins_of(library, Path(tempfile.mkdtemp(dir=folder)), tally)
                if not cubins:
                    continue
                check(shown(library), cubins, oracle, tally)
                print(f"{path.name} {library.name}: {summary(tally)}", flush=True)  # noqa: T201 - a command
                total.add(tally)
    print(f"all: {summary(total)}")  # noqa: T201  # this is what the command is for
    for line in total.mismatches[:SHOWN]:
        print(line)  # noqa: T201 - a command
    return 1 if total.mismatches else 0


def summary(tally: Tally) -> str:
    """The counts of a tally in one line."""
    return (
        f"{tally.cubins} cubins ({tally.unreadable} that nvdisasm does not read), "
        f"{tally.kernels} kernels, {tally.instructions} instructions, "
        f"{tally.functions} functions, {tally.resources} resource lines, "
        f"{len(tally.mismatches)} mismatches"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
