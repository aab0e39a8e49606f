"""Packs fatbins and host objects the way nvcc does, so that every form can be tried without it."""

from __future__ import annotations

import struct

import lz4.block
import zstandard

LZ4, ZSTD = 0x2000, 0x8000


def entry(
    payload: bytes,
    *,
    kind: int = 2,
    arch: int = 90,
    flags: int = 0x11,
    claimed: int | None = None,
    size: int | None = None,
) -> bytes:
    """One fatbin entry; `claimed` and `size` lie about the payload where given."""
    stored = payload
    if flags & LZ4:
        stored = lz4.block.compress(payload, store_size=False)
    elif flags & ZSTD:
        stored = zstandard.compress(payload)
    packed = flags & (LZ4 | ZSTD)
    padded = stored + bytes(-len(stored) % 8)
    head = struct.pack(
        "<HHIQI8xI8xQ8xQ",
        kind,
        0x101,
        64,
        len(padded) if size is None else size,
        len(stored) if packed else 0,
        arch,
        flags,
        (len(payload) if claimed is None else claimed) if packed else 0,
    )
    return head + padded


def fatbin(*entries: bytes) -> bytes:
    """One fatbin of some entries."""
    body = b"".join(entries)
    return struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(body)) + body


def host_object(sections: dict[str, bytes], *, kind: int = 3) -> bytes:
    """An ELF64 file of machine 62; kind 3 is a shared object, 1 an object before linking."""
    names = b"\0"
    rows = [bytes(64)]
    body = bytearray(64)
    for name, content in {**sections, ".shstrtab": b""}.items():
        start = len(names)
        names += name.encode() + b"\0"
        held = content if name != ".shstrtab" else names
        body += bytes(-len(body) % 8)
        kind_of = 3 if name == ".shstrtab" else 1
        rows.append(
            struct.pack("<IIQQQQIIQQ", start, kind_of, 2, 0, len(body), len(held), 0, 0, 8, 0)
        )
        body += held
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    struct.pack_into(
        "<16sHHIQQQIHHHHHH", body, 0, ident, kind, 62, 1, 0, 0, len(body), 0, 64, 0, 0, 64,
        len(rows), len(rows) - 1,
    )  # fmt: skip
    return bytes(body) + b"".join(rows)
