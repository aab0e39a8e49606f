"""Which state an input gave in an earlier run, while nothing of it has changed since.

Whoever can write the user's cache can say here what an input holds, as in every record beside it;
nobody else can.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from sassay.sources.record_cache import RecordCache

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from sassay.isa.sass import Disassembler
    from sassay.sources import Discovery


class _Known(msgspec.Struct, frozen=True):
    """What is known of an unchanged input.

    Attributes:
        state: Key of its state.
        versions: Of the disassemblers that it was made with, by architecture.
    """

    state: str
    versions: dict[str, str | None]


class KnownInput:
    """What earlier runs know of an input, asked before it is walked.

    Args:
        folder: Where records are kept; None keeps nothing.
        discovery: The input.
        arch_globs: Only architectures that match one of these; empty means all.
        disassembler: A record counts while it agrees with this one.
    """

    def __init__(
        self,
        folder: Path | None,
        discovery: Discovery,
        arch_globs: Sequence[str],
        disassembler: Disassembler,
    ) -> None:
        self._records = RecordCache(folder, "inputs", _Known)
        self._discovery = discovery
        self._disassembler = disassembler
        self._facts = (discovery.label, sorted(arch_globs), disassembler.uses_tables)
        self._identity = discovery.identity

    def recall(self) -> str | None:
        """The key of its state, None where it is to be walked."""
        known = self._records.load(self._key(self._identity)) if self._identity else None
        if known is None or known.versions != self._versions(known.versions):
            return None
        return known.state

    def keep(self, state: str, versions: dict[str, str | None]) -> None:
        """Keep what a walk found, unless the input changed meanwhile.

        Args:
            state: The key of its state.
            versions: Of the disassemblers, for each architecture met.
        """
        if self._identity is not None and self._discovery.identity == self._identity:
            self._records.save(self._key(self._identity), _Known(state, versions))

    def _versions(self, archs: Iterable[str]) -> dict[str, str | None]:
        return {arch: self._disassembler.version(arch) for arch in archs}

    def _key(self, identity: str) -> str:
        return hashlib.sha256(msgspec.msgpack.encode((identity, self._facts))).hexdigest()
