"""One kernel of a stored reference: everything of it that a comparison reads, but its code."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sassay.baseline.digests import DIGITS, TierDigests
from sassay.isa.categories import summarize
from sassay.model.artifact import Scalar, Source, SourceKind, Toolchain
from sassay.model.fact import Fact
from sassay.model.kernel import CodeRefs, Kernel, Launch, Resources, Specialization
from sassay.model.layers import Layer, Layered


class StoredKernel(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One line of the file; fields in the order in which a reviewer reads them.

    Attributes:
        name: Demangled name where it is not the family.
        specialization: What tells it from its siblings.
        resources: Registers, memory, spills.
        sass: Census by opcode, None without SASS.
        ptx: Census by opcode, None without PTX.
        kinds: Kinds of the places that held it.
        toolchain: What compiled it, where the file names more than one for its architecture.
        code: Digest of its code; `section` of its code section, `normal_ptx` of its PTX.
        tiers: Digests by tier.
    """

    name: str = ""
    specialization: Specialization = Specialization()
    launch: Launch = Launch()
    resources: Resources = Resources()
    bytes: int | None = None
    sass: Mapping[str, int] | None = None
    ptx: Mapping[str, int] | None = None
    facts: Mapping[str, str | int | float | bool] = {}
    metadata: Mapping[str, Scalar] = {}
    symbol: str = ""
    kinds: tuple[SourceKind, ...] = ()
    toolchain: tuple[str, ...] = ()
    id: str = ""
    code: str = ""
    section: str | None = None
    normal_ptx: str | None = None
    tiers: TierDigests = TierDigests()


def stored(kernel: Kernel, tiers: TierDigests, toolchain: tuple[str, ...]) -> StoredKernel:
    """The line of a kernel.

    Args:
        kernel: The kernel.
        tiers: Digests of its code.
        toolchain: Names of its toolchains, empty where the file has one for its architecture.
    """
    ptx_digest = kernel.ptx_digest
    return StoredKernel(
        name=kernel.name if kernel.name != kernel.family else "",
        specialization=kernel.specialization,
        launch=kernel.launch,
        resources=kernel.resources,
        bytes=kernel.code_bytes,
        sass=kernel.instructions.sass,
        ptx=kernel.instructions.ptx,
        facts={name: fact.value for name, fact in sorted(kernel.facts.items())},
        metadata=kernel.metadata,
        symbol=kernel.symbol if kernel.symbol != kernel.family else "",
        kinds=tuple(sorted({source.kind for source in kernel.sources})),
        toolchain=toolchain,
        id=kernel.id,
        code=kernel.digest[:DIGITS],
        section=kernel.code.sass[:DIGITS] if kernel.code.sass else None,
        normal_ptx=ptx_digest[:DIGITS] if ptx_digest else None,
        tiers=tiers,
    )


def restored(
    line: StoredKernel, family: str, arch: str, toolchains: tuple[Toolchain, ...], place: str
) -> Kernel:
    """The kernel of a line; its digests are short ones, and no store holds its code.

    Args:
        line: As read.
        family: Family of its heading.
        arch: Architecture of its heading.
        toolchains: What compiled it.
        place: Where the line stands, for the kernel's sources.
    """
    return Kernel(
        id=line.id,
        name=line.name or family,
        symbol=line.symbol or family,
        family=family,
        specialization=line.specialization,
        arch=arch,
        sources=tuple(Source(kind, place) for kind in line.kinds or (SourceKind.FILE,)),
        launch=line.launch,
        resources=line.resources,
        code_bytes=line.bytes,
        digest=line.code,
        instructions=Layered(ptx=line.ptx, sass=line.sass),
        categories=Layered(
            ptx=None if line.ptx is None else summarize(Layer.PTX, line.ptx),
            sass=None if line.sass is None else summarize(Layer.SASS, line.sass),
        ),
        facts={name: Fact(value) for name, value in line.facts.items()},
        toolchains=toolchains,
        metadata=line.metadata,
        code=CodeRefs(sass=line.section),
        ptx_digest=line.normal_ptx,
    )
