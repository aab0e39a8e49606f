"""Typed attributes of `.nv.info` sections (EIATTR), as ptxas writes them.

An attribute is a format byte, a number byte, and a value: EIFMT_NVAL (1) none, EIFMT_BVAL (2) one
byte, EIFMT_HVAL (3) a u16, each in two bytes; EIFMT_SVAL (4) a u16 size and so many bytes. Names
and numbers are those that `cuobjdump -elf` and nvdisasm print.
"""

from __future__ import annotations

import struct
import sys
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
_PAIR = struct.Struct("<III")
"""The head of an attribute of 8 bytes, the index of a symbol, and a number."""
_TOTALS = {
    int.from_bytes((SVAL, number, 8, 0), "little"): int(number)
    for number in (Attribute.REGCOUNT, Attribute.FRAME_SIZE, Attribute.MIN_STACK_SIZE)
}
_PARAMETER = int.from_bytes((SVAL, Attribute.KPARAM_INFO, 12, 0), sys.byteorder)
_PARAMETER_WORDS = 4
_STEPS: dict[int, int] = {}
_MOST_STEPS = 4096
"""Of so many heads `_step` is kept; real files know some hundred."""
_BEYOND = 1 << 32
"""More words than a section has: what follows a head that no rule knows."""


class Info(NamedTuple):
    """One attribute: its number, and its value as bytes (SVAL) or as a number (the others)."""

    number: int
    value: int
    content: bytes


def read_info(content: bytes | memoryview, *, artifact: str, place: str) -> list[Info]:
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


def read_totals(data: bytes) -> dict[int, dict[int, int]] | None:
    """Registers, frame and stack of every function, out of `.nv.info`.

    Returns:
        Numbers by index of the symbol, by attribute. None where the section holds anything else
        but what sassay reads of every function: `read_info` may still know all of it.
    """
    if len(data) % _PAIR.size:
        return None
    found: dict[int, dict[int, int]] = {head: {} for head in _TOTALS}
    try:
        for head, symbol, value in _PAIR.iter_unpack(data):
            found[head][symbol] = value
    except KeyError:
        return None
    return {_TOTALS[head]: numbers for head, numbers in found.items()}


def read_part(data: bytes) -> bytes | None:
    """The attributes of one section that sassay reads, as they lie in it, one behind the other.

    What `read_info` says of them it says of the section: a kernel's section tells mostly of places
    in its code, and without them those of thousands of kernels are a few hundred.

    Returns:
        None where they do not follow each other up to the end: `read_info` tells why.
    """
    if len(data) % _HEAD.size:
        return None
    words = memoryview(data).cast("I")
    kept: list[bytes] = []
    place, end = 0, len(words)
    step_of = _STEPS.get
    while place < end:
        head = words[place]
        step = step_of(head) or _step(head)
        if step > 0:
            place += step
            continue
        start, place = place, place - step
        if head == _PARAMETER:  # one for each parameter, side by side
            while place < end and words[place] == head:
                place += _PARAMETER_WORDS
        kept.append(data[start * _HEAD.size : place * _HEAD.size])
    return b"".join(kept) if place == end else None


def _step(head: int) -> int:
    """Words from the head of one attribute to the next one; negative for those that are read."""
    step: int
    form, number, value = _HEAD.unpack(head.to_bytes(_HEAD.size, sys.byteorder))
    if form == SVAL:
        step = 1 + (value + 3) // 4
    elif form in _SHORT:
        step = 1
    else:
        return _BEYOND
    if number in _READ:
        step = -step
    if len(_STEPS) < _MOST_STEPS:
        _STEPS[head] = step
    return step


def words(info: Info) -> tuple[int, ...]:
    """The value as u32 words; bytes that make no whole word are left out."""
    return struct.unpack_from(f"<{len(info.content) // 4}I", info.content)


def triple(info: Info) -> tuple[int, int, int] | None:
    """The value as three u32 (a block or cluster size), None if it is shorter."""
    found = words(info)
    return (found[0], found[1], found[2]) if len(found) >= 3 else None
