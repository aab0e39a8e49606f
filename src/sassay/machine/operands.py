"""Operands of an instruction, parsed. Source: PTX ISA, "Instruction Operands", "Constants"."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from sassay.machine.errors import MissingForm

_NAME = re.compile(r"[A-Za-z_$%][\w$]*(?:\.[xyzwrgba])?", re.ASCII)
_INTEGER = re.compile(r"([+-]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|\d+)U?", re.ASCII)
_FLOAT = re.compile(r"([+-]?)(?:0[fF]([0-9a-fA-F]{8})|0[dD]([0-9a-fA-F]{16}))", re.ASCII)
_DECIMAL = re.compile(r"[+-]?\d+\.\d*(?:[eE][+-]?\d+)?|[+-]?\d+[eE][+-]?\d+", re.ASCII)
_ADDRESS = re.compile(r"([^+\-][^+\-]*)?((?:[+-]+\w+)*)", re.ASCII)
_OFFSET = re.compile(r"([+-]+)(\w+)", re.ASCII)

MAX_OFFSET = 1 << 63


@dataclass(frozen=True)
class Name:
    """A register, symbol or label; `negated` where `!` stands before it."""

    text: str
    negated: bool = False


@dataclass(frozen=True)
class Number:
    """A constant: an integer, or a float."""

    value: int | float


@dataclass(frozen=True)
class Address:
    """`[base+offset]`; the base is a register, a symbol, or absent."""

    base: str | None
    offset: int


@dataclass(frozen=True)
class TensorPlace:
    """`[map, {c0, c1}]`: coordinates in a tensor."""

    address: Address
    coordinates: Operand


@dataclass(frozen=True)
class Vector:
    """`{a, b}`."""

    items: tuple[Operand, ...]


@dataclass(frozen=True)
class Pair:
    """`p|q`: two destinations."""

    first: Name
    second: Name


@dataclass(frozen=True)
class Group:
    """`(a, b)`: arguments of a call."""

    items: tuple[Operand, ...]


Operand = Name | Number | Address | TensorPlace | Vector | Pair | Group

SINK = "_"
"""The destination that drops what is written."""


def split(text: str) -> list[str]:
    """Splits at the commas outside brackets."""
    parts, depth, start = [], 0, 0
    for index, character in enumerate(text):
        if character in "[{(":
            depth += 1
        elif character in "]})":
            depth -= 1
        elif character == "," and depth == 0:
            parts.append(text[start:index].strip())
            start = index + 1
    last = text[start:].strip()
    return [*parts, last] if last or parts else []


def integer(text: str) -> int | None:
    """An integer constant; a leading zero means octal, None if it is something else."""
    match = _INTEGER.fullmatch(text)
    if match is None:
        return None
    digits = match[2]
    octal = len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
    if octal and not set(digits) <= set("01234567"):
        return None
    value = int(digits, 8) if octal else int(digits, 0)
    return -value if match[1] == "-" else value


def number(text: str) -> int | float | None:
    """A constant of any kind, None if it is something else."""
    match = _FLOAT.fullmatch(text)
    if match:
        packed = bytes.fromhex(match[2] or match[3])
        value: float = struct.unpack(">f" if match[2] else ">d", packed)[0]
        return -value if match[1] == "-" else value
    if _DECIMAL.fullmatch(text):
        return float(text)
    return integer(text)


def _address(text: str) -> Address:
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise MissingForm(f"address [{text}]")
    base, offset = match[1], 0
    for sign, digits in _OFFSET.findall(match[2] or ""):
        value = integer(digits)
        if value is None:
            raise MissingForm(f"address [{text}]")
        offset += -value if sign.count("-") % 2 else value
    if base is not None and (value := integer(base)) is not None:
        base, offset = None, offset + value
    if abs(offset) >= MAX_OFFSET:
        raise MissingForm(f"address [{text}]")
    return Address(base, offset)


def parse_operand(text: str) -> Operand:
    """One operand.

    Raises:
        MissingForm: It is of a kind that the machine does not know.
    """
    if text.startswith("[") and text.endswith("]"):
        parts = split(text[1:-1])
        if len(parts) == 2:
            return TensorPlace(_address(parts[0]), parse_operand(parts[1]))
        return _address(text[1:-1])
    if text.startswith("{") and text.endswith("}"):
        return Vector(tuple(map(parse_operand, split(text[1:-1]))))
    if text.startswith("(") and text.endswith(")"):
        return Group(tuple(map(parse_operand, split(text[1:-1]))))
    if "|" in text:
        first, _, second = text.partition("|")
        if _NAME.fullmatch(first) and _NAME.fullmatch(second):
            return Pair(Name(first), Name(second))
    negated = text.startswith("!")
    plain = text[1:] if negated else text
    if plain == "WARP_SZ":
        return Number(32)
    if _NAME.fullmatch(plain):
        return Name(plain, negated)
    value = number(text)
    if value is None:
        raise MissingForm(f"operand {text}")
    return Number(value)


def parse_operands(text: str) -> list[Operand]:
    """The operands of an instruction.

    Raises:
        MissingForm: One is of a kind that the machine does not know.
    """
    return [parse_operand(part) for part in split(text)]
