"""Puts a state together: reads what streams by, counts its code, merges what is equal."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, as_completed
from dataclasses import dataclass
from fnmatch import fnmatchcase
from operator import itemgetter
from typing import TYPE_CHECKING

import msgspec

import sassay
from sassay.capture.analysis_cache import AnalysisCache, EntryFacts, ModuleFacts
from sassay.capture.counting import Counting, function_key
from sassay.capture.demangle import demangle
from sassay.capture.diagnostics import (
    cut,
    failed,
    left_to_tool,
    nothing_found,
    sort_diagnostics,
    undecodable,
)
from sassay.capture.families import kernel_order, qualify_families
from sassay.capture.kernels import Draft, Origin, finish, make_draft, merge
from sassay.capture.reading import CubinReading
from sassay.errors import SassayError, ToolError
from sassay.model.artifact import Artifact, ArtifactKind, Scalar, Source, Toolchain
from sassay.model.kernel import Function, Launch, Resources
from sassay.model.layers import Layered
from sassay.model.state import State
from sassay.sources.content import Rereader, content

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from sassay.capture.cubin_facts import CubinFacts
    from sassay.capture.reading import Ticket
    from sassay.capture.store import CodeArchive
    from sassay.isa.sass import Disassembler
    from sassay.model.state import Diagnostic
    from sassay.sources import Discovery


@dataclass(frozen=True, slots=True)
class _Asked:
    """One compilation whose cubins are being read.

    Attributes:
        number: Of those that were asked before.
        group: Its artifacts, without bytes where these can be had again.
        entries: What its PTX says of each kernel.
        cubins: Its cubins, each with what will be known of it or why it cannot be read.
    """

    number: int
    group: tuple[Artifact, ...]
    modules: tuple[tuple[Artifact, ModuleFacts, str], ...]
    cubins: tuple[tuple[Artifact, Ticket | SassayError], ...]

    def done(self) -> bool:
        """Whether nothing of it need be waited for."""
        return all(isinstance(ticket, SassayError) or ticket.done() for _, ticket in self.cubins)


class StateBuilder:
    """Collects drafts while artifacts stream by, then counts and finishes them.

    Args:
        store: Where the code goes.
        disassembler: Decodes SASS.
        arch_globs: Only architectures that match one of these; empty means all.
        analysis_folder: Where records of earlier runs are kept.
        expected: How large the input is, in bytes; asked once there is something to read.

    Attributes:
        diagnostics: What was wrong, unsorted.
        walked: Those that the walk over the input told, before anything was read.
        lasting: Whether another run would find the same: no tool and no process failed.
    """

    def __init__(
        self,
        store: CodeArchive,
        disassembler: Disassembler,
        arch_globs: tuple[str, ...],
        analysis_folder: Path,
        expected: Callable[[], int],
    ) -> None:
        self.diagnostics: list[Diagnostic] = []
        self.walked: list[Diagnostic] = []
        self.lasting = True
        self._store = store
        self._disassembler = disassembler
        self._arch_globs = arch_globs
        self._modules = AnalysisCache(analysis_folder)
        self._counting = Counting(disassembler, store.counted)
        self._reading = CubinReading(analysis_folder, disassembler, store, expected)
        self._rereader = Rereader()
        self._asked: deque[_Asked] = deque()
        self._met = 0
        self._promises: list[tuple[int, list[str], Artifact]] = []
        self._incomplete: list[tuple[Artifact, CubinFacts]] = []
        self._drafts: dict[str, Draft] = {}
        self._functions: dict[tuple[str, str, str, int], set[Source]] = {}
        self._filtered = 0

    def add(self, group: Sequence[Artifact]) -> None:
        """Read the artifacts of one compilation, now or as soon as somebody has time."""
        modules = [
            (_anchor(artifact), *read)
            for artifact in group
            if artifact.kind is ArtifactKind.PTX and (read := self._read_ptx(artifact))
        ]
        cubins: list[tuple[Artifact, Ticket | SassayError]] = []
        for artifact in group:
            if artifact.kind is ArtifactKind.CUBIN:
                try:
                    cubins.append((_anchor(artifact), self._reading.ask(artifact)))
                except SassayError as error:
                    cubins.append((_anchor(artifact), error))
        asked = _Asked(self._met, tuple(map(_anchor, group)), tuple(modules), tuple(cubins))
        self._met += 1
        self._asked.append(asked)
        self._settle(again=asked.group[0].again)

    def knows(self, group: Sequence[Artifact]) -> bool:
        """Whether an earlier run read all cubins of a compilation."""
        return all(
            self._reading.knows(artifact)
            for artifact in group
            if artifact.kind is ArtifactKind.CUBIN
        )

    def withdraw(self, places: frozenset[str]) -> None:
        """Forget artifacts of the file that was read last."""
        self._asked = deque(
            asked
            for asked in self._asked
            if not any(artifact.source.path in places for artifact in asked.group)
        )

    def close(self) -> None:
        """End what was started."""
        self._rereader.close()
        self._reading.close()

    def _settle(self, *, again: object) -> None:
        """Take in what was read, in order; what comes from this very file may be withdrawn yet."""
        while self._asked:
            first = self._asked[0]
            if again is not None and (first.group[0].again is again or not first.done()):
                return
            self._take(self._asked.popleft())

    def _settle_rest(self) -> None:
        """Take in what is left as it is read, so that the last answer leaves little to be done."""
        waiting: dict[Future[CubinFacts], list[_Asked]] = {}
        for asked in self._asked:
            if asked.done():
                self._take(asked)
                continue
            for _, ticket in asked.cubins:
                if isinstance(ticket, Future):
                    waiting.setdefault(ticket, []).append(asked)
        taken: set[int] = set()
        for ticket in as_completed(waiting):
            for asked in waiting[ticket]:
                if asked.number not in taken and asked.done():
                    taken.add(asked.number)
                    self._take(asked)
        self._asked.clear()
        # Of code that lies at two places the last counts, whatever was read first.
        for _, digests, artifact in sorted(self._promises, key=itemgetter(0)):
            self._store.promise(digests, artifact)

    def _take(self, asked: _Asked) -> None:
        entries = {
            entry.name: (entry, facts.version, ref)
            for _, facts, ref in asked.modules
            for entry in facts.entries
        }
        for artifact, ticket in asked.cubins:
            try:
                if isinstance(ticket, SassayError):
                    raise ticket
                self._take_cubin(asked.number, artifact, ticket.result(), entries)
            except SassayError as error:
                self._fail(artifact.source.path, error, arch=artifact.arch)
        if not asked.cubins:
            for artifact, facts, ref in asked.modules:
                self._add_ptx_fallback(asked.number, artifact, facts, ref)

    def _read_ptx(self, artifact: Artifact) -> tuple[ModuleFacts, str] | None:
        place = artifact.source.path
        try:
            facts = self._modules.known(artifact.digest) if artifact.digest else None
            if facts is None:
                artifact = self._rereader.filled(artifact)
                text = bytes(content(artifact))
                facts = self._modules.module(text, artifact=place, key=artifact.digest)
        except SassayError as error:
            alone = artifact.compilation is None
            self._fail(place, error, arch=artifact.arch, layer=None if alone else "ptx")
            return None
        if artifact.again is None and artifact.data:
            return facts, self._store.put_ptx(artifact.data.decode("utf-8", "replace"))
        self._store.promise([facts.ref], artifact)
        return facts, facts.ref

    def _take_cubin(
        self,
        number: int,
        artifact: Artifact,
        cubin: CubinFacts,
        entries: Mapping[str, tuple[EntryFacts, str, str]],
    ) -> None:
        if not self._wants(cubin.arch):
            self._filtered += 1
            return
        self._counting.add(cubin)
        if cubin.complete:
            self._reading.keep(artifact, cubin)
        else:
            self._incomplete.append((artifact, cubin))
        if artifact.again is not None:
            held = [kernel.sass_ref for kernel in cubin.kernels]
            if cubin.lines_ref is not None:
                held.append(cubin.lines_ref)
            self._promises.append((number, held, artifact))
        locations = cubin.locations or {}
        toolchains: dict[str | None, Toolchain] = {}
        for kernel in cubin.kernels:
            entry, ptx_version, ptx_ref = entries.get(kernel.symbol, (None, None, None))
            toolchain = toolchains.get(ptx_version)
            if toolchain is None:
                toolchain = toolchains[ptx_version] = _toolchain(cubin, artifact, ptx_version)
            draft = make_draft(
                symbol=kernel.symbol,
                arch=cubin.arch,
                launch=kernel.launch,
                resources=kernel.resources,
                code_bytes=kernel.code_bytes,
                digest=kernel.digest,
                sass_ref=kernel.sass_ref,
                number=number,
                origin=Origin(
                    artifact.source,
                    toolchain,
                    artifact.compile,
                    entry,
                    ptx_ref,
                    cubin.lines_ref,
                    locations.get(kernel.symbol),
                ),
            )
            merge(self._drafts, draft)
        for function in cubin.functions:
            key = function_key(cubin, function)
            identity = (function.symbol, cubin.arch, key, function.code_bytes)
            self._functions.setdefault(identity, set()).add(artifact.source)
        if cubin.trailing:
            self.diagnostics.append(cut(artifact, cubin))

    def _add_ptx_fallback(
        self, number: int, artifact: Artifact, facts: ModuleFacts, ref: str
    ) -> None:
        """Kernels of PTX that no cubin goes with."""
        arch = artifact.arch or facts.target.replace("sm_", "compute_", 1)
        if not self._wants(arch):
            self._filtered += 1
            return
        frontend = artifact.compile.frontend if artifact.compile is not None else None
        toolchain = Toolchain(ptx_version=facts.version, frontend=frontend)
        for entry in facts.entries:
            draft = make_draft(
                symbol=entry.name,
                arch=arch,
                launch=Launch(),
                resources=Resources(),
                code_bytes=None,
                digest=entry.normal_digest,
                sass_ref=None,
                number=number,
                origin=Origin(artifact.source, toolchain, artifact.compile, entry, ref),
            )
            merge(self._drafts, draft)

    def finish(self, discovery: Discovery) -> State:
        """Count what is left and put the state together."""
        self._settle_rest()
        self._counting.flush()
        for artifact, cubin in self._incomplete:
            self._reading.keep_completed(artifact, self._counting.complete(cubin))
        if not self._drafts and not self._functions:
            raise nothing_found(discovery, self.diagnostics, self._arch_globs)
        kernels = [
            finish(draft, self._counting.facts(draft.sass_ref) if draft.sass_ref else None)
            for draft in self._drafts.values()
        ]
        kernels.sort(key=kernel_order)
        for arch, count in sorted(self._counting.unknown.items()):
            self.diagnostics.append(undecodable(arch, count, discovery.label))
        if self._disassembler.uses_tables:
            self.diagnostics += [
                left_to_tool(arch, words, self._disassembler.version(arch), discovery.label)
                for arch, words in sorted(self._counting.asked.items())
            ]
        counts = {**discovery.counts, "kernels": len(kernels), "functions": len(self._functions)}
        if self._filtered:
            counts["filtered_artifacts"] = counts.get("filtered_artifacts", 0) + self._filtered
        state = State(
            label=discovery.label,
            kernels=tuple(kernels),
            functions=self._finish_functions(),
            environment=_environment(discovery, self._drafts.values()),
            tools=self._tools({kernel.arch for kernel in kernels}),
            diagnostics=sort_diagnostics(self.diagnostics),
            counts=dict(sorted(counts.items())),
        )
        return qualify_families([state])[0]

    def _finish_functions(self) -> tuple[Function, ...]:
        functions = []
        for (symbol, arch, key, size), sources in self._functions.items():
            facts = self._counting.facts(key)
            census = dict(facts.census) if facts is not None else None
            functions.append(
                Function(
                    name=demangle(symbol),
                    symbol=symbol,
                    arch=arch,
                    sources=tuple(sorted(sources)),
                    code_bytes=size,
                    instructions=Layered(sass=census),
                )
            )
        functions.sort(key=lambda item: (item.name, item.arch, item.sources, item.code_bytes))
        return tuple(functions)

    def _tools(self, archs: set[str]) -> dict[str, str]:
        versions = {self._disassembler.version(arch) for arch in archs if arch.startswith("sm_")}
        known = sorted(version for version in versions if version is not None)
        tools = {"sassay": sassay.__version__}
        if known:
            tools["nvdisasm"] = ", ".join(known)
        return dict(sorted(tools.items()))

    def _wants(self, arch: str) -> bool:
        return wants_arch(arch, self._arch_globs)

    def _fail(
        self, place: str, error: SassayError, *, arch: str | None, layer: str | None = None
    ) -> None:
        self.lasting &= not isinstance(error, ToolError)
        self.diagnostics.append(failed(place, error, arch=arch, layer=layer))


def _anchor(artifact: Artifact) -> Artifact:
    """An artifact without bytes that can be had again."""
    if artifact.again is None:
        return artifact
    return msgspec.structs.replace(artifact, data=b"", packed=None)


def _toolchain(cubin: CubinFacts, artifact: Artifact, ptx_version: str | None) -> Toolchain:
    named = cubin.toolchain
    return Toolchain(
        ptx_version=ptx_version or named.ptx_version,
        ptxas=named.ptxas,
        options=named.options,
        frontend=artifact.compile.frontend if artifact.compile is not None else named.frontend,
    )


def _environment(discovery: Discovery, drafts: Iterable[Draft]) -> dict[str, Scalar]:
    """What the input itself says of the run: compilers, front ends, packages."""
    toolchains = {origin.toolchain for draft in drafts for origin in draft.origins}
    found: dict[str, Scalar] = {
        f"package.{name}": version for name, version in discovery.packages.items()
    }
    for key, values in (
        ("ptxas", {toolchain.ptxas for toolchain in toolchains}),
        ("ptx_version", {toolchain.ptx_version for toolchain in toolchains}),
        ("frontend", {toolchain.frontend for toolchain in toolchains}),
    ):
        known = sorted(value for value in values if value is not None)
        if known:
            found[key] = ", ".join(known)
    return dict(sorted(found.items()))


def wants_arch(arch: str, globs: Sequence[str]) -> bool:
    """Whether an architecture matches one of the globs; without any, all do."""
    return not globs or any(fnmatchcase(arch, glob) for glob in globs)
