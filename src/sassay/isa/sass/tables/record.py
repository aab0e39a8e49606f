"""A table as it lies on disk: what was learned of one family of architectures, and from whom.

A file is a magic, the SHA-256 of the rest, and a zstd frame of msgpack. Nothing but facts is in
it: which bits of a word decide, and which mnemonic each combination of them has.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, TypeVar

import msgspec
import zstandard

from sassay.errors import FormatError
from sassay.isa.sass.shape import Shape

if TYPE_CHECKING:
    from pathlib import Path

MAGIC = b"SASSTAB1"
SUFFIX = ".sasstable"
OPERAND_SUFFIX = ".sassoperands"
INDEX_NAME = "index.json"
NO_SHAPE = 0xFFFF
SCHEMA = 1
MAX_BYTES = 16 << 20
"""Bound of an unpacked table; the shipped ones need well under a megabyte."""
_LEVEL = 19
_DIGEST_BYTES = 32


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


def write_index(folder: Path) -> None:
    """Write the index of the tables in a folder."""
    leaders: dict[str, str] = {}
    taught: dict[str, str] = {}
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        table = read_table(path.read_bytes(), artifact=path.name)
        taught[path.stem] = table.taught_by
        leaders |= dict.fromkeys(table.archs, path.stem)
    index = TableIndex(dict(sorted(leaders.items())), dict(sorted(taught.items())))
    text = msgspec.json.format(msgspec.json.encode(index), indent=1)
    (folder / INDEX_NAME).write_bytes(text + b"\n")


Record = TypeVar("Record", TableRecord, OperandRecord)


def write_table(table: TableRecord | OperandRecord, path: Path) -> int:
    """Write a table; equal tables give equal bytes. Returns the size of the file."""
    packed = zstandard.ZstdCompressor(level=_LEVEL).compress(msgspec.msgpack.encode(table))
    data = MAGIC + hashlib.sha256(packed).digest() + packed
    path.write_bytes(data)
    return len(data)


def read_table(data: bytes, *, artifact: str) -> TableRecord:
    """Read a table of mnemonics.

    Raises:
        FormatError: if it is no table, damaged, or of another schema.
    """
    return _read(data, TableRecord, artifact)


def read_operands(data: bytes, *, artifact: str) -> OperandRecord:
    """Read a table of operands.

    Raises:
        FormatError: if it is no table, damaged, or of another schema.
    """
    return _read(data, OperandRecord, artifact)


def _read(data: bytes, kind: type[Record], artifact: str) -> Record:
    start = len(MAGIC) + _DIGEST_BYTES
    if data[: len(MAGIC)] != MAGIC:
        raise FormatError("no table of SASS opcodes", artifact=artifact, place="offset 0")
    if hashlib.sha256(data[start:]).digest() != data[len(MAGIC) : start]:
        raise FormatError("the table's checksum does not hold", artifact=artifact)
    try:
        unpacked = zstandard.ZstdDecompressor().decompress(data[start:], max_output_size=MAX_BYTES)
        table = msgspec.msgpack.decode(unpacked, type=kind)
    except (zstandard.ZstdError, msgspec.MsgspecError) as error:
        raise FormatError(f"the table cannot be read: {error}", artifact=artifact) from error
    if table.schema != SCHEMA:
        raise FormatError(
            f"the table has schema {table.schema}, expected {SCHEMA}", artifact=artifact
        )
    return table
