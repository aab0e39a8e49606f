"""The words of one architecture as one nvdisasm reads them: memory first, then the cache on disk.

Each process loads the segments that it finds, decodes what is missing, and adds one segment when
it closes; segments are named by their content and renamed into place, so processes never disturb
one another. When many have gathered, the next writer replaces them by one.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from sassay.isa.sass import segment as segments

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from sassay.isa.sass.segment import Segment
    from sassay.isa.sass.words import UniqueWords, Words

INVALID = "INVALID"
"""Opcode of a word that nvdisasm refuses: counted, never dropped."""
UNKNOWN_ID = -1

MAX_SEGMENTS = 8
MAX_WORDS = 2_000_000
"""Words kept for one architecture, some 100 MB on disk."""
MAX_CACHE_BYTES = 1 << 30
"""All word files together; the longest unused go first."""

Read = "Callable[[Words], Sequence[str | None]]"


@dataclass
class WordStore:
    """Decodes words, each different one once.

    Attributes:
        read: Asks nvdisasm; None for a word that it refuses.
        folder: Where segments are kept, None for memory only.
        key: Names disassembler, architecture and the form of the words.
        names: Mnemonics by id; grows, never changes.
    """

    read: Callable[[Words], Sequence[str | None]]
    folder: Path | None
    key: str
    names: list[str] = field(default_factory=lambda: [INVALID])
    _ids: dict[str, int] = field(default_factory=lambda: {INVALID: 0})
    _segments: list[Segment] = field(default_factory=list)
    _global: list[NDArray[np.int32]] = field(default_factory=list)
    _unsaved: int = 0
    _loaded: bool = False

    def opcodes(self, unique: UniqueWords) -> NDArray[np.int32]:
        """The mnemonic's id of each unique word.

        Raises:
            ToolError: if nvdisasm fails.
        """
        self._load()
        ids = np.full(len(unique.words), UNKNOWN_ID, dtype=np.int32)
        for segment, numbers in zip(self._segments, self._global, strict=True):
            missing = np.flatnonzero(ids == UNKNOWN_ID)
            if not len(missing):
                return ids
            rows, hit = segment.find(unique.words[missing], unique.hashes[missing])
            ids[missing[hit]] = numbers[segment.opcodes[rows[hit]]]
        missing = np.flatnonzero(ids == UNKNOWN_ID)
        if len(missing):
            ids[missing] = self._decode(unique.words[missing])
        return ids

    def texts(self, unique: UniqueWords) -> list[str]:
        """What nvdisasm prints for each unique word; `INVALID` for one that it refuses.

        Raises:
            ToolError: if nvdisasm fails.
        """
        self._load()
        texts: list[str | None] = [None] * len(unique.words)
        missing = np.arange(len(unique.words))
        for segment in self._segments:
            rows, hit = segment.find(unique.words[missing], unique.hashes[missing])
            if not hit.any() or not segment.load_text():
                continue
            for place, row in zip(missing[hit].tolist(), rows[hit].tolist(), strict=True):
                texts[place] = segment.text(row)
            missing = missing[~hit]
        if len(missing):
            words = unique.words[missing]
            for place, text in zip(missing.tolist(), self._add(words), strict=True):
                texts[place] = text
        return [text or INVALID for text in texts]

    def save(self) -> None:
        """Write what is new; a cache that cannot be written is not an error."""
        if self.folder is None or not self._unsaved:
            return
        fresh = [segment for segment in self._segments if segment.path is None]
        on_disk = [segment for segment in self._segments if segment.path is not None]
        replaced = on_disk if len(on_disk) >= MAX_SEGMENTS else []
        merged = segments.merge([*replaced, *fresh], limit=MAX_WORDS)
        with contextlib.suppress(OSError):
            merged.path = segments.write(merged, self.folder, self.key)
            merged.key = self.key
            for segment in replaced:
                if segment.path is not None and segment.path != merged.path:
                    segment.path.unlink(missing_ok=True)
            trim(self.folder.parent.parent, keep=merged.path)
        kept = [segment for segment in on_disk if segment not in replaced]
        self._segments = []
        self._global = []
        for segment in [*kept, merged]:
            self._attach(segment)
        self._unsaved = 0

    @property
    def unsaved(self) -> int:
        """How many words were decoded since the last save."""
        return self._unsaved

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        if self.folder is None:
            return
        paths = sorted(self.folder.glob(f"*{segments.SUFFIX}")) if self.folder.is_dir() else []
        for path in paths:
            segment = segments.read(path, self.key)
            if segment is None:
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
                continue
            self._attach(segment)

    def _attach(self, segment: Segment) -> None:
        numbers = np.array([self.number(name) for name in segment.names] or [0], dtype=np.int32)
        self._segments.append(segment)
        self._global.append(numbers)

    def number(self, name: str) -> int:
        """The id of a mnemonic; a new one gets the next."""
        known = self._ids.get(name)
        if known is None:
            known = self._ids[name] = len(self.names)
            self.names.append(name)
        return known

    def _decode(self, words: Words) -> NDArray[np.int32]:
        return np.array([self.number(mnemonic(text)) for text in self._add(words)], dtype=np.int32)

    def _add(self, words: Words) -> list[str]:
        """Ask nvdisasm for words and keep the answers."""
        texts = [text if text is not None else INVALID for text in self.read(words)]
        names = [mnemonic(text) for text in texts]
        self._attach(segments.build(words, names, texts))
        self._unsaved += len(words)
        return texts


def mnemonic(text: str) -> str:
    """The whole mnemonic of a printed instruction, its predicate left out."""
    head, _, rest = text.partition(" ")
    if head.startswith("@"):
        head = rest.lstrip().partition(" ")[0]
    return head


def trim(root: Path, *, keep: Path | None = None, limit: int = MAX_CACHE_BYTES) -> None:
    """Remove the word files that were not written for longest, until the rest fits `limit`."""
    found: list[tuple[int, int, Path]] = []
    for path in root.glob(f"*/*/*{segments.SUFFIX}"):
        with contextlib.suppress(OSError):
            status = path.stat()
            found.append((status.st_mtime_ns, status.st_size, path))
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= limit:
            return
        if path != keep:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            total -= size
