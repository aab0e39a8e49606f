"""Captures of the commits of a repository, made on demand in checkouts of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sassay.errors import InputError, ToolError, UsageError
from sassay.git import ask_git

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import Self

PLACEHOLDER = "{out}"
SKIP_STATUS = 125
"""As in `git bisect run`: this commit cannot be judged."""
MAX_COMMITS = 100_000
_TAIL = 400


class Commit(msgspec.Struct, frozen=True):
    """One commit, oldest first in a history."""

    revision: str
    subject: str

    @property
    def label(self) -> str:
        """Short revision and subject."""
        return f"{self.revision[:10]} {self.subject}".strip()


def list_commits(repository: Path, span: str) -> tuple[Commit, ...]:
    """The commits of `GOOD..BAD`, GOOD first, along the first parents.

    Args:
        repository: A folder of the checkout.
        span: Two revisions with two dots between.

    Raises:
        UsageError: It is no such span, or holds fewer than two commits.
        ToolError: git fails.
    """
    good, dots, bad = span.partition("..")
    if not dots or not good or not bad or bad.startswith("."):
        raise UsageError(f"{span!r} is not GOOD..BAD", hint="such as --commits v1.0..HEAD")
    text = _git(
        repository, "log", "--reverse", "--first-parent", "--format=%H %s",
        f"--max-count={MAX_COMMITS}", f"{good}..{bad}", "--",
    )  # fmt: skip
    start = _git(repository, "log", "-1", "--format=%H %s", good, "--")
    found = []
    for line in [*start.splitlines(), *text.splitlines()]:
        revision, _, subject = line.partition(" ")
        found.append(Commit(revision, subject))
    if len(found) < 2:
        raise UsageError(f"no commit lies between {good} and {bad}", hint="is the order GOOD..BAD?")
    return tuple(found)


class CommitCaptures:
    """Captures commits with a command, each at most once.

    Args:
        repository: A folder of the checkout; it is left as it is.
        command: Runs in a checkout of the commit, with `{out}` replaced by the capture's path.
        folder: Keeps the captures by revision, so that a later run finds them.
        note: Told what is captured.
    """

    def __init__(
        self,
        repository: Path,
        command: Sequence[str],
        folder: Path,
        note: Callable[[str], None],
    ) -> None:
        if not any(PLACEHOLDER in part for part in command):
            raise UsageError(
                f"the command does not say where its capture goes: no {PLACEHOLDER} in it",
                hint=f"such as -- sassay compile kernels.toml -o {PLACEHOLDER}",
            )
        self._repository = repository
        self._command = tuple(command)
        self._folder = folder
        self._note = note
        self._work: Path | None = None
        self.made = 0
        self.failures: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._work is not None:
            # Removing can fail halfway; what is left of the entry is pruned then.
            with suppress(ToolError):
                _git(self._repository, "worktree", "remove", "--force", str(self._work))
            shutil.rmtree(self._work.parent, ignore_errors=True)
            with suppress(ToolError):
                _git(self._repository, "worktree", "prune")

    def capture(self, commit: Commit) -> Path | None:
        """The capture of a commit; None where its command leaves none.

        Args:
            commit: Which commit.

        Raises:
            ToolError: git fails.
            InputError: The command cannot be run at all.
        """
        path = self._folder / f"{commit.revision}.sassay"
        if (path / "manifest.json").is_file():
            return path
        if commit.revision in self.failures:
            return None
        self._note(f"capturing {commit.label}")
        folder = self._checkout(commit)
        arguments = [part.replace(PLACEHOLDER, str(path.resolve())) for part in self._command]
        try:
            done = subprocess.run(
                arguments,
                cwd=folder,
                env={**os.environ, "SASSAY_OUT": str(path.resolve())},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                check=False,
            )
        except OSError as error:
            raise InputError(error.strerror or str(error), artifact=arguments[0]) from error
        if (path / "manifest.json").is_file() and done.returncode != SKIP_STATUS:
            self.made += 1
            return path
        shutil.rmtree(path, ignore_errors=True)
        lines = done.stderr.strip().splitlines()
        said = f": {lines[-1][:_TAIL]}" if lines else ""
        self.failures[commit.revision] = f"its command ended with status {done.returncode}{said}"
        return None

    def _checkout(self, commit: Commit) -> Path:
        if self._work is None:
            self._work = Path(tempfile.mkdtemp(prefix="sassay-bisect-")) / "tree"
            _git(
                self._repository, "worktree", "add", "--detach", "--force", str(self._work),
                commit.revision,
            )  # fmt: skip
        else:
            _git(self._work, "checkout", "--detach", "--force", "--quiet", commit.revision)
            _git(self._work, "clean", "-ffdxq")
        return self._work


def _git(folder: Path, *arguments: str) -> str:
    return ask_git(folder, *arguments).decode("utf-8", "replace")
