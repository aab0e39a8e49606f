"""Tables on disk: a magic, the SHA-256 of the rest, and a zstd frame of msgpack.

A table of mnemonics is stored by columns, what was learned of operands as records.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, TypeVar

import msgspec
import zstandard

from sassay.errors import FormatError
from sassay.isa.sass.tables.columns import StoredTable, TableColumns, columns_of
from sassay.isa.sass.tables.record import SCHEMA, OperandRecord, TableIndex, TableRecord

if TYPE_CHECKING:
    from pathlib import Path

MAGIC = b"SASSTAB1"
SUFFIX = ".sasstable"
OPERAND_SUFFIX = ".sassoperands"
INDEX_NAME = "index.json"
MAX_BYTES = 16 << 20
"""Bound of an unpacked table; the shipped ones need four megabytes."""
_LEVEL = 19
_DIGEST_BYTES = 32

Stored = TypeVar("Stored", StoredTable, OperandRecord)


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


def write_table(table: TableRecord | OperandRecord, path: Path) -> int:
    """Write a table; equal tables give equal bytes. Returns the size of the file."""
    stored = columns_of(table).stored if isinstance(table, TableRecord) else table
    packed = zstandard.ZstdCompressor(level=_LEVEL).compress(msgspec.msgpack.encode(stored))
    data = MAGIC + hashlib.sha256(packed).digest() + packed
    path.write_bytes(data)
    return len(data)


def read_table(data: bytes, *, artifact: str) -> TableColumns:
    """Read a table of mnemonics.

    Raises:
        FormatError: if it is no table, damaged, or of another schema.
    """
    stored = _read(data, StoredTable, artifact)
    try:
        return TableColumns(stored)
    except FormatError as error:
        raise FormatError(f"the table is damaged: {error}", artifact=artifact) from error


def read_operands(data: bytes, *, artifact: str) -> OperandRecord:
    """Read a table of operands.

    Raises:
        FormatError: if it is no table, damaged, or of another schema.
    """
    return _read(data, OperandRecord, artifact)


def _read(data: bytes, kind: type[Stored], artifact: str) -> Stored:
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
