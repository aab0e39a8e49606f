"""Fatbins of a host library that comes as a stream, as the member of a wheel does.

The section table, which says where the fatbins lie, is the last thing in an ELF file, and a wheel's
largest library unpacks to more than a gigabyte. So fatbins are met by their magic on the way, their
entries are handed out at once, and when the table comes by it must confirm them: the fatbins met
must tile the sections that hold fatbins, with nothing but zeros between. Where it does not, the
stream ends with a `Surprise`, and whoever reads takes back what does not count.
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Protocol

import msgspec

from sassay.containers import limits
from sassay.containers.elf import MAGIC as ELF_MAGIC
from sassay.containers.elf import Elf, read_elf
from sassay.containers.fatbin import (
    MAGIC_BYTES,
    FatbinEntry,
    fatbin_sections,
    parse_entry,
    parse_header,
)
from sassay.errors import FormatError, LimitError, SassayError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

CHUNK = 1 * limits.MIB
"""Bytes read at a time."""
TAIL = 1 * limits.MIB
"""Bytes before the section table that are kept for the names of sections, which lie there."""
ZEROS = 64 * limits.KIB
"""So many zeros between fatbins are stepped over; linkers put less than 64 there."""
_ALIGN = 8
_ELF_HEADER = 64
_HEADER = 16
_ENTRY = 64


class Stream(Protocol):
    """Bytes that come once, in order."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes, none at the end."""
        ...


class Surprise(msgspec.Struct, frozen=True):
    """The end of a stream whose section table does not confirm what was met.

    Attributes:
        kept: So many entries, in the order in which they were met, count all the same; None: the
            file must be read whole, none of them counts.
        notes: What `find_fatbins` would have noted.
    """

    kept: int | None
    notes: tuple[str, ...] = ()


class _Met(msgspec.Struct, frozen=True):
    """One fatbin: where it lies, zeros on both sides of it, entries of the file up to its end."""

    start: int
    end: int
    before: int
    after: int
    entries: int


def stream_fatbins(
    stream: Stream, size: int, *, artifact: str, on_note: Callable[[str], None]
) -> Iterator[FatbinEntry | Surprise]:
    """Walks the fatbins of a host ELF file that cannot be mapped; holds one entry at a time.

    Args:
        stream: The whole file.
        size: Its bytes.
        artifact: The name that errors carry.
        on_note: As of `find_fatbins`.

    Yields:
        Entries in the order of the file, at their places in it; at the end perhaps a `Surprise`.

    Raises:
        SassayError: What the stream itself raises; the file's own faults end in a `Surprise`, and
            reading it whole says what they are.
    """
    window = _Window(stream, size)
    if not window.fill(_ELF_HEADER) or bytes(window.data[:4]) != ELF_MAGIC:
        yield Surprise(None)
        return
    table = int.from_bytes(window.data[40:48], "little")
    window.keep_from(max(_ELF_HEADER, table - TAIL))
    met: list[_Met] = []
    notes: list[str] = []
    count = 0
    try:
        while (found := window.find_magic()) is not None:
            before = window.zeros_before(found)
            window.drop(found)
            window.fill(_HEADER)
            first, last = parse_header(memoryview(bytes(window.data[:_HEADER])), found, size)
            window.drop(first)
            while window.base < last:
                entry, following = _next(window, last, count, artifact)
                window.drop(following)
                if isinstance(entry, FatbinEntry):
                    yield entry
                else:
                    notes.append(f"fatbin entry {count} left out: {entry}")
                count += 1
            met.append(_Met(found, last, before, window.zeros_ahead(), count))
        elf = window.elf(artifact)
    except (FormatError, LimitError, OSError, MemoryError):
        yield Surprise(None)
        return
    verdict = _verdict(elf, met)
    if verdict is None or verdict.kept is not None:
        for note in (*notes, *(verdict.notes if verdict else ())):
            on_note(note)
    if verdict is not None:
        yield verdict


def _next(window: _Window, last: int, index: int, artifact: str) -> tuple[FatbinEntry | str, int]:
    """The entry at the window's start, with a copy of its payload, and where the next begins."""
    if index >= limits.MAX_FATBIN_ENTRIES:
        raise LimitError("too many entries", artifact=artifact)
    place = window.base
    window.fill(_ENTRY)
    _, following = parse_entry(
        memoryview(bytes(window.data[:_ENTRY])), 0, last - place, section="", index=index,
        artifact=artifact,
    )  # fmt: skip
    if not window.fill(following):
        raise FormatError("the file ends in an entry", artifact=artifact)
    content = memoryview(bytes(memoryview(window.data)[:following]))
    return (
        parse_entry(
            content, 0, last - place, section="", index=index, artifact=artifact, shift=place
        )[0],
        place + following,
    )


def _verdict(elf: Elf, met: Sequence[_Met]) -> Surprise | None:
    """What the section table says of the fatbins met; None: all of them count."""
    notes: list[str] = []
    sections = fatbin_sections(elf, relocatable=False, note=notes.append)
    if not any(section.name for section in elf.sections):
        return Surprise(None)  # their names lie elsewhere
    left = list(met)
    for section in sections:
        place, end, after = section.offset, section.offset + section.size, 0
        while left and place <= left[0].start < end:
            fatbin = left.pop(0)
            if fatbin.start - place > fatbin.before or fatbin.end > end:
                return Surprise(None)
            place, after = fatbin.end, fatbin.after
        if end - place > after:
            return Surprise(None)
    if not left and not notes:
        return None
    # Whatever came before the sections would have kept them from being tiled.
    counted = len(met) - len(left)
    return Surprise(met[counted - 1].entries if counted else 0, tuple(notes))


class _Window:
    """The part of a stream that is at hand.

    Attributes:
        data: Bytes from `base` on.
        base: Offset of the first of them in the file.
    """

    def __init__(self, stream: Stream, size: int) -> None:
        self._stream = stream
        self._size = size
        self.data = bytearray()
        self.base = 0
        self._head = b""
        self._keep_from = size
        self._tail = bytearray()

    def keep_from(self, offset: int) -> None:
        """Keep the header, and what comes from an offset on, for `elf`."""
        self._head = bytes(self.data[:_ELF_HEADER])
        self._keep_from = min(offset, self._size)
        self._note(bytes(self.data), 0)

    def fill(self, count: int) -> bool:
        """Have `count` bytes at hand; False where the file ends before."""
        while len(self.data) < count:
            more = self._stream.read(max(CHUNK, count - len(self.data)))
            if not more:
                return False
            self._note(more, self.base + len(self.data))
            self.data += more
        return True

    def drop(self, offset: int) -> None:
        """Begin at a later offset."""
        while self.base + len(self.data) < offset:
            self.base += len(self.data)
            self.data.clear()
            if not self.fill(1):
                return
        del self.data[: offset - self.base]
        self.base = offset

    def find_magic(self) -> int | None:
        """The offset of the next aligned magic with a believable header, None at the end."""
        start = 0
        while True:
            place = self.data.find(MAGIC_BYTES, start)
            if place < 0:
                # The last bytes may hold the start of a magic, or zeros before one.
                self.drop(max(self.base, self.base + len(self.data) - ZEROS))
                held = len(self.data)
                if not self.fill(held + 1):
                    return None
                start = max(0, held - 3)
                continue
            offset = self.base + place
            if offset % _ALIGN == 0 and self._believable(offset):
                return offset
            start = place + 1

    def _believable(self, offset: int) -> bool:
        self.fill(offset - self.base + _HEADER)
        header = self.data[offset - self.base : offset - self.base + _HEADER]
        try:
            parse_header(memoryview(bytes(header)), offset, self._size)
        except SassayError:
            return False
        return True

    def zeros_before(self, offset: int) -> int:
        """How many zeros lie directly before an offset, as far as they are at hand."""
        before = bytes(self.data[max(0, offset - self.base - ZEROS) : offset - self.base])
        return len(before) - len(before.rstrip(b"\0"))

    def zeros_ahead(self) -> int:
        """How many zeros the window begins with, at most `ZEROS`."""
        self.fill(ZEROS)
        ahead = bytes(self.data[:ZEROS])
        return len(ahead) - len(ahead.lstrip(b"\0"))

    def _note(self, data: bytes, offset: int) -> None:
        if offset + len(data) > self._keep_from:
            self._tail += data[max(0, self._keep_from - offset) :]

    def elf(self, artifact: str) -> Elf:
        """The file with nothing in it but its header and its end, once all of it came by."""
        sparse = mmap.mmap(-1, self._size)
        sparse[: len(self._head)] = self._head
        sparse[self._keep_from : self._keep_from + len(self._tail)] = bytes(self._tail)
        return read_elf(memoryview(sparse), artifact=artifact)
