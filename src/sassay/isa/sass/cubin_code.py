"""The code sections of a cubin, for who checks the decoder."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from sassay.containers.arch import arch_name
from sassay.containers.elf import EM_CUDA, SHF_EXECINSTR, STT_FUNC, read_elf
from sassay.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Sequence

TEXT = ".text."


@dataclass(frozen=True)
class CodeSection:
    """One code section.

    Attributes:
        symbol: Its kernel or device function.
        number: That symbol's place in the table; None where it has none.
        code: Its bytes.
    """

    symbol: str
    number: int | None
    code: bytes


def code_sections(
    data: bytes | memoryview, place: str, archs: Sequence[str] = ()
) -> tuple[str | None, list[CodeSection]]:
    """The architecture of a cubin and its code.

    Args:
        data: The whole file.
        place: The name that errors carry.
        archs: Globs of architectures; empty takes all.

    Returns:
        None and nothing for a cubin of another architecture.

    Raises:
        SassayError: if it cannot be read, or is no cubin.
    """
    elf = read_elf(data, artifact=place)
    if elf.machine != EM_CUDA:
        raise FormatError("no cubin", artifact=place, hint=f"ELF machine {elf.machine}")
    arch = arch_name(elf)
    if archs and not any(fnmatchcase(arch, glob) for glob in archs):
        return None, []
    numbers = {
        symbol.section: index
        for index, symbol in reversed(list(enumerate(elf.symbols)))
        if symbol.type == STT_FUNC
    }
    return arch, [
        CodeSection(
            section.name.removeprefix(TEXT),
            numbers.get(section.index),
            bytes(elf.content(section)),
        )
        for section in elf.sections
        if section.name.startswith(TEXT) and section.flags & SHF_EXECINSTR
    ]
