"""Line programs encoded by hand: what ptxas does not write."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from sassay.containers.line_program import read_sequences

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sassay.containers.line_program import Sequence


def uleb(value: int) -> bytes:
    out = bytearray()
    while True:
        value, byte = value >> 7, value & 0x7F
        out.append(byte | 0x80 if value else byte)
        if not value:
            return bytes(out)


def unit(version: int, program: bytes, *, wide: bool = False, opcode_base: int = 10) -> bytes:
    """A line program with the files `here.cu`, then `sub/there.cuh`."""
    offset = "<Q" if wide else "<I"
    counts = bytes([0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1][: opcode_base - 1])
    body = bytes([4]) + b"\1" * (version >= 4) + bytes([1, 0xFB, 14, opcode_base]) + counts
    if version == 5:
        names = b"here.cu\0"
        body += bytes([1]) + uleb(1) + uleb(0x08) + uleb(2) + b"/build\0sub\0"
        columns = [(1, 0x08), (2, 0x0B), (5, 0x1E)]
        body += bytes([len(columns)]) + b"".join(uleb(a) + uleb(b) for a, b in columns)
        md5 = bytes(16)
        body += uleb(3) + (names + b"\0" + md5) * 2 + b"there.cuh\0\1" + md5
    else:
        body += b"sub\0\0" + b"here.cu\0" + uleb(0) * 3 + b"there.cuh\0" + uleb(1) * 3 + b"\0"
    head = struct.pack("<H", version) + (b"\x08\0" if version == 5 else b"")
    content = head + struct.pack(offset, len(body)) + body + program
    length = b"\xff\xff\xff\xff" + struct.pack("<Q", len(content)) if wide else None
    return (length or struct.pack("<I", len(content))) + content


class Code:
    """Stands for a code section of 4,096 bytes."""

    index, name, size = 7, ".text.k", 4096


def run(data: bytes, strings: Mapping[str, bytes] | None = None) -> list[Sequence]:
    return list(
        read_sequences(
            data,
            resolve=lambda _, stored: (Code, stored),  # type: ignore[arg-type,return-value]  # a stand-in section
            strings=strings or {},
            artifact="m",
            place=".debug_line",
        )
    )


SET_ADDRESS = b"\0\x09\x02" + struct.pack("<Q", 0x40)
END = b"\0\x01\x01"
