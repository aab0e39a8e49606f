"""The architecture that a cubin was compiled for, read from the cubin itself.

ABI 7 keeps the number in the low byte of `e_flags` and marks architecture-specific code (`sm_90a`)
by 0x800; ABI 8 keeps it in bits 8..23 and marks by 0x8 (CUDA 12.9) or by attribute 9 of
`.nv.compat` (CUDA 13). Family-specific code (`sm_100f`) has no mark of its own, and cuobjdump names
it `sm_100`: only the options in the producer notes tell. All checked against `cuobjdump -lelf` for
sm_60 to sm_121a with ptxas 11.8 to 13.4.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from sassay.containers.notes import OLD_ABI, tool_notes

if TYPE_CHECKING:
    from sassay.containers.elf import Elf

COMPAT = ".nv.compat"

_OLD_SPECIFIC = 0x800
_NEW_SPECIFIC = 0x8
_COMPAT_SPECIFIC = 0x09
_SVAL = 4
_ARCH_OPTION = re.compile(r"-arch(?:=|\s+)sm_(\d+)([af]?)")


VOLTA = 70
"""From here on an instruction takes 16 bytes, before it 8 with control words between."""


def arch_number(elf: Elf) -> int:
    """Such as 90 for sm_90a."""
    return elf.flags & 0xFF if elf.abi <= OLD_ABI else elf.flags >> 8 & 0xFFFF


def arch_name(elf: Elf) -> str:
    """Such as `sm_90a`; `sm_0` would be a cubin that names none."""
    number = arch_number(elf)
    if elf.abi <= OLD_ABI:
        return f"sm_{number}{'a' if elf.flags & _OLD_SPECIFIC else ''}"
    if elf.flags & _NEW_SPECIFIC or _compat(elf).get(_COMPAT_SPECIFIC):
        return f"sm_{number}a"
    suffixes = {
        found.group(2)
        for note in tool_notes(elf)
        for found in _ARCH_OPTION.finditer(note.options)
        if int(found.group(1)) == number
    }
    return f"sm_{number}f" if suffixes == {"f"} else f"sm_{number}"


def _compat(elf: Elf) -> dict[int, int]:
    """`.nv.compat`: format byte, number byte, u16 value, or (format 4) u16 size and bytes."""
    section = elf.by_name.get(COMPAT)
    content = bytes(elf.content(section)) if section else b""
    values: dict[int, int] = {}
    position = 0
    while position + 4 <= len(content):
        form, number, value = struct.unpack_from("<BBH", content, position)
        values[number] = value
        position += 4 + ((value + 3) // 4 * 4 if form == _SVAL else 0)
    return values
