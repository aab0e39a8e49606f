"""Compares what kernels of several Triton versions compute, bit for bit, on the PTX machine.

Run `python -m bench.hardware.build_corpus FOLDER` under each version, then
`python -m bench.triton_versions REFERENCE FOLDER...`: every launch of the reference runs from every
folder, and a line says which outputs differ, and by how much. A launch that traps because threads
or the asynchronous proxy are not ordered runs again without that check, and the line says so.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sassay.machine import load_program, run
from sassay.machine.hardware.cases import Case, read_cases

if TYPE_CHECKING:
    from collections.abc import Iterable

_ORDER = frozenset({"race", "fence"})
Arrays = list[np.ndarray[Any, np.dtype[Any]]]


@dataclass(frozen=True)
class Outputs:
    """What a launch gave.

    Attributes:
        arrays: Its results; None if it did not run to its end.
        trap: What it ran into, as the first words of the trap.
    """

    arrays: Arrays | None
    trap: str = ""


def outputs(case: Case) -> Outputs:
    """Runs a launch; once more without looking for races and fences if that is what it lacks."""
    program = load_program(case.text, case.entry, artifact=case.name)
    result, said = run(program, case.launch), ""
    if result.trap is not None:
        said = f"{result.trap.kind}: {result.trap.message}"
        if result.trap.kind not in _ORDER:
            return Outputs(None, said)
        result = run(program, replace(case.launch, find_races=False))
        if result.trap is not None:
            return Outputs(None, f"{result.trap.kind}: {result.trap.message}")
    return Outputs([found for at in case.results if (found := result.arrays[at]) is not None], said)


def floats(words: np.ndarray[Any, np.dtype[Any]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Words of bf16, or numbers, as doubles."""
    if words.dtype == np.uint16:
        words = (words.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return words.astype(np.float64)


def compare(before: Arrays | None, after: Arrays | None) -> str:
    """In words: equal, or how many elements differ and by how much of the largest."""
    if before is None or after is None:
        return "no result"
    total = sum(each.size for each in before)
    differ, most = 0, 0.0
    for x, y in zip(before, after, strict=True):
        bits = f"u{x.dtype.itemsize}"
        wrong = x.view(bits) != y.view(bits)
        differ += int(wrong.sum())
        if wrong.any():
            a, b = floats(x), floats(y)
            scale = float(np.nanmax(np.abs(a))) or 1.0
            most = max(most, float(np.nanmax(np.abs(a - b))) / scale)
    if not differ:
        return f"{total} equal"
    return f"{differ} of {total} differ, by {most:.1e} of the largest"


def cases(folder: Path) -> dict[str, Case]:
    """Launches by name."""
    return {each.name: each for each in read_cases(folder)}


def main() -> None:
    """Prints a line for each launch and folder, and how many are equal in each folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference", type=Path)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--only", metavar="GLOB", default="*", help="launches to run, by name")
    options = parser.parse_args()
    others = {folder.name: cases(folder) for folder in options.folders}
    equal = dict.fromkeys(others, 0)
    asked = dict.fromkeys(others, 0)
    for name, case in cases(options.reference).items():
        if not fnmatchcase(name, options.only):
            continue
        wanted = outputs(case)
        for folder, found in _present(others, name):
            got = outputs(found)
            said = compare(wanted.arrays, got.arrays)
            asked[folder] += 1
            equal[folder] += said.endswith("equal")
            if got.trap or not said.endswith("equal"):
                print(f"{name}, {folder}: {said}{got.trap and f' ({got.trap})'}", flush=True)
    for folder, count in equal.items():
        print(f"{folder}: {count} of {asked[folder]} launches equal {options.reference.name}")


def _present(others: dict[str, dict[str, Case]], name: str) -> Iterable[tuple[str, Case]]:
    for folder, found in others.items():
        if name in found:
            yield folder, found[name]
        else:
            print(f"{name}, {folder}: not there")


if __name__ == "__main__":
    main()
