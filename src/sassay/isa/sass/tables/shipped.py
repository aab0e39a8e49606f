"""The tables that come with sassay."""

from __future__ import annotations

from functools import cache
from importlib import resources

from sassay.isa.sass.tables.decoder import TableDecoder
from sassay.isa.sass.tables.record import SUFFIX, TableRecord, read_table

_DATA = "data"


@cache
def _shipped() -> dict[str, TableRecord]:
    found: dict[str, TableRecord] = {}
    folder = resources.files(__package__).joinpath(_DATA)
    if not folder.is_dir():
        return {}
    for file in sorted(folder.iterdir(), key=lambda item: item.name):
        if file.name.endswith(SUFFIX):
            table = read_table(file.read_bytes(), artifact=file.name)
            found.update(dict.fromkeys(table.archs, table))
    return found


@cache
def _decoder(leader: str) -> TableDecoder:
    return TableDecoder(_shipped()[leader])


def shipped_archs() -> tuple[str, ...]:
    """The architectures that have a table, sorted."""
    return tuple(sorted(_shipped()))


def shipped_table(arch: str) -> TableRecord:
    """The table of an architecture as it lies on disk.

    Raises:
        KeyError: if there is none.
        FormatError: if the file of a table is damaged.
    """
    return _shipped()[arch]


def decoder_for(arch: str) -> TableDecoder | None:
    """The decoder of an architecture (`sm_90a`); None where there is no table.

    Architectures of one family share one decoder, which is laid out when first asked for.

    Raises:
        FormatError: if the file of a table is damaged.
    """
    table = _shipped().get(arch)
    return _decoder(table.archs[0]) if table else None
