"""Code that a reader moves about in: both layers of a kernel, tied to source and to each other."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sassay.model.layers import Layered
from sassay.model.lines import Chain
from sassay.model.text import TextRun

NOWHERE = -1
"""A site or an instruction that is not known."""


class TracedLayer(msgspec.Struct, frozen=True):
    """One layer of a kernel, one entry an instruction in every list.

    Attributes:
        offsets: Byte offsets in the code section (SASS) or lines in the module (PTX).
        texts: The instructions as a person reads them.
        categories: Their categories.
        sites: Index in `chains`, `NOWHERE` where no line is known; empty without line information.
        chains: Source lines with the calls around them, innermost first.
        ptx: SASS: index of the PTX instruction that it comes from, or `NOWHERE`; empty where the
            two are not tied, and for PTX.
    """

    offsets: tuple[int, ...]
    texts: tuple[str, ...]
    categories: tuple[str, ...]
    sites: tuple[int, ...] = ()
    chains: tuple[Chain, ...] = ()
    ptx: tuple[int, ...] = ()


class TracedCode(msgspec.Struct, frozen=True):
    """One kernel's code and the source that it comes from.

    Attributes:
        kernel: Its id.
        layers: Those that it holds and that could be read.
        texts: The source lines around those that are named, by file.
        origins: Where the text of each file came from.
        note: Why there are no source lines, or what could not be read; None where all is there.
    """

    kernel: str
    layers: Layered[TracedLayer]
    texts: Mapping[str, tuple[TextRun, ...]] = {}
    origins: Mapping[str, str] = {}
    note: str | None = None


Run = tuple[str, int]
"""How many rows of an alignment in turn are `equal`, `replace`, `delete` or `insert`."""


class TracedPair(msgspec.Struct, frozen=True):
    """How the code of two kernels lines up.

    Attributes:
        before: Kernel id.
        after: Kernel id.
        rows: Of each layer that both hold, from the first row to the last.
        lines: Source lines that are the same on both sides: file and line before, then after.
        aligned: How the lines were found, see `LineMoves.aligned`.
    """

    before: str
    after: str
    rows: Layered[tuple[Run, ...]]
    lines: tuple[tuple[str, int, str, int], ...] = ()
    aligned: str = "number"
