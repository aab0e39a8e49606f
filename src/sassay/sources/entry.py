"""A file and a folder as the readers see them, whether they lie on disk or inside an archive."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sassay.model.artifact import Artifact
from sassay.model.state import Diagnostic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from sassay.containers.fatbin_stream import Stream

Buffer = bytes | memoryview


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Artifacts that were announced too early: the end of their file says that they do not count.

    Attributes:
        places: Where they were said to lie.
    """

    places: frozenset[str]


Found = Artifact | Diagnostic | Withdrawn


@dataclass(frozen=True, slots=True)
class Entry:
    """One file.

    Attributes:
        path: Place relative to the input, `/`-separated, `!` steps into a container.
        size: Bytes, as the file system or the archive's directory says.
        load: Reads the whole content; raises `SassayError` or `OSError`.
        head: Reads the first bytes only, where that is cheaper.
        disk_path: Where the file lies on disk, None inside an archive.
        fingerprint: Digest of the content as it is stored, cheaper than reading it; None where
            there is none.
        stream: Opens the content as a stream, where that needs less memory than `load`.
    """

    path: str
    size: int
    load: Callable[[], Buffer]
    head: Callable[[], bytes]
    disk_path: str | None = None
    fingerprint: Callable[[], str] | None = None
    stream: Callable[[], AbstractContextManager[Stream]] | None = None

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2].rpartition("!")[2]


@dataclass(slots=True)
class Folder:
    """The files of one folder. Readers take the files that they understand; others see the rest.

    Attributes:
        path: Place relative to the input; empty for the input itself.
        label: Name of the input's own folder, which the relative path leaves out but which
            may tell what a cache is.
        entries: Files by name, sorted.
    """

    path: str
    label: str
    entries: Mapping[str, Entry]
    taken: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        """The folder's own name, also where it is the input itself."""
        return self.path.rpartition("/")[2].rpartition("!")[2] or self.label.rpartition("/")[2]

    @property
    def full_path(self) -> str:
        """The path with the input's own path before it, for recognizing layouts only."""
        return "/".join(part for part in (self.label, self.path) if part)

    def place(self, name: str) -> str:
        """The place of a file of this folder, for messages."""
        return f"{self.path}/{name}" if self.path else name

    def rest(self) -> Iterator[Entry]:
        """Files that no reader took, in sorted order."""
        for name, entry in self.entries.items():
            if name not in self.taken:
                yield entry
