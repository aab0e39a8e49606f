"""`python -m sassay.isa.sass.learn.verify FILE...`: the tables against nvdisasm, on real code.

Every instruction of every cubin in the files is decoded twice: by the shipped table, and by
nvdisasm, which is asked for each different word once.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sassay.containers.cubin import read_cubin
from sassay.containers.fatbin import find_fatbins
from sassay.containers.mapped import map_file
from sassay.containers.sniff import Format, sniff
from sassay.errors import SassayError
from sassay.isa.sass import words as word
from sassay.isa.sass.disassembler import Disassembler
from sassay.isa.sass.tables import UNKNOWN, decoder_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sassay.isa.sass.decoded import Decoded
    from sassay.isa.sass.tables import TableDecoder

_HEAD_BYTES = 64


@dataclass
class Outcome:
    """What was compared on one architecture.

    Attributes:
        sections: Code sections that hold instructions.
        instructions: All of them.
        known: Those that the table answered.
        wrong: Of those, the ones that nvdisasm names otherwise.
        unchecked: Instructions that no nvdisasm at hand reads.
        left: How often each mnemonic was left to nvdisasm.
    """

    sections: int = 0
    instructions: int = 0
    known: int = 0
    wrong: int = 0
    unchecked: int = 0
    left: dict[str, int] = field(default_factory=dict)

    def compare(self, table: TableDecoder, code: bytes, expected: Decoded | None) -> None:
        """Add one section."""
        found = table.decode(word.section_words(code))
        known = found != UNKNOWN
        self.sections += 1
        self.instructions += len(found)
        self.known += int(known.sum())
        if expected is None:
            self.unchecked += len(found)
            return
        names = np.array(expected.names, dtype=object)[expected.opcodes]
        mine = np.array(table.names, dtype=object)[found[known]]
        self.wrong += int((mine != names[known]).sum())
        for name in names[~known].tolist():
            self.left[name] = self.left.get(name, 0) + 1


def sections(path: Path) -> Iterator[tuple[str, bytes]]:
    """The code sections of a cubin, fatbin, object or library, with their architectures.

    Raises:
        SassayError: if the file cannot be read.
    """
    data = map_file(path)
    shown = str(path)
    if sniff(bytes(data[:_HEAD_BYTES]), path.name) is Format.ELF_CUBIN:
        cubins = [data]
    else:
        entries = find_fatbins(data, artifact=shown)
        cubins = [memoryview(e.data()) for e in entries if e.arch.startswith("sm_")]
    for cubin in cubins:
        read = read_cubin(cubin, artifact=shown)
        for kernel in read.kernels:
            yield read.arch, bytes(kernel.code)
        for function in read.functions:
            yield read.arch, bytes(function.code)


def verify(path: Path, disassembler: Disassembler, outcomes: dict[str, Outcome]) -> None:
    """Compare all code of a file, and add what came out by architecture.

    Raises:
        SassayError: if the file cannot be read, or nvdisasm fails.
    """
    found = [item for item in sections(path) if decoder_for(item[0]) is not None]
    for (arch, code), expected in zip(found, disassembler.opcodes(found), strict=True):
        table = decoder_for(arch)
        if table is not None:
            outcomes.setdefault(arch, Outcome()).compare(table, code, expected)


def main() -> int:
    """Print one line an architecture; the status is 1 if an answer was wrong."""
    parser = argparse.ArgumentParser(prog="python -m sassay.isa.sass.learn.verify")
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--cache", type=Path, help="keep what nvdisasm says in this folder")
    options = parser.parse_args()
    outcomes: dict[str, Outcome] = {}
    try:
        with Disassembler(options.cache, tables=False) as disassembler:
            for path in options.files:
                verify(path, disassembler, outcomes)
    except SassayError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for arch, outcome in sorted(outcomes.items()):
        share = outcome.known / max(outcome.instructions, 1)
        left = sorted(outcome.left.items(), key=lambda item: (-item[1], item[0]))[:5]
        sys.stdout.write(
            f"{arch}: {outcome.sections} sections, {outcome.instructions} instructions, "
            f"{share:.4%} known, {outcome.wrong} wrong, {outcome.unchecked} unchecked"
            + (f"; left to nvdisasm: {left}\n" if left else "\n")
        )
    return int(any(outcome.wrong for outcome in outcomes.values()))


if __name__ == "__main__":
    raise SystemExit(main())
