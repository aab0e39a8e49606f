"""Cubins: ELF files for machine 190, read into kernels and device functions.

A kernel is a function symbol marked as entry (`STO_CUDA_ENTRY`, 0x10 of `st_other`) with a section
`.text.<symbol>`; any other `.text.<symbol>` is a device function. Both ELF flavours are read: ABI
7 (up to CUDA 12, sm_90 and older) and ABI 8.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import msgspec

from sassay.containers import limits
from sassay.containers.arch import VOLTA, arch_name, arch_number
from sassay.containers.constants import CodeSpan, ConstantBanks, KernelConstants
from sassay.containers.digest import NOTHING, Digests, code_hash, packed, stable_relocations
from sassay.containers.elf import EM_CUDA, ET_REL, STT_FUNC, Elf, Section, read_elf
from sassay.containers.kernel_info import kernel_info
from sassay.containers.kernel_sections import TEXT, KernelSections
from sassay.containers.lines import line_sections
from sassay.containers.notes import toolchain
from sassay.containers.resources import SymbolTotals, resources_of, symbol_totals
from sassay.errors import FormatError, LimitError
from sassay.model.artifact import Toolchain
from sassay.model.code import Relocation, SassCode
from sassay.model.kernel import Launch, Resources
from sassay.model.lines import LineSections

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.containers.symbols import TypedSymbol

_ENTRY = 0x10
_NO_LAUNCH, _NO_RESOURCES = packed(Launch()), packed(Resources())


class CubinKernel(msgspec.Struct, frozen=True):
    """One entry function.

    Attributes:
        symbol: Its name in the symbol table.
        code: The bytes of its section, not copied.
        offset: Where they begin in the cubin.
        resources: What a launch needs; the spill fields are None.
        launch: Launch attributes.
        digest: 40 hexadecimal digits, see `digest.Digests.code`.
        sass_digest: 40 hexadecimal digits, see `digest.Digests.sass`: that of `sass`.
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
    _constants: KernelConstants

    @property
    def sass(self) -> SassCode:
        """Code, relocations and constants, as a store keeps them; the code is copied."""
        return SassCode(
            arch=self._arch,
            code=bytes(self.code),
            relocations=self._relocations,
            constants=self._constants.banks,
            constant_symbols=self._constants.symbols,
        )


class CubinFunction(msgspec.Struct, frozen=True):
    """One device function with a code section of its own; `offset` and `digest` as of a kernel."""

    symbol: str
    code: memoryview
    offset: int
    digest: str


class Cubin(msgspec.Struct, frozen=True):
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


class _Context(msgspec.Struct, frozen=True):
    """What all kernels of one cubin share; `wide` where an instruction takes 16 bytes."""

    elf: Elf
    arch: str
    wide: bool
    digests: Digests
    relocations: dict[int, tuple[Section, ...]]
    sections: KernelSections
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
    for section in elf.relocation_tables:
        relocations[section.info] = (*relocations.get(section.info, ()), section)
    sections = KernelSections(elf)
    texts = list(map(elf.section, sections.texts))
    for section in texts:
        if section.size > limits.MAX_CODE_BYTES:
            raise LimitError(
                f"{section.size} bytes of code, at most {limits.MAX_CODE_BYTES} are read",
                artifact=artifact,
                place=f"section {section.name}, offset {section.offset:#x}",
            )
    totals, banks = symbol_totals(elf), ConstantBanks(elf, sections.constants)
    context = _Context(
        elf,
        arch,
        arch_number(elf) >= VOLTA,
        Digests(arch),
        relocations,
        sections,
        totals,
        banks,
        CodeSpan(elf, texts, (bank.number for bank in banks.shared)),
    )
    functions_of: dict[int, list[TypedSymbol]] = {}
    for each in elf.symbols.of_type(STT_FUNC):
        functions_of.setdefault(each.section, []).append(each)
    kernels: list[CubinKernel] = []
    functions: list[CubinFunction] = []
    for section in texts:
        symbol = section.name.removeprefix(TEXT)
        index = _entry(elf, symbol, functions_of.get(section.index, ()))
        if index is not None:
            kernels.append(_read_kernel(context, symbol, index, section))
        else:
            functions.append(_read_function(context, symbol, section))
    lines = None
    with contextlib.suppress(FormatError):
        lines = line_sections(elf)
    return Cubin(
        elf.data, arch, toolchain(elf), tuple(kernels), tuple(functions), elf.type == ET_REL, lines
    )


def _entry(elf: Elf, symbol: str, functions: Sequence[TypedSymbol]) -> int | None:
    """The index of the symbol of a kernel, out of the functions of its section; the last counts."""
    for each in reversed(functions):
        if elf.symbols.name(each.index) == symbol:
            return each.index if each.other & _ENTRY else None
    return None


def _read_kernel(context: _Context, symbol: str, index: int, text: Section) -> CubinKernel:
    elf, digests, banks = context.elf, context.digests, context.banks
    code = elf.content(text)
    hashed = code_hash(code)
    info = kernel_info(elf, context.sections.info.get(symbol))
    resources, packed_resources = resources_of(
        elf,
        symbol=symbol,
        index=index,
        text=text,
        barriers=info.barriers,
        totals=context.totals,
        sections=context.sections,
    )
    relocations = _relocations(context, text) if text.index in context.relocations else ()
    operands = context.span.operands(text) if context.wide and banks.shared else None
    constants = banks.of(symbol, operands)
    return CubinKernel(
        symbol,
        code,
        text.offset,
        resources,
        info.launch,
        digests.code(
            hashed,
            relocations=stable_relocations(relocations) if relocations else NOTHING,
            constants=constants.packed_names,
            launch=info.packed_launch,
            resources=packed_resources,
            parameters=info.packed_parameters,
        ),
        digests.sass(
            hashed,
            relocations=packed(relocations) if relocations else NOTHING,
            constants=constants.packed_banks,
            symbols=constants.packed_symbols,
        ),
        context.arch,
        relocations,
        constants,
    )


def _read_function(context: _Context, symbol: str, text: Section) -> CubinFunction:
    code = context.elf.content(text)
    digest = context.digests.code(
        code_hash(code),
        relocations=stable_relocations(_relocations(context, text)),
        constants=NOTHING,
        launch=_NO_LAUNCH,
        resources=_NO_RESOURCES,
        parameters=NOTHING,
    )
    return CubinFunction(symbol, code, text.offset, digest)


def _relocations(context: _Context, text: Section) -> tuple[Relocation, ...]:
    elf = context.elf
    return tuple(
        sorted(
            Relocation(offset, kind, elf.symbol_name(symbol, section), addend)
            for section in context.relocations.get(text.index, ())
            for offset, kind, symbol, addend in elf.relocations(section)
        )
    )
