"""Where a command reads source text from: what a state kept, git revisions, folders."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sassay.cli.session import split_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.capture.source_files import SourceFiles
    from sassay.capture.texts import SourceReader
    from sassay.model.state import State

_COMMIT = re.compile(r"[0-9a-f]{40}")
_REVISION_FACTS = ("git.revision", "git_revision", "git.commit", "revision", "commit")


@dataclass(frozen=True)
class SourceText:
    """What the command line says of source text.

    Attributes:
        roots: `--source-root`; empty: the current folder.
        revisions: `--source-rev`, as `[LABEL=]REV`.
    """

    roots: tuple[Path, ...] = ()
    revisions: tuple[str, ...] = ()

    def reader(self, state: State) -> SourceReader:
        """The texts of one state: kept ones, then revisions, then folders.

        A revision that the state's own environment names is read without being asked for, since
        it is what was compiled.

        Raises:
            UsageError: A folder or a revision does not exist.
            ToolError: A revision is asked for and git is not installed.
        """
        from sassay.capture.source_files import SourceRoot
        from sassay.capture.texts import SourceReader

        roots = self.roots or (Path(),)
        places: list[SourceFiles] = [*self._revisions(state, roots)]
        places += [SourceRoot(root) for root in roots]
        return SourceReader(state.texts, places)

    def _revisions(self, state: State, roots: Sequence[Path]) -> list[SourceFiles]:
        from sassay.capture.source_files import GitRevision
        from sassay.errors import SassayError

        asked: list[SourceFiles] = []
        for argument in self.revisions:
            label, revision = split_label(argument)
            if label is None or label == state.label:
                asked.append(GitRevision(roots[0], revision))
        if asked:
            return asked
        for name in _REVISION_FACTS:
            commit = str(state.environment.get(name, ""))
            if _COMMIT.fullmatch(commit):
                try:
                    return [GitRevision(roots[0], commit)]
                except SassayError:  # another repository, or no git: the folder will do
                    break
        return []
