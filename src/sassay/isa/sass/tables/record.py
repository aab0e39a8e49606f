"""A table as records: what was learned of one family of architectures, and from whom.

Nothing but facts is in it: which bits of a word decide, and which mnemonic each combination of them
has. How it lies on disk is said in `files`.
"""

from __future__ import annotations

import msgspec

from sassay.isa.sass.shape import Shape

NO_SHAPE = 0xFFFF
SCHEMA = 2
"""Of tables and of what is learned of operands, as they lie on disk."""


class ConditionRecord(msgspec.Struct, frozen=True, array_like=True):
    """Whether bits `start` to `start + width - 1` hold one of `values`: one bit of the index."""

    start: int
    width: int
    values: tuple[int, ...]


class OpcodeRecord(msgspec.Struct, frozen=True, array_like=True):
    """One value of the low 12 bits.

    Attributes:
        key: That value.
        fixed_mask: Low and high half of the bits that must be as in `fixed_value`.
        fixed_value: Low and high half.
        bits: The deciding bits (12 to 104), lowest bit of the index first.
        conditions: Their truths are the next bits of the index.
        indices: The known indices, ascending, as little-endian u32.
        names: For each of them, the place of its mnemonic in `TableRecord.names`, likewise.
        reuse: For each of them, the `.reuse` flags that it accepts, one byte of four bits.
    """

    key: int
    fixed_mask: tuple[int, int]
    fixed_value: tuple[int, int]
    bits: tuple[int, ...]
    conditions: tuple[ConditionRecord, ...]
    indices: bytes
    names: bytes
    reuse: bytes


class TableRecord(msgspec.Struct, frozen=True):
    """The opcodes of one family of architectures.

    Attributes:
        schema: `SCHEMA`.
        archs: The architectures that it holds for, sorted.
        taught_by: The version of the nvdisasm that gave every answer.
        names: The mnemonics.
        opcodes: By key.
    """

    schema: int
    archs: tuple[str, ...]
    taught_by: str
    names: tuple[str, ...]
    opcodes: tuple[OpcodeRecord, ...]


class OpcodeShapes(msgspec.Struct, frozen=True, array_like=True):
    """Which shape the words of one opcode have.

    Attributes:
        key: Value of the low 12 bits.
        bits: Those that choose, lowest bit of the index first.
        places: For each index, the place of its shape in `OperandRecord.shapes`, as little-endian
            u16; `NO_SHAPE` where none was learned.
    """

    key: int
    bits: tuple[int, ...]
    places: bytes


class OperandRecord(msgspec.Struct, frozen=True):
    """Where the words of one family of architectures hold registers.

    Attributes:
        schema: `SCHEMA`.
        archs: The architectures that it holds for, sorted.
        taught_by: The version of the nvdisasm that gave every answer.
        shapes: Each different one once, sorted.
        opcodes: By key.
    """

    schema: int
    archs: tuple[str, ...]
    taught_by: str
    shapes: tuple[Shape, ...]
    opcodes: tuple[OpcodeShapes, ...]


class TableIndex(msgspec.Struct, frozen=True):
    """Which file holds for which architecture.

    Attributes:
        leaders: By architecture, the stem of the file's name.
        taught_by: By that stem, the version of the nvdisasm that gave the answers.
    """

    leaders: dict[str, str]
    taught_by: dict[str, str]
