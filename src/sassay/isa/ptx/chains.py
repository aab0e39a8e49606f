"""Where each PTX instruction comes from: its `.loc`, and the calls that it was inlined through.

Source: "Parallel Thread Execution ISA", section "Debugging Directives: .loc". A `.loc` with
`inlined_at` names the call alone; the calls around that one are those of the `.loc` before it that
stands for the same file, line and column. `function_name` names a label of the `.debug_str`
section, which holds the inlined function's symbol.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from sassay.isa.attribution import NOWHERE, LayerLines
from sassay.isa.ptx import grammar
from sassay.isa.ptx.syntax import Instruction, LocMark
from sassay.model.lines import Frame

if TYPE_CHECKING:
    from sassay.isa.ptx.syntax import Loc, PtxFunction
    from sassay.model.lines import Chain

MAX_DEPTH = 256
"""Calls around one instruction; what is nested deeper keeps its innermost lines."""

_STRINGS = re.compile(r"\.section\s++\.debug_str\s*+\{", re.ASCII)
_PART = re.compile(
    rf"(?P<label>{grammar.NAME})\s*+:|\.b8\s++(?P<bytes>[\dxA-Fa-f]++(?:\s*+,\s*+[\dxA-Fa-f]++)*+)",
    re.ASCII,
)


def source_lines(function: PtxFunction) -> LayerLines | None:
    """Where the instructions of a function come from; None where it has no `.loc`.

    Raises:
        FormatError: The body does not parse.
    """
    reader = _Chains(function)
    sites: list[int] = []
    lines: list[int] = []
    for each in function.statements:
        if isinstance(each, LocMark):
            reader.take(each.loc)
        elif isinstance(each, Instruction):
            sites.append(reader.site)
            lines.append(each.line)
    if not reader.seen:
        return None
    return LayerLines(
        tuple(reader.numbers),
        np.array(sites, dtype=np.int32),
        np.array(lines, dtype=np.int32),
    )


class _Chains:
    """Knows the chain of the `.loc` in force, and of every place that was named before."""

    def __init__(self, function: PtxFunction) -> None:
        self.numbers: dict[Chain, int] = {}
        self.site = NOWHERE
        self.seen = False
        self._name = function.name
        self._files = function.module.files
        self._places: dict[tuple[int, int, int], Chain] = {}
        self._text = function.module.text
        self._strings: tuple[bytes, dict[str, int]] | None = None
        self._names: dict[str, str | None] = {}

    def take(self, loc: Loc) -> None:
        """One `.loc` as it is met."""
        self.seen = True
        if not loc.line:
            self.site = NOWHERE
            return
        chain = self._chain(loc)
        self._places[loc.file, loc.line, loc.column] = chain
        self.site = self.numbers.setdefault(chain, len(self.numbers))

    def _chain(self, loc: Loc) -> Chain:
        if loc.inlined_at is None:
            return (self._frame(loc.file, loc.line, self._name),)
        file, line, _ = loc.inlined_at
        around = self._places.get(loc.inlined_at)
        if around is None:
            around = (self._frame(file, line, self._name),)
        function = self._named(loc.function) if loc.function else None
        # Triton gives every inlined call the kernel's own name.
        inner = self._frame(loc.file, loc.line, None if function == self._name else function)
        return (inner, *around)[:MAX_DEPTH]

    def _frame(self, file: int, line: int, function: str | None) -> Frame:
        return Frame(self._files.get(file, ""), line, function)

    def _named(self, name: str) -> str | None:
        if name not in self._names:
            self._names[name] = self._function(name)
        return self._names[name]

    def _function(self, name: str) -> str | None:
        if self._strings is None:
            self._strings = debug_strings(self._text)
        data, places = self._strings
        label, _, offset = name.partition("+")
        start = places.get(label)
        if start is None or not (offset or "0").isdecimal():
            return None
        found = data[start + int(offset or "0") :].split(b"\0", 1)[0]
        return found.decode("utf-8", "replace") or None


def debug_strings(text: str) -> tuple[bytes, dict[str, int]]:
    """A module's `.debug_str` section: its bytes, and where each label stands.

    Args:
        text: The module.
    """
    start = _STRINGS.search(text)
    if start is None:
        return b"", {}
    stop = text.find("}", start.end())
    body = grammar.blank_comments(text[start.end() : stop if stop >= 0 else len(text)])
    data = bytearray()
    places: dict[str, int] = {}
    for part in _PART.finditer(body):
        if part["label"]:
            places[part["label"]] = len(data)
        else:
            data += bytes(_byte(word) for word in part["bytes"].split(","))
    return bytes(data), places


def _byte(word: str) -> int:
    try:
        return int(word.strip(), 0) & 0xFF
    except ValueError:
        return ord("?")
