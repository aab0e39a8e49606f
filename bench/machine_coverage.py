"""Counts which kernels the PTX machine runs, and which instruction forms are missing.

Run `python -m bench.machine_coverage INPUT...` on anything that sassay reads and that holds PTX:
Triton caches, libraries, wheels, folders of `.ptx`. Rows are front ends (or inputs, where nothing
names one) and architectures; kernels with matrix instructions or asynchronous copies are counted
apart. `--symbolic` also counts what the symbolic mode refuses.
"""

from __future__ import annotations

import argparse
import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sassay.errors import SassayError
from sassay.isa.ptx import read_module
from sassay.machine import UnsupportedInstruction
from sassay.machine.lower import lower
from sassay.machine.symbolic.handlers import refuse_unfollowed
from sassay.model.artifact import Artifact, ArtifactKind
from sassay.sources import discover
from sassay.sources.content import content

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sassay.isa.ptx import PtxFunction

_MATRIX = frozenset(
    ["mma", "wgmma", "tcgen05", "cp", "mbarrier", "wmma", "ldmatrix", "stmatrix", "tensormap"]
)


@dataclass
class Row:
    """One front end and architecture.

    Attributes:
        unread: Modules that do not parse.
        kernels: Entries without and with matrix instructions or asynchronous copies.
        run: Those of them that the machine runs.
        missing: Entries that need a form, by form; with the place of the first.
    """

    unread: int = 0
    kernels: Counter[bool] = field(default_factory=Counter)
    run: Counter[bool] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)
    places: dict[str, str] = field(default_factory=dict)


def modules(specs: Iterable[str]) -> Iterator[tuple[str, str, bytes]]:
    """Front end or label, place and text of every different PTX module."""
    seen: set[bytes] = set()
    for spec in specs:
        found = discover(spec)
        for each in found.artifacts():
            if not isinstance(each, Artifact) or each.kind is not ArtifactKind.PTX:
                continue
            text = bytes(content(each)) or _read_again(each)
            digest = hashlib.sha256(text).digest()
            if digest not in seen:
                seen.add(digest)
                frontend = each.compile.frontend if each.compile else None
                yield frontend or found.label, each.source.path, text


def _read_again(artifact: Artifact) -> bytes:
    """The bytes of an artifact of a large file, which was not kept."""
    for each in artifact.again() if artifact.again is not None else ():
        if each.source == artifact.source:
            return bytes(content(each))
    return b""


def _uses_matrices(entry: PtxFunction) -> bool:
    return not _MATRIX.isdisjoint(opcode.split(".", 1)[0] for opcode in entry.opcodes)


def count(specs: Iterable[str], *, symbolic: bool) -> dict[tuple[str, str], Row]:
    """Reads and lowers every entry of the inputs."""
    rows: dict[tuple[str, str], Row] = {}
    for label, place, text in modules(specs):
        try:
            module = read_module(text, artifact=place)
        except SassayError as error:
            rows.setdefault((label, "?"), Row()).unread += 1
            print(f"does not parse: {error}")
            continue
        row = rows.setdefault((label, module.target), Row())
        for entry in module.entries:
            matrices = _uses_matrices(entry)
            row.kernels[matrices] += 1
            try:
                program = lower(module, entry, place)
                if symbolic:
                    refuse_unfollowed(program)
            except UnsupportedInstruction as error:
                for form, _, line in error.forms:
                    row.missing[form] += 1
                    row.places.setdefault(form, f"{entry.name}, line {line}")
            else:
                row.run[matrices] += 1
    return rows


def main() -> None:
    """Prints a line for each row, and the missing forms by the number of kernels that need them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("inputs", nargs="+", metavar="INPUT")
    parser.add_argument("--symbolic", action="store_true", help="what the symbolic mode refuses")
    options = parser.parse_args()
    rows = sorted(count(options.inputs, symbolic=options.symbolic).items())
    width = max((len(label) for (label, _), _ in rows), default=8)
    print(f"{'from':{width}}  target   kernels: plain  run   matrix  run   modules unread")
    for (label, target), row in rows:
        numbers = (row.kernels[False], row.run[False], row.kernels[True], row.run[True])
        plain, plain_run, matrix, matrix_run = numbers
        print(
            f"{label:{width}}  {target:8} {plain:14} {plain_run:4} {matrix:8} {matrix_run:4}"
            f" {row.unread:16}"
        )
    for (label, target), row in rows:
        for form, kernels in row.missing.most_common():
            print(f"{label} {target}: {kernels} kernels need {form} ({row.places[form]})")


if __name__ == "__main__":
    main()
