"""What is known of a PTX module by the digest of its text, kept between runs."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from sassay.capture.store import CodeArchive
from sassay.isa import ptx
from sassay.model.artifact import SourceLocation
from sassay.model.kernel import Launch
from sassay.sources.record_cache import RecordCache

if TYPE_CHECKING:
    from pathlib import Path


class EntryFacts(msgspec.Struct, frozen=True):
    """One entry function of a PTX module."""

    name: str
    launch: Launch
    location: SourceLocation | None
    census: dict[str, int]
    normal_digest: str


class ModuleFacts(msgspec.Struct, frozen=True):
    """What a state holds of one PTX module.

    Attributes:
        version: `.version`.
        target: `.target`'s architecture, such as `sm_90a`.
        entries: In the order of the text.
        ref: Digest of the text in a code store.
    """

    version: str
    target: str
    entries: tuple[EntryFacts, ...]
    ref: str


class AnalysisCache:
    """Reads and writes module facts; remembers those of this run.

    Args:
        folder: Where records are kept; None keeps nothing between runs.
    """

    def __init__(self, folder: Path | None) -> None:
        self._records = RecordCache(folder, "ptx", ModuleFacts)
        self._known: dict[str, ModuleFacts] = {}

    def known(self, digest: str) -> ModuleFacts | None:
        """The facts kept under a digest, None if there are none."""
        facts = self._known.get(digest)
        if facts is None:
            facts = self._records.load(digest)
            if facts is not None:
                self._known[digest] = facts
        return facts

    def module(self, text: bytes, *, artifact: str, key: str | None = None) -> ModuleFacts:
        """The facts of a PTX module.

        Args:
            text: UTF-8 text.
            artifact: Its place, for errors.
            key: Under which its facts are kept; None: the SHA-256 of the text.

        Raises:
            FormatError: The text is no PTX that can be read.
        """
        digest = key or hashlib.sha256(text).hexdigest()
        facts = self.known(digest)
        if facts is None:
            facts = self._known[digest] = analyze(text, artifact=artifact)
            self._records.save(digest, facts)
        return facts


def analyze(text: bytes, *, artifact: str) -> ModuleFacts:
    """Parse a PTX module and count what it holds.

    Raises:
        FormatError: The text is no PTX that can be read.
    """
    decoded = text.decode("utf-8", "replace")
    module = ptx.read_module(decoded, artifact=artifact)
    return ModuleFacts(
        ref=CodeArchive.ptx_digest(decoded.encode()),
        version=module.version,
        target=module.target,
        entries=tuple(
            EntryFacts(
                name=entry.name,
                launch=entry.launch,
                location=entry.location,
                census=ptx.census(entry),
                normal_digest=ptx.normal_digest(entry),
            )
            for entry in module.entries
        ),
    )
