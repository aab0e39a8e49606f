"""Typed attributes of `.nv.info` sections (EIATTR), as ptxas writes them.

An attribute is a format byte, a number byte, and a value: EIFMT_NVAL (1) none, EIFMT_BVAL (2) one
byte, EIFMT_HVAL (3) a u16, each in two bytes; EIFMT_SVAL (4) a u16 size and so many bytes. Names
and numbers are those that `cuobjdump -elf` and nvdisasm print.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

from sassay.errors import FormatError

NVAL, BVAL, HVAL, SVAL = 1, 2, 3, 4


class Attribute(IntEnum):
    """The attributes that sassay reads; every other number is stepped over."""

    MAX_THREADS = 0x05
    REQNTID = 0x10
    FRAME_SIZE = 0x11
    MIN_STACK_SIZE = 0x12
    KPARAM_INFO = 0x17
    CBANK_PARAM_SIZE = 0x19
    REGCOUNT = 0x2F
    CTA_PER_CLUSTER = 0x3D
    EXPLICIT_CLUSTER = 0x3E
    MAX_CLUSTER_RANK = 0x3F
    KPARAM_INFO_V2 = 0x45
    NUM_BARRIERS = 0x4C


_READ = frozenset(int(attribute) for attribute in Attribute)
_HEAD = struct.Struct("<BBH")
_SHORT = frozenset({NVAL, BVAL, HVAL})


class Info(NamedTuple):
    """One attribute: its number, and its value as bytes (SVAL) or as a number (the others)."""

    number: int
    value: int
    content: bytes


def read_info(content: memoryview, *, artifact: str, place: str) -> list[Info]:
    """The attributes of one section that sassay reads, in the order of the file.

    Args:
        content: The section's bytes.
        artifact: The name that errors carry.
        place: The section, for errors.

    Raises:
        FormatError: An unknown format, or a value that runs out of the section.
    """
    data = bytes(content)
    end = len(data)
    found: list[Info] = []
    position = 0
    while position + 4 <= end:
        form, number, value = _HEAD.unpack_from(data, position)
        position += 4
        if form == SVAL:
            if position + value > end:
                raise FormatError(
                    f"attribute {number:#x} claims {value} bytes, {end - position} are left",
                    artifact=artifact,
                    place=f"{place}+{position - 4:#x}",
                )
            if number in _READ:
                found.append(Info(number, value, data[position : position + value]))
            # The next attribute starts at a multiple of 4.
            position += (value + 3) & ~3
        elif form in _SHORT:
            if number in _READ:
                found.append(Info(number, value & 0xFF if form == BVAL else value, b""))
        else:
            raise FormatError(
                f"attribute {number:#x} of unknown format {form}",
                artifact=artifact,
                place=f"{place}+{position - 4:#x}",
            )
    if position < end:
        raise FormatError("an attribute is cut", artifact=artifact, place=f"{place}+{position:#x}")
    return found


def words(info: Info) -> tuple[int, ...]:
    """The value as u32 words; bytes that make no whole word are left out."""
    return struct.unpack_from(f"<{len(info.content) // 4}I", info.content)


def triple(info: Info) -> tuple[int, int, int] | None:
    """The value as three u32 (a block or cluster size), None if it is shorter."""
    found = words(info)
    return (found[0], found[1], found[2]) if len(found) >= 3 else None
