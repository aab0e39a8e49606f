"""Source text beside instructions: what a state kept, then the places that a person named."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from sassay.containers.lines import tables
from sassay.errors import SassayError
from sassay.model.text import TextRun

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sassay.capture.source_files import SourceFiles
    from sassay.capture.store import CodeArchive
    from sassay.model.kernel import Kernel
    from sassay.model.lines import KernelLines, LineCensus
    from sassay.model.state import State

MAX_KEPT_BYTES = 8 << 20
"""Source text that one state keeps."""
MAX_LINE = 500
"""Characters of a line that are kept and shown."""
KEPT = "kept in the capture"
_HOLE = 20
_BEFORE, _AFTER = 3, 2
_FILE = re.compile(r'^\s*\.file\s+(\d+)\s+"((?:[^"\\]|\\.)*)"', re.MULTILINE)
_LOC = re.compile(
    r"^\s*\.loc\s+(\d+)\s+(\d+)\s+\d+(?:[^\n]*?inlined_at\s+(\d+)\s+(\d+))?", re.MULTILINE
)


@dataclass(frozen=True)
class _Text:
    lines: Mapping[int, str]
    origin: str | None
    exact: bool


class SourceReader:
    """The text of source lines, each file from the first place that has it."""

    def __init__(
        self,
        kept: Mapping[str, tuple[TextRun, ...]],
        places: Sequence[SourceFiles] = (),
    ) -> None:
        """Say where to look.

        Args:
            kept: What the state holds, which is what was compiled.
            places: Where else, best first.
        """
        self._kept = kept
        self._places = tuple(places)
        self._files: dict[str, _Text] = {}

    def lines(self, path: str) -> Mapping[int, str]:
        """The lines of a file that are at hand, by number."""
        return self._file(path).lines

    def text(self, path: str, line: int) -> str | None:
        """One line; None where it is not at hand."""
        return self._file(path).lines.get(line)

    def origin(self, path: str) -> str | None:
        """Where the text of a file came from; None where there is none."""
        return self._file(path).origin

    def is_exact(self, path: str) -> bool:
        """Whether the text of a file is what was compiled, and no folder's as it is now."""
        return self._file(path).exact

    def _file(self, path: str) -> _Text:
        found = self._files.get(path)
        if found is None:
            found = self._files[path] = self._find(path)
        return found

    def _find(self, path: str) -> _Text:
        runs = self._kept.get(path)
        if runs:
            kept = {
                run.line + index: line[:MAX_LINE]
                for run in runs
                for index, line in enumerate(run.text.split("\n"))
            }
            return _Text(kept, KEPT, exact=True)
        for place in self._places:
            lines = place.lines(path)
            if lines is not None:
                shown = {number: line[:MAX_LINE] for number, line in enumerate(lines, 1)}
                return _Text(shown, place.origin, exact=place.is_exact)
        return _Text({}, None, exact=False)


NO_TEXT = SourceReader({})


def with_text(lines: KernelLines, reader: SourceReader) -> KernelLines:
    """The same lines with their text.

    Args:
        lines: Of one kernel.
        reader: Knows the texts of its state.
    """

    def told(line: LineCensus) -> LineCensus:
        text = reader.text(line.location.file, line.location.line)
        return line if text is None else msgspec.structs.replace(line, text=text)

    files = sorted({line.location.file for line in lines.lines})
    origins = {file: origin for file in files if (origin := reader.origin(file)) is not None}
    return msgspec.structs.replace(
        lines, lines=tuple(told(line) for line in lines.lines), origins=origins
    )


def keep_texts(state: State, store: CodeArchive, places: Sequence[SourceFiles]) -> State:
    """The same state with the source lines that its kernels come from.

    Only stretches of files that line tables name are kept, with the few lines between them, up to
    `MAX_KEPT_BYTES` in all.

    Args:
        state: Kernels with line tables or `.loc`.
        store: Their code.
        places: Where the sources are, best first.
    """
    reader = SourceReader({}, places)
    found: dict[str, set[int]] = {}
    for kernel in state.kernels:
        for file, lines in named_lines(kernel, store).items():
            found.setdefault(file, set()).update(lines)
    texts: dict[str, tuple[TextRun, ...]] = {}
    room = MAX_KEPT_BYTES
    for file, lines in sorted(found.items()):
        runs = tuple(stretches(reader.lines(file), lines))
        room -= sum(len(run.text) for run in runs)
        if runs and room >= 0:
            texts[file] = runs
    return msgspec.structs.replace(state, texts={**state.texts, **texts}) if texts else state


def named_lines(kernel: Kernel, store: CodeArchive) -> dict[str, set[int]]:
    """Every line that a kernel's PTX and line tables name, by file; empty where they are broken."""
    found: dict[str, set[int]] = {}
    if kernel.location is not None:
        found.setdefault(kernel.location.file, set()).add(kernel.location.line)
    with contextlib.suppress(SassayError):
        if kernel.code.ptx is not None:
            for file, lines in _named_by_ptx(store.ptx(kernel.code.ptx)).items():
                found.setdefault(file, set()).update(lines)
    with contextlib.suppress(SassayError):
        if kernel.code.ptx is None and kernel.code.lines is not None:
            source, _ = tables(store.lines(kernel.code.lines), artifact=kernel.name)
            table = (source or {}).get(kernel.symbol)
            for frame in table.frames if table is not None else ():
                found.setdefault(frame.file, set()).add(frame.line)
    return {file: lines - {0} for file, lines in found.items()}


@lru_cache(maxsize=4)
def _named_by_ptx(text: str) -> dict[str, set[int]]:
    files = {number: name.replace('\\"', '"') for number, name in _FILE.findall(text)}
    found: dict[str, set[int]] = {}
    for file, line, outer_file, outer_line in _LOC.findall(text):
        for number, row in ((file, line), (outer_file, outer_line)):
            if number in files:
                found.setdefault(files[number], set()).add(int(row))
    return found


def stretches(text: Mapping[int, str], lines: Iterable[int]) -> list[TextRun]:
    """Stretches of a file that hold the named lines; small holes between them are filled.

    Args:
        text: The lines of the file that are at hand.
        lines: The named ones.
    """
    wanted = sorted(line for line in set(lines) if line in text)
    if not wanted:
        return []
    cuts = [0, *(i + 1 for i, (a, b) in enumerate(pairwise(wanted)) if b - a > _HOLE), len(wanted)]
    runs = []
    last = 0
    for start, stop in pairwise(cuts):
        low = max(last + 1, wanted[start] - _BEFORE, 1)
        high = wanted[stop - 1] + _AFTER
        numbers = [number for number in range(low, high + 1) if number in text]
        runs.append(TextRun(numbers[0], "\n".join(text[number] for number in numbers)))
        last = numbers[-1]
    return runs
