"""Atomics on vectors as atomics on their elements: each element is atomic, the vector is not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from sassay.machine.errors import MissingForm
from sassay.machine.operands import split
from sassay.machine.types import TYPES

if TYPE_CHECKING:
    from sassay.isa.ptx.syntax import Instruction

_VECTOR = re.compile(r"\.v([248])(?=\.)", re.ASCII)


def elements(each: Instruction) -> list[Instruction]:
    """The atomics of a vector's elements, in order; the instruction itself if it has no vector.

    Raises:
        MissingForm: It has not as many registers as its vector has elements.
    """
    found = _VECTOR.search(each.opcode)
    kind = each.opcode.rsplit(".", 1)[-1]
    if found is None or kind not in TYPES:
        return [each]
    count, width = int(found[1]), TYPES[kind].bits // 8
    opcode = _VECTOR.sub("", each.opcode, count=1)
    parts = split(each.operands)
    columns = []
    for part in parts:
        if part.startswith("{"):
            columns.append(split(part.strip("{}")))
        elif part.startswith("["):
            columns.append([f"{part[:-1]}+{width * at}]" for at in range(count)])
        else:
            columns.append([part] * count)
        if len(columns[-1]) != count:
            raise MissingForm(f"{each.opcode} of {len(columns[-1])} registers")
    return [
        msgspec.structs.replace(each, opcode=opcode, operands=", ".join(row))
        for row in zip(*columns, strict=True)
    ]
