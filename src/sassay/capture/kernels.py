"""Turns what was read of an artifact into kernels: names, launch, resources, identity, merging.

A draft is a kernel whose SASS has not been decoded yet: decoding goes in large batches.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from sassay.capture.analysis_cache import EntryFacts
from sassay.capture.demangle import demangle
from sassay.capture.families import cxx_family, parsed_name, triton_family
from sassay.isa.categories import summarize
from sassay.model.artifact import CompileInfo, Scalar, Source, SourceLocation, Toolchain
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
    from sassay.capture.counting import SassFacts

ID_DIGITS = 12
_WARP = 32
_encode = msgspec.json.Encoder(order="deterministic").encode


class Origin(msgspec.Struct, frozen=True):
    """Where a draft comes from."""

    source: Source
    toolchain: Toolchain
    compile: CompileInfo | None = None
    ptx: EntryFacts | None = None
    ptx_ref: str | None = None
    lines_ref: str | None = None
    location: SourceLocation | None = None

    @property
    def defined_at(self) -> SourceLocation | None:
        """Where its source function is: as the front end says, then the PTX, then line tables."""
        if self.compile is not None and self.compile.location is not None:
            return self.compile.location
        if self.ptx is not None and self.ptx.location is not None:
            return self.ptx.location
        return self.location


class Draft(msgspec.Struct):
    """One kernel, all places that hold it, and where its code is kept.

    Attributes:
        number: Of the artifact among those of the state.
        sass_ref: Digest in the code store; None for PTX that stands alone.
        origins: One for each time that it was met.
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
    number: int
    origins: list[Origin]


def make_draft(
    *,
    symbol: str,
    arch: str,
    launch: Launch,
    resources: Resources,
    code_bytes: int | None,
    digest: str,
    sass_ref: str | None,
    number: int,
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
        number=number,
        origins=[origin],
    )


def merge(drafts: dict[str, Draft], draft: Draft) -> None:
    """Add a draft to those of a state; equal ones become one with all places.

    Equal code may be kept under several digests, whose relocations name parts of a build: that of
    the first artifact counts, whatever was read first.
    """
    known = drafts.get(draft.id)
    if known is None:
        drafts[draft.id] = draft
    elif draft.number < known.number:
        draft.origins += known.origins
        drafts[draft.id] = draft
    else:
        known.origins += draft.origins


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
    places = _places(draft)
    return Kernel(
        id=draft.id,
        name=draft.name,
        symbol=draft.symbol,
        family=draft.family,
        specialization=draft.specialization,
        arch=draft.arch,
        sources=places.sources,
        launch=draft.launch,
        resources=resources,
        code_bytes=draft.code_bytes,
        digest=draft.digest,
        instructions=Layered(ptx=ptx, sass=sass.census if sass else None),
        categories=Layered(
            ptx=None if ptx is None else summarize(Layer.PTX, ptx),
            sass=sass.categories if sass else None,
        ),
        toolchains=places.toolchains,
        metadata=draft.metadata,
        location=places.location,
        code=CodeRefs(ptx=places.ptx_ref, sass=draft.sass_ref, lines=places.lines_ref),
        ptx_digest=draft.ptx_digest,
    )


class _Places(NamedTuple):
    sources: tuple[Source, ...]
    toolchains: tuple[Toolchain, ...]
    location: SourceLocation | None
    ptx_ref: str | None
    lines_ref: str | None


def _places(draft: Draft) -> _Places:
    """What the origins of a draft say, whatever their order.

    Of code the first PTX, and line tables of the same compilation where it has some.
    """
    origins = draft.origins
    if len(origins) == 1:  # of nearly every kernel of a large library
        (one,) = origins
        return _Places((one.source,), (one.toolchain,), one.defined_at, one.ptx_ref, one.lines_ref)
    ptx = min((each.ptx_ref for each in origins if each.ptx_ref is not None), default=None)
    beside = (each.lines_ref for each in origins if each.ptx_ref == ptx)
    located = (each.defined_at for each in origins)
    return _Places(
        tuple(sorted({each.source for each in origins})),
        tuple(sorted({each.toolchain for each in origins}, key=_toolchain_order)),
        min((location for location in located if location is not None), default=None),
        ptx,
        min((lines for lines in beside if lines is not None), default=None),
    )


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
