"""What one printed instruction shows of its registers, and what differs between two."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sassay.isa.sass.raw import TARGET_MARK
from sassay.isa.sass.renaming import REGISTER, split
from sassay.isa.sass.shape import CLASSES, Form, Kind
from sassay.isa.sass.store import mnemonic

_TARGET = re.compile(TARGET_MARK + r"[+-]0x[0-9a-f]+")
_CONSTANT = re.compile(r"c\[(0x[0-9a-f]+)\]\[([^\]]*)\]")
_NUMBER = re.compile(
    r"\+?-?(?:0x[0-9a-f]+|\d+(?:\.\d+)?(?:e[+-]?\d+)?)|[+-]?(?:INF|Q?NAN)\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Register:
    """One register as it is printed."""

    register_class: int
    number: int
    form: Form


@dataclass(frozen=True)
class Printed:
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
    guard, _, operands = split(text)
    found = [
        Register(CLASSES.index(match[1]), int(match[2]), Form.GUARD)
        for match in REGISTER.finditer(guard)
    ]
    for match in REGISTER.finditer(operands):
        before = operands[: match.start()]
        form = Form.PLAIN
        if match[3] or before.endswith("desc["):
            form = Form.PAIR
        elif before.count("[") > before.count("]"):
            form = Form.ADDRESS
        found.append(Register(CLASSES.index(match[1]), int(match[2]), form))
    return Printed(text, REGISTER.sub(r"\1#\3", text), tuple(found))


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
