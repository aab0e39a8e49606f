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

import struct
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from sassay.containers.digest import packed
from sassay.containers.notes import OLD_ABI
from sassay.containers.nvinfo import Attribute, read_info, read_totals
from sassay.model.kernel import Resources

if TYPE_CHECKING:
    from sassay.containers.elf import Elf, Section
    from sassay.containers.kernel_sections import KernelSections

_GLOBAL_INFO = ".nv.info"
_PAIR = struct.Struct("<II")
"""The index of a symbol, and a number."""
# Members of an enumeration are looked up slowly.
_REGISTERS, _FRAME, _STACK = map(
    int, (Attribute.REGCOUNT, Attribute.FRAME_SIZE, Attribute.MIN_STACK_SIZE)
)


class SymbolTotals(msgspec.Struct, frozen=True):
    """What `.nv.info` says of every function, by index in the symbol table."""

    registers: dict[int, int]
    frame: dict[int, int]
    stack: dict[int, int]


def symbol_totals(elf: Elf) -> SymbolTotals:
    """Reads the attributes of `.nv.info` that come once for each function.

    Raises:
        FormatError: The section does not follow its format.
    """
    section = elf.by_name.get(_GLOBAL_INFO)
    if section is None:
        return SymbolTotals({}, {}, {})
    data = bytes(elf.content(section))
    totals = read_totals(data)
    if totals is None:
        totals = {_REGISTERS: {}, _FRAME: {}, _STACK: {}}
        place = f"section {section.name}, offset {section.offset:#x}"
        for info in read_info(data, artifact=elf.artifact, place=place):
            if info.number in totals and len(info.content) >= _PAIR.size:
                symbol, value = _PAIR.unpack_from(info.content)
                totals[info.number][symbol] = value
    return SymbolTotals(totals[_REGISTERS], totals[_FRAME], totals[_STACK])


def resources_of(
    elf: Elf,
    *,
    symbol: str,
    index: int,
    text: Section,
    barriers: int | None,
    totals: SymbolTotals,
    sections: KernelSections,
) -> tuple[Resources, bytes]:
    """The resources of one kernel, and what `digest.packed` makes of them.

    The spill fields stay None.

    Args:
        elf: The cubin.
        symbol: The kernel.
        index: Its index in the symbol table.
        text: Its code section.
        barriers: What its own attributes say.
        totals: What `symbol_totals` read.
        sections: The sections of all kernels.
    """
    registers = totals.registers.get(index)
    if elf.abi <= OLD_ABI:
        if barriers is None:
            barriers = text.flags >> 20 & 0x7F
        if registers is None:
            registers = text.info >> 24
    return _record((
        registers,
        sections.shared_bytes.get(symbol, 0),
        totals.stack.get(index, totals.frame.get(index)),
        sections.local_bytes.get(symbol, 0),
        sections.parameter_bytes.get(symbol, 0),
        # ABI 8 leaves the attribute out where there are none.
        barriers or 0,
    ))  # fmt: skip


@lru_cache(maxsize=4096)
def _record(
    values: tuple[int | None, int, int | None, int, int, int],
) -> tuple[Resources, bytes]:
    """One record, and its bytes, for all kernels that need the same."""
    registers, shared, stack, local, constant, barriers = values
    found = Resources(
        registers=registers,
        shared_bytes=shared,
        static_shared_bytes=shared,
        stack_bytes=stack,
        local_bytes=local,
        constant_bytes=constant,
        barriers=barriers,
    )
    return found, packed(found)
