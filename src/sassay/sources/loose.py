"""Files that belong to no cache entry: what each is, its content decides.

Cubins and PTX modules, fatbins, host objects that embed them, and archives of all of these.
"""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING

from sassay.containers.fatbin import find_fatbins
from sassay.containers.sniff import Format, sniff
from sassay.errors import SassayError
from sassay.model.artifact import Artifact, ArtifactKind, Source, SourceKind
from sassay.model.state import Diagnostic, Level
from sassay.sources.layouts import kind_of
from sassay.sources.ptx_text import decode_ptx
from sassay.sources.recall import Listed, Listing
from sassay.sources.triton import describe

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from sassay.containers.fatbin import FatbinEntry
    from sassay.sources.context import Context
    from sassay.sources.entry import Entry, Folder, Found

PAIRED_SUFFIXES = ("ptx", "cubin")
CODE_SUFFIXES = frozenset({"cubin", "ptx", "fatbin"})
ARCHIVES = frozenset({Format.ZIP, Format.TAR, Format.AR})


def read(folder: Folder, context: Context) -> Iterator[Found | Entry]:
    """Yield the artifacts of the files that no reader took; archives are handed back to open."""
    # The PTX and the cubin of one stem follow each other, so that they can be joined in passing.
    for entry in sorted(folder.rest(), key=_pair_order):
        yield from read_entry(entry, folder, context)


def _pair_order(entry: Entry) -> tuple[str, bool, str]:
    stem, _, suffix = entry.name.rpartition(".")
    return stem, suffix not in PAIRED_SUFFIXES, entry.name


def read_entry(entry: Entry, folder: Folder, context: Context) -> Iterator[Found | Entry]:
    """Yield what one file holds, or the entry itself where it is an archive."""
    suffix = entry.name.rpartition(".")[2].lower()
    if entry.size == 0:
        if suffix in CODE_SUFFIXES:
            yield Diagnostic(Level.ERROR, entry.path, f"0 bytes: expected a {suffix}")
        return
    try:
        key, listing = context.recall.find(entry)
    except (SassayError, OSError):
        key, listing = None, None  # whatever is wrong with it, reading it tells
    if listing is not None:
        context.report(entry.path)
        yield from _replay(entry, listing, _kind(entry, folder, bare=listing.bare), context)
    else:
        yield from _read_content(entry, folder, context, key)


def _read_content(
    entry: Entry, folder: Folder, context: Context, key: str | None
) -> Iterator[Found | Entry]:
    """Yield what one file holds; its listing is kept under `key`."""
    suffix = entry.name.rpartition(".")[2].lower()
    try:
        format_ = sniff(entry.head(), entry.name)
    except (SassayError, OSError) as error:
        yield Diagnostic(Level.ERROR, entry.path, describe(error))
        return
    if format_ in ARCHIVES:
        yield entry
        return
    if format_ is Format.UNKNOWN:
        if suffix in CODE_SUFFIXES:
            message = f"unknown content: expected a {suffix}"
            yield Diagnostic(Level.ERROR, entry.path, message)
        return
    context.report(entry.path)
    try:
        if format_ is Format.ELF_CUBIN:
            kind = _kind(entry, folder, bare=True)
            data = bytes(entry.load())
            context.counts["artifacts"] += 1
            yield _artifact(ArtifactKind.CUBIN, kind, entry, data, _pair_of(entry, folder))
        elif format_ is Format.PTX:
            kind = _kind(entry, folder, bare=True)
            data = decode_ptx(bytes(entry.load()), artifact=entry.path)
            context.counts["artifacts"] += 1
            yield _artifact(ArtifactKind.PTX, kind, entry, data, _pair_of(entry, folder))
        else:
            bare = format_ is Format.FATBIN
            listing = yield from _read_fatbins(
                entry, _kind(entry, folder, bare=bare), context, bare=bare
            )
            if listing is not None and key is not None:
                context.recall.keep(key, listing)
    except (SassayError, OSError) as error:
        layer = "ptx" if format_ is Format.PTX else None
        yield Diagnostic(Level.ERROR, entry.path, describe(error), layer=layer)


def _artifact(
    kind: ArtifactKind, source: SourceKind, entry: Entry, data: bytes, compilation: str | None
) -> Artifact:
    return Artifact(
        kind=kind, source=Source(source, entry.path), data=data, compilation=compilation
    )


def _pair_of(entry: Entry, folder: Folder) -> str | None:
    """The compilation that a PTX and a cubin of one stem in one folder belong to."""
    stem = entry.name.rpartition(".")[0]
    names = [f"{stem}.{suffix}" for suffix in PAIRED_SUFFIXES]
    paired = all(name in folder.entries and name not in folder.taken for name in names)
    return entry.path.rpartition(".")[0] if paired and stem else None


def _kind(entry: Entry, folder: Folder, *, bare: bool) -> SourceKind:
    layout = "/".join(part for part in (folder.label, entry.path) if part)
    return kind_of(layout, SourceKind.FILE if bare else SourceKind.LIBRARY)


def _read_fatbins(
    entry: Entry, kind: SourceKind, context: Context, *, bare: bool
) -> Generator[Found, None, Listing | None]:
    """Entries of all fatbins of one file; those that the architecture filter drops stay packed.

    Returns:
        What it holds; None unless all of it was read.
    """
    listed: list[Listed] = []
    whole = True
    found = False
    notes: list[str] = []
    again = partial(_artifacts, entry, kind)
    for fat in find_fatbins(entry.load(), artifact=entry.path, on_note=notes.append):
        found = True
        place = f"{entry.path}!fatbin.{fat.index}"
        if not context.wants(fat.arch):
            context.counts["filtered_artifacts"] += 1
            whole = False
            continue
        layer = "ptx" if fat.kind is ArtifactKind.PTX else None
        try:
            data = _data(fat, place)
        except SassayError as error:
            message = describe(error)
            yield Diagnostic(Level.ERROR, place, message, arch=fat.arch, layer=layer)
            whole = False
            continue
        context.counts["artifacts"] += 1
        digest = hashlib.sha256(data).hexdigest()
        listed.append(Listed(fat.kind, fat.arch, fat.index, digest))
        yield Artifact(
            kind=fat.kind,
            source=Source(kind, place),
            data=data,
            arch=fat.arch,
            digest=digest,
            again=again,
        )
    yield from _noted(entry, notes, context, empty=not found and not notes)
    return Listing(bare, tuple(listed), tuple(dict.fromkeys(notes))) if whole else None


def _replay(entry: Entry, listing: Listing, kind: SourceKind, context: Context) -> Iterator[Found]:
    """What `_read_fatbins` yields, without the bytes."""
    again = partial(_artifacts, entry, kind)
    for item in listing.artifacts:
        if not context.wants(item.arch):
            context.counts["filtered_artifacts"] += 1
            continue
        context.counts["artifacts"] += 1
        yield Artifact(
            kind=item.kind,
            source=Source(kind, f"{entry.path}!fatbin.{item.index}"),
            data=b"",
            arch=item.arch,
            digest=item.digest,
            again=again,
        )
    empty = not listing.artifacts and not listing.notes
    yield from _noted(entry, listing.notes, context, empty=empty)


def _noted(
    entry: Entry, notes: Iterable[str], context: Context, *, empty: bool
) -> Iterator[Diagnostic]:
    for note in dict.fromkeys(notes):
        yield Diagnostic(Level.NOTE, entry.path, note)
    if empty:
        context.without_code += 1
        context.counts["skipped_files"] += 1


def _artifacts(entry: Entry, kind: SourceKind) -> Iterator[Artifact]:
    """The artifacts of a file that was listed before, with their bytes.

    Raises:
        SassayError: It is no longer what it was.
    """
    for fat in find_fatbins(entry.load(), artifact=entry.path):
        place = f"{entry.path}!fatbin.{fat.index}"
        yield Artifact(
            kind=fat.kind, source=Source(kind, place), data=_data(fat, place), arch=fat.arch
        )


def _data(fat: FatbinEntry, place: str) -> bytes:
    data = fat.data()
    return decode_ptx(data, artifact=place) if fat.kind is ArtifactKind.PTX else data
