"""Real inputs for tests, built from our own kernels: Triton caches, fatbins, host libraries."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import lz4.block
import triton
import zstandard
from tests.sources import kernels
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

ARCHS = (80, 90)
KIND_PTX, KIND_CUBIN = 1, 2
_ENTRY_HEADER = 64
_FLAG_LZ4, _FLAG_ZSTD = 0x2000, 0x8000


@functools.cache
def triton_cache() -> Path:
    """A Triton cache: `scale_rows` for two architectures and one Inductor-like kernel."""
    folder = Path(tempfile.mkdtemp(prefix="sassay-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with mock.patch.dict(os.environ, {"TRITON_CACHE_DIR": str(folder)}):
        for arch in ARCHS:
            compile_kernel(kernels.scale_rows, arch, warps=4)
        compile_kernel(kernels.triton_poi_fused_mul_0, 90, warps=2)
    return folder


def compile_kernel(function: object, arch: int, *, warps: int) -> None:
    """Compile one of our kernels into the cache that the environment names."""
    signature = {"source": "*bf16", "target": "*bf16", "n": "i32", "factor": "fp32"}
    source = ASTSource(
        function,
        {**signature, "block": "constexpr"},
        {(4,): 256},
        {(0,): [["tt.divisibility", 16]], (2,): [["tt.divisibility", 16]]},
    )
    triton.compile(source, target=GPUTarget("cuda", arch, 32), options={"num_warps": warps})


def code(suffix: str, arch: int = 90, name: str = "scale_rows") -> bytes:
    """The bytes of one file of the cache, such as the cubin for sm_90a."""
    target = f"sm_{arch}".encode()
    for folder in sorted(triton_cache().iterdir()):
        ptx = folder / f"{name}.ptx"
        if ptx.is_file() and b".target " + target in ptx.read_bytes():
            return (folder / f"{name}.{suffix}").read_bytes()
    raise LookupError(suffix)


def copy_cache(target: Path) -> Path:
    """A copy of the cache at another place, as CI systems restore it."""
    shutil.copytree(triton_cache(), target)
    return target


@dataclass(frozen=True)
class Piece:
    """One fatbin entry to write."""

    kind: int
    arch: int
    data: bytes
    packing: str = "plain"


def fatbin(pieces: list[Piece]) -> bytes:
    """A fatbin with the given entries, laid out as nvcc does."""
    body = b"".join(_entry(piece) for piece in pieces)
    return struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(body)) + body


def _entry(piece: Piece) -> bytes:
    flags, payload, packed_size = 0x11, piece.data, 0
    if piece.packing == "lz4":
        payload = lz4.block.compress(piece.data, store_size=False)
        flags |= _FLAG_LZ4
        packed_size = len(payload)
    elif piece.packing == "zstd":
        payload = zstandard.ZstdCompressor().compress(piece.data)
        flags |= _FLAG_ZSTD
        packed_size = len(payload)
    payload += b"\0" * (-len(payload) % 8)
    header = bytearray(_ENTRY_HEADER)
    struct.pack_into("<HHIQ", header, 0, piece.kind, 0x101, _ENTRY_HEADER, len(payload))
    struct.pack_into("<I", header, 16, packed_size)
    struct.pack_into("<I", header, 28, piece.arch)
    struct.pack_into("<Q", header, 40, flags)
    struct.pack_into("<Q", header, 56, len(piece.data) if packed_size else 0)
    return bytes(header) + payload


def host_library(fat: bytes | None) -> bytes:
    """A shared object for x86-64 that embeds a fatbin, or none."""
    names = b"\0.nv_fatbin\0.shstrtab\0"
    sections = [(0, 0, 0, 0)]
    offset = 64
    content = b""
    if fat is not None:
        sections.append((1, 1, offset, len(fat)))
        content += fat + b"\0" * (-len(fat) % 8)
    sections.append((names.index(b".shstrtab"), 3, offset + len(content), len(names)))
    content += names + b"\0" * (-len(names) % 8)
    table = b"".join(
        struct.pack("<IIQQQQIIQQ", name, kind, 0, 0, place, size, 0, 0, 8, 0)
        for name, kind, place, size in sections
    )
    header = b"\x7fELF" + bytes([2, 1, 1, 0]) + bytes(8)
    header += struct.pack(
        "<HHIQQQIHHHHHH", 3, 62, 1, 0, 0, 64 + len(content), 0, 64, 0, 0, 64, len(sections),
        len(sections) - 1,
    )  # fmt: skip
    return header + content + table
