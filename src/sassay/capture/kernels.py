"""Turns what was read of an artifact into kernels: names, launch, resources, identity, merging.

A draft is a kernel whose SASS has not been decoded yet: decoding goes in large batches.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from sassay.capture.demangle import demangle
from sassay.capture.families import cxx_family, parsed_name, triton_family
from sassay.isa.categories import summarize
from sassay.model.kernel import (
    Census,
    CodeRefs,
    Kernel,
    Launch,
    Resources,
    Specialization,
)
from sassay.model.layers import Layer, Layered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sassay.capture.analysis_cache import EntryFacts
    from sassay.capture.counting import SassFacts
    from sassay.model.artifact import CompileInfo, Scalar, Source, SourceLocation, Toolchain

ID_DIGITS = 12
_WARP = 32
_encode = msgspec.json.Encoder(order="deterministic").encode


@dataclass(slots=True)
class Draft:
    """One kernel, all places that hold it, and where its code is kept.

    Attributes:
        sass_ref: Digest in the code store; None for PTX that stands alone.
        ptx_refs: Digests of the PTX modules in the code store.
        lines_refs: Digests of line tables, each with that of the PTX of its compilation.
    """

    id: str
    name: str
    symbol: str
    family: str
    specialization: Specialization
    arch: str
    launch: Launch
    resources: Resources
    code_bytes: int | None
    digest: str
    metadata: Mapping[str, Scalar]
    ptx_census: Census | None
    ptx_digest: str | None
    sass_ref: str | None
    sources: set[Source] = field(default_factory=set)
    toolchains: set[Toolchain] = field(default_factory=set)
    locations: set[SourceLocation] = field(default_factory=set)
    ptx_refs: set[str] = field(default_factory=set)
    lines_refs: set[tuple[str | None, str]] = field(default_factory=set)

    def absorb(self, other: Draft) -> None:
        """Add the places of an equal kernel."""
        self.sources |= other.sources
        self.toolchains |= other.toolchains
        self.locations |= other.locations
        self.ptx_refs |= other.ptx_refs
        self.lines_refs |= other.lines_refs


@dataclass(slots=True, frozen=True)
class Origin:
    """Where a draft comes from."""

    source: Source
    toolchain: Toolchain
    compile: CompileInfo | None = None
    ptx: EntryFacts | None = None
    ptx_ref: str | None = None
    lines_ref: str | None = None
    location: SourceLocation | None = None


def make_draft(
    *,
    symbol: str,
    arch: str,
    launch: Launch,
    resources: Resources,
    code_bytes: int | None,
    digest: str,
    sass_ref: str | None,
    origin: Origin,
) -> Draft:
    """A kernel's draft, out of its code's facts and its origin."""
    info, entry = origin.compile, origin.ptx
    specialization = _specialization(symbol, info)
    name = info.name if info is not None else demangle(symbol)
    full_launch = _launch(launch, entry, info)
    metadata = dict(sorted(info.metadata.items())) if info is not None else {}
    ptx_digest = entry.normal_digest if entry is not None else None
    resources = _with_dynamic_shared(resources, metadata)
    encoded = _specialization_json(symbol) if info is None else specialization
    identity = (
        symbol, arch, digest, ptx_digest, code_bytes, encoded, full_launch, resources, metadata,
    )  # fmt: skip
    location = info.location if info is not None else None
    if location is None and entry is not None:
        location = entry.location
    if location is None:
        location = origin.location
    return Draft(
        id=hashlib.sha256(_encode(identity)).hexdigest()[:ID_DIGITS],
        name=name,
        symbol=symbol,
        family=triton_family(name) if info is not None else cxx_family(symbol),
        specialization=specialization,
        arch=arch,
        launch=full_launch,
        resources=resources,
        code_bytes=code_bytes,
        digest=digest,
        metadata=metadata,
        ptx_census=entry.census if entry is not None else None,
        ptx_digest=ptx_digest,
        sass_ref=sass_ref,
        sources={origin.source},
        toolchains={origin.toolchain},
        locations={location} if location is not None else set(),
        ptx_refs={origin.ptx_ref} if origin.ptx_ref is not None else set(),
        lines_refs={(origin.ptx_ref, origin.lines_ref)} if origin.lines_ref is not None else set(),
    )


def merge(drafts: dict[str, Draft], draft: Draft) -> None:
    """Add a draft to those of a state; equal ones become one with all places."""
    known = drafts.get(draft.id)
    if known is None:
        drafts[draft.id] = draft
    else:
        known.absorb(draft)


def finish(draft: Draft, sass: SassFacts | None) -> Kernel:
    """The kernel of a draft, now that its SASS has been counted.

    Args:
        draft: What is known without decoding.
        sass: What was counted; None where the input holds no SASS or nothing could decode it.
    """
    resources = draft.resources
    if sass is not None:
        loads, stores = sass.spills
        resources = msgspec.structs.replace(
            resources, spill_load_bytes=loads, spill_store_bytes=stores
        )
    ptx = _ordered(draft.ptx_census)
    return Kernel(
        id=draft.id,
        name=draft.name,
        symbol=draft.symbol,
        family=draft.family,
        specialization=draft.specialization,
        arch=draft.arch,
        sources=tuple(sorted(draft.sources)),
        launch=draft.launch,
        resources=resources,
        code_bytes=draft.code_bytes,
        digest=draft.digest,
        instructions=Layered(ptx=ptx, sass=sass.census if sass else None),
        categories=Layered(
            ptx=None if ptx is None else summarize(Layer.PTX, ptx),
            sass=sass.categories if sass else None,
        ),
        toolchains=tuple(sorted(draft.toolchains, key=_toolchain_order)),
        metadata=draft.metadata,
        location=min(draft.locations, default=None),
        code=_code_refs(draft),
        ptx_digest=draft.ptx_digest,
    )


def _code_refs(draft: Draft) -> CodeRefs:
    """The first PTX, and line tables of the same compilation where it has some."""
    ptx = min(draft.ptx_refs, default=None)
    lines = min((ref for beside, ref in draft.lines_refs if beside == ptx), default=None)
    return CodeRefs(ptx=ptx, sass=draft.sass_ref, lines=lines)


def _ordered(census: Census | None) -> dict[str, int] | None:
    return None if census is None else dict(sorted(census.items()))


def _toolchain_order(toolchain: Toolchain) -> tuple[str, ...]:
    fields = (toolchain.ptx_version, toolchain.ptxas, toolchain.options, toolchain.frontend)
    return tuple(value or "" for value in fields)


def _specialization(symbol: str, info: CompileInfo | None) -> Specialization:
    if info is not None:
        return Specialization(
            signature=info.signature,
            constants=dict(sorted(info.constants.items())),
            divisibility=info.divisibility,
            options=dict(sorted(info.options.items())),
        )
    return _cxx_specialization(symbol)


@lru_cache(maxsize=1 << 16)
def _cxx_specialization(symbol: str) -> Specialization:
    if not symbol.startswith("_Z"):
        return Specialization()
    name = parsed_name(symbol)
    return Specialization(template_arguments=name.template_arguments, parameters=name.parameters)


@lru_cache(maxsize=1 << 16)
def _specialization_json(symbol: str) -> msgspec.Raw:
    """A C++ kernel's specialization as JSON: kilobytes, and equal for all architectures."""
    return msgspec.Raw(_encode(_cxx_specialization(symbol)))


def _launch(launch: Launch, entry: EntryFacts | None, info: CompileInfo | None) -> Launch:
    """Launch attributes out of the cubin, then the PTX, then the front end's metadata."""
    if entry is None and info is None and (launch.warps is not None or launch.block is None):
        return launch
    stated = entry.launch if entry is not None else Launch()
    block = launch.block or stated.block
    warps = launch.warps or stated.warps
    if info is not None:
        named = info.options.get("num_warps", info.metadata.get("num_warps"))
        if isinstance(named, int) and not isinstance(named, bool):
            warps = named
    if warps is None and block is not None:
        warps = -(-(block[0] * block[1] * block[2]) // _WARP)
    return Launch(
        block=block,
        max_block=launch.max_block or stated.max_block,
        cluster=launch.cluster or stated.cluster,
        warps=warps,
    )


def _with_dynamic_shared(resources: Resources, metadata: Mapping[str, Scalar]) -> Resources:
    dynamic = metadata.get("shared")
    static = resources.static_shared_bytes
    if static is None:
        return resources
    if not isinstance(dynamic, int) or isinstance(dynamic, bool):
        dynamic = 0
    if resources.shared_bytes == static + dynamic:
        return resources
    return msgspec.structs.replace(resources, shared_bytes=static + dynamic)
