"""One line of a code listing, the record that both layers share."""

from __future__ import annotations

import msgspec

from sassay.model.artifact import SourceLocation


class ListingLine(msgspec.Struct, frozen=True):
    """One instruction as a listing shows it.

    Attributes:
        offset: Byte offset in the code section (SASS) or line in the module, from 1 (PTX).
        opcode: Opcode as a census counts it.
        text: The instruction as a person reads it.
        key: What alignment compares: branch targets as deltas in instructions, addresses and the
            names of parameters normalized, registers as they are.
        location: Source line, where a line table or `.loc` names one.
    """

    offset: int
    opcode: str
    text: str
    key: str
    location: SourceLocation | None = None
