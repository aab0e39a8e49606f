"""String tables of ELF files: names that end in NUL, found by their offset."""

from __future__ import annotations

from operator import sub
from typing import TYPE_CHECKING

import msgspec

from sassay.containers import limits
from sassay.errors import FormatError, LimitError

if TYPE_CHECKING:
    from collections.abc import Sequence


class StringTable(msgspec.Struct):
    """A string table, read once.

    Names may share tails, so overlapping long names could ask for far more than the table holds;
    `spent` keeps all of them together within a multiple of it.

    Attributes:
        data: All its bytes.
        label: What errors call it.
        offset: Where it lies in the file, for errors.
        artifact: The name that errors carry.
        spent: Bytes of the names that were read.
        most: So many may be.
    """

    data: bytes
    label: str
    offset: int
    artifact: str
    spent: int = 0
    most: int = 0

    def __post_init__(self) -> None:
        self.most = limits.NAME_TABLE_FACTOR * len(self.data) + limits.MAX_NAME_BYTES

    def at(self, offset: int) -> str:
        """The string that starts at `offset`; undecodable bytes are replaced.

        Raises:
            FormatError: It lies outside.
            LimitError: It is too long, or too much was read.
        """
        return self.cut(offset, self.end(offset))

    def all_at(self, offsets: Sequence[int]) -> list[str]:
        """As `at` of each offset, errors included."""
        ends = self.ends(offsets)
        if not self.data.isascii():
            return list(map(self.cut, offsets, ends))
        text = self.data.decode("ascii")
        return [text[offset:end] for offset, end in zip(offsets, ends, strict=True)]

    def cut(self, offset: int, end: int) -> str:
        """The string from an offset to its end."""
        return self.data[offset:end].decode("utf-8", "replace")

    def ends(self, offsets: Sequence[int]) -> list[int]:
        """As `end` of each offset, errors included."""
        ends = self._quick_ends(offsets)
        return [self.end(offset) for offset in offsets] if ends is None else ends

    def end(self, offset: int) -> int:
        """Where the string ends that starts at `offset`; raises as `at`."""
        end = self.data.find(b"\0", offset)  # also -1 for an offset behind the end
        if end < 0:
            raise FormatError(
                f"string {offset} lies outside {self.label} of {len(self.data)} bytes",
                artifact=self.artifact,
                place=f"offset {self.offset:#x}",
            )
        length = end + 1 - offset
        self.spent += length
        if length > limits.MAX_NAME_BYTES or self.spent > self.most:
            raise LimitError(
                f"names are longer than {limits.MAX_NAME_BYTES} bytes or overlap too often",
                artifact=self.artifact,
                place=f"offset {self.offset + offset:#x}",
            )
        return end

    def _quick_ends(self, offsets: Sequence[int]) -> list[int] | None:
        """Where all strings end; None: one of them may not be read.

        They come in blocks, so that names that overlap are noticed before they cost much.
        """
        find, spent = self.data.find, self.spent
        block = limits.NAME_TABLE_FACTOR
        ends: list[int] = []
        for start in range(0, len(offsets), block):
            some = offsets[start : start + block]
            found = [find(b"\0", offset) for offset in some]
            spent += sum(found) - sum(some) + len(some)
            if min(found) < 0 or spent > self.most:
                return None
            ends += found
        if len(self.data) > limits.MAX_NAME_BYTES:
            longest = max(map(sub, ends, offsets), default=0)
            if longest >= limits.MAX_NAME_BYTES:
                return None
        self.spent = spent
        return ends
