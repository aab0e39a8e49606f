"""Line tables of a cubin: which source line and which PTX line each instruction comes from.

`.debug_line` names source files and lines, with the calls that were inlined; ptxas writes it for
`-lineinfo` and passes on what the `.loc` directives say. `.nv_debug_line_sass` is a line program
of the same form that names lines of the PTX, and `.nv_debug_ptx_txt` may hold that PTX. There is
no `.debug_info` beside them: addresses count from the start of each kernel's own section, which
the relocations name (`R_CUDA_64`, type 2). Oracle: `nvdisasm -gi` and `-gp`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from sassay.containers import limits
from sassay.containers.elf import EM_CUDA, ET_REL, SHF_EXECINSTR, SHT_RELA, read_elf
from sassay.containers.kernel_sections import TEXT
from sassay.containers.line_header import Reader, string_at
from sassay.containers.line_program import NO_NAME, read_sequences
from sassay.errors import FormatError, LimitError
from sassay.model.lines import (
    Chain,
    CodeSection,
    Frame,
    LineAddress,
    LineSection,
    LineSections,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sassay.containers.elf import Elf, Section
    from sassay.containers.line_program import Sequence

SOURCE_LINES, PTX_LINES, PTX_TEXT = ".debug_line", ".nv_debug_line_sass", ".nv_debug_ptx_txt"
NOWHERE = -1
"""The site of an instruction that no row covers, or whose line is not known."""

_STRINGS = (".debug_str", ".debug_line_str")
_COMPRESSED = 0x800
_R_CUDA_64 = 2
_U64 = (1 << 64) - 1
_MASK = (1 << 63) - 1
_FAR = 1 << 62


class LineTable(msgspec.Struct, frozen=True, eq=False):
    """Where the instructions of one code section come from.

    A *site* is a line together with the calls around it, numbered in order of first use; equal
    ones share a number.

    Attributes:
        symbol: The kernel or device function.
        offsets: Byte offsets from which on a row holds, ascending, each once.
        sites: Site of each row, `NOWHERE` where nothing is known.
        frames: Innermost line of each site.
        callers: Site of the call that each site was inlined at, `NOWHERE` for the outermost.
    """

    symbol: str
    offsets: NDArray[np.int64]
    sites: NDArray[np.int32]
    frames: tuple[Frame, ...]
    callers: NDArray[np.int32]

    def chain(self, site: int) -> Chain:
        """The lines of a site, innermost first; empty for `NOWHERE`."""
        found: list[Frame] = []
        while site != NOWHERE:
            found.append(self.frames[site])
            site = int(self.callers[site])
        return tuple(found)

    def at(self, offsets: NDArray[np.int64]) -> NDArray[np.int32]:
        """The site of the instruction at each byte offset."""
        if not len(self.offsets):
            return np.full(len(offsets), NOWHERE, dtype=np.int32)
        rows = np.searchsorted(self.offsets, offsets, side="right") - 1
        return np.where(rows < 0, np.int32(NOWHERE), self.sites[rows]).astype(np.int32)

    @property
    def lines(self) -> NDArray[np.int32]:
        """Innermost line of each row, 0 where nothing is known."""
        known = np.array([*(frame.line for frame in self.frames), 0], dtype=np.int32)
        return known[self.sites]


class CubinLines(msgspec.Struct, frozen=True):
    """What a cubin says of lines; None where it holds no such section.

    Attributes:
        source: `.debug_line`, by symbol of kernel or device function.
        ptx: `.nv_debug_line_sass`, by symbol: lines of the PTX, from 1; the file of a frame is
            the section that holds that PTX.
        ptx_texts: The PTX that was compiled, without its `.loc` and comments, by section:
            `.nv_debug_ptx_txt`, with a number behind it in relocatable cubins, where each
            compilation keeps its own. The lines are those that `ptx` names.
    """

    source: Mapping[str, LineTable] | None
    ptx: Mapping[str, LineTable] | None
    ptx_texts: Mapping[str, str]


def read_lines(data: bytes | memoryview, *, artifact: str) -> CubinLines:
    """Reads the line tables of a cubin.

    Args:
        data: The whole cubin.
        artifact: The name that errors carry.

    Raises:
        FormatError: No cubin, or a table that is cut or does not follow its format.
        LimitError: It claims more than `limits` allow.
    """
    elf = read_elf(data, artifact=artifact)
    if elf.machine != EM_CUDA:
        raise FormatError(
            f"ELF machine {elf.machine}, expected {EM_CUDA} (CUDA)",
            artifact=artifact,
            place="offset 0x12",
        )
    return lines_of(elf)


def lines_of(elf: Elf) -> CubinLines:
    """The line tables of a cubin whose ELF is read already; errors as `read_lines`."""
    sections = line_sections(elf)
    source, ptx = tables(sections, artifact=elf.artifact) if sections else (None, None)
    return CubinLines(source, ptx, _ptx_texts(elf))


def line_sections(elf: Elf) -> LineSections | None:
    """The line tables as they lie in a cubin, which costs little; None without any.

    Raises:
        FormatError: A section that cannot be taken out.
        LimitError: One is larger than `limits` allow.
    """
    names = elf.by_name
    source, ptx = names.get(SOURCE_LINES), names.get(PTX_LINES)
    if source is None and ptx is None:
        return None
    return LineSections(
        code=tuple(
            CodeSection(each.index, each.name, each.size)
            for each in elf.sections
            if each.flags & SHF_EXECINSTR
        ),
        source=_line_section(elf, source),
        ptx=_line_section(elf, ptx),
        strings={part: _content(elf, names[part]) for part in _STRINGS if part in names},
    )


def tables(
    sections: LineSections, *, artifact: str
) -> tuple[dict[str, LineTable] | None, dict[str, LineTable] | None]:
    """Reads line tables that were taken out of a cubin: source lines and PTX lines, by symbol.

    Args:
        sections: As `line_sections` gives them.
        artifact: The name that errors carry.

    Raises:
        FormatError: A table that is cut or does not follow its format.
        LimitError: It claims more than `limits` allow.
    """
    return (
        _tables(sections, sections.source, SOURCE_LINES, artifact),
        _tables(sections, sections.ptx, PTX_LINES, artifact),
    )


def _tables(
    sections: LineSections, section: LineSection | None, name: str, artifact: str
) -> dict[str, LineTable] | None:
    if section is None:
        return None
    addresses = {address.place: address for address in section.addresses}
    code = {each.index: each for each in sections.code}

    def resolve(at: int, stored: int) -> tuple[CodeSection, int]:
        address = addresses.get(at)
        wrong = None
        if address is None:
            wrong = "no relocation says which kernel this is"
        elif address.kind != _R_CUDA_64:
            wrong = f"a relocation of type {address.kind}, expected {_R_CUDA_64}"
        elif address.section not in code:
            wrong = f"its relocation names section {address.section}, which holds no code"
        if wrong or address is None:
            raise FormatError(wrong or "", artifact=artifact, place=f"{name}+{at:#x}")
        offset = address.offset + (0 if address.whole else stored)
        return code[address.section], offset & _U64

    found: dict[int, tuple[CodeSection, list[Sequence]]] = {}
    sequences = read_sequences(
        section.data, resolve=resolve, strings=sections.strings, artifact=artifact, place=name
    )
    for sequence in sequences:
        found.setdefault(sequence.section.index, (sequence.section, []))[1].append(sequence)
    return {
        each.name.removeprefix(TEXT): _Sites(artifact, name, sections.strings).table(each, parts)
        for _, (each, parts) in sorted(found.items())
    }


def _line_section(elf: Elf, section: Section | None) -> LineSection | None:
    if section is None:
        return None
    addresses = []
    for holder in elf.relocation_tables:
        if holder.info != section.index:
            continue
        for offset, kind, index, addend in elf.relocations(holder):
            symbol = elf.symbol_at(index, holder)
            value = symbol.value + addend
            if elf.type != ET_REL and symbol.section < len(elf.headers):
                value -= elf.section(symbol.section).address
            whole = holder.type == SHT_RELA
            # A hostile file may claim any 64 bits here; a record holds no more than 63.
            value = value if abs(value) < _FAR else _FAR
            addresses.append(LineAddress(offset & _MASK, kind, symbol.section, value, whole))
    return LineSection(_content(elf, section), tuple(addresses))


def _content(elf: Elf, section: Section) -> bytes:
    if section.flags & _COMPRESSED:
        raise FormatError(
            "the section is compressed", artifact=elf.artifact, place=f"section {section.name}"
        )
    if section.size > limits.MAX_LINE_BYTES and not section.name.startswith(PTX_TEXT):
        raise LimitError(
            f"{section.size} bytes, at most {limits.MAX_LINE_BYTES} are read",
            artifact=elf.artifact,
            place=f"section {section.name}",
        )
    return bytes(elf.content(section))


def _ptx_texts(elf: Elf) -> dict[str, str]:
    """The PTX; NULs stand in it for the ends of lines."""
    sections = [part for part in elf.sections if part.name.startswith(PTX_TEXT)]
    total = sum(part.size for part in sections)
    if total > limits.MAX_TEXT_BYTES:
        raise LimitError(
            f"{total} bytes of PTX, at most {limits.MAX_TEXT_BYTES} are read",
            artifact=elf.artifact,
            place=f"section {PTX_TEXT}",
        )
    return {
        part.name: _content(elf, part).decode("utf-8", "replace").replace("\0", "\n")
        for part in sections
    }


class _Sites:
    """Numbers the sites of one code section as they are met."""

    def __init__(self, artifact: str, place: str, strings: Mapping[str, bytes]) -> None:
        self._artifact = artifact
        self._place = place
        # A cubin with one PTX text only does not name it.
        self._unnamed = PTX_TEXT if place == PTX_LINES else ""
        self._strings = strings
        self._names: dict[int, str] = {}
        self._numbers: dict[tuple[Frame, int], int] = {}
        self._depths: list[int] = []
        self._frames: list[Frame] = []
        self._callers: list[int] = []

    def table(self, code: CodeSection, sequences: Iterable[Sequence]) -> LineTable:
        """The table of one code section; of rows at one offset the last one holds."""
        symbol = code.name.removeprefix(TEXT)
        offsets: list[int] = []
        sites: list[int] = []
        parts = sorted(sequences, key=lambda part: part.addresses[0] if part.addresses else 0)
        for part in parts:
            offsets.extend(part.addresses)
            sites.extend(self._rows(symbol, part))
            offsets.append(part.end)
            sites.append(NOWHERE)
        starts = np.array(offsets, dtype=np.int64)
        if len(starts) and np.any(starts[1:] < starts[:-1]):
            raise FormatError(
                f"two sequences of {symbol} overlap",
                artifact=self._artifact,
                place=f"{self._place}+{parts[0].at:#x}",
            )
        last = np.append(starts[1:] != starts[:-1], np.ones(len(starts[:1]), dtype=bool))
        return LineTable(
            symbol,
            starts[last],
            np.array(sites, dtype=np.int32)[last],
            tuple(self._frames),
            np.array(self._callers, dtype=np.int32),
        )

    def _rows(self, symbol: str, part: Sequence) -> list[int]:
        every: list[int] = []
        columns = zip(part.file, part.lines, part.calls, part.names, strict=True)
        for file, line, call, name in columns:
            function = None if name == NO_NAME else self._name(name, part)
            if not call:
                function = symbol
            elif function == symbol:
                # Triton gives every inlined call the kernel's own name.
                function = None
            frame = Frame(part.files.get(file, self._unnamed), line, function)
            every.append(self._number(frame, every[call - 1] if call else NOWHERE, part))
        # Line 0 may be a call's, whose line is not known; of itself it says nothing.
        known = zip(every, part.lines, strict=True)
        return [site if line else NOWHERE for site, line in known]

    def _number(self, frame: Frame, caller: int, part: Sequence) -> int:
        found = self._numbers.get((frame, caller))
        if found is None:
            depth = self._depths[caller] + 1 if caller != NOWHERE else 0
            if depth > limits.MAX_INLINE_DEPTH:
                raise LimitError(
                    f"more than {limits.MAX_INLINE_DEPTH} inlined calls in each other",
                    artifact=self._artifact,
                    place=f"{self._place}+{part.at:#x}",
                )
            found = self._numbers[frame, caller] = len(self._frames)
            self._frames.append(frame)
            self._callers.append(caller)
            self._depths.append(depth)
        return found

    def _name(self, offset: int, part: Sequence) -> str:
        name = self._names.get(offset)
        if name is None:
            reader = Reader(b"", 0, 0, self._artifact, self._place)
            name = self._names[offset] = string_at(
                reader, self._strings, ".debug_str", offset, part.at
            )
        return name
