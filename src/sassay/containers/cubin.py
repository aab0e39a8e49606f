"""Cubins: ELF files for machine 190, read into kernels and device functions.

A kernel is a function symbol marked as entry (`STO_CUDA_ENTRY`, 0x10 of `st_other`) with a section
`.text.<symbol>`; any other `.text.<symbol>` is a device function. Both ELF flavours are read: ABI
7 (up to CUDA 12, sm_90 and older) and ABI 8.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sassay.containers import limits
from sassay.containers.arch import VOLTA, arch_name, arch_number
from sassay.containers.constants import ConstantBanks, constant_operands
from sassay.containers.digest import code_digest
from sassay.containers.elf import (
    EM_CUDA,
    ET_REL,
    SHF_EXECINSTR,
    SHT_REL,
    SHT_RELA,
    STT_FUNC,
    Elf,
    Section,
    read_elf,
)
from sassay.containers.lines import line_sections
from sassay.containers.notes import toolchain
from sassay.containers.resources import (
    SymbolTotals,
    launch_of,
    resources_of,
    section_info,
    symbol_totals,
)
from sassay.errors import FormatError, LimitError
from sassay.model.code import Relocation, SassCode
from sassay.model.kernel import Launch, Resources

if TYPE_CHECKING:
    from sassay.model.artifact import Toolchain
    from sassay.model.lines import LineSections

TEXT = ".text."

_ENTRY = 0x10


@dataclass(frozen=True, slots=True)
class CubinKernel:
    """One entry function.

    Attributes:
        symbol: Its name in the symbol table.
        code: The bytes of its section (those of `sass.code`, not copied).
        sass: Code, relocations and constants, as a store keeps them.
        resources: What a launch needs; the spill fields are None.
        launch: Launch attributes.
        digest: 40 hexadecimal digits, see `digest.code_digest`.
    """

    symbol: str
    code: memoryview
    sass: SassCode
    resources: Resources
    launch: Launch
    digest: str


@dataclass(frozen=True, slots=True)
class CubinFunction:
    """One device function with a code section of its own; `digest` as that of a kernel."""

    symbol: str
    code: memoryview
    digest: str


@dataclass(frozen=True, slots=True)
class Cubin:
    """What one cubin holds; kernels and functions in the order of their sections.

    Attributes:
        arch: `sm_90a`.
        toolchain: What compiled it, as far as it says.
        relocatable: Compiled but not device-linked (`ET_REL`).
        lines: Its line tables, not read yet; None without any, and where they cannot be taken
            out of the file: whoever needs them asks `lines.read_lines`, which says why.
    """

    arch: str
    toolchain: Toolchain
    kernels: tuple[CubinKernel, ...]
    functions: tuple[CubinFunction, ...]
    relocatable: bool = False
    lines: LineSections | None = None


@dataclass(frozen=True, slots=True)
class _Context:
    """What all kernels of one cubin share; `wide` where an instruction takes 16 bytes."""

    elf: Elf
    arch: str
    wide: bool
    relocations: dict[int, tuple[Section, ...]]
    totals: SymbolTotals
    banks: ConstantBanks


def read_cubin(data: bytes | memoryview, *, artifact: str) -> Cubin:
    """Reads all kernels and device functions of a cubin. A cubin without any is fine.

    Args:
        data: The whole cubin.
        artifact: The name that errors carry.

    Raises:
        FormatError: No cubin, cut, or a table that does not follow its format.
        LimitError: It claims more than `limits` allow.
    """
    elf = read_elf(data, artifact=artifact)
    if elf.machine != EM_CUDA:
        raise FormatError(
            f"ELF machine {elf.machine}, expected {EM_CUDA} (CUDA)",
            artifact=artifact,
            place="offset 0x12",
        )
    arch = arch_name(elf)
    relocations: dict[int, tuple[Section, ...]] = {}
    for section in elf.sections:
        if section.type in {SHT_REL, SHT_RELA} and section.size:
            relocations[section.info] = (*relocations.get(section.info, ()), section)
    context = _Context(
        elf, arch, arch_number(elf) >= VOLTA, relocations, symbol_totals(elf), ConstantBanks(elf)
    )
    entries = {
        (symbol.name, symbol.section): (index, bool(symbol.other & _ENTRY))
        for index, symbol in enumerate(elf.symbols)
        if symbol.type == STT_FUNC
    }
    kernels: list[CubinKernel] = []
    functions: list[CubinFunction] = []
    for section in elf.sections:
        if not section.name.startswith(TEXT) or not section.flags & SHF_EXECINSTR:
            continue
        symbol = section.name.removeprefix(TEXT)
        index, is_entry = entries.get((symbol, section.index), (-1, False))
        if section.size > limits.MAX_CODE_BYTES:
            raise LimitError(
                f"{section.size} bytes of code, at most {limits.MAX_CODE_BYTES} are read",
                artifact=artifact,
                place=f"section {section.name}, offset {section.offset:#x}",
            )
        if is_entry:
            kernels.append(_read_kernel(context, symbol, index, section))
        else:
            functions.append(_read_function(context, symbol, section))
    lines = None
    with contextlib.suppress(FormatError):
        lines = line_sections(elf)
    return Cubin(arch, toolchain(elf), tuple(kernels), tuple(functions), elf.type == ET_REL, lines)


def _read_kernel(context: _Context, symbol: str, index: int, text: Section) -> CubinKernel:
    elf = context.elf
    code = bytes(elf.content(text))
    info = section_info(elf, elf.by_name.get(f".nv.info.{symbol}"))
    launch = launch_of(info)
    resources = resources_of(
        elf, symbol=symbol, index=index, text=text, info=info, totals=context.totals
    )
    relocations = _relocations(context, text)
    banks = context.banks
    owned = banks.owned(symbol)
    labelled = [(f"own{number}", content) for number, content in owned]
    symbols = banks.owned_symbols(symbol)
    labelled += [(f"own{number}+{offset}", name.encode()) for number, offset, name in symbols]
    constants: list[tuple[int, bytes]] = list(owned)
    if banks.shared:
        operands = constant_operands(code) if context.wide else None
        for bank in banks.shared:
            offsets = operands.get(bank.number) if operands is not None else ()
            if offsets is None:
                continue
            constants.append((bank.number, bank.content))
            symbols += [(bank.number, offset, name) for offset, name in bank.addresses]
            labelled += bank.named(offsets)
    digest = code_digest(
        arch=context.arch,
        code=code,
        relocations=relocations,
        constants=labelled,
        launch=launch,
        resources=resources,
        info=info,
    )
    sass = SassCode(
        arch=context.arch,
        code=code,
        relocations=relocations,
        constants=tuple(sorted(constants)),
        constant_symbols=tuple(sorted(symbols)),
    )
    return CubinKernel(symbol, memoryview(code), sass, resources, launch, digest)


def _read_function(context: _Context, symbol: str, text: Section) -> CubinFunction:
    code = bytes(context.elf.content(text))
    digest = code_digest(
        arch=context.arch,
        code=code,
        relocations=_relocations(context, text),
        constants=(),
        launch=Launch(),
        resources=Resources(),
        info=(),
    )
    return CubinFunction(symbol, memoryview(code), digest)


def _relocations(context: _Context, text: Section) -> tuple[Relocation, ...]:
    elf = context.elf
    return tuple(
        sorted(
            Relocation(offset, kind, elf.symbol_at(symbol, section).name, addend)
            for section in context.relocations.get(text.index, ())
            for offset, kind, symbol, addend in elf.relocations(section)
        )
    )
