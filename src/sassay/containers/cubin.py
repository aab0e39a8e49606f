"""Cubins: ELF files for machine 190, read into kernels and device functions.

A kernel is a function symbol marked as entry (`STO_CUDA_ENTRY`, 0x10 of `st_other`) with a section
`.text.<symbol>`; any other `.text.<symbol>` is a device function. Both ELF flavours are read: ABI
7 (up to CUDA 12, sm_90 and older) and ABI 8.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from sassay.containers import limits
from sassay.containers.arch import VOLTA, arch_name, arch_number
from sassay.containers.constants import CodeSpan, ConstantBanks
from sassay.containers.digest import code_digest, code_hash, sass_digest
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


class CubinKernel(msgspec.Struct, frozen=True):
    """One entry function.

    Attributes:
        symbol: Its name in the symbol table.
        code: The bytes of its section, not copied.
        offset: Where they begin in the cubin.
        resources: What a launch needs; the spill fields are None.
        launch: Launch attributes.
        digest: 40 hexadecimal digits, see `digest.code_digest`.
        sass_digest: 40 hexadecimal digits, see `digest.sass_digest`: that of `sass`.
    """

    symbol: str
    code: memoryview
    offset: int
    resources: Resources
    launch: Launch
    digest: str
    sass_digest: str
    _arch: str
    _relocations: tuple[Relocation, ...]
    _constants: tuple[tuple[int, bytes], ...]
    _constant_symbols: tuple[tuple[int, int, str], ...]

    @property
    def sass(self) -> SassCode:
        """Code, relocations and constants, as a store keeps them; the code is copied."""
        return SassCode(
            arch=self._arch,
            code=bytes(self.code),
            relocations=self._relocations,
            constants=self._constants,
            constant_symbols=self._constant_symbols,
        )


class CubinFunction(msgspec.Struct, frozen=True):
    """One device function with a code section of its own; `offset` and `digest` as of a kernel."""

    symbol: str
    code: memoryview
    offset: int
    digest: str


@dataclass(frozen=True, slots=True)
class Cubin:
    """What one cubin holds; kernels and functions in the order of their sections.

    Attributes:
        image: All its bytes.
        arch: `sm_90a`.
        toolchain: What compiled it, as far as it says.
        relocatable: Compiled but not device-linked (`ET_REL`).
        lines: Its line tables, not read yet; None without any, and where they cannot be taken
            out of the file: whoever needs them asks `lines.read_lines`, which says why.
    """

    image: memoryview
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
    span: CodeSpan


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
    texts = [s for s in elf.sections if s.name.startswith(TEXT) and s.flags & SHF_EXECINSTR]
    for section in texts:
        if section.size > limits.MAX_CODE_BYTES:
            raise LimitError(
                f"{section.size} bytes of code, at most {limits.MAX_CODE_BYTES} are read",
                artifact=artifact,
                place=f"section {section.name}, offset {section.offset:#x}",
            )
    context = _Context(
        elf,
        arch,
        arch_number(elf) >= VOLTA,
        relocations,
        symbol_totals(elf),
        ConstantBanks(elf),
        CodeSpan(elf, texts),
    )
    entries = {
        (symbol.name, symbol.section): (index, bool(symbol.other & _ENTRY))
        for index, symbol in enumerate(elf.symbols)
        if symbol.type == STT_FUNC
    }
    kernels: list[CubinKernel] = []
    functions: list[CubinFunction] = []
    for section in texts:
        symbol = section.name.removeprefix(TEXT)
        index, is_entry = entries.get((symbol, section.index), (-1, False))
        if is_entry:
            kernels.append(_read_kernel(context, symbol, index, section))
        else:
            functions.append(_read_function(context, symbol, section))
    lines = None
    with contextlib.suppress(FormatError):
        lines = line_sections(elf)
    return Cubin(
        elf.data, arch, toolchain(elf), tuple(kernels), tuple(functions), elf.type == ET_REL, lines
    )


def _read_kernel(context: _Context, symbol: str, index: int, text: Section) -> CubinKernel:
    elf = context.elf
    code = elf.content(text)
    hashed = code_hash(code)
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
    hashes = [(number, code_hash(content)) for number, content in owned]
    if banks.shared:
        operands = context.span.operands(text) if context.wide else None
        for bank in banks.shared:
            offsets = operands.get(bank.number) if operands is not None else ()
            if offsets is None:
                continue
            constants.append((bank.number, bank.content))
            hashes.append((bank.number, bank.hash))
            symbols += [(bank.number, offset, name) for offset, name in bank.addresses]
            labelled += bank.named(offsets)
    ordered = tuple(sorted(symbols))
    return CubinKernel(
        symbol=symbol,
        code=code,
        offset=text.offset,
        resources=resources,
        launch=launch,
        digest=code_digest(
            arch=context.arch,
            code=hashed,
            relocations=relocations,
            constants=labelled,
            launch=launch,
            resources=resources,
            info=info,
        ),
        sass_digest=sass_digest(
            arch=context.arch,
            code=hashed,
            relocations=relocations,
            constants=hashes,
            constant_symbols=ordered,
        ),
        _arch=context.arch,
        _relocations=relocations,
        _constants=tuple(sorted(constants)),
        _constant_symbols=ordered,
    )


def _read_function(context: _Context, symbol: str, text: Section) -> CubinFunction:
    code = context.elf.content(text)
    digest = code_digest(
        arch=context.arch,
        code=code_hash(code),
        relocations=_relocations(context, text),
        constants=(),
        launch=Launch(),
        resources=Resources(),
        info=(),
    )
    return CubinFunction(symbol, code, text.offset, digest)


def _relocations(context: _Context, text: Section) -> tuple[Relocation, ...]:
    if text.index not in context.relocations:
        return ()
    elf = context.elf
    return tuple(
        sorted(
            Relocation(offset, kind, elf.symbol_at(symbol, section).name, addend)
            for section in context.relocations.get(text.index, ())
            for offset, kind, symbol, addend in elf.relocations(section)
        )
    )
