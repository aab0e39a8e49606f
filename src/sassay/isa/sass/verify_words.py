"""The decoder against nvdisasm's raw mode, on each different instruction of many cubins once.

A wheel repeats its instructions: of 31.7 million in one library, 9.8 million differ in any of their
128 bits. So all code of a wheel is checked in a fifth of the time that disassembling its cubins
takes. `verify` does that, function by function; both have been run on the same libraries.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from sassay.isa.sass import segment as segments
from sassay.isa.sass.cubin_code import code_sections
from sassay.isa.sass.raw import RawDisassembler
from sassay.isa.sass.store import INVALID, mnemonic
from sassay.isa.sass.tables import UNKNOWN, decoder_for
from sassay.isa.sass.tools import binary_option
from sassay.isa.sass.words import WORD_BYTES, Words, hash_words, section_words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from sassay.isa.sass.tools import Tool

BATCH = 1 << 17
"""Words of one call of nvdisasm: it takes 0.3 s to start and 1.6 s for so many."""
BASE_SECONDS = 600.0
PENDING = 1 << 21
"""Words that gather until equal ones among them are joined."""
_WORD = np.dtype([("low", "<u8"), ("high", "<u8")])


@dataclass(frozen=True)
class OtherName:
    """A word that nvdisasm names otherwise.

    Attributes:
        arch: Its architecture.
        word: All 128 bits.
        ours: sassay's mnemonic.
        theirs: nvdisasm's; `INVALID` where it refuses the word.
        count: How often the word stands in the code that was read.
    """

    arch: str
    word: int
    ours: str
    theirs: str
    count: int


@dataclass
class CheckedWords:
    """What was read of one architecture, and what nvdisasm said of it.

    Attributes:
        cubins: Cubins that were read.
        functions: Code sections in them, kernels and device functions.
        instructions: All that they hold.
        different: Of those, the words that differ in any bit.
        asked: Of those, the ones that nvdisasm was asked for in this run.
        by_tables: Of the different words, the ones that a table knows; only they are checked.
        by_nvdisasm: Those that no table knows, which sassay leaves to the same raw mode.
        known: Instructions that the checked words stand for.
        mismatches: Instructions that nvdisasm names otherwise.
        unreadable: Functions that no nvdisasm at hand reads.
        trailing: Functions with bytes behind their last whole instruction.
    """

    cubins: int = 0
    functions: int = 0
    instructions: int = 0
    different: int = 0
    asked: int = 0
    by_tables: int = 0
    by_nvdisasm: int = 0
    known: int = 0
    mismatches: int = 0
    unreadable: int = 0
    trailing: int = 0


class _Gathered:
    """Different words of one architecture and how often each was seen."""

    def __init__(self) -> None:
        self._joined: tuple[NDArray[np.void], NDArray[np.int64]] | None = None
        self._pending: list[NDArray[np.void]] = []
        self._size = 0

    def add(self, words: Words) -> None:
        self._pending.append(np.ascontiguousarray(words).view(_WORD).reshape(-1))
        self._size += len(words)
        if self._size >= PENDING:
            self._join()

    def _join(self) -> None:
        if self._pending:
            found, counts = np.unique(np.concatenate(self._pending), return_counts=True)
            self._pending, self._size = [], 0
            if self._joined is None:
                self._joined = (found, counts)
                return
            both = np.concatenate([self._joined[0], found])
            words, places = np.unique(both, return_inverse=True)
            weights = np.concatenate([self._joined[1], counts])
            totals = np.bincount(places, weights=weights, minlength=len(words))
            self._joined = (words, totals.astype(np.int64))

    def words(self) -> tuple[Words, NDArray[np.int64]]:
        """All words, sorted, and their counts; nothing is kept."""
        self._join()
        if self._joined is None:
            return np.empty((0, 2), dtype=np.uint64), np.empty(0, dtype=np.int64)
        (words, counts), self._joined = self._joined, None
        return words.view("<u8").reshape(-1, 2), counts


@dataclass
class WordVerifier:
    """Reads cubins one after the other, then checks all their words.

    Attributes:
        tools: Every nvdisasm at hand, newest first.
        keep: Folder for what nvdisasm says; None keeps nothing.
        by_arch: What was read and checked so far.
        mismatches: Every word that nvdisasm names otherwise.
    """

    tools: Sequence[Tool]
    keep: Path | None = None
    by_arch: dict[str, CheckedWords] = field(default_factory=dict)
    mismatches: list[OtherName] = field(default_factory=list)
    _gathered: dict[str, _Gathered] = field(default_factory=dict)

    def tool(self, arch: str) -> Tool | None:
        """The nvdisasm for an architecture; None where none at hand knows it."""
        return next((tool for tool in self.tools if arch in tool.archs), None)

    def read(self, data: bytes | memoryview, place: str, archs: Sequence[str] = ()) -> None:
        """Read one cubin.

        Args:
            data: The whole file.
            place: The name that errors carry.
            archs: Globs; a cubin of another architecture is left out. Empty takes all.

        Raises:
            SassayError: if it cannot be read.
        """
        arch, sections = code_sections(data, place, archs)
        if arch is None:
            return
        total = self.by_arch.setdefault(arch, CheckedWords())
        total.cubins += 1
        total.functions += len(sections)
        if self.tool(arch) is None or decoder_for(arch) is None:
            total.unreadable += len(sections)
            return
        gathered = self._gathered.setdefault(arch, _Gathered())
        for section in sections:
            words = section_words(section.code)
            total.instructions += len(words)
            total.trailing += len(section.code) % WORD_BYTES != 0
            gathered.add(words)

    def ask(self, say: Callable[[str], None]) -> None:
        """Ask nvdisasm for every word that was read.

        Args:
            say: Takes a line of progress.

        Raises:
            ToolError: if nvdisasm fails.
            OSError: if what it says cannot be kept.
        """
        for arch, gathered in sorted(self._gathered.items()):
            tool, decoder = self.tool(arch), decoder_for(arch)
            if tool is None or decoder is None:
                continue
            words, counts = gathered.words()
            names = _Names(tool, arch, self.keep)
            total = self.by_arch[arch]
            theirs = names.of(words, say)
            numbers = np.array([*(names.number(name) for name in decoder.names), -1])
            found = decoder.decode(words)
            known = found != UNKNOWN
            total.different += len(words)
            total.asked += names.asked
            total.by_tables += int(np.count_nonzero(known))
            total.by_nvdisasm += int(np.count_nonzero(~known))
            total.known += int(counts[known].sum())
            for place in np.flatnonzero(known & (numbers[found] != theirs)).tolist():
                total.mismatches += int(counts[place])
                low, high = (int(half) for half in words[place])
                ours, other = decoder.names[found[place]], names.name(int(theirs[place]))
                count = int(counts[place])
                self.mismatches.append(OtherName(arch, low | high << 64, ours, other, count))
        self._gathered.clear()


class _Names:
    """The mnemonics that nvdisasm gives to words of one architecture.

    With a folder they are kept: a file for each batch, so that a check that was stopped goes on.
    """

    def __init__(self, tool: Tool, arch: str, keep: Path | None) -> None:
        self._raw = RawDisassembler(
            tool, binary_option(arch) or arch, base_seconds=BASE_SECONDS, batch_words=BATCH
        )
        self._key = f"nvdisasm {tool.release} {arch} words"
        self._folder = keep / tool.release / arch if keep is not None else None
        self._numbers: dict[str, int] = {}
        self._arch = arch
        self.asked = 0

    def number(self, name: str) -> int:
        return self._numbers.setdefault(name, len(self._numbers))

    def name(self, number: int) -> str:
        return list(self._numbers)[number]

    def of(self, words: Words, say: Callable[[str], None]) -> NDArray[np.int64]:
        """The number of each word's mnemonic."""
        found = np.full(len(words), UNKNOWN, dtype=np.int64)
        hashes = hash_words(words)
        for path in sorted(self._folder.glob(f"*{segments.SUFFIX}")) if self._folder else ():
            segment = segments.read(path, self._key)
            missing = np.flatnonzero(found == UNKNOWN)
            if segment is not None and len(missing):
                rows, hit = segment.find(words[missing], hashes[missing])
                numbers = np.array([self.number(name) for name in segment.names])
                found[missing[hit]] = numbers[segment.opcodes[rows[hit]]]
        missing = np.flatnonzero(found == UNKNOWN)
        step = BATCH * self._raw.workers
        for start in range(0, len(missing), step):
            done = len(words) - len(missing) + start
            say(f"{self._arch}: {done:,} of {len(words):,} different instructions")
            places = missing[start : start + step]
            texts = self._raw.texts(words[places])
            names = [mnemonic(text) if text is not None else INVALID for text in texts]
            found[places] = [self.number(name) for name in names]
            self.asked += len(places)
            if self._folder is not None:
                segment = segments.build(words[places], names, [""] * len(places))
                segments.write(segment, self._folder, self._key)
        return found
