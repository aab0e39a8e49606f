"""A seekable binary file over a memoryview, for libraries that read file objects."""

from __future__ import annotations

import io
import os

from sassay.containers.mapped import release


class ViewReader(io.RawIOBase):
    """Reads a memoryview without copying it first.

    Args:
        view: The bytes.
    """

    def __init__(self, view: memoryview) -> None:
        super().__init__()
        self._view = view
        self._position = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes from here, all that is left if negative."""
        end = len(self._view) if size < 0 else min(len(self._view), self._position + size)
        content = bytes(self._view[self._position : end])
        release(self._view, self._position, end)
        self._position += len(content)
        return content

    def readall(self) -> bytes:
        """All that is left."""
        return self.read()

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Moves to an offset, at most past the end; returns where it stands."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: len(self._view)}[whence]
        if base + offset < 0:
            msg = "seek before the start"
            raise ValueError(msg)
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """Where it stands."""
        return self._position
