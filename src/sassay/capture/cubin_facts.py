"""What a state holds of one cubin, by the digest of its bytes: read and counted once, then kept."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, TypeVar

import msgspec

from sassay.capture.decode import BatchDecoder, sass_facts
from sassay.capture.lines import defined_at
from sassay.containers.cubin import Cubin, read_cubin
from sassay.errors import FormatError
from sassay.model.artifact import SourceLocation, Toolchain
from sassay.model.kernel import Launch, Resources
from sassay.sources.record_cache import RecordCache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sassay.capture.decode import SassFacts
    from sassay.capture.store import CodeArchive
    from sassay.isa.sass import Disassembler
    from sassay.model.artifact import Artifact


class KernelFacts(msgspec.Struct, frozen=True):
    """One kernel of a cubin; `resources` as `read_cubin` gives them.

    Attributes:
        sass_ref: Digest of its code in a code store.
        census: None where nothing could decode it.
        spills: Bytes of spill loads and stores, None likewise.
    """

    symbol: str
    launch: Launch
    resources: Resources
    code_bytes: int
    digest: str
    sass_ref: str
    census: dict[str, int] | None = None
    spills: tuple[int, int] | None = None


class FunctionFacts(msgspec.Struct, frozen=True):
    """One device function of a cubin; `key` names architecture and code."""

    symbol: str
    key: str
    code_bytes: int
    census: dict[str, int] | None = None
    spills: tuple[int, int] | None = None


Record = TypeVar("Record", KernelFacts, FunctionFacts)


class CubinFacts(msgspec.Struct, frozen=True):
    """One cubin.

    Attributes:
        nvdisasm: Version of what counted it, None where nothing could.
        lines_ref: Digest of its line tables in a code store, None where it holds none.
        locations: Where its kernels are defined, as its line tables say, by symbol; None where
            nobody asked, since a front end's metadata said so.
    """

    arch: str
    toolchain: Toolchain
    nvdisasm: str | None
    kernels: tuple[KernelFacts, ...]
    functions: tuple[FunctionFacts, ...]
    lines_ref: str | None = None
    locations: dict[str, SourceLocation] | None = None

    def answers(self, artifact: Artifact) -> bool:
        """Whether nothing is missing for an artifact with these bytes."""
        return self.lines_ref is None or self.locations is not None or not _unnamed(artifact)


class CubinCache:
    """Facts of earlier runs, and those of this one until they are counted.

    Args:
        folder: Where records are kept; None keeps nothing between runs.
        disassembler: A record counts while it names the version that this one has.
        store: Where the code goes, or is promised.
        decoder: Counts what is new.
        wants: Whether an architecture is asked for; nothing is counted or kept of others.
    """

    def __init__(
        self,
        folder: Path | None,
        disassembler: Disassembler,
        store: CodeArchive,
        decoder: BatchDecoder,
        wants: Callable[[str], bool],
    ) -> None:
        self._records = RecordCache(folder, "cubins", CubinFacts)
        self._disassembler = disassembler
        self._store = store
        self._decoder = decoder
        self._wants = wants
        self._reader = Rereader()
        self._fresh: dict[str, CubinFacts] = {}

    def facts(self, artifact: Artifact) -> CubinFacts:
        """The facts of a cubin; its sections can be asked of the decoder once that is flushed.

        Raises:
            SassayError: It cannot be read.
        """
        digest = artifact.digest or hashlib.sha256(artifact.data).hexdigest()
        fresh = self._fresh.get(digest)
        if fresh is not None and fresh.answers(artifact):
            return fresh
        known = self._records.load(digest)
        if (
            known is not None
            and known.nvdisasm == self._disassembler.version(known.arch)
            and known.answers(artifact)
        ):
            if self._wants(known.arch):
                self._recall(known, artifact)
            return known
        cubin = read_cubin(self._reader.data(artifact), artifact=artifact.source.path)
        if not self._wants(cubin.arch):
            return CubinFacts(cubin.arch, cubin.toolchain, None, (), ())
        facts = self._fresh[digest] = self._read(cubin, artifact)
        return facts

    def keep(self) -> None:
        """Keep what was read in this run, once the decoder is flushed."""
        for digest, facts in self._fresh.items():
            self._records.save(digest, _counted(facts, self._decoder))
        self._fresh.clear()

    def _recall(self, facts: CubinFacts, artifact: Artifact) -> None:
        for kernel in facts.kernels:
            self._decoder.recall(
                kernel.sass_ref, facts.arch, sass_facts(kernel.census, kernel.spills)
            )
        for function in facts.functions:
            self._decoder.recall(
                function.key, facts.arch, sass_facts(function.census, function.spills)
            )
        held = [kernel.sass_ref for kernel in facts.kernels]
        if facts.lines_ref is not None:
            held.append(facts.lines_ref)
        self._store.promise(held, artifact)

    def _read(self, cubin: Cubin, artifact: Artifact) -> CubinFacts:
        kernels = []
        for kernel in cubin.kernels:
            sass_ref = self._store.put_sass(kernel.sass)
            self._decoder.add(sass_ref, cubin.arch, kernel.sass.code)
            kernels.append(
                KernelFacts(
                    symbol=kernel.symbol,
                    launch=kernel.launch,
                    resources=kernel.resources,
                    code_bytes=len(kernel.code),
                    digest=kernel.digest,
                    sass_ref=sass_ref,
                )
            )
        functions = []
        for function in cubin.functions:
            code = bytes(function.code)
            key = f"{cubin.arch}:{hashlib.sha256(code).hexdigest()}"
            self._decoder.add(key, cubin.arch, code)
            functions.append(FunctionFacts(function.symbol, key, len(code)))
        locations = None
        if cubin.lines is not None and _unnamed(artifact):
            locations = defined_at(cubin.lines, artifact=artifact.source.path)
        return CubinFacts(
            arch=cubin.arch,
            toolchain=cubin.toolchain,
            nvdisasm=self._disassembler.version(cubin.arch),
            kernels=tuple(kernels),
            functions=tuple(functions),
            lines_ref=None if cubin.lines is None else self._store.put_lines(cubin.lines),
            locations=locations,
        )


def _unnamed(artifact: Artifact) -> bool:
    return artifact.compile is None or artifact.compile.location is None


def _counted(facts: CubinFacts, decoder: BatchDecoder) -> CubinFacts:
    kernels = [_with_counts(kernel, decoder.facts(kernel.sass_ref)) for kernel in facts.kernels]
    functions = [_with_counts(each, decoder.facts(each.key)) for each in facts.functions]
    return msgspec.structs.replace(facts, kernels=tuple(kernels), functions=tuple(functions))


def _with_counts(record: Record, counted: SassFacts | None) -> Record:
    """The same kernel or function with its census; unchanged where nothing could decode it."""
    if counted is None:
        return record
    return msgspec.structs.replace(record, census=counted.census, spills=counted.spills)


class Rereader:
    """The bytes of artifacts that a source announced without them, each file read in one go."""

    def __init__(self) -> None:
        self._again: object = None
        self._stream: Iterator[Artifact] = iter(())

    def data(self, artifact: Artifact) -> bytes:
        """The bytes of an artifact.

        Raises:
            SassayError: The file does not hold it any more.
        """
        if artifact.data or artifact.again is None:
            return artifact.data
        for fresh in (False, True):
            if fresh or self._again is not artifact.again:
                self._again = artifact.again
                self._stream = iter(artifact.again())
            # Artifacts are asked for in the order of the file, so the stream need not start anew.
            for found in self._stream:
                if found.source == artifact.source:
                    return found.data
        raise FormatError("changed while it was read", artifact=artifact.source.path)
