"""What one printed instruction shows of its registers, and what differs between two."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from sassay.isa.sass.raw import TARGET_MARK
from sassay.isa.sass.renaming import REGISTER, split
from sassay.isa.sass.shape import CLASSES, Form, Kind
from sassay.isa.sass.store import mnemonic

_TARGET = re.compile(TARGET_MARK + r"[+-]0x[0-9a-f]+")
_CONSTANT = re.compile(r"c\[(0x[0-9a-f]+)\]\[([^\]]*)\]")
_NUMBER = re.compile(
    r"\+?-?(?:0x[0-9a-f]+|\d+(?:\.\d+)?(?:e[+-]?\d+)?)|[+-]?(?:INF|Q?NAN)\b", re.IGNORECASE
)


_PLACES = {name: place for place, name in enumerate(CLASSES)}


class Register(NamedTuple):
    """One register as it is printed."""

    register_class: int
    number: int
    form: Form


class Printed(NamedTuple):
    """A printed instruction.

    Attributes:
        text: Without `.reuse`.
        skeleton: The text without the numbers of registers.
        registers: In printed order.
    """

    text: str
    skeleton: str
    registers: tuple[Register, ...]


def read(text: str) -> Printed:
    """Take a printed instruction apart."""
    text = text.replace(".reuse", "")
    guard, opcode, operands = split(text)
    found: list[Register] = []
    pieces: list[str] = []
    done = 0
    for match in REGISTER.finditer(guard):
        found.append(Register(_PLACES[match[1]], int(match[2]), Form.GUARD))
        pieces += (guard[done : match.start(2)], "#")
        done = match.end(2)
    pieces += (guard[done:], " ", opcode, " ")
    done = 0
    for match in REGISTER.finditer(operands):
        start = match.start()
        form = Form.PLAIN
        if match[3] or operands.endswith("desc[", 0, start):
            form = Form.PAIR
        elif operands.count("[", 0, start) > operands.count("]", 0, start):
            form = Form.ADDRESS
        found.append(Register(_PLACES[match[1]], int(match[2]), form))
        pieces += (operands[done : match.start(2)], "#")
        done = match.end(2)
    pieces.append(operands[done:])
    return Printed(text, "".join(pieces).strip(), tuple(found))


def difference(one: Printed, other: Printed) -> str:
    """The `Kind` of what differs, registers left aside; `NOTHING` where they are all there is."""
    if one.skeleton == other.skeleton:
        return Kind.NOTHING
    if mnemonic(one.text) != mnemonic(other.text):
        return Kind.MNEMONIC
    first, second = _parts(one.skeleton), _parts(other.skeleton)
    differing = [
        kind
        for kind, left, right in zip(_KINDS, first[1:], second[1:], strict=True)
        if left != right
    ]
    if first[0] != second[0] or len(differing) != 1:
        return Kind.OTHER
    return differing[0]


_KINDS = (Kind.BANK, Kind.OFFSET, Kind.TARGET, Kind.IMMEDIATE)


@lru_cache(maxsize=1 << 12)
def _parts(skeleton: str) -> tuple[str, list[str], list[str], list[str], list[str]]:
    """A skeleton without numbers; its banks, offsets, targets and immediates."""
    _, opcode, _ = split(skeleton)
    head, _, rest = skeleton.partition(opcode)
    banks = [match[1] for match in _CONSTANT.finditer(rest)]
    offsets = [_NUMBER.findall(match[2]) for match in _CONSTANT.finditer(rest)]
    rest = _CONSTANT.sub(lambda match: f"c[][{_NUMBER.sub('', match[2])}]", rest)
    targets = _TARGET.findall(rest)
    rest = _TARGET.sub("", rest)
    immediates = _NUMBER.findall(rest)
    text = f"{head}{opcode}{_NUMBER.sub('', rest)}"
    return text, banks, [number for part in offsets for number in part], targets, immediates
