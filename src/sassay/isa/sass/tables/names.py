"""The mnemonics of a table, as they are stored: spelled out one at a time.

A table has a hundred thousand, nearly all with the beginning of their neighbour; a cubin has a
hundred.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self, overload

import numpy as np

from sassay.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

WHOLE = 16
"""One name of so many is stored whole."""
_WIDTH = 2


class Names(Sequence[str]):
    """Names in order; each is stored as what it shares with the one before, and its own rest.

    Attributes:
        shared: Bytes that each has in common with the one before, as little-endian u16.
        lengths: Bytes of each rest, likewise.
        rests: All of them, UTF-8.
    """

    def __init__(
        self, shared: bytes | memoryview, lengths: bytes | memoryview, rests: bytes | memoryview
    ) -> None:
        """Reads nothing yet.

        Raises:
            FormatError: The three do not fit together.
        """
        self.shared, self.lengths, self.rests = shared, lengths, bytes(rests)
        if len(shared) != len(lengths) or len(lengths) % _WIDTH:
            raise FormatError("its names do not fit together")
        counts = np.frombuffer(lengths, "<u2")
        begins = np.frombuffer(shared, "<u2")
        ends = np.cumsum(counts, dtype=np.int64)
        if counts.sum(dtype=np.int64) != len(self.rests):
            raise FormatError("its names do not fit together")
        if begins[::WHOLE].any() or (begins[1:] > (begins + counts)[:-1]).any():
            raise FormatError("a name shares more than there is")
        self._spelled: dict[int, str] = {}  # cubins hold the same few again and again
        # Single entries of these are read faster than of arrays.
        self._shared = begins.astype(np.uint16).data
        self._ends = ends.data

    @classmethod
    def of(cls, names: Iterable[str]) -> Self:
        """The same names, stored.

        Raises:
            FormatError: One is longer than 65,535 bytes.
        """
        shared: list[int] = []
        rests: list[bytes] = []
        before = b""
        for number, name in enumerate(names):
            data = name.encode()
            shared.append(_in_common(before, data) if number % WHOLE else 0)
            rests.append(data[shared[-1] :])
            before = data
            if len(data) > np.iinfo(np.uint16).max:
                raise FormatError("a name is too long")
        lengths = np.array(list(map(len, rests)), "<u2")
        return cls(np.array(shared, "<u2").tobytes(), lengths.tobytes(), b"".join(rests))

    def __len__(self) -> int:
        return len(self._shared)

    def __iter__(self) -> Iterator[str]:
        name, start = b"", 0
        for shared, end in zip(self._shared, self._ends, strict=True):
            name = name[:shared] + self.rests[start:end]
            start = end
            yield name.decode()

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[str, ...]: ...

    def __getitem__(self, place: int | slice) -> str | tuple[str, ...]:
        if isinstance(place, slice):
            return tuple(map(self.__getitem__, range(*place.indices(len(self)))))
        found = self._spelled.get(place)
        if found is None:
            number = range(len(self))[place]
            name = b""
            for each in range(number - number % WHOLE, number + 1):
                start = self._ends[each - 1] if each else 0
                name = name[: self._shared[each]] + self.rests[start : self._ends[each]]
            found = self._spelled[place] = name.decode()
        return found


def _in_common(first: bytes, second: bytes) -> int:
    """How many bytes both begin with."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(first), len(second)))
