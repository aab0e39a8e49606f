"""What is known of a PTX module by the digest of its text, kept between runs.

One small JSON file a module under the user's cache folder, checksummed, written whole or not at
all. A file that is missing, damaged or of another version is computed again; a folder that cannot
be written costs time only.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from functools import lru_cache
from pathlib import Path

import msgspec

from sassay.isa import ptx
from sassay.model.artifact import SourceLocation
from sassay.model.kernel import Launch

FORM = "ptx-1"
"""Raised with every change of the records below."""
_CHECKSUM_BYTES = 32


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
    """

    version: str
    target: str
    entries: tuple[EntryFacts, ...]


@lru_cache(maxsize=1)
def analyzer_version() -> str:
    """Form of the records, and a digest of the analyzer's own source: no change goes unnoticed."""
    digest = hashlib.sha256()
    for file in sorted(Path(ptx.__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return f"{FORM}-{digest.hexdigest()[:16]}"


class AnalysisCache:
    """Reads and writes module facts; remembers those of this run."""

    def __init__(self, folder: Path | None) -> None:
        """Args: folder: The user's cache folder; None keeps nothing between runs."""
        self._folder = folder / analyzer_version() if folder is not None else None
        self._known: dict[str, ModuleFacts] = {}
        self._decoder = msgspec.json.Decoder(ModuleFacts)

    def module(self, text: bytes, *, artifact: str) -> ModuleFacts:
        """The facts of a PTX module.

        Args:
            text: UTF-8 text.
            artifact: Its place, for errors.

        Raises:
            FormatError: The text is no PTX that can be read.
        """
        digest = hashlib.sha256(text).hexdigest()
        facts = self._known.get(digest)
        if facts is None:
            facts = self._load(digest)
            if facts is None:
                facts = analyze(text, artifact=artifact)
                self._save(digest, facts)
            self._known[digest] = facts
        return facts

    def _path(self, digest: str) -> Path | None:
        return self._folder / digest[:2] / digest[2:] if self._folder is not None else None

    def _load(self, digest: str) -> ModuleFacts | None:
        path = self._path(digest)
        if path is None:
            return None
        try:
            data = path.read_bytes()
            body = data[_CHECKSUM_BYTES:]
            if hashlib.sha256(body).digest() != data[:_CHECKSUM_BYTES]:
                return None
            return self._decoder.decode(body)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return None

    def _save(self, digest: str, facts: ModuleFacts) -> None:
        path = self._path(digest)
        if path is None:
            return
        body = msgspec.json.encode(facts)
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, scratch = tempfile.mkstemp(prefix=".new-", dir=path.parent)
            try:
                with os.fdopen(handle, "wb") as stream:
                    stream.write(hashlib.sha256(body).digest() + body)
                Path(scratch).replace(path)
            except OSError:
                Path(scratch).unlink(missing_ok=True)
                raise


def analyze(text: bytes, *, artifact: str) -> ModuleFacts:
    """Parse a PTX module and count what it holds.

    Raises:
        FormatError: The text is no PTX that can be read.
    """
    module = ptx.read_module(text.decode("utf-8", "replace"), artifact=artifact)
    return ModuleFacts(
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
