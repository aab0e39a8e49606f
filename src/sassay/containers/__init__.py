"""Bytes of ELF, fatbin, cubin, zip, tar and ar files, bounds-checked and bounded by `limits`."""

from __future__ import annotations

from sassay.containers import limits
from sassay.containers.archive import walk_archive
from sassay.containers.cubin import Cubin, CubinFunction, CubinKernel, read_cubin
from sassay.containers.elf import Elf, read_elf
from sassay.containers.fatbin import FatbinEntry, find_fatbins
from sassay.containers.mapped import map_file
from sassay.containers.member import Member
from sassay.containers.sniff import Format, sniff

__all__ = [
    "Cubin",
    "CubinFunction",
    "CubinKernel",
    "Elf",
    "FatbinEntry",
    "Format",
    "Member",
    "find_fatbins",
    "limits",
    "map_file",
    "read_cubin",
    "read_elf",
    "sniff",
    "walk_archive",
]
