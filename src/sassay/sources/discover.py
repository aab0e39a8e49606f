"""Finds the artifacts of one INPUT of the command line, in an order that does not vary."""

from __future__ import annotations

import contextlib
import itertools
import re
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from sassay.containers import limits
from sassay.errors import InputError, LimitError, UsageError
from sassay.model.state import Diagnostic, Level
from sassay.sources import disk, loose, pypi
from sassay.sources.archives import MAX_NESTING, open_archive
from sassay.sources.context import Context, Progress
from sassay.sources.entry import Entry, Folder, Found, Withdrawn
from sassay.sources.layouts import packages_in
from sassay.sources.registry import READERS
from sassay.sources.unchanged import identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sassay.model.artifact import Artifact

STANDARD_INPUT = "-"
_WHEEL = re.compile(r"(?P<name>[^-]+)-(?P<version>[^-]+)(-[^-]+){3,4}\.whl")


class Discovery:
    """The artifacts of one input; walks it again each time `artifacts` is called.

    Attributes:
        spec: The input as it was named.
        label: A short name for the input: base name, or name and version of a wheel.
    """

    def __init__(self, spec: str, path: Path | None, context: Context) -> None:
        self.spec = spec
        self.label = _label(spec, path)
        self._path = path
        self._context = context

    @property
    def counts(self) -> Mapping[str, int]:
        """What was seen and left out so far: `files`, `artifacts`, `skipped_files`, ..."""
        return dict(sorted(self._context.counts.items()))

    @property
    def packages(self) -> Mapping[str, str]:
        """Name to version of the Python packages met so far."""
        return dict(sorted(self._context.packages.items()))

    @property
    def identity(self) -> str | None:
        """What tells the input from itself once it was changed, None where nothing does."""
        return identity(self._path) if self._path is not None else None

    @property
    def size(self) -> int:
        """Bytes of the input on disk, about; 0 where nobody knows."""
        return disk.bytes_below(self._path) if self._path is not None else 0

    def artifacts(self) -> Iterator[Artifact | Diagnostic | Withdrawn]:
        """Yield artifacts and what went wrong, in sorted order of place.

        What a library turns out not to hold after all is withdrawn before the next file is read.
        The PTX and the cubin of one compilation follow each other.
        """
        context = self._context
        context.counts.clear()
        context.packages.clear()
        context.without_code = 0
        if self._path is None:
            context.counts["files"] += 1
            yield from self._read_lone(_standard_input())
        elif self._path.is_dir():
            label = disk.readable(self._path.absolute().as_posix().lstrip("/"))
            for item in disk.walk(self._path, label, context):
                if isinstance(item, Diagnostic):
                    yield item
                else:
                    context.packages.update(
                        packages_in(f"{item.path}/{name}" for name in item.entries)
                    )
                    yield from self._read_folder(item, 0)
        else:
            context.counts["files"] += 1
            size = self._path.stat().st_size
            # A link that a person names is followed; those inside a tree are not.
            file = self._path.resolve()
            yield from self._read_lone(disk.disk_entry(file, disk.readable(self._path.name), size))
        if context.without_code:
            noun = "file holds" if context.without_code == 1 else "files hold"
            yield Diagnostic(
                Level.NOTE, self.label, f"{context.without_code} {noun} no NVIDIA code: skipped"
            )

    def _read_lone(self, entry: Entry) -> Iterator[Found]:
        parent = self._path.absolute().parent.as_posix().lstrip("/") if self._path else ""
        label = disk.readable(parent)
        folder = Folder(path="", label=label, entries={entry.name: entry})
        for found in loose.read_entry(entry, folder, self._context):
            if isinstance(found, Entry):
                yield from self._read_archive(found, folder, 0, prefix="")
            else:
                yield found

    def _read_folder(self, folder: Folder, depth: int) -> Iterator[Found]:
        for reader in READERS:
            yield from reader(folder, self._context)
        for found in loose.read(folder, self._context):
            if isinstance(found, Entry):
                yield from self._read_archive(found, folder, depth, prefix=f"{found.path}!")
            else:
                yield found

    def _read_archive(
        self, entry: Entry, folder: Folder, depth: int, *, prefix: str
    ) -> Iterator[Found]:
        if depth >= MAX_NESTING:
            message = f"archives nest deeper than {MAX_NESTING}: not read any further"
            yield Diagnostic(Level.ERROR, entry.path, message)
            return
        for item in open_archive(entry, folder.label, self._context, prefix=prefix):
            if isinstance(item, Diagnostic):
                yield item
            else:
                yield from self._read_folder(item, depth + 1)


def discover(
    spec: str,
    *,
    arch_globs: Sequence[str] = (),
    on_progress: Progress | None = None,
    names: Callable[[str], bool] | None = None,
) -> Discovery:
    """Resolve an input; `pypi:` inputs are downloaded here.

    Args:
        spec: A path, `pypi:NAME==VERSION`, or `-`; a leading `label=` has been removed.
        arch_globs: Only architectures that match one of these; empty means all.
        on_progress: Told each place before it is read.
        names: Whether a kernel of this symbol is asked for: fatbin entries without one are passed
            over, unread where they are not compressed. None: all are.

    Raises:
        InputError: The input does not exist or is neither a file nor a folder.
        UsageError: It is empty, or a `pypi:` spec names no single release.
        ToolError: pip is missing.
    """
    if not spec:
        raise UsageError("an input is empty", hint="is a variable of the shell unset?")
    context = Context(arch_globs=tuple(arch_globs), progress=on_progress, names=names)
    if spec == STANDARD_INPUT:
        return Discovery(spec, None, context)
    path = pypi.fetch(spec) if spec.startswith(pypi.PREFIX) else Path(spec)
    try:
        usable = path.is_dir() or path.is_file()
        exists = usable or path.exists()
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read: {error}", artifact=spec) from error
    if not exists:
        raise InputError("no such file or folder", artifact=spec, hint=_instead_of(path))
    if not usable:
        raise InputError("is neither a file nor a folder", artifact=spec)
    return Discovery(spec, path, context)


def _instead_of(path: Path) -> str:
    """What a missing path may have meant: a neighbour with a close name, else what is read."""
    with contextlib.suppress(OSError, ValueError):
        neighbours = sorted(itertools.islice((item.name for item in path.parent.iterdir()), 10_000))
        close = get_close_matches(path.name, neighbours, n=3, cutoff=0.5)
        if close:
            return f"did you mean {', '.join(str(path.parent / name) for name in close)}?"
    return "expected a cache folder, cubin, PTX, library, wheel or pypi:NAME==VERSION"


def _standard_input() -> Entry:
    data = sys.stdin.buffer.read(limits.MAX_STDIN_BYTES + 1)
    if len(data) > limits.MAX_STDIN_BYTES:
        raise LimitError(
            "too long", artifact="standard input", hint=f"at most {limits.MAX_STDIN_BYTES} bytes"
        )
    return Entry(
        path="stdin", size=len(data), load=lambda: data, head=lambda: data[: disk.HEAD_BYTES]
    )


def _label(spec: str, path: Path | None) -> str:
    if path is None:
        return "stdin"
    if match := _WHEEL.fullmatch(path.name):
        return f"{match['name']}-{match['version']}"
    return disk.readable(path.absolute().name or spec)
