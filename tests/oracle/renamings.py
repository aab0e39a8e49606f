"""Renamings told from words against those told from text, on pairs of real kernels.

Run as `python -m tests.oracle.renamings FILE...` with libraries, cubins or folders of cubins. Pairs
are made of kernels of one name and architecture whose code differs and whose opcodes are equal in
order: the ones of which `isa.sass.tiers` asks whether registers were renamed. Releases give few of
them; with `--across` pairs are also made of kernels of other names, such as the instances of one
template. Prints, for each architecture, what the words said beside what the text said; exits 1 if
they ever disagree.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sassay.containers import find_fatbins
from sassay.containers.cubin import read_cubin
from sassay.containers.mapped import map_file
from sassay.isa.sass import Disassembler
from sassay.isa.sass.normal import normalize
from sassay.isa.sass.renaming import renamed
from sassay.isa.sass.tables import operands_for
from sassay.isa.sass.word_renaming import renamed_words
from sassay.model.artifact import ArtifactKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sassay.isa.sass.decoded import Decoded
    from sassay.isa.sass.words import Words
    from sassay.model.code import SassCode

    _Two = tuple[str, SassCode, SassCode]


@dataclass
class Compared:
    """What was compared of one architecture.

    Attributes:
        pairs: Kernels whose code differs.
        why: Of those, the ones that reach no question of registers, by what decided.
        answers: How often text, words alone, and words with text of what they leave open gave
            which answers; None: no answer, all text is read.
        instructions: Of the pairs that reached the question, one kernel of each.
        asked: Of those, instructions of which words asked for text.
        wrong: Names of kernels of which words and text disagree.
    """

    pairs: int = 0
    why: Counter[str] = field(default_factory=Counter)
    answers: Counter[tuple[bool, bool | None, bool | None]] = field(default_factory=Counter)
    instructions: int = 0
    asked: int = 0
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Pair:
    symbol: str
    before: Words
    after: Words
    decoded: Decoded


def _cubins(path: Path) -> Iterator[tuple[str, bytes | memoryview]]:
    if path.is_dir():
        for each in sorted(path.rglob("*.cubin")):
            yield str(each), each.read_bytes()
    elif path.suffix == ".cubin":
        yield str(path), path.read_bytes()
    else:
        for entry in find_fatbins(map_file(path), artifact=str(path)):
            if entry.kind is ArtifactKind.CUBIN and operands_for(entry.arch) is not None:
                yield f"{path}!{entry.index}", entry.data()


def read_kernels(paths: Sequence[Path]) -> dict[str, dict[str, dict[bytes, SassCode]]]:
    """By architecture and name, the different codes in files and folders."""
    found: dict[str, dict[str, dict[bytes, SassCode]]] = defaultdict(lambda: defaultdict(dict))
    for path in paths:
        for place, data in _cubins(path):
            for kernel in read_cubin(data, artifact=place).kernels:
                code = kernel.sass
                if operands_for(code.arch) is not None:
                    found[code.arch][kernel.symbol].setdefault(bytes(code.code), code)
    return found


def _one_name(kernels: dict[str, dict[bytes, SassCode]]) -> Iterator[_Two]:
    for symbol, codes in kernels.items():
        for left, right in itertools.combinations(codes.values(), 2):
            yield symbol, left, right


def _across(
    arch: str, kernels: dict[str, dict[bytes, SassCode]], tool: Disassembler
) -> Iterator[_Two]:
    """Kernels of equal opcodes, each beside the next of them."""
    last: dict[bytes, tuple[str, SassCode]] = {}
    named = [(symbol, code) for symbol, codes in kernels.items() for code in codes.values()]
    # One batch: each call may start an nvdisasm.
    sections = [(arch, normalize(code).words.tobytes()) for _, code in named]
    for (symbol, code), decoded in zip(named, tool.opcodes(sections), strict=True):
        if decoded is None:
            continue
        key = hashlib.sha256(decoded.opcodes.tobytes()).digest()
        if key in last and last[key][0] != symbol:
            other, before = last[key]
            yield f"{other} and {symbol}", before, code
        last[key] = (symbol, code)


def _reaching(
    arch: str, pairs: Iterable[_Two], tool: Disassembler, total: Compared
) -> Iterator[_Pair]:
    for symbol, left, right in pairs:
        total.pairs += 1
        one, two = normalize(left), normalize(right)
        if one.same_layout(two):
            total.why["relocated"] += 1
        elif one.same_instructions(two):
            total.why["rescheduled"] += 1
        elif len(one.words) != len(two.words):
            total.why["of other lengths"] += 1
        else:
            first, second = tool.opcodes([(arch, w.words.tobytes()) for w in (one, two)])
            if first is None or second is None:
                total.why["not decoded"] += 1
            elif not np.array_equal(first.opcodes, second.opcodes):
                total.why["of other opcodes"] += 1
            else:
                total.instructions += len(one.words)
                yield _Pair(symbol, one.words, two.words, first)


class _Texts:
    """What nvdisasm prints of both kernels, and of how many instructions that was asked."""

    def __init__(self, arch: str, tool: Disassembler) -> None:
        self._arch, self._tool = arch, tool
        self.words = 0

    def __call__(self, left: Words, right: Words) -> tuple[list[str], list[str]]:
        self.words += len(left)
        return self._tool.normal_texts(self._arch, left), self._tool.normal_texts(self._arch, right)


def compare(
    paths: Sequence[Path], tool: Disassembler, most: int, *, across: bool
) -> dict[str, Compared]:
    """Ask both ways of pairs in the files; by architecture.

    Args:
        paths: Libraries, cubins, folders of cubins.
        tool: Decodes and prints.
        most: Pairs of one architecture that reach the question.
        across: Whether kernels of other names are paired too.
    """
    result = {}
    for arch, kernels in sorted(read_kernels(paths).items()):
        operands = operands_for(arch)
        assert operands is not None
        total = result[arch] = Compared()
        chosen = itertools.chain(_one_name(kernels), _across(arch, kernels, tool) if across else ())
        pairs = list(itertools.islice(_reaching(arch, chosen, tool, total), most))
        if not pairs:
            continue
        # One batch: each question of its own would start an nvdisasm.
        tool.normal_texts(arch, np.concatenate([w for p in pairs for w in (p.before, p.after)]))
        for pair in pairs:
            ask = _Texts(arch, tool)
            given = (pair.before, pair.after, pair.decoded.opcodes, pair.decoded.names, operands)
            alone, told = renamed_words(*given), renamed_words(*given, texts=ask)
            total.asked += ask.words
            text = renamed(*ask(pair.before, pair.after))
            total.answers[text, alone, told] += 1
            if not {alone, told} <= {text, None}:
                total.wrong.append(pair.symbol)
    return result


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def main(arguments: list[str]) -> int:
    """Compare the named files; 0 if words and text never disagree."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle.renamings", description=__doc__)
    parser.add_argument("file", nargs="+", type=Path)
    parser.add_argument("--cache", type=Path, help="keep what nvdisasm says in this folder")
    parser.add_argument("--across", action="store_true", help="pair kernels of other names too")
    parser.add_argument("--most", type=int, default=100_000, help="pairs of one architecture")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    with Disassembler(options.cache) as tool:
        result = compare(options.file, tool, options.most, across=options.across)
    for arch, total in result.items():
        left = ", ".join(f"{count} {why}" for why, count in sorted(total.why.items()))
        _say(f"{arch}: {total.pairs} pairs, {left or 'none'}")
        for (text, alone, told), count in sorted(total.answers.items(), key=str):
            _say(f"  text {text}, words {alone}, with text of what they leave {told}: {count}")
        _say(
            f"  {total.answers.total()} of equal opcodes, {total.instructions} instructions, "
            f"text asked of {total.asked}, {len(total.wrong)} disagree"
        )
        for symbol in total.wrong:
            _say(f"  disagree: {symbol}")
    _say(f"{time.monotonic() - started:.0f} s")
    return 1 if any(total.wrong for total in result.values()) else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
