"""What a large file holds, known from an earlier run by the digest of its bytes as they lie.

A library of a wheel need then be neither inflated nor searched: its artifacts are announced by
their own digests, and whoever needs their bytes has the file read again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sassay.model.artifact import ArtifactKind
from sassay.sources.record_cache import RecordCache, analysis_folder

if TYPE_CHECKING:
    from sassay.sources.entry import Entry

MIN_BYTES = 256 << 10
"""Smaller files are read: a record would save nothing."""


class Listed(msgspec.Struct, frozen=True):
    """One artifact of a file.

    Attributes:
        kind: Cubin or PTX.
        arch: As the container claims.
        index: Its number in the file.
        digest: The `content_key` of its bytes, as the artifact carries it.
    """

    kind: ArtifactKind
    arch: str
    index: int
    digest: str


class Listing(msgspec.Struct, frozen=True):
    """All artifacts of a file; only what could be read whole is kept.

    Attributes:
        bare: A fatbin on its own, not a library that embeds one.
        artifacts: In the order of the file.
        notes: What was noted while it was read.
    """

    bare: bool
    artifacts: tuple[Listed, ...]
    notes: tuple[str, ...]


class Recall:
    """Listings of earlier runs."""

    def __init__(self) -> None:
        self._records = RecordCache(analysis_folder(), "listings", Listing)

    def find(self, entry: Entry) -> tuple[str | None, Listing | None]:
        """The key of a file, None where it is read anyway, and its listing if it is known."""
        if entry.fingerprint is None or entry.size < MIN_BYTES:
            return None, None
        key = entry.fingerprint()
        return key, self._records.load(key)

    def keep(self, key: str, listing: Listing) -> None:
        """Keep a listing for later runs."""
        self._records.save(key, listing)
