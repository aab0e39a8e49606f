"""Cubins written by hand: instruction words that never change, under any symbol name.

What Triton and ptxas emit differs from release to release; golden runs need code that does not. The
words were read off kernels of our own with nvdisasm.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_BOTH = {
    "BAR": "1d7b0000000000000000010000e20f00",
    "EXIT": "4d790000000000000000800300ea0f00",
    "FADD": "21720303200000000000000000e20f00",
    "FFMA": "23721c02020000001d00000000e20f00",
    "FMUL": "20721d09090000000000400000e20f00",
    "IMAD": "247ad5d500600000ff028e0700e20f00",
    "IMAD.WIDE": "2578040f02000000e4028e0700e20f00",
    "LDGDEPBAR": "af790000000000000000000000260e00",
    "LDS": "84793636040000000008000800620e00",
    "LDSM": "3b7864c0000040000002000000e80f00",
    "MUFU.EX2": "08734000400000000008000000700e00",
    "MUFU.RSQ": "08731b001b0000000014000000220e00",
    "NOP": "18790000000000000000000000c00f00",
    "S2R": "19790000000000000021000000620e00",
    "SHFL": "897f1534001f000e00000e0000220e00",
    "STL": "87730001b10000000008100000e20f00",
    "STS": "887300bc6900c0000008000000e80f00",
}
WORDS = {
    "sm_80": {
        **_BOTH,
        "F2FP": "3e7269191c000000ff10000000e20f01",
        "LDG": "817904020600000000191e0c00a80200",
        "LDGSTS": "ae7fcd02000000044c1c100800e20500",
        "HMMA": "3c72783864000000ff18040000e62f08",
        "STG": "86790002050000000419100c00e20f00",
    },
    "sm_90a": {
        **_BOTH,
        "F2FP": "3e72140621000000ff10000000e40f00",
        "HGMMA": "f07d18681000e0411818700800e20f00",
        "LDG": "817908020a00000000191e0c00e80e00",
        "LDL": "8379dd01008000000008300000a80e00",
        "STG": "86790002110000000a19100c00e20f00",
        "SYNCS": "a77500ff0700c0004b01000800620e00",
        "UTMALDG": "b4350014080000000080000800e40300",
        "WARPGROUP.ARRIVE": "c5790000000000000000000000e22f00",
        "WARPGROUP.DEPBAR": "c5790000008000000001010000e40f00",
    },
}
_FLAGS = {"sm_80": 80, "sm_90a": 90 | 0x800}
_REQNTID, _REGCOUNT, _NUM_BARRIERS = 0x10, 0x2F, 0x4C


def cubin(
    symbol: str,
    opcodes: Sequence[str],
    *,
    arch: str = "sm_90a",
    registers: int = 32,
    shared: int = 0,
    warps: int = 4,
    flags: int | None = None,
) -> bytes:
    """A cubin (ELF ABI 7) of one kernel.

    Args:
        symbol: Its name, any text without a NUL.
        opcodes: Keys of `WORDS[arch]`, in order.
        arch: An architecture of `WORDS`.
        registers: Registers of a thread.
        shared: Bytes of static shared memory.
        warps: Warps of a block, required at launch.
        flags: `e_flags` instead of the architecture's.
    """
    code = b"".join(bytes.fromhex(WORDS[arch][opcode]) for opcode in opcodes)
    total = struct.pack("<BBHII", 4, _REGCOUNT, 8, 1, registers)
    info = struct.pack("<BBHIII", 4, _REQNTID, 12, warps * 32, 1, 1)
    info += struct.pack("<BBH", 2, _NUM_BARRIERS, 1)
    name = symbol.encode("utf-8", "surrogateescape")
    strings = b"\0" + name + b"\0"
    symbols = bytes(24) + struct.pack("<IBBHQQ", 1, 0x12, 0x10, 3, 0, len(code))
    sections = [  # name, type, flags, content, link, info
        (b".strtab", 3, 0, strings, 0, 0),
        (b".symtab", 2, 0, symbols, 1, 1),
        (b".text." + name, 1, 0x6, code, 2, registers << 24 | 1),
        (b".nv.info", 0x70000000, 0, total, 2, 0),
        (b".nv.info." + name, 0x70000000, 0, info, 2, 3),
        (b".nv.shared." + name, 8, 3, bytes(shared), 0, 3),
    ]
    return _elf(sections, _FLAGS[arch] if flags is None else flags)


def _elf(sections: list[tuple[bytes, int, int, bytes, int, int]], flags: int) -> bytes:
    names = b"\0"
    rows = [bytes(64)]
    body = bytearray(64)
    for name, kind, attributes, content, link, info in [*sections, (b".shstrtab", 3, 0, b"", 0, 0)]:
        start = len(names)
        names += name + b"\0"
        held = names if name == b".shstrtab" else content
        body += bytes(-len(body) % 16)
        rows.append(
            struct.pack(
                "<IIQQQQIIQQ", start, kind, attributes, 0, len(body), len(held), link, info, 16,
                24 if kind == 2 else 0,
            )
        )  # fmt: skip
        if kind != 8:
            body += held
    ident = b"\x7fELF\x02\x01\x01\x33\x07" + bytes(7)
    struct.pack_into(
        "<16sHHIQQQIHHHHHH", body, 0, ident, 2, 190, 1, 0, 0, len(body), flags, 64, 0, 0, 64,
        len(rows), len(rows) - 1,
    )  # fmt: skip
    return bytes(body) + b"".join(rows)
