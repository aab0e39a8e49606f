"""Registers, memory, barriers and launch attributes of one entry function, read from its cubin.

Where each number comes from, checked against `cuobjdump -res-usage` for every kernel of
bitsandbytes 0.50.1 and 0.50.2, sm_60 to sm_120, and of Triton kernels. One difference: of cubins
before device linking cuobjdump prints STACK:0, where sassay tells the frame size.

* registers: `EIATTR_REGCOUNT` in `.nv.info`, else the high byte of the code section's `sh_info`;
* stack: `EIATTR_MIN_STACK_SIZE` in `.nv.info`, which covers what the kernel calls; before linking
  there is none yet, and `EIATTR_FRAME_SIZE` gives the kernel's own frame;
* static shared memory: the size of `.nv.shared.<symbol>`;
* local memory: the size of `.nv.local.<symbol>`;
* constant bank 0: the size of `.nv.constant0.<symbol>`;
* barriers: `EIATTR_NUM_BARRIERS`, else bits 20..26 of the code section's `sh_flags`.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sassay.containers.notes import OLD_ABI
from sassay.containers.nvinfo import Attribute, Info, read_info, triple
from sassay.model.kernel import Launch, Resources

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sassay.containers.elf import Elf, Section

_GLOBAL_INFO = ".nv.info"
_WARP = 32
_PAIR = struct.Struct("<II")
"""The index of a symbol, and a number."""
# Members of an enumeration are looked up slowly, and this is asked of every attribute.
_REQNTID = int(Attribute.REQNTID)
_MAX_THREADS = int(Attribute.MAX_THREADS)
_CTA_PER_CLUSTER = int(Attribute.CTA_PER_CLUSTER)
_NUM_BARRIERS = int(Attribute.NUM_BARRIERS)


@dataclass(frozen=True, slots=True)
class SymbolTotals:
    """What `.nv.info` says of every function, by index in the symbol table."""

    registers: dict[int, int] = field(default_factory=dict)
    frame: dict[int, int] = field(default_factory=dict)
    stack: dict[int, int] = field(default_factory=dict)


def symbol_totals(elf: Elf) -> SymbolTotals:
    """Reads the attributes of `.nv.info` that come once for each function.

    Raises:
        FormatError: The section does not follow its format.
    """
    totals = SymbolTotals()
    tables = {
        int(Attribute.REGCOUNT): totals.registers,
        int(Attribute.FRAME_SIZE): totals.frame,
        int(Attribute.MIN_STACK_SIZE): totals.stack,
    }
    for info in section_info(elf, elf.by_name.get(_GLOBAL_INFO)):
        table = tables.get(info.number)
        if table is not None and len(info.content) >= _PAIR.size:
            symbol, value = _PAIR.unpack_from(info.content)
            table[symbol] = value
    return totals


def section_info(elf: Elf, section: Section | None) -> Sequence[Info]:
    """The attributes of one `.nv.info*` section, none without a section."""
    if section is None:
        return ()
    place = f"section {section.name}, offset {section.offset:#x}"
    return read_info(elf.content(section), artifact=elf.artifact, place=place)


def launch_of(info: Iterable[Info]) -> Launch:
    """Launch attributes out of a kernel's own `.nv.info.<symbol>`."""
    block = max_block = cluster = None
    for item in info:
        if item.number == _REQNTID:
            block = triple(item)
        elif item.number == _MAX_THREADS:
            max_block = triple(item)
        elif item.number == _CTA_PER_CLUSTER:
            cluster = triple(item)
    threads = math.prod(block) if block else 0
    return Launch(
        block=block,
        max_block=max_block,
        cluster=cluster if cluster and any(cluster) else None,
        warps=-(-threads // _WARP) or None,
    )


def resources_of(
    elf: Elf, *, symbol: str, index: int, text: Section, info: Iterable[Info], totals: SymbolTotals
) -> Resources:
    """The resources of one kernel; the spill fields stay None.

    Args:
        elf: The cubin.
        symbol: The kernel.
        index: Its index in the symbol table.
        text: Its code section.
        info: Its own attributes.
        totals: What `symbol_totals` read.
    """
    barriers = next((i.value for i in info if i.number == _NUM_BARRIERS), None)
    if barriers is None:
        # ABI 8 leaves the attribute out where there are none.
        barriers = text.flags >> 20 & 0x7F if elf.abi <= OLD_ABI else 0
    registers = totals.registers.get(index)
    if registers is None and elf.abi <= OLD_ABI:
        registers = text.info >> 24
    shared = _size(elf, f".nv.shared.{symbol}")
    return Resources(
        registers=registers,
        shared_bytes=shared,
        static_shared_bytes=shared,
        stack_bytes=totals.stack.get(index, totals.frame.get(index)),
        local_bytes=_size(elf, f".nv.local.{symbol}"),
        constant_bytes=_size(elf, f".nv.constant0.{symbol}"),
        barriers=barriers,
    )


def _size(elf: Elf, name: str) -> int:
    section = elf.by_name.get(name)
    return section.size if section else 0
