"""Whether two kernels are the same up to a consistent renaming of registers.

Works on what nvdisasm prints. Each class of registers (R, UR, P, UP, convergence barriers B,
scoreboards SB) must map one to one over the whole kernel; RZ, URZ, PT and UPT have no number and
stay. An operand that spans several registers prints only its first, so the others are held to the
same distance wherever they are named themselves.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

REGISTER = re.compile(r"(?<![\w.])(UR|UP|SB|R|P|B)(\d+)(\.64)?(?!\w)")
"""Class, number and `.64` of a printed register; `R2.B1` names a byte and no barrier."""
_MATRIX = re.compile(r"(?:H|I|D|B|Q|O)G?MMA")
_SHAPE = re.compile(r"\.(\d+)x(\d+)x\d+")
_DOUBLE = {"DADD", "DMUL", "DFMA", "DSETP", "DMNMX", "FADD2", "FMUL2"}
_COUNT = re.compile(r"\.M88\.(?:\w+\.)?(\d)\b|\.x(\d+)\b")


class _Classes:
    """The mapping so far, per register class, in both directions."""

    def __init__(self) -> None:
        self._forth: dict[tuple[str, int], int] = {}
        self._back: dict[tuple[str, int], int] = {}

    def pair(self, kind: str, before: int, after: int) -> bool:
        """Record that one register became another; False if that contradicts the rest."""
        return (
            self._forth.setdefault((kind, before), after) == after
            and self._back.setdefault((kind, after), before) == before
        )

    def follows(self, kind: str, before: int, after: int) -> bool:
        """Whether a pair contradicts nothing that is named anywhere in the kernel."""
        return (
            self._forth.get((kind, before), after) == after
            and self._back.get((kind, after), before) == before
        )


def renamed(before: Sequence[str], after: Sequence[str]) -> bool:
    """Whether `after` is `before` with other register names.

    Args:
        before: What nvdisasm prints for each instruction.
        after: The same of the other kernel.
    """
    if len(before) != len(after):
        return False
    classes = _Classes()
    spans: set[tuple[str, int, int, int]] = set()
    for one, other in dict.fromkeys(zip(before, after, strict=True)):
        pairs = renamed_operands(one, other)
        if pairs is None:
            return False
        for kind, old, new, width in pairs:
            if not classes.pair(kind, old, new):
                return False
            if width > 1:
                spans.add((kind, old, new, width))
    return all(
        classes.follows(kind, old + step, new + step)
        for kind, old, new, width in spans
        for step in range(1, width)
    )


def renamed_operands(before: str, after: str) -> list[tuple[str, int, int, int]] | None:
    """The registers of one printed instruction beside those of another.

    Returns:
        Class, both numbers and width in registers of each; None where the two differ otherwise.
    """
    left, right = before.replace(".reuse", ""), after.replace(".reuse", "")
    if REGISTER.sub(r"\1\3", left) != REGISTER.sub(r"\1\3", right):
        return None
    pairs = zip(operands(left), operands(right), strict=True)
    return [(kind, old, new, width) for (kind, old, width), (_, new, _) in pairs]


def operands(text: str) -> Iterator[tuple[str, int, int]]:
    """Class, number and width in registers of every register that a printed instruction names."""
    guard, opcode, rest = split(text)
    for match in REGISTER.finditer(guard):
        yield match[1], int(match[2]), 1
    found = list(REGISTER.finditer(rest))
    for index, match in enumerate(found):
        width = 1
        if match[3] or rest[: match.start()].endswith("desc["):
            width = 2
        elif match[1] in {"R", "UR"}:
            inside = rest.count("[", 0, match.start()) > rest.count("]", 0, match.start())
            width = 1 if inside else _width(opcode, index, len(found))
        yield match[1], int(match[2]), width


def split(text: str) -> tuple[str, str, str]:
    """Guard, mnemonic and operands of a printed instruction."""
    guard = ""
    if text.startswith("@"):
        guard, _, text = text.partition(" ")
        text = text.lstrip()
    opcode, _, rest = text.partition(" ")
    return guard, opcode, rest


def _width(opcode: str, index: int, count: int) -> int:
    """Registers that one operand spans, by mnemonic and place."""
    first, third, last, rest = operand_widths(opcode)
    if index == 0:
        return first
    if index == 2 and third:
        return third
    return last if index == count - 1 else rest


@lru_cache(maxsize=1 << 16)
def operand_widths(opcode: str) -> tuple[int, int, int, int]:
    """Registers that operands of a mnemonic span, at least what they really do.

    Returns:
        For the first, the third (0: it is as any other), the last, and any other.
    """
    parts = opcode.split(".")
    if _MATRIX.fullmatch(parts[0]):
        if shape := _SHAPE.search(opcode):
            # A warpgroup's tile of M x N spreads over 128 threads.
            return (max(1, int(shape[1]) * int(shape[2]) // 128), 4, 4, 4)
        return (4, 2, 4, 4)  # the accumulators, A, B, and the addend
    if listed := _COUNT.search(opcode):
        return _all(int(listed[1] or listed[2]))
    if "128" in parts:
        return _all(4)
    if "WIDE" in parts:
        return (2, 0, 2, 1)
    wide = {"64", "F64", "S64", "U64", "F32x2"} & set(parts)
    if wide or (parts[0] == "CS2R" and "32" not in parts) or parts[0] in _DOUBLE:
        return _all(2)
    return _all(1)


def _all(width: int) -> tuple[int, int, int, int]:
    return (width, 0, width, width)
