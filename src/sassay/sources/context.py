"""What one walk over an input carries along: the architecture filter and the counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from sassay.sources.recall import Recall

Progress = Callable[[str], None]


@dataclass(slots=True)
class Context:
    """Shared by all readers of one walk.

    Attributes:
        arch_globs: Globs over architecture names; empty lets all pass.
        counts: `files`, `artifacts`, `skipped_files`, `filtered_artifacts`, ...
        packages: Name to version of the Python packages that the input holds.
        without_code: Host libraries that hold no NVIDIA code.
        names: Whether anybody asks for a kernel of this symbol; None: for all.
        recall: What large files held in earlier runs.
        progress: Told each file's place before it is read.
    """

    arch_globs: Sequence[str] = ()
    counts: Counter[str] = field(default_factory=Counter)
    packages: dict[str, str] = field(default_factory=dict)
    without_code: int = 0
    progress: Progress | None = None
    names: Callable[[str], bool] | None = None
    recall: Recall = field(default_factory=Recall)

    def wants(self, *archs: str) -> bool:
        """Whether any of the possible names of an architecture passes the filter.

        Args:
            archs: The name; several where the exact one is not known before reading the code.
        """
        if not self.arch_globs:
            return True
        return any(fnmatchcase(arch, glob) for arch in archs for glob in self.arch_globs)

    def report(self, place: str) -> None:
        """Tell a progress display what is being read."""
        if self.progress is not None:
            self.progress(place)
