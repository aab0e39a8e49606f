"""What a renderer gets: frozen records, and how much of them to show."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sassay.model.artifact import SourceLocation
    from sassay.model.change import CodeDiff, Diff
    from sassay.model.finding import Check
    from sassay.model.kernel import Kernel
    from sassay.model.library import Coverage
    from sassay.model.lines import KernelLines
    from sassay.model.state import State
    from sassay.model.traced import TracedCode, TracedPair


class CodeLine(Protocol):
    """One instruction of a listing; `isa.listing.ListingLine` is one."""

    @property
    def offset(self) -> int:
        """Byte offset (SASS) or line (PTX)."""
        ...

    @property
    def text(self) -> str:
        """The instruction as a person reads it."""
        ...

    @property
    def location(self) -> SourceLocation | None:
        """The source line that it comes from."""
        ...


@dataclass(frozen=True)
class Listing:
    """One kernel's code in one layer.

    Attributes:
        layer: `ptx` or `sass`.
        lines: The instructions in order.
        ptx_lines: SASS: the line of the PTX module that each comes from, 0 where none is; None
            where the cubin does not tell.
        texts: Source lines that instructions come from, where they are at hand.
    """

    layer: str
    lines: Sequence[CodeLine]
    ptx_lines: Sequence[int] | None = None
    texts: Mapping[SourceLocation, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """How much of the records a rendering shows, and how.

    Attributes:
        rendering: `delta` (what changed), `full` (everything) or `summary` (verdict and counts).
        limit: At most this many rows of each table; None: what suits the format.
        all: Also what did not change, and no row limits where the format can bear it.
        width: Columns of terminal output.
        color: Whether terminal output carries colours.
        layer: Layer that a table with room for one shows; None: SASS where it is known.
        code_view: `unified` or `side-by-side`.
        title: Heading of documents that have one; None: made from the states' labels.
        source_root: Folder that source locations are made relative to (SARIF); None: none.
    """

    rendering: str = "delta"
    limit: int | None = None
    all: bool = False
    width: int = 100
    color: bool = False
    layer: str | None = None
    code_view: str = "unified"
    title: str | None = None
    source_root: str | None = None


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that one command found.

    Attributes:
        command: `show`, `diff`, `check` or `code` (aligned code of chosen kernels alone).
        states: The states themselves, oldest first; renderers find kernels by id in them.
        diff: The comparison, for two states or more.
        check: The policy's judgement.
        code_diffs: Aligned code of changed kernels, `before` and `after` being kernel ids.
        traced: Whole code of kernels, tied to its source, for documents that a reader moves about
            in (HTML); pages that are read from the top leave it out.
        traced_pairs: How the code of two of them lines up.
        kernel: `show STATE KERNEL`: the kernel to show, of the only state.
        listing: The code of `kernel`, where a disassembler knows it.
        lines: What each source line of `kernel` became, where that was asked for.
        coverage: `show`: which families of the only state exist for which architecture.
        coverage_alone: `show --coverage`: family by family, and nothing else.
        options: How much to show.
    """

    command: str
    states: tuple[State, ...] = ()
    diff: Diff | None = None
    check: Check | None = None
    code_diffs: tuple[CodeDiff, ...] = ()
    traced: tuple[TracedCode, ...] = ()
    traced_pairs: tuple[TracedPair, ...] = ()
    kernel: Kernel | None = None
    listing: Listing | None = None
    lines: KernelLines | None = None
    coverage: Coverage | None = None
    coverage_alone: bool = False
    options: ReportOptions = field(default_factory=ReportOptions)
