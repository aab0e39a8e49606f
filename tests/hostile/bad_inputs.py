"""Files that are broken on purpose, each under the name that a person would find it by."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
from typing import TYPE_CHECKING

from tests.cli.cubins import cubin
from tests.containers import packing

if TYPE_CHECKING:
    from collections.abc import Callable

GOOD = cubin("good", ["S2R", "LDG", "FADD", "STG", "EXIT"])
TERABYTE = 1 << 40


def _section_outside() -> bytes:
    data = bytearray(GOOD)
    table = struct.unpack_from("<Q", data, 40)[0]
    struct.pack_into("<Q", data, table + 3 * 64 + 24, 1 << 40)  # sh_offset of section 3
    return bytes(data)


def _many_sections() -> bytes:
    data = bytearray(GOOD)
    struct.pack_into("<H", data, 60, 0xFFFF)  # e_shnum
    return bytes(data)


def _archive(name: str, content: bytes, *, level: int = 0) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        archive.writestr(name, content)
    return stream.getvalue()


def _tar(name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def zip_bomb() -> bytes:
    """64 MiB of zeros in 64 KiB, well past what code ever shrinks by."""
    return _archive("kernel.cubin", bytes(64 << 20), level=9)


def claiming(flags: int) -> bytes:
    """A fatbin whose one entry claims a terabyte once decompressed."""
    return packing.fatbin(packing.entry(GOOD, flags=0x11 | flags, claimed=TERABYTE))


BAD: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "cut cubin": ("k.cubin", lambda: GOOD[:300], "outside the file of 300 bytes"),
    "cut in the header": ("k.cubin", lambda: GOOD[:40], "ELF header needs 64 bytes"),
    "empty": ("k.cubin", lambda: b"", "0 bytes: expected a cubin"),
    "wrong magic": ("k.cubin", lambda: b"\x7fELG" + GOOD[4:], "no ELF magic"),
    "32-bit ELF": ("k.cubin", lambda: GOOD[:4] + b"\x01" + GOOD[5:], "ELF64"),
    "section outside": ("k.cubin", _section_outside, "offset 0x"),
    "too many sections": ("k.cubin", _many_sections, "do not fit in the file"),
    "terabyte, LZ4": ("k.fatbin", lambda: claiming(packing.LZ4), "1099511627776"),
    "terabyte, zstd": ("k.fatbin", lambda: claiming(packing.ZSTD), "1099511627776"),
    "terabyte, plain": (
        "k.fatbin",
        lambda: packing.fatbin(packing.entry(GOOD, size=TERABYTE)),
        "offset 0x",
    ),
    "cut fatbin": ("k.fatbin", lambda: packing.fatbin(packing.entry(GOOD))[:200], "offset 0x"),
    "zip bomb": ("k.whl", zip_bomb, "kernel.cubin"),
    "climbing zip": ("k.zip", lambda: _archive("../../k.cubin", GOOD), "../../k.cubin"),
    "absolute tar": ("k.tar", lambda: _tar("/etc/k.cubin", GOOD), "/etc/k.cubin"),
    "cut zip": ("k.whl", lambda: _archive("k.cubin", GOOD)[:-30], "zip"),
    "PTX syntax": (
        "k.ptx",
        lambda: b".version 8.4\n.target sm_90\n.address_size 64\n.visible .entry k(\n{{{ @@@\n",
        "line ",
    ),
    "PTX without target": ("k.ptx", lambda: b".version 8.4\n.visible .entry k() { ret; }\n", ""),
    "not PTX": ("k.ptx", lambda: b"\0\x01\x02", ""),
    "HTML": ("k.cubin", lambda: b"<!doctype html><title>404</title>", "no ELF magic"),
}
