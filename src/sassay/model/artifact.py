"""An artifact: one piece of compiled code with its provenance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum

import msgspec

Scalar = str | int | float | bool | None


class SourceKind(StrEnum):
    """What kind of place an artifact was found in."""

    TRITON = "triton"
    INDUCTOR = "inductor"
    DEEPGEMM = "deepgemm"
    FLASHINFER = "flashinfer"
    TVM_FFI = "tvm-ffi"
    CUTE_DSL = "cute-dsl"
    LIBRARY = "library"
    FILE = "file"


class Source(msgspec.Struct, frozen=True, order=True):
    """Where an artifact lies.

    Attributes:
        kind: The kind of place.
        path: Place relative to the input, `/`-separated; `!` steps into a container, as in
            `pkg/lib.so!fatbin.3`. Never absolute, so that two machines agree.
    """

    kind: SourceKind
    path: str


class SourceLocation(msgspec.Struct, frozen=True, order=True):
    """The source line that a kernel or an instruction comes from; `line` counts from 1."""

    file: str
    line: int


class Toolchain(msgspec.Struct, frozen=True, order=True):
    """What compiled one artifact. Versions mix inside one state, so each kernel carries its own.

    Attributes:
        ptx_version: The `.version` of the PTX, such as `8.7`.
        ptxas: The producer note of the cubin, such as `V13.0.88`.
        options: ptxas options from the producer note.
        frontend: What wrote the PTX, such as `triton 3.9.0`, where the metadata names it.
    """

    ptx_version: str | None = None
    ptxas: str | None = None
    options: str | None = None
    frontend: str | None = None


class CompileInfo(msgspec.Struct, frozen=True):
    """What a front end says of one compilation, beside the code.

    Attributes:
        name: Source function's name.
        signature: Parameter name to type, in order (`{"x": "*bf16", "n": "i32"}`).
        constants: Compile-time constants that survive, by parameter name.
        divisibility: Parameter name to known divisor.
        options: Options that belong to the specialization (`num_warps`, `num_stages`, ...).
        metadata: Launch-relevant compile metadata (`shared`, `num_warps`, ...), whatever the
            version of the front end calls it; nothing that embeds a path or a hash.
        frontend: Such as `triton 3.9.0`; None where the metadata names no version.
        location: Where the source function is defined.
    """

    name: str
    signature: Mapping[str, str] = {}
    constants: Mapping[str, Scalar] = {}
    divisibility: Mapping[str, int] = {}
    options: Mapping[str, Scalar] = {}
    metadata: Mapping[str, Scalar] = {}
    frontend: str | None = None
    location: SourceLocation | None = None


class ArtifactKind(StrEnum):
    """The code format of an artifact."""

    CUBIN = "cubin"
    PTX = "ptx"


class FilePart(msgspec.Struct, frozen=True, array_like=True):
    """Bytes of a file on disk, for whoever maps it too.

    Attributes:
        path: The file.
        identity: Device, inode, size and time of the last change: another file, or a file with
            other content, has another one.
        offset: Of the first byte.
    """

    path: str
    identity: tuple[int, ...]
    offset: int


class Packed(msgspec.Struct, frozen=True):
    """An artifact's bytes as they are stored.

    Attributes:
        stored: The bytes; a view of a mapped file is not read before it is looked at.
        compressed: `lz4` or `zstd`; None where they are plain.
        size: Bytes once decompressed.
        part: Where they lie on disk, None where no file holds them as they are.
    """

    stored: bytes | memoryview
    compressed: str | None
    size: int
    part: FilePart | None = None


class Artifact(msgspec.Struct, frozen=True):
    """One cubin or one PTX module, as a source yields it.

    Attributes:
        kind: Cubin or PTX.
        source: Where it lies.
        data: The bytes, decompressed; PTX is UTF-8 text without trailing NULs. Empty where
            `packed` holds them, and where `again` is set and the file was not read, since its
            digests were known.
        arch: Architecture that the container claims (`sm_90a`, `compute_90`), None where only
            the code itself tells.
        compilation: Equal for artifacts of one compilation, so that PTX attaches to its cubin;
            None where an artifact stands alone.
        compile: The front end's metadata, None where there is none.
        digest: Key of the bytes as they are stored, where the source knows it already; it may
            differ from one machine to the next.
        again: Reads the file that holds it once more: all its artifacts, with their bytes. None
            where `data` is there and small enough to keep.
        packed: The bytes as a container stores them, decompressed by whoever needs them.
    """

    kind: ArtifactKind
    source: Source
    data: bytes
    arch: str | None = None
    compilation: str | None = None
    compile: CompileInfo | None = None
    digest: str | None = None
    again: Callable[[], Iterable[Artifact]] | None = None
    packed: Packed | None = None
