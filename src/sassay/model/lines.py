"""Source lines: where instructions come from, and what each line of a kernel became."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sassay.model.artifact import SourceLocation
from sassay.model.kernel import Census
from sassay.model.layers import Layered


class Frame(msgspec.Struct, frozen=True, order=True):
    """One step of an inlined call: a line, in a function.

    Attributes:
        file: Path as the compiler wrote it.
        line: Counts from 1; 0 for a call whose line the compiler does not know.
        function: Symbol of the function that the line stands in; None where the compiler does
            not say, as Triton does not for what it inlines.
    """

    file: str
    line: int
    function: str | None = None


Chain = tuple[Frame, ...]
"""Where an instruction comes from: the innermost inlined function's line first, then the line of
each call around it, the kernel's own line last."""


class LineCounts(msgspec.Struct, frozen=True):
    """Instructions of one line, by opcode and by category; both add up to the same."""

    instructions: Census = {}
    categories: Census = {}


class LineCensus(msgspec.Struct, frozen=True):
    """What one source line became, in each layer.

    An inlined instruction belongs to several lines: its `own` line is the innermost one; it is
    `inclusive` to every line that called it, the kernel's among them.

    Attributes:
        location: The line.
        functions: Symbols of the functions that it stands in, sorted; empty where none is named.
        own: Instructions of the line itself. Over all lines they add up to the attributed ones.
        inclusive: Instructions of the line and of what was inlined into it, each once.
        text: The line itself, None where its file is not at hand.
    """

    location: SourceLocation
    functions: tuple[str, ...]
    own: Layered[LineCounts]
    inclusive: Layered[LineCounts]
    text: str | None = None


class KernelLines(msgspec.Struct, frozen=True):
    """All source lines of one kernel.

    A layer without line information is None in `lines` and `unattributed`.

    Attributes:
        lines: Sorted by file and line.
        unattributed: Instructions that no line claims.
        total: Instructions of the layer; None where the input does not hold it.
        origins: Where the text of each file came from, by path.
    """

    lines: tuple[LineCensus, ...]
    unattributed: Layered[LineCounts]
    total: Layered[int]
    origins: Mapping[str, str] = {}


class LineDelta(msgspec.Struct, frozen=True):
    """What one source line gained and lost: after minus before, zeros left out.

    Attributes:
        opcodes: By opcode.
        categories: By category.
        total: Of all instructions.
    """

    opcodes: Census
    categories: Census
    total: int


class LineChange(msgspec.Struct, frozen=True):
    """One source line that grew or shrank from one state to the next.

    Attributes:
        before: The line before; None where the state before has no such line.
        after: The line after; None where the state after has no such line.
        functions: Symbols of the functions that it stands in, sorted; empty where none is named.
        own: Instructions of the line itself; a layer without line information is None.
        inclusive: The same with what was inlined into the line.
        text: The line, of the state after where it has it.
    """

    before: SourceLocation | None
    after: SourceLocation | None
    functions: tuple[str, ...]
    own: Layered[LineDelta]
    inclusive: Layered[LineDelta]
    text: str | None = None


class LineMoves(msgspec.Struct, frozen=True):
    """The source lines that grew or shrank in one changed kernel.

    Attributes:
        aligned: How lines of the two states were taken for the same one: `text` (equal text in
            equal order), `number` (equal numbers counted from where the kernel is defined), or
            `mixed`, where only some files' text was at hand.
        lines: Sorted by size of the movement, largest first; own and inlined call sites alike.
    """

    aligned: str
    lines: tuple[LineChange, ...]


class CodeSection(msgspec.Struct, frozen=True):
    """A code section that line tables may name: its index in the cubin, its name, its bytes."""

    index: int
    name: str
    size: int


class LineAddress(msgspec.Struct, frozen=True):
    """What an address in a line table stands for, out of its relocation.

    Attributes:
        place: Offset of the address in the line table.
        kind: `R_CUDA_*` number.
        section: Index of the section that it lies in.
        offset: Place in that section.
        whole: Whether `offset` is all of it; else what stands in the line table is added.
    """

    place: int
    kind: int
    section: int
    offset: int
    whole: bool


class LineSection(msgspec.Struct, frozen=True):
    """One line table as it lies in a cubin."""

    data: bytes
    addresses: tuple[LineAddress, ...]


class LineSections(msgspec.Struct, frozen=True):
    """The line tables of one cubin as they lie in it, not read yet; what a code store keeps.

    Attributes:
        code: Code sections.
        source: `.debug_line`.
        ptx: `.nv_debug_line_sass`.
        strings: `.debug_str` and `.debug_line_str`, as far as they are there.
    """

    code: tuple[CodeSection, ...]
    source: LineSection | None
    ptx: LineSection | None
    strings: dict[str, bytes]
