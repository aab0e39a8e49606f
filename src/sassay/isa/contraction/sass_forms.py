"""What a mnemonic of SASS does with values, and how many registers it writes."""

from __future__ import annotations

import re
from enum import IntEnum
from functools import lru_cache


class Does(IntEnum):
    """What an instruction does with its operands."""

    OTHER = 0
    SUM = 1
    PRODUCT = 2
    FUSED = 3
    MOVE = 4
    """It moves, chooses, packs or widens: its result is made of bits of its operands."""


_HEADS = {
    **dict.fromkeys(
        ("FADD", "FADD32I", "FADD2", "HADD2", "HADD2_32I", "DADD", "UFADD", "FHADD"), Does.SUM
    ),
    **dict.fromkeys(("FMUL", "FMUL32I", "FMUL2", "HMUL2", "DMUL", "UFMUL"), Does.PRODUCT),
    **dict.fromkeys(
        ("FFMA", "FFMA32I", "FFMA2", "FHFMA", "HFMA2", "HFMA2_32I", "DFMA", "UFFMA"), Does.FUSED
    ),
    **dict.fromkeys(
        ("MOV", "UMOV", "SEL", "USEL", "FSEL", "R2UR", "PRMT", "UPRMT", "SHL", "USHL", "SHF"),
        Does.MOVE,
    ),
    **dict.fromkeys(("USHF", "LOP3", "ULOP3", "CS2R", "MOV32I", "LDL", "STL"), Does.MOVE),
}
_MOVES = re.compile(r"IMAD\.(?:MOV|U32|SHL)\b|F2F\.(?:F64\.F32|F32\.F16|F32\.BF16)")

PAIRED = frozenset({"FADD2", "FMUL2", "FFMA2"})
"""Two values of f32 in a pair of registers."""
DOUBLE = frozenset({"DADD", "DMUL", "DFMA"}) | PAIRED
"""Operands span two registers."""

_MATRIX = re.compile(r"(?:H|I|D|B|Q|O)G?MMA")
_TILE = re.compile(r"\.(\d+)x(\d+)x\d+")
_LISTED = re.compile(r"\.(?:x(\d+)|MT?88\.(?:\w+\.)?(\d))\b")
_LOADS = ("LD", "ATOM", "ULD", "SUATOM", "SULD")
_WIDTHS = {"256": 8, "128": 4, "64": 2}
_WIDE_TYPES = frozenset({"F64", "S64", "U64"})


@lru_cache(maxsize=8192)
def does(name: str) -> int:
    """A `Does`, as a number."""
    if _MOVES.match(name):
        return int(Does.MOVE)
    return int(_HEADS.get(name.partition(".")[0], Does.OTHER))


def is_matrix(name: str) -> bool:
    """Whether a mnemonic is one of a matrix multiplication."""
    return _MATRIX.match(name) is not None


@lru_cache(maxsize=8192)
def written_registers(name: str) -> int:
    """How many registers an instruction writes, from the one that it names.

    `sass.renaming.operand_widths` gives bounds for all operands; here the one that is written
    counts exactly, since what it does not write keeps its value.
    """
    head, *parts = name.split(".")
    if _MATRIX.fullmatch(head):
        return _matrix(head, name, parts)
    if listed := _LISTED.search(name):
        return int(listed[1] or listed[2])
    if head in DOUBLE or head == "DMNMX" or "WIDE" in parts:
        return 2
    if head == "F2I":
        return 2 if {"S64", "U64"} & set(parts) else 1
    if head == "I2F":
        return 2 if "F64" in parts else 1
    if head in {"F2F", "FRND"}:
        # The type that it converts to stands first.
        return 2 if next((part for part in parts if part[1:].isdigit()), "") in _WIDE_TYPES else 1
    if head == "CS2R":
        return 1 if "32" in parts else 2
    if head.startswith(_LOADS):
        return next((size for part, size in _WIDTHS.items() if part in parts), 1)
    return 2 if parts[-1:] == ["64"] else 1


def _matrix(head: str, name: str, parts: list[str]) -> int:
    kind = next((part for part in parts if part in {"F32", "F16"}), "")
    if tile := _TILE.search(name):
        return max(1, int(tile[1]) * int(tile[2]) // (256 if kind == "F16" else 128))
    if head == "DMMA":
        return 4 if "884" in parts else 8
    if head == "IMMA" and parts[:1] in (["8816"], ["8832"]):
        return 2
    return 2 if kind == "F16" else 4
