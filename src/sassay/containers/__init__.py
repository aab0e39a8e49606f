"""Bytes of ELF, fatbin, cubin, zip, tar and ar files, bounds-checked and bounded by `limits`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.lazy import export

if TYPE_CHECKING:
    from sassay.containers import limits as limits
    from sassay.containers.archive import walk_archive as walk_archive
    from sassay.containers.cubin import Cubin as Cubin
    from sassay.containers.cubin import CubinFunction as CubinFunction
    from sassay.containers.cubin import CubinKernel as CubinKernel
    from sassay.containers.cubin import read_cubin as read_cubin
    from sassay.containers.elf import Elf as Elf
    from sassay.containers.elf import read_elf as read_elf
    from sassay.containers.fatbin import FatbinEntry as FatbinEntry
    from sassay.containers.fatbin import find_fatbins as find_fatbins
    from sassay.containers.mapped import map_file as map_file
    from sassay.containers.member import Member as Member
    from sassay.containers.sniff import Format as Format
    from sassay.containers.sniff import sniff as sniff

export(
    __name__,
    {
        ".archive": "walk_archive",
        ".cubin": "Cubin CubinFunction CubinKernel read_cubin",
        ".elf": "Elf read_elf",
        ".fatbin": "FatbinEntry find_fatbins",
        ".mapped": "map_file",
        ".member": "Member",
        ".sniff": "Format sniff",
    },
)
