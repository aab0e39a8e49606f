"""Files that belong to no cache entry: what each is, its content decides.

Cubins and PTX modules, fatbins, host objects that embed them, and archives of all of these.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sassay.containers import limits
from sassay.containers.content_key import content_key
from sassay.containers.decompress import check_expansion
from sassay.containers.fatbin import FatbinEntry, find_fatbins
from sassay.containers.fatbin_stream import stream_fatbins
from sassay.containers.mapped import identity, read_here_and_there, release_part
from sassay.containers.names import cubin_names, ptx_names
from sassay.containers.sniff import Format, sniff
from sassay.errors import SassayError
from sassay.model.artifact import Artifact, ArtifactKind, FilePart, Packed, Source, SourceKind
from sassay.model.state import Diagnostic, Level
from sassay.sources.entry import Withdrawn
from sassay.sources.layouts import kind_of
from sassay.sources.ptx_text import decode_ptx
from sassay.sources.recall import Listed, Listing
from sassay.sources.triton import describe

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

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
    if listing is not None and context.names is None:
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
    """Entries of all fatbins of one file; those that the architecture filter drops are not read.

    Returns:
        What it holds; None unless all of it was read.
    """
    notes: list[str] = []
    if entry.stream is not None and not bare:
        reading = _Reading(entry, kind, context)
        with entry.stream() as stream:
            for fat in stream_fatbins(
                stream, entry.size, artifact=entry.path, on_note=notes.append
            ):
                if isinstance(fat, FatbinEntry):
                    yield from reading.take(fat)
                    continue
                yield from reading.withdraw(fat.kept or 0)
                if fat.kept is None:
                    break
            else:
                return (yield from reading.finish(notes, bare=bare))
        notes.clear()
    # Asked before the file is opened: who maps it later sees whether it is still this one.
    known = identity(entry.disk_path) if entry.disk_path is not None else None
    reading = _Reading(entry, kind, context, known)
    data = memoryview(entry.load())
    if context.names is not None:
        read_here_and_there(data)
    for fat in find_fatbins(data, artifact=entry.path, on_note=notes.append):
        yield from reading.take(fat)
        release_part(data[fat.offset : fat.offset + fat.size])
    return (yield from reading.finish(notes, bare=bare))


class _Reading:
    """One file while its fatbin entries are read."""

    def __init__(
        self,
        entry: Entry,
        kind: SourceKind,
        context: Context,
        known: tuple[int, ...] | None = None,
    ) -> None:
        self._entry = entry
        self._known = known
        self._kind = kind
        self._context = context
        self._listed: list[tuple[int, Listed]] = []
        self._met = 0
        self._whole = True
        self._again = partial(_artifacts, entry, kind)

    def take(self, fat: FatbinEntry) -> Iterator[Found]:
        """Announce an entry, unless nobody asks for its architecture."""
        self._met += 1
        place = f"{self._entry.path}!fatbin.{fat.index}"
        if not self._context.wants(fat.arch):
            self._context.counts["filtered_artifacts"] += 1
            self._whole = False
            return
        if not self._asked_for(fat, place):
            self._context.counts["passed_over"] += 1
            self._whole = False
            return
        if fat.compressed is not None:
            layer = "ptx" if fat.kind is ArtifactKind.PTX else None
            packed, size = len(fat.stored), fat.uncompressed_size
            try:
                check_expansion(packed, size, limits.MAX_FATBIN_ENTRY_BYTES, place, "its payload")
            except SassayError as error:
                message = describe(error)
                yield Diagnostic(Level.ERROR, place, message, arch=fat.arch, layer=layer)
                self._whole = False
                return
        self._context.counts["artifacts"] += 1
        key = content_key(fat.stored, fat.compressed or "")
        listed = Listed(fat.kind, fat.arch, fat.index, key)
        self._listed.append((fat.index, listed))
        yield Artifact(
            kind=fat.kind,
            source=Source(self._kind, place),
            data=b"",
            arch=fat.arch,
            digest=listed.digest,
            again=self._again,
            packed=Packed(fat.stored, fat.compressed, fat.uncompressed_size, self._part(fat)),
        )

    def _part(self, fat: FatbinEntry) -> FilePart | None:
        if self._known is None or self._entry.disk_path is None:
            return None
        return FilePart(self._entry.disk_path, self._known, fat.offset)

    def _asked_for(self, fat: FatbinEntry, place: str) -> bool:
        """Whether an entry holds a kernel that somebody asks for; a bad one is read and said."""
        names = self._context.names
        if names is None:
            return True
        try:
            if fat.kind is ArtifactKind.PTX:
                return any(map(names, ptx_names(fat.data())))
            plain = fat.stored if fat.compressed is None else fat.data()
            return any(map(names, cubin_names(plain, artifact=place)))
        except SassayError:
            return True

    def withdraw(self, kept: int) -> Iterator[Found]:
        """Take back all entries but the first so many of the file."""
        gone = [item for item in self._listed if item[0] >= kept]
        self._listed = [item for item in self._listed if item[0] < kept]
        self._met = kept
        self._context.counts["artifacts"] -= len(gone)
        if gone:
            path = self._entry.path
            yield Withdrawn(frozenset(f"{path}!fatbin.{index}" for index, _ in gone))

    def finish(self, notes: Sequence[str], *, bare: bool) -> Generator[Found, None, Listing | None]:
        """Say what was noted; the listing, if everything was read."""
        yield from _noted(self._entry, notes, self._context, empty=not self._met and not notes)
        if not self._whole:
            return None
        listed = tuple(item for _, item in self._listed)
        return Listing(bare, listed, tuple(dict.fromkeys(notes)))


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
    if entry.stream is not None:
        with entry.stream() as stream:
            for fat in stream_fatbins(
                stream, entry.size, artifact=entry.path, on_note=lambda _: None
            ):
                if isinstance(fat, FatbinEntry):
                    yield _again(fat, entry, kind)
                elif fat.kept is None:
                    break
            else:
                return
    data = memoryview(entry.load())
    for fat in find_fatbins(data, artifact=entry.path):
        yield _again(fat, entry, kind)
        release_part(data[fat.offset : fat.offset + fat.size])


def _again(fat: FatbinEntry, entry: Entry, kind: SourceKind) -> Artifact:
    return Artifact(
        kind=fat.kind,
        source=Source(kind, f"{entry.path}!fatbin.{fat.index}"),
        data=b"",
        arch=fat.arch,
        packed=Packed(fat.stored, fat.compressed, fat.uncompressed_size),
    )
