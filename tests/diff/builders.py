"""States made of numbers: kernels without code, for tests of whatever reads frozen records."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sassay.errors import InputError
from sassay.isa.categories import summarize
from sassay.model.artifact import Scalar, Source, SourceKind, Toolchain
from sassay.model.kernel import (
    Census,
    CodeRefs,
    Kernel,
    Launch,
    Resources,
    Specialization,
)
from sassay.model.layers import Layer, Layered
from sassay.model.state import Diagnostic, Evidence, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sassay.model.code import SassCode
    from sassay.model.lines import LineSections


def digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def kernel(
    family: str = "f",
    *,
    name: str | None = None,
    symbol: str | None = None,
    arch: str = "sm_90a",
    sass: Census | None = None,
    ptx: Census | None = None,
    code: str | None = None,
    place: str | Sequence[str] = "cache/k.cubin",
    spec: Specialization | None = None,
    registers: int | None = None,
    shared: int | None = None,
    launch: Launch | None = None,
    metadata: Mapping[str, Scalar] | None = None,
    ptxas: str | None = None,
    undecoded: bool = False,
) -> Kernel:
    """A kernel with these censuses.

    `code` stands for the code itself: two kernels of one `code` are byte-equal; None derives it
    from everything else. With `undecoded`, there is a code section that nobody can read.
    """
    if sass is None and not undecoded and not arch.startswith("compute_"):
        sass = {"FADD": 4, "EXIT": 1}
    places = [place] if isinstance(place, str) else list(place)
    spec = spec or Specialization()
    code = code or digest(family, arch, sass, ptx, spec)
    has_sass = sass is not None or undecoded
    size = 16 * sum(sass.values()) if sass is not None else 256
    return Kernel(
        id=digest(family, name, symbol, arch, code, spec, registers, shared, metadata, launch)[:12],
        name=name or family,
        symbol=symbol or name or family,
        family=family,
        specialization=spec,
        arch=arch,
        sources=tuple(sorted(Source(SourceKind.TRITON, path) for path in places)),
        launch=launch or Launch(),
        resources=Resources(registers=registers, shared_bytes=shared),
        code_bytes=size if has_sass else None,
        digest=code,
        instructions=Layered(ptx=ptx, sass=sass),
        categories=Layered(
            ptx=None if ptx is None else summarize(Layer.PTX, ptx),
            sass=None if sass is None else summarize(Layer.SASS, sass),
        ),
        toolchains=(Toolchain(ptxas=ptxas),) if ptxas else (),
        metadata=metadata or {},
        code=CodeRefs(
            ptx=digest("ptx", ptx, code) if ptx is not None else None,
            sass=code if has_sass else None,
        ),
        ptx_digest=None if ptx is None else digest("ptx", ptx),
    )


def state(
    label: str,
    kernels: Iterable[Kernel],
    *,
    environment: Mapping[str, Scalar] | None = None,
    evidence: Mapping[str, Evidence] | None = None,
    tools: Mapping[str, str] | None = None,
    diagnostics: Iterable[Diagnostic] = (),
) -> State:
    """A state with its kernels in a state's order."""
    ordered = sorted(kernels, key=lambda k: (k.family, k.arch, k.name, k.id))
    return State(
        label=label,
        kernels=tuple(ordered),
        environment=environment or {},
        evidence=evidence or {},
        tools=tools or {},
        diagnostics=tuple(sorted(diagnostics)),
    )


class NoCode:
    """A store that holds nothing: whoever asks it for code could have known without."""

    def sass(self, digest: str) -> SassCode:
        raise InputError(f"no code under {digest}")

    def ptx(self, digest: str) -> str:
        raise InputError(f"no code under {digest}")

    def lines(self, digest: str) -> LineSections:
        raise InputError(f"no lines under {digest}")
