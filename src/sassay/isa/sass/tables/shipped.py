"""The tables that come with sassay.

An index beside them says which file holds for which architecture, so that only the files of
architectures that are asked for are read.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sassay.errors import FormatError
from sassay.isa.sass.tables.decoder import TableDecoder
from sassay.isa.sass.tables.files import (
    INDEX_NAME,
    OPERAND_SUFFIX,
    SUFFIX,
    read_operands,
    read_table,
)
from sassay.isa.sass.tables.operands import OperandDecoder
from sassay.isa.sass.tables.record import OperandRecord, TableIndex, TableRecord

if TYPE_CHECKING:
    from sassay.isa.sass.tables.columns import TableColumns

_DATA = Path(__file__).with_name("data")


@cache
def _index() -> TableIndex:
    file = _DATA / INDEX_NAME
    if not file.is_file():
        return TableIndex({}, {})
    try:
        return msgspec.json.decode(file.read_bytes(), type=TableIndex)
    except msgspec.MsgspecError as error:
        message = f"the index of tables cannot be read: {error}"
        raise FormatError(message, artifact=INDEX_NAME) from error


def _read(name: str) -> bytes:
    return (_DATA / name).read_bytes()


def shipped_columns(leader: str) -> TableColumns:
    """The table that is named after an architecture, as it lies on disk.

    Raises:
        FormatError: if the file is damaged.
        OSError: if there is none.
    """
    name = f"{leader}{SUFFIX}"
    return read_table(_read(name), artifact=name)


@cache
def _table(leader: str) -> TableRecord:
    return shipped_columns(leader).record()


@cache
def _decoder(leader: str) -> TableDecoder:
    return TableDecoder(shipped_columns(leader))


@cache
def _operand_record(leader: str) -> OperandRecord | None:
    name = f"{leader}{OPERAND_SUFFIX}"
    if not (_DATA / name).is_file():
        return None
    return read_operands(_read(name), artifact=name)


@cache
def _operands(leader: str) -> OperandDecoder | None:
    record = _operand_record(leader)
    return OperandDecoder(record) if record is not None else None


def shipped_archs() -> tuple[str, ...]:
    """The architectures that have a table, sorted."""
    return tuple(sorted(_index().leaders))


def shipped_leader(arch: str) -> str:
    """The architecture that the table of an architecture is named after.

    Raises:
        KeyError: if there is none.
    """
    return _index().leaders[arch]


def taught_by(arch: str) -> str | None:
    """The version of the nvdisasm that taught an architecture's table; None: there is none."""
    leader = _index().leaders.get(arch)
    return _index().taught_by[leader] if leader else None


def shipped_table(arch: str) -> TableRecord:
    """The table of an architecture as records.

    Raises:
        KeyError: if there is none.
        FormatError: if the file of a table is damaged.
    """
    return _table(_index().leaders[arch])


def shipped_operands(arch: str) -> OperandRecord | None:
    """What was learned of the operands of an architecture, as it lies on disk.

    Raises:
        FormatError: if the file is damaged.
    """
    leader = _index().leaders.get(arch)
    return _operand_record(leader) if leader else None


def decoder_for(arch: str) -> TableDecoder | None:
    """The decoder of an architecture (`sm_90a`); None where there is no table.

    Architectures of one family share one decoder, which is laid out when first asked for.

    Raises:
        FormatError: if the file of a table is damaged.
    """
    leader = _index().leaders.get(arch)
    return _decoder(leader) if leader else None


def operands_for(arch: str) -> OperandDecoder | None:
    """What was learned of the operands of an architecture; None where nothing was.

    Raises:
        FormatError: if the file is damaged.
    """
    leader = _index().leaders.get(arch)
    return _operands(leader) if leader else None
