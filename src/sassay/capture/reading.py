"""Reads the cubins of a state: known ones from the cache, few here, many in other processes."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from sassay.capture.cubin_facts import CubinFacts, facts_of
from sassay.capture.readers import Readers, reader_count
from sassay.containers.content_key import content_key
from sassay.containers.cubin import read_cubin
from sassay.sources.content import Rereader, content
from sassay.sources.record_cache import RecordCache

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from pathlib import Path

    from sassay.capture.store import CodeArchive
    from sassay.isa.sass import Disassembler
    from sassay.model.artifact import Artifact, Packed

READ_HERE = 24 << 20
"""Bytes of cubins that are read before other processes are started: that takes a third of a
second, in which some thousand kernels are read."""
LARGE_INPUT = 4 * READ_HERE
"""Of an input of so many bytes nothing is read here: a quarter of them will be cubins."""
NOBODY = "nobody"
"""Stands for a version where no disassembler knows an architecture."""


class Ticket(Protocol):
    """The facts of a cubin, now or once they are there."""

    def result(self) -> CubinFacts:
        """The facts; waits for them. Raises `SassayError` where the cubin cannot be read."""
        ...

    def done(self) -> bool:
        """Whether `result` would not wait."""
        ...


class _Known:
    """A ticket for what is there already."""

    __slots__ = ("_facts",)

    def __init__(self, facts: CubinFacts) -> None:
        self._facts = facts

    def result(self) -> CubinFacts:
        """The facts."""
        return self._facts

    def done(self) -> bool:
        """Always."""
        return True


class CubinReading:
    """Reads cubins, each content once a run.

    Args:
        folder: Where records are kept; None keeps nothing between runs.
        disassembler: A record counts while it agrees with this one.
        store: Where code goes that cannot be had again.
        expected: How large the input is, in bytes; asked once there is something to read.
    """

    def __init__(
        self,
        folder: Path | None,
        disassembler: Disassembler,
        store: CodeArchive,
        expected: Callable[[], int] = lambda: 0,
    ) -> None:
        self._folder = folder
        self._records = RecordCache(folder, "cubins", CubinFacts)
        self._disassembler = disassembler
        self._store = store
        self._expected = expected
        self._tables = disassembler.uses_tables
        self._rereader = Rereader()
        self._asked: dict[tuple[str, bool], Ticket] = {}
        self._here = 0
        self._alone = False
        self._readers: Readers | None = None
        self._unsaved: set[str] = set()
        self._given: set[str] = set()
        """Given to readers, which keep what is complete."""

    def ask(self, artifact: Artifact) -> Ticket:
        """The facts of a cubin, some day.

        Args:
            artifact: The cubin; its bytes may be gone once this returns.

        Raises:
            SassayError: It cannot be read.
        """
        digest = _key(artifact)
        unnamed = artifact.compile is None or artifact.compile.location is None
        ticket = self._asked.get((digest, unnamed))
        if ticket is None:
            ticket = self._asked[digest, unnamed] = self._ask(artifact, digest, unnamed=unnamed)
        elif artifact.again is None:
            self._keep_code(artifact)
        return ticket

    def knows(self, artifact: Artifact) -> bool:
        """Whether an earlier run kept the facts of a cubin."""
        return artifact.digest is not None and self._records.holds(artifact.digest)

    def keep(self, artifact: Artifact, facts: CubinFacts) -> None:
        """Keep complete facts for later runs, unless that was done.

        Args:
            artifact: The cubin.
            facts: As a ticket gave them, or as `counting.Counting` completed them.
        """
        digest = _key(artifact)
        if digest in self._unsaved:
            self._unsaved.discard(digest)
            self._records.save(digest, facts)

    def keep_completed(self, artifact: Artifact, facts: CubinFacts) -> None:
        """As `keep`, of facts that were not complete when they came: no reader has kept those."""
        digest = _key(artifact)
        if digest in self._given:
            self._given.discard(digest)
            self._unsaved.add(digest)
        self.keep(artifact, facts)

    def close(self) -> None:
        """End what was started."""
        self._rereader.close()
        if self._readers is not None:
            self._readers.close()

    def _ask(self, artifact: Artifact, digest: str, *, unnamed: bool) -> Ticket:
        known = self._records.load(digest)
        if known is not None and self._holds(known, unnamed=unnamed):
            if artifact.again is None:
                self._keep_code(artifact)
            return _Known(known)
        artifact = self._rereader.filled(artifact)
        place = artifact.source.path
        if artifact.packed is not None and self._helped(artifact.packed):
            future = self._submit(artifact, digest, unnamed=unnamed)
            if future is not None:
                self._given.add(digest)
                return future
        self._unsaved.add(digest)
        cubin = read_cubin(content(artifact), artifact=place)
        if artifact.again is None and artifact.packed is None:
            self._store.put_cubin(cubin)
        return _Known(facts_of(cubin, artifact=place, locations=unnamed, tables=self._tables))

    def _holds(self, facts: CubinFacts, *, unnamed: bool) -> bool:
        """Whether a record of an earlier run is what this one would find."""
        if facts.lines_ref is not None and facts.locations is None and unnamed:
            return False
        if facts.counted_by is None:
            return self._tables
        return facts.counted_by == (self._disassembler.version(facts.arch) or NOBODY)

    def _helped(self, packed: Packed) -> bool:
        """Whether other processes read this; the first few are read here."""
        if self._readers is not None:
            return True
        self._here += packed.size
        if self._alone or not (self._here >= READ_HERE or self._much):
            return False
        count = reader_count()
        if count < 2:
            self._alone = True
            return False
        self._readers = Readers(self._folder, count)
        return True

    @cached_property
    def _much(self) -> bool:
        return self._expected() >= LARGE_INPUT

    def _submit(
        self, artifact: Artifact, digest: str, *, unnamed: bool
    ) -> Future[CubinFacts] | None:
        if self._readers is None or artifact.packed is None:
            return None
        return self._readers.submit(
            artifact.packed,
            place=artifact.source.path,
            locations=unnamed,
            tables=self._tables,
            key=digest,
        )

    def _keep_code(self, artifact: Artifact) -> None:
        if artifact.data:
            self._store.put_cubin(read_cubin(artifact.data, artifact=artifact.source.path))


def _key(artifact: Artifact) -> str:
    """Under which a cubin is known."""
    return artifact.digest or content_key(artifact.data)
