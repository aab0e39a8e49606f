"""Folders inside wheels, zip and tar archives and static libraries."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sassay.containers.archive import walk_archive
from sassay.errors import SassayError
from sassay.model.state import Diagnostic, Level
from sassay.sources.disk import HEAD_BYTES
from sassay.sources.entry import Entry, Folder
from sassay.sources.layouts import packages_in
from sassay.sources.triton import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from sassay.containers.fatbin_stream import Stream
    from sassay.containers.member import Member
    from sassay.sources.context import Context

MAX_NESTING = 4
STREAM_FROM = 32 << 20
"""Members of this size and more are not unpacked whole where they can be read as they unpack."""


def open_archive(
    entry: Entry, label: str, context: Context, *, prefix: str
) -> Iterator[Folder | Diagnostic]:
    """Yield the folders of one archive in sorted order; what is wrong becomes a diagnostic.

    Args:
        entry: The archive.
        label: Name of the input, for recognizing layouts.
        context: Counts and filters of this walk.
        prefix: What stands before the members' paths: the archive's place and `!`, or nothing
            for an archive that is the input itself, so that two releases have equal places.
    """
    members: dict[str, Member] = {}
    notes: list[str] = []
    try:
        source = Path(entry.disk_path) if entry.disk_path is not None else bytes(entry.load())
        for member in walk_archive(source, artifact=entry.path, on_note=notes.append):
            members[_unique(member.path, members)] = member
    except (SassayError, OSError) as error:
        yield Diagnostic(Level.ERROR, entry.path, describe(error))
    for note in dict.fromkeys(notes):
        yield Diagnostic(Level.NOTE, entry.path, note)
    context.packages.update(packages_in(iter(members)))
    folders: dict[str, dict[str, Entry]] = {}
    for path in sorted(members):
        folder, _, name = path.rpartition("/")
        if any(part.startswith("tmp.pid_") for part in folder.split("/")):
            continue
        context.counts["files"] += 1
        folders.setdefault(folder, {})[name] = _member_entry(f"{prefix}{path}", members[path])
    _hash_ahead(folders)
    for folder in sorted(folders):
        path = f"{prefix}{folder}"
        yield ArchiveFolder(path=path, label=label, entries=folders[folder])


def _hash_ahead(folders: Mapping[str, dict[str, Entry]]) -> None:
    """Take the fingerprints of large members side by side; they are asked for one by one."""
    large = [
        (entries, name, entry)
        for _, entries in sorted(folders.items())
        for name, entry in entries.items()
        if entry.fingerprint is not None and entry.size >= STREAM_FROM
    ]
    if len(large) < 2:
        return
    pool = ThreadPoolExecutor(max_workers=max(2, min(4, os.cpu_count() or 1)))
    for entries, name, entry in large:
        if entry.fingerprint is not None:
            ahead = pool.submit(entry.fingerprint)
            entries[name] = replace(entry, fingerprint=ahead.result)
    pool.shutdown(wait=False)


class ArchiveFolder(Folder):
    """A folder of an archive: the archive's own top folder ends in `!`, not in `/`."""

    __slots__ = ()

    def place(self, name: str) -> str:
        """The place of a file of this folder, for messages."""
        return f"{self.path}{name}" if self.path.endswith("!") else Folder.place(self, name)


def _unique(path: str, taken: dict[str, Member]) -> str:
    """The path, numbered where a static library holds several members of one name."""
    if path not in taken:
        return path
    number = 2
    while f"{path}#{number}" in taken:
        number += 1
    return f"{path}#{number}"


def _member_entry(path: str, member: Member) -> Entry:
    stream = member.stream
    return Entry(
        path=path,
        size=member.size,
        load=member.read,
        head=partial(_first_bytes, stream) if stream else lambda: bytes(member.read()[:HEAD_BYTES]),
        fingerprint=member.fingerprint,
        stream=stream if member.size >= STREAM_FROM else None,
    )


def _first_bytes(stream: Callable[[], AbstractContextManager[Stream]]) -> bytes:
    """The first bytes of a member, of which no more is unpacked for that."""
    found = b""
    with stream() as opened:
        while len(found) < HEAD_BYTES and (more := opened.read(HEAD_BYTES - len(found))):
            found += more
    return found
