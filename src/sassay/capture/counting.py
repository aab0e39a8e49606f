"""The census of every code section of a state: what tables counted, and the words they left."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import msgspec

from sassay.capture.reading import NOBODY
from sassay.capture.section_counts import Counts
from sassay.isa import sass
from sassay.isa.categories import CATEGORIES, summarize
from sassay.isa.counted import CountedCensus
from sassay.isa.sass.disassembler import WordCounts
from sassay.isa.sass.words import WORD_BYTES
from sassay.model.kernel import Census
from sassay.model.layers import Layer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.capture.cubin_facts import CubinFacts, FunctionFacts, KernelFacts

BATCH_BYTES = 64 << 20
"""Words waiting for a disassembler; it is asked once so many have come together."""


class SassFacts(msgspec.Struct, frozen=True):
    """The census of one code section and what follows from it.

    Attributes:
        census: Instructions by opcode.
        categories: And by category.
        spills: Bytes of spill loads and stores.
        grouped: `categories` as `Counts` has them, empty where no reader counted.
    """

    census: Census
    categories: Census
    spills: tuple[int, int]
    grouped: bytes = b""


class Counting:
    """Collects counts, and asks the disassembler for what the tables left, in batches.

    Args:
        disassembler: Whom to ask.
        known: Facts of sections that other states of this run hold, by digest of the section;
            those of this one are added.

    Attributes:
        unknown: Architectures that no disassembler at hand knows, with the count of sections.
        asked: Words of each architecture that no table knew and a disassembler answered for.
    """

    def __init__(self, disassembler: sass.Disassembler, known: dict[str, SassFacts]) -> None:
        self._disassembler = disassembler
        self._facts = known
        self._pending: list[tuple[str, str, Counts, Sequence[str]]] = []
        self._pending_bytes = 0
        self._seen: set[str] = set()
        self.unknown: dict[str, int] = {}
        self.asked: dict[str, int] = {}

    def add(self, facts: CubinFacts) -> None:
        """Count what a cubin holds; its sections can be asked for once `flush` was called."""
        words = left = 0
        for kernel in facts.kernels:
            self._add(kernel.sass_ref, facts, kernel.counts)
            words += kernel.code_bytes // WORD_BYTES
            left += len(kernel.counts.left) // WORD_BYTES if kernel.counts else 0
        for function in facts.functions:
            self._add(function_key(facts, function), facts, function.counts)
            words += function.code_bytes // WORD_BYTES
            left += len(function.counts.left) // WORD_BYTES if function.counts else 0
        counted = self._disassembler.counts.setdefault(facts.arch, WordCounts())
        if facts.counted_by is None:
            counted.tables += words - left

    def _add(self, key: str, facts: CubinFacts, counts: Counts | None) -> None:
        if key in self._seen:
            return
        self._seen.add(key)
        if counts is not None and counts.asked:
            self._answered(facts.arch, counts.asked)
        if counts is None:
            self.unknown[facts.arch] = self.unknown.get(facts.arch, 0) + 1
        elif counts.left:
            self._pending.append((key, facts.arch, counts, facts.names))
            self._pending_bytes += len(counts.left)
            if self._pending_bytes >= BATCH_BYTES:
                self.flush()
        elif key not in self._facts:
            self._facts[key] = SassFacts(
                CountedCensus(facts.names, counts.opcodes, counts.counts),
                counts.grouped(),
                counts.spills,
                counts.categories,
            )

    def flush(self) -> None:
        """Ask for what waits."""
        pending, self._pending, self._pending_bytes = self._pending, [], 0
        if not pending:
            return
        decoded = self._disassembler.opcodes([(arch, item.left) for _, arch, item, _ in pending])
        for (key, arch, counts, names), words in zip(pending, decoded, strict=True):
            if words is None:
                self.unknown[arch] = self.unknown.get(arch, 0) + 1
                continue
            self._answered(arch, len(counts.left) // WORD_BYTES)
            census = counts.census(names)
            for opcode, count in sass.census(words).items():
                census[opcode] = census.get(opcode, 0) + count
            census = dict(sorted(census.items()))
            self._facts[key] = SassFacts(
                census, summarize(Layer.SASS, census), sass.spill_bytes(census)
            )

    def _answered(self, arch: str, words: int) -> None:
        self.asked[arch] = self.asked.get(arch, 0) + words

    def facts(self, key: str) -> SassFacts | None:
        """The census of a section, None where nothing could decode it. Call `flush` before."""
        return self._facts.get(key)

    def complete(self, facts: CubinFacts) -> CubinFacts:
        """The same cubin with all words counted. Call `flush` before."""
        if facts.complete:
            return facts
        found = [self.facts(kernel.sass_ref) for kernel in facts.kernels]
        called = [self.facts(function_key(facts, each)) for each in facts.functions]
        names = tuple(sorted({name for item in (*found, *called) if item for name in item.census}))
        place = {name: index for index, name in enumerate(names)}
        kernels: list[KernelFacts] = [
            msgspec.structs.replace(kernel, counts=_packed(item, place, kernel.counts))
            for kernel, item in zip(facts.kernels, found, strict=True)
        ]
        functions: list[FunctionFacts] = [
            msgspec.structs.replace(function, counts=_packed(item, place, function.counts))
            for function, item in zip(facts.functions, called, strict=True)
        ]
        return msgspec.structs.replace(
            facts,
            names=names,
            counted_by=self._disassembler.version(facts.arch) or NOBODY,
            kernels=tuple(kernels),
            functions=tuple(functions),
        )


def function_key(facts: CubinFacts, function: FunctionFacts) -> str:
    """Under which a device function's census is asked for."""
    return f"{facts.arch}:{function.digest}"


def by_category(facts: SassFacts) -> bytes:
    """So many of each of `CATEGORIES`, as native u32."""
    if facts.grouped:
        return facts.grouped
    return array("I", (facts.categories.get(name, 0) for name in CATEGORIES)).tobytes()


def _packed(found: SassFacts | None, place: dict[str, int], before: Counts | None) -> Counts | None:
    if found is None:
        return None
    return msgspec.structs.replace(
        Counts.of(found.census, place),
        categories=by_category(found),
        spills=found.spills,
        asked=before.asked + len(before.left) // WORD_BYTES if before else 0,
    )
