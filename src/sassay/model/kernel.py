"""A kernel: one entry function compiled for one architecture."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sassay.model.artifact import Scalar, Source, SourceLocation, Toolchain
from sassay.model.fact import Fact
from sassay.model.layers import Layer, Layered

Census = Mapping[str, int]
"""Instruction counts by opcode, or by category."""


class Specialization(msgspec.Struct, frozen=True):
    """What one compiled instance of a family was specialized for; empty parts are unknown.

    Attributes:
        signature: Triton: parameter name to type, in order.
        constants: Triton: compile-time constants that survive.
        divisibility: Triton: parameter name to known divisor.
        options: Triton: `num_warps`, `num_stages` and other options.
        template_arguments: C++: the demangled template arguments, in order.
        parameters: C++: the demangled parameter types.
    """

    signature: Mapping[str, str] = {}
    constants: Mapping[str, Scalar] = {}
    divisibility: Mapping[str, int] = {}
    options: Mapping[str, Scalar] = {}
    template_arguments: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()


class Launch(msgspec.Struct, frozen=True):
    """Launch attributes fixed at compile time; None where the code does not fix them.

    Attributes:
        block: Required block size (`.reqntid`, `EIATTR_REQNTID`).
        max_block: Largest block size (`.maxntid`, `EIATTR_MAX_THREADS`).
        cluster: Required cluster size.
        warps: Warps a block, from the front end's metadata or the required block size.
    """

    block: tuple[int, int, int] | None = None
    max_block: tuple[int, int, int] | None = None
    cluster: tuple[int, int, int] | None = None
    warps: int | None = None


class Resources(msgspec.Struct, frozen=True):
    """What one launch of the kernel needs; None is unknown. Bytes unless named otherwise.

    Attributes:
        registers: Registers a thread.
        shared_bytes: Static shared memory, plus the dynamic part that Triton's metadata names.
        static_shared_bytes: Static shared memory alone, as `cuobjdump -res-usage` prints it.
        stack_bytes: Frame size a thread.
        local_bytes: Local memory a thread, as `cuobjdump -res-usage` prints it.
        constant_bytes: Constant bank 0, parameters included.
        barriers: Named barriers.
        spill_load_bytes: Width of the static LDL, summed.
        spill_store_bytes: Width of the static STL, summed.
    """

    registers: int | None = None
    shared_bytes: int | None = None
    static_shared_bytes: int | None = None
    stack_bytes: int | None = None
    local_bytes: int | None = None
    constant_bytes: int | None = None
    barriers: int | None = None
    spill_load_bytes: int | None = None
    spill_store_bytes: int | None = None


class CodeRefs(msgspec.Struct, frozen=True):
    """Digests under which a code store holds the code of a kernel, per layer.

    The PTX blob is the whole module; the kernel's symbol selects its entry. So it is with the
    line tables of its cubin, which belong to that PTX where there is one.
    """

    ptx: str | None = None
    sass: str | None = None
    lines: str | None = None

    def of(self, layer: Layer) -> str | None:
        """The digest of one layer."""
        return self.ptx if layer is Layer.PTX else self.sass


class Kernel(msgspec.Struct, frozen=True):
    """One entry function compiled for one architecture, and what sassay knows of it.

    Attributes:
        id: 12 hexadecimal digits over everything but place, toolchain and location.
        name: Demangled name.
        symbol: Name in the cubin or PTX.
        family: The source function that it comes from.
        specialization: What this instance was compiled for.
        arch: `sm_90a`; `compute_90` for PTX that stands alone (a PTX fallback).
        sources: Every place that holds it, sorted.
        launch: Launch attributes.
        resources: Registers, memory, barriers, spills.
        code_bytes: Size of the code section, None without SASS.
        digest: Code digest: code section, relocations, constants and launch attributes; for PTX
            that stands alone, the digest of its normalized text.
        instructions: Census by opcode, per layer.
        categories: Census by category, per layer.
        facts: What wings and analyses add, by name.
        toolchains: What compiled it (more than one where equal code was merged), sorted.
        metadata: Launch-relevant metadata of the front end.
        location: Where the source function is defined.
        code: Where a code store holds its code.
        ptx_digest: Digest of the entry's normalized PTX, None without PTX.
    """

    id: str
    name: str
    symbol: str
    family: str
    specialization: Specialization
    arch: str
    sources: tuple[Source, ...]
    launch: Launch
    resources: Resources
    code_bytes: int | None
    digest: str
    instructions: Layered[Census]
    categories: Layered[Census]
    facts: Mapping[str, Fact] = {}
    toolchains: tuple[Toolchain, ...] = ()
    metadata: Mapping[str, Scalar] = {}
    location: SourceLocation | None = None
    code: CodeRefs = CodeRefs()
    ptx_digest: str | None = None


class Function(msgspec.Struct, frozen=True):
    """A device function with a code section of its own: listed, never added to a kernel."""

    name: str
    symbol: str
    arch: str
    sources: tuple[Source, ...]
    code_bytes: int
    instructions: Layered[Census]
