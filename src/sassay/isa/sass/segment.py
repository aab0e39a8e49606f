"""One file of the word cache: words, the mnemonic of each, and the text that nvdisasm prints.

Layout, little endian: 8 bytes magic, u32 length of a JSON header, the header, then two parts that
the header gives length and digest of. Part `words` holds the low halves, the high halves (u64
each) and the mnemonic's number in `names` (u32), all in the order of `words.hash_words`. Part
`text` holds n + 1 offsets (u32) and UTF-8 text without separators; it is read only when asked for.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from sassay.isa.sass.words import Words, hash_words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

MAGIC = b"SASSAYW1"
SUFFIX = ".words"
MAX_SEGMENT_BYTES = 256 << 20
_MAX_HEADER = 1 << 20
_ROW_BYTES = 20


class _Part(msgspec.Struct, frozen=True):
    size: int
    digest: str


class _Header(msgspec.Struct, frozen=True):
    key: str
    count: int
    names: tuple[str, ...]
    words: _Part
    text: _Part


@dataclass(eq=False)
class Segment:
    """Words and what they decode to, sorted by hash.

    Attributes:
        hashes: Ascending.
        words: In the order of `hashes`.
        opcodes: Index into `names`.
        names: Mnemonics of this segment.
        path: The file that it was read from, None if it is new.
        offsets: Where each text starts in `blob`; None until `load_text`.
        blob: The texts.
    """

    hashes: NDArray[np.uint64]
    words: Words
    opcodes: NDArray[np.uint32]
    names: tuple[str, ...]
    path: Path | None = None
    offsets: NDArray[np.uint32] | None = None
    blob: bytes = b""
    key: str = ""

    def __len__(self) -> int:
        return len(self.hashes)

    def find(
        self, words: Words, hashes: NDArray[np.uint64]
    ) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Rows of the given words here, and which of these rows really hold the word asked for."""
        if not len(self.hashes):
            return np.zeros(len(words), dtype=np.intp), np.zeros(len(words), dtype=bool)
        rows = np.searchsorted(self.hashes, hashes)
        rows[rows == len(self.hashes)] = 0
        found = self.words[rows]
        return rows, (found[:, 0] == words[:, 0]) & (found[:, 1] == words[:, 1])

    def load_text(self) -> bool:
        """Make `offsets` and `blob` available; False if the file is gone or does not match."""
        if self.offsets is not None:
            return True
        if self.path is None:
            return False
        try:
            with self.path.open("rb") as file:
                header = _read_header(file.read(len(MAGIC) + 4 + _MAX_HEADER), self.key)
                if header is None or header[0].count != len(self):
                    return False
                file.seek(header[1] + header[0].words.size)
                data = file.read(header[0].text.size)
        except OSError:
            return False
        part = header[0].text
        size = 4 * (len(self) + 1)
        if len(data) != part.size or size > part.size or _digest(data) != part.digest:
            return False
        offsets = np.frombuffer(data, dtype="<u4", count=len(self) + 1)
        if int(offsets[-1]) != part.size - size or np.any(offsets[1:] < offsets[:-1]):
            return False
        self.offsets = offsets
        self.blob = data[size:]
        return True

    def text(self, row: int) -> str:
        """The text of one row, after `load_text`."""
        if self.offsets is None:
            return ""
        return self.blob[self.offsets[row] : self.offsets[row + 1]].decode("utf-8", "replace")


def build(words: Words, opcodes: Sequence[str], texts: Sequence[str]) -> Segment:
    """A new segment of words that are not sorted yet."""
    hashes = hash_words(words)
    order = np.argsort(hashes)
    names = tuple(sorted(set(opcodes)))
    number = {name: index for index, name in enumerate(names)}
    encoded = [texts[index].encode() for index in order]
    offsets = np.zeros(len(encoded) + 1, dtype=np.uint32)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    return Segment(
        hashes=hashes[order],
        words=words[order],
        opcodes=np.array([number[opcodes[index]] for index in order], dtype=np.uint32),
        names=names,
        offsets=offsets,
        blob=b"".join(encoded),
    )


def merge(segments: Sequence[Segment], *, limit: int) -> Segment:
    """One segment of several; segments whose text cannot be read any more are left out.

    Args:
        segments: Oldest first; of equal words the newest counts.
        limit: Words to keep at most; whole old segments go first.
    """
    kept: list[Segment] = []
    total = 0
    for segment in reversed(segments):
        if kept and total + len(segment) > limit:
            break
        if segment.load_text():
            kept.append(segment)
            total += len(segment)
    words = np.concatenate([segment.words for segment in kept] or [np.empty((0, 2), np.uint64)])
    names = [segment.names[code] for segment in kept for code in segment.opcodes.tolist()]
    texts = [segment.text(row) for segment in kept for row in range(len(segment))]
    # Rows that collide in their hash but differ as words must both stay; exact repeats go.
    _, first = np.unique(words, axis=0, return_index=True)
    first = np.sort(first)
    return build(words[first], [names[index] for index in first], [texts[index] for index in first])


def write(segment: Segment, folder: Path, key: str) -> Path:
    """Write a segment under a name of its content: to a sibling, then renamed.

    Raises:
        OSError: if the folder cannot be written.
    """
    if segment.offsets is None:
        raise ValueError("a segment without its text cannot be written")
    head = b"".join(
        (
            np.ascontiguousarray(segment.words[:, 0], dtype="<u8").tobytes(),
            np.ascontiguousarray(segment.words[:, 1], dtype="<u8").tobytes(),
            segment.opcodes.astype("<u4").tobytes(),
        )
    )
    text = segment.offsets.astype("<u4").tobytes() + segment.blob
    header = msgspec.json.encode(
        _Header(
            key,
            len(segment),
            segment.names,
            _Part(len(head), _digest(head)),
            _Part(len(text), _digest(text)),
        )
    )
    path = folder / f"{_digest(header)}{SUFFIX}"
    sibling = folder / f".{path.name}.{os.getpid()}"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with sibling.open("wb") as file:
            file.write(MAGIC + len(header).to_bytes(4, "little") + header)
            file.write(head)
            file.write(text)
        sibling.replace(path)
    finally:
        sibling.unlink(missing_ok=True)
    return path


def read(path: Path, key: str) -> Segment | None:
    """Read the words of a segment; None for a file that is not one, or that was damaged.

    Args:
        path: The file.
        key: What the words were decoded by and for; a file that says otherwise is refused.
    """
    try:
        if path.stat().st_size > MAX_SEGMENT_BYTES:
            return None
        with path.open("rb") as file:
            header = _read_header(file.read(len(MAGIC) + 4 + _MAX_HEADER), key)
            if header is None:
                return None
            file.seek(header[1])
            data = file.read(header[0].words.size)
    except OSError:
        return None
    known = header[0]
    count = known.count
    if len(data) != known.words.size or count * _ROW_BYTES != known.words.size:
        return None
    if _digest(data) != known.words.digest:
        return None
    words = np.empty((count, 2), dtype=np.uint64)
    words[:, 0] = np.frombuffer(data, dtype="<u8", count=count)
    words[:, 1] = np.frombuffer(data, dtype="<u8", count=count, offset=8 * count)
    opcodes = np.frombuffer(data, dtype="<u4", count=count, offset=16 * count)
    hashes = hash_words(words)
    if count and (int(opcodes.max()) >= len(known.names) or np.any(hashes[1:] < hashes[:-1])):
        return None
    return Segment(hashes, words, opcodes, known.names, path=path, key=key)


def _read_header(data: bytes, key: str) -> tuple[_Header, int] | None:
    """The header and where the parts start; None if it is not one for `key`."""
    start = len(MAGIC) + 4
    if not data.startswith(MAGIC) or len(data) < start:
        return None
    size = int.from_bytes(data[len(MAGIC) : start], "little")
    if size > len(data) - start:
        return None
    try:
        header = msgspec.json.decode(data[start : start + size], type=_Header)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return (header, start + size) if header.key == key and header.count >= 0 else None


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
