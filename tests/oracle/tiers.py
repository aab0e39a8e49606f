"""Tiers told from words against tiers told from text, on every pair of real kernels of one name.

Run as `python -m tests.oracle.tiers FILE...` with libraries, cubins or folders of cubins. Pairs are
all different codes of one symbol and architecture: builds of several releases, or by several
compilers. Both sides leave out padding and what relocations and constant banks fill; from there one
is `isa.sass.tier`, the other nothing but the lines that nvdisasm prints. Prints how often each tier
was told by both, and each disagreement; exits 1 if there is one.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import combinations, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tests.oracle.renamings import read_kernels

from sassay.isa.sass import Disassembler, tier
from sassay.isa.sass.normal import normalize
from sassay.isa.sass.renaming import renamed
from sassay.isa.sass.store import mnemonic
from sassay.model.layers import Tier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sassay.isa.sass.normal import NormalCode
    from sassay.model.code import SassCode

UNCHANGED = frozenset({Tier.IDENTICAL, Tier.RELOCATED, Tier.RESCHEDULED})
"""Told apart by bits that do not print: text knows them as one."""


@dataclass
class Compared:
    """What was compared of one architecture.

    Attributes:
        kernels: Different codes.
        instructions: Of the pairs, one kernel of each.
        told: Pairs by the tier that both told.
        wrong: Symbol, tier by words, tier by text.
    """

    kernels: int = 0
    instructions: int = 0
    told: Counter[Tier] = field(default_factory=Counter)
    wrong: list[tuple[str, Tier, Tier]] = field(default_factory=list)


@dataclass(frozen=True)
class _Printed:
    """A kernel as nvdisasm prints it; lines and mnemonics are numbered."""

    normal: NormalCode
    lines: NDArray[np.int64]
    opcodes: NDArray[np.int64]


class _Numbers(dict[str, int]):
    def __missing__(self, text: str) -> int:
        self[text] = number = len(self)
        return number


class _Reader:
    """Prints kernels of one architecture."""

    def __init__(self, arch: str, tool: Disassembler) -> None:
        self._arch, self._tool = arch, tool
        self._lines, self._opcodes = _Numbers(), _Numbers()
        self.texts: list[str] = []

    def read(self, codes: Sequence[SassCode]) -> list[_Printed]:
        normals = [normalize(code) for code in codes]
        words = np.concatenate([normal.words for normal in normals])
        lines = [text.replace(".reuse", "") for text in self._tool.normal_texts(self._arch, words)]
        numbers = np.array([self._lines[line] for line in lines], dtype=np.int64)
        self.texts = list(self._lines)
        of_line = np.array([self._opcodes[mnemonic(line)] for line in self.texts], dtype=np.int64)
        ends = np.cumsum([len(normal.words) for normal in normals])[:-1]
        parts = np.split(numbers, ends)
        return [_Printed(n, p, of_line[p]) for n, p in zip(normals, parts, strict=True)]


def tier_of_text(one: _Printed, other: _Printed, texts: Sequence[str]) -> Tier:
    """The tier of a pair by what is printed; `RESCHEDULED` for all that print alike."""
    if one.normal.trailing != other.normal.trailing:
        return Tier.RECOMPOSED
    same = one.normal.references == other.normal.references
    if same and np.array_equal(one.lines, other.lines):
        return Tier.RESCHEDULED
    if not np.array_equal(np.sort(one.opcodes), np.sort(other.opcodes)):
        return Tier.RECOMPOSED
    if same and np.array_equal(one.opcodes, other.opcodes):
        lines = ([texts[i] for i in each.lines.tolist()] for each in (one, other))
        if renamed(*lines):
            return Tier.RENAMED
    return Tier.REORDERED


def compare(paths: Sequence[Path], tool: Disassembler, most: int) -> dict[str, Compared]:
    """Tell the tiers of pairs in the files both ways; by architecture.

    Args:
        paths: Libraries, cubins, folders of cubins.
        tool: Decodes and prints.
        most: Pairs of one symbol.
    """
    result = {}
    for arch, kernels in sorted(read_kernels(paths).items()):
        chosen = {symbol: list(codes.values()) for symbol, codes in kernels.items()}
        chosen = {symbol: codes for symbol, codes in chosen.items() if len(codes) > 1}
        if not chosen:
            continue
        total = result[arch] = Compared(sum(map(len, chosen.values())))
        reader = _Reader(arch, tool)
        # One batch: each question of its own would start an nvdisasm.
        printed = iter(reader.read([code for codes in chosen.values() for code in codes]))
        for symbol, codes in chosen.items():
            pairs = combinations([(code, next(printed)) for code in codes], 2)
            for (left, one), (right, other) in islice(pairs, most):
                by_words = tier(left, right, tool)
                by_text = tier_of_text(one, other, reader.texts)
                total.instructions += len(one.lines)
                if by_words is by_text or (by_words in UNCHANGED and by_text in UNCHANGED):
                    total.told[by_words] += 1
                else:
                    total.wrong.append((symbol, by_words, by_text))
    return result


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def main(arguments: list[str]) -> int:
    """Compare the named files; 0 if words and text never disagree."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle.tiers", description=__doc__)
    parser.add_argument("file", nargs="+", type=Path)
    parser.add_argument("--cache", type=Path, help="keep what nvdisasm says in this folder")
    parser.add_argument("--most", type=int, default=64, help="pairs of one symbol")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    with Disassembler(options.cache) as tool:
        result = compare(options.file, tool, options.most)
    every: Counter[Tier] = Counter()
    for arch, total in result.items():
        every.update(total.told)
        _say(
            f"{arch}: {total.told.total() + len(total.wrong)} pairs of {total.kernels} kernels, "
            f"{total.instructions} instructions: {_listed(total.told)}; {len(total.wrong)} disagree"
        )
        for symbol, words, text in total.wrong:
            _say(f"  disagree: {symbol}: {words.value} by words, {text.value} by text")
    wrong = sum(len(total.wrong) for total in result.values())
    _say(f"all: {every.total() + wrong} pairs: {_listed(every)}; {wrong} disagree")
    _say(f"{time.monotonic() - started:.0f} s")
    return 1 if wrong else 0


def _listed(told: Counter[Tier]) -> str:
    return ", ".join(f"{told[each]} {each.value}" for each in Tier if told[each]) or "none"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
