"""The door to SASS: opcodes and listings of code sections.

Opcodes come from learned tables; a word that they do not know goes to the word cache and from there
to nvdisasm. Text comes from the cache and nvdisasm alone.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from sassay.errors import ToolError
from sassay.isa.sass import words as word
from sassay.isa.sass.decoded import Decoded
from sassay.isa.sass.listings import listing_lines
from sassay.isa.sass.raw import RawDisassembler
from sassay.isa.sass.store import INVALID, UNKNOWN_ID, WordStore
from sassay.isa.sass.tables import UNKNOWN, TableDecoder, decoder_for, taught_by
from sassay.isa.sass.tools import INSTALL_HINT, Tool, binary_option, find_tools

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

    from sassay.isa.listing import ListingLine
    from sassay.isa.sass.words import Words
    from sassay.model.code import SassCode

FORM = "canonical-1"
"""Names how words are made canonical before they are decoded; changes with `words.canonical`."""
CACHE_FOLDER = "words"
SAVE_WORDS = 100_000
"""Save on the way once so many words are new, so that a killed run does not lose them all."""


@dataclass
class WordCounts:
    """How many instructions of one architecture were decoded, and by whom.

    Attributes:
        tables: Instructions that a table knew.
        others: Instructions left to the word cache and nvdisasm.
        undecided: Of those, instructions of sections that nothing at hand could finish.
    """

    tables: int = 0
    others: int = 0
    undecided: int = 0


class Disassembler:
    """Reads SASS of every architecture that a table or some nvdisasm on this machine knows.

    Use as a context manager, or call `close`, so that what was learned is kept for the next run.
    One object belongs to one thread; processes may share a cache folder.
    """

    def __init__(
        self, cache_dir: Path | None, tools: Sequence[Tool] | None = None, *, tables: bool = True
    ) -> None:
        """Prepare; nothing is run or read before the first question.

        Args:
            cache_dir: Folder for what nvdisasm said in earlier runs; None keeps nothing.
            tools: Programs to use, newest first; None finds them.
            tables: Whether learned tables answer first; without them nvdisasm answers all.
        """
        self._cache_dir = cache_dir
        self._given = tuple(tools) if tools is not None else None
        self._found: tuple[Tool, ...] | None = None
        self._stores: dict[str, WordStore] = {}
        self._raws: list[RawDisassembler] = []
        self._use_tables = tables
        self._numbers: dict[str, NDArray[np.int32]] = {}
        self.counts: dict[str, WordCounts] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def tools(self) -> tuple[Tool, ...]:
        """Every nvdisasm that was found, newest first."""
        if self._found is None:
            found = self._given if self._given is not None else find_tools(self._cache_dir)
            self._found = found
        return self._found

    @property
    def uses_tables(self) -> bool:
        """Whether learned tables answer first."""
        return self._use_tables

    def knows(self, arch: str) -> bool:
        """Whether a table or some nvdisasm here reads an architecture (`sm_90a`)."""
        return self._taught_by(arch) is not None or self._tool(arch) is not None

    def version(self, arch: str) -> str | None:
        """The version of the nvdisasm whose spelling opcodes follow, such as `13.5.37`.

        Where the tables were taught by another release than the one at hand, which answers for
        what they do not know, both are named; where there is none at hand, that is said.
        """
        tool, taught = self._tool(arch), self._taught_by(arch)
        if taught is None:
            return tool.release if tool else None
        if tool is None:
            return f"{taught} (tables alone)"
        if tool.release == taught:
            return tool.release
        return f"{taught} and {tool.release}"

    def require(self, arch: str) -> Tool:
        """The nvdisasm for an architecture.

        Raises:
            ToolError: if there is none; the message says what to install.
        """
        tool = self._tool(arch)
        if tool is not None:
            return tool
        if binary_option(arch) is None:
            raise ToolError(
                f"{arch} is no architecture with 16-byte instructions (sm_70 and later)"
            )
        if not self.tools:
            raise ToolError("no nvdisasm was found", hint=INSTALL_HINT)
        asked = ", ".join(tool.release for tool in self.tools)
        raise ToolError(f"no nvdisasm here knows {arch} (asked {asked})", hint=INSTALL_HINT)

    def opcodes(self, sections: Sequence[tuple[str, bytes]]) -> list[Decoded | None]:
        """Decode code sections; those of one architecture share their nvdisasm calls.

        Args:
            sections: Architecture and bytes of each.

        Returns:
            One entry a section; None where no nvdisasm knows the architecture, unless its table
            knows every word of the section.

        Raises:
            ToolError: if nvdisasm fails, hangs or is killed.
        """
        results: list[Decoded | None] = [None] * len(sections)
        by_arch: dict[str, list[int]] = {}
        for index, (arch, _) in enumerate(sections):
            by_arch.setdefault(arch, []).append(index)
        known = {arch: indices for arch, indices in by_arch.items() if self.knows(arch)}
        for arch in known:
            self._store(arch)
            self.counts.setdefault(arch, WordCounts())
        # Architectures share nothing, and each nvdisasm takes 0.3 s to start: side by side.
        with ThreadPoolExecutor(max_workers=max(1, min(len(known), os.cpu_count() or 1))) as pool:
            codes = ([sections[index][1] for index in indices] for indices in known.values())
            try:
                for indices, decoded in zip(
                    known.values(), pool.map(self._decode, known, codes), strict=True
                ):
                    for index, section in zip(indices, decoded, strict=True):
                        results[index] = section
            except BaseException:  # an interrupt reaches this thread only: end what others await
                for raw in self._raws:
                    raw.stop()
                raise
        return results

    def texts(self, arch: str, code: bytes) -> list[str]:
        """What nvdisasm prints for each instruction of a section, see `raw.TARGET_MARK`.

        Raises:
            ToolError: if no nvdisasm knows the architecture, or it fails.
        """
        return self.normal_texts(arch, word.section_words(code))

    def normal_texts(self, arch: str, original: Words) -> list[str]:
        """What nvdisasm prints for each word, see `raw.TARGET_MARK`.

        Raises:
            ToolError: if no nvdisasm knows the architecture, or it fails.
        """
        self.require(arch)
        store = self._store(arch)
        unique = word.unique(word.canonical(original))
        printed = store.texts(unique)
        texts = [printed[row] for row in unique.inverse.tolist()]
        refused = [place for place, text in enumerate(texts) if text == INVALID]
        if refused:
            again = word.unique(original[refused])
            printed = store.texts(again)
            for place, row in zip(refused, again.inverse.tolist(), strict=True):
                texts[place] = printed[row]
        return texts

    def listing(self, code: SassCode) -> tuple[ListingLine, ...]:
        """One kernel as nvdisasm prints it, `.reuse` flags included.

        Raises:
            ToolError: if no nvdisasm knows the architecture, or it fails.
        """
        return listing_lines(code, self.texts(code.arch, code.code))

    def close(self) -> None:
        """Keep what was learned. The object can still be used."""
        for store in self._stores.values():
            store.save()

    def _tool(self, arch: str) -> Tool | None:
        if binary_option(arch) is None:
            return None
        return next((tool for tool in self.tools if arch in tool.archs), None)

    def _taught_by(self, arch: str) -> str | None:
        return taught_by(arch) if self._use_tables else None

    def _table(self, arch: str) -> TableDecoder | None:
        return decoder_for(arch) if self._use_tables else None

    def _store(self, arch: str) -> WordStore:
        store = self._stores.get(arch)
        if store is None:
            tool = self._tool(arch)
            if tool is None:
                # A table alone: nothing is ever asked of this store, it only numbers the names.
                store = self._stores[arch] = WordStore(lambda _: (), None, arch)
                return store
            raw = RawDisassembler(tool, binary_option(arch) or arch)
            self._raws.append(raw)
            folder = None
            if self._cache_dir is not None:
                folder = self._cache_dir / CACHE_FOLDER / tool.release / arch
            key = f"nvdisasm {tool.release} {arch} {FORM}"
            store = self._stores[arch] = WordStore(raw.texts, folder, key)
        return store

    def _decode(self, arch: str, codes: Sequence[bytes]) -> list[Decoded | None]:
        store = self._store(arch)
        parts = [word.section_words(code) for code in codes]
        original = np.concatenate(parts) if parts else np.empty((0, 2), dtype=np.uint64)
        ids = self._from_table(arch, store, original)
        left = np.flatnonzero(ids == UNKNOWN_ID)
        counts = self.counts[arch]
        counts.tables += len(ids) - len(left)
        counts.others += len(left)
        if len(left) and self._tool(arch) is not None:
            ids[left] = self._ids(store, original[left])
            left = left[:0]
        counts.undecided += len(left)
        names = tuple(store.names)
        results: list[Decoded | None] = []
        start = 0
        for code, part in zip(codes, parts, strict=True):
            stop = start + len(part)
            finished = np.searchsorted(left, start) == np.searchsorted(left, stop)
            trailing = len(code) % word.WORD_BYTES
            results.append(Decoded(ids[start:stop], names, trailing) if finished else None)
            start = stop
        if store.unsaved >= SAVE_WORDS:
            store.save()
        return results

    def _from_table(self, arch: str, store: WordStore, original: Words) -> NDArray[np.int32]:
        """The opcode ids of the words that the architecture's table knows, `UNKNOWN_ID` else."""
        table = self._table(arch)
        if table is None:
            return np.full(len(original), UNKNOWN_ID, dtype=np.int32)
        found = table.decode(original)
        # The last place stands for -1, unknown.
        numbers = self._numbers.get(arch)
        if numbers is None:
            numbers = np.full(len(table.names) + 1, UNKNOWN_ID, dtype=np.int32)
            self._numbers[arch] = numbers
        ids = numbers.take(found, mode="wrap")
        fresh = np.flatnonzero(ids == UNKNOWN_ID)
        if len(fresh):
            for place in np.unique(found[fresh]).tolist():
                if place != UNKNOWN:
                    numbers[place] = store.number(table.names[place])
            ids[fresh] = numbers.take(found[fresh], mode="wrap")
        return ids

    @staticmethod
    def _ids(store: WordStore, original: Words) -> NDArray[np.int32]:
        """The opcode ids of words, from the cache and nvdisasm."""
        unique = word.unique(word.canonical(original))
        ids = store.opcodes(unique)[unique.inverse]
        refused = np.flatnonzero(ids == 0)
        if len(refused):
            # Canonical control bits made these words invalid, or they were so before.
            again = word.unique(original[refused])
            ids[refused] = store.opcodes(again)[again.inverse]
        return ids
