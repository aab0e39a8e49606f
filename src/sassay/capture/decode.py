"""Counts the SASS of many kernels together: decoding pays by the batch, not by the kernel."""

from __future__ import annotations

import msgspec

from sassay.isa import sass
from sassay.model.kernel import Census

BATCH_BYTES = 64 << 20
"""Code waiting to be decoded; a batch is decoded once this much has come together."""


class SassFacts(msgspec.Struct, frozen=True):
    """The census of one code section and what follows from it."""

    census: Census
    spills: tuple[int, int]


def sass_facts(census: Census | None, spills: tuple[int, int] | None) -> SassFacts | None:
    """The facts of a section out of their parts; None where it was not counted."""
    return None if census is None or spills is None else SassFacts(census, spills)


class BatchDecoder:
    """Collects code sections and decodes them in batches of bounded size.

    Attributes:
        unknown: Architectures that no disassembler at hand knows, with the count of sections.
    """

    def __init__(self, disassembler: sass.Disassembler) -> None:
        self._disassembler = disassembler
        self._pending: list[tuple[str, str, bytes]] = []
        self._pending_bytes = 0
        self._facts: dict[str, SassFacts | None] = {}
        self.unknown: dict[str, int] = {}

    def add(self, key: str, arch: str, code: bytes) -> None:
        """Ask for the census of a section.

        Args:
            key: Digest of the section; equal keys are decoded once.
            arch: `sm_90a`.
            code: The section's bytes.
        """
        if key in self._facts:
            return
        self._facts[key] = None
        self._pending.append((key, arch, code))
        self._pending_bytes += len(code)
        if self._pending_bytes >= BATCH_BYTES:
            self.flush()

    def recall(self, key: str, arch: str, facts: SassFacts | None) -> None:
        """Tell what an earlier run counted in a section; None: nothing could."""
        if key in self._facts:
            return
        self._facts[key] = facts
        if facts is None:
            self.unknown[arch] = self.unknown.get(arch, 0) + 1

    def flush(self) -> None:
        """Decode what waits."""
        pending, self._pending, self._pending_bytes = self._pending, [], 0
        if not pending:
            return
        decoded = self._disassembler.opcodes([(arch, code) for _, arch, code in pending])
        for (key, arch, _), words in zip(pending, decoded, strict=True):
            if words is None:
                self.unknown[arch] = self.unknown.get(arch, 0) + 1
                continue
            census = sass.census(words)
            self._facts[key] = SassFacts(census=census, spills=sass.spill_bytes(census))

    def facts(self, key: str) -> SassFacts | None:
        """The census of a section, None where nothing could decode it. Call `flush` before."""
        return self._facts.get(key)
