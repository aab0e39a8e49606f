"""Which source lines of a changed kernel grew or shrank, by opcode and by category."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sassay.capture.lines import read_kernel_lines
from sassay.capture.texts import NO_TEXT
from sassay.diff.line_align import Side, align_lines
from sassay.errors import InputError, SassayError
from sassay.model.change import Change, KernelStatus
from sassay.model.layers import Layer, Layered
from sassay.model.lines import LineChange, LineDelta, LineMoves
from sassay.model.state import Diagnostic, Level

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sassay.capture.texts import SourceReader
    from sassay.isa.sass import Disassembler
    from sassay.model.artifact import SourceLocation
    from sassay.model.code import CodeStore
    from sassay.model.kernel import Kernel
    from sassay.model.lines import KernelLines, LineCensus, LineCounts
    from sassay.model.state import State

MAX_KERNELS = 400
"""Changed kernels whose lines are compared; a diagnostic says how many more there are."""


class LineComparer:
    """Compares the lines of changed kernels, reading each kernel once."""

    def __init__(
        self,
        states: Sequence[State],
        store: CodeStore,
        disassembler: Disassembler,
        readers: Mapping[str, SourceReader],
    ) -> None:
        """Say where everything is.

        Args:
            states: As they are compared.
            store: Their code.
            disassembler: Reads SASS.
            readers: The source text of each state, by label.
        """
        self.diagnostics: list[Diagnostic] = []
        self._kernels = {
            state.label: {kernel.id: kernel for kernel in state.kernels} for state in states
        }
        self._store = store
        self._disassembler = disassembler
        self._readers = readers
        self._read: dict[str, KernelLines | None] = {}

    def with_lines(self, changes: Sequence[Change]) -> list[Change]:
        """The same changes, with the lines of those that changed."""
        room = MAX_KERNELS
        done = []
        for change in changes:
            moves = None
            if change.status is KernelStatus.CHANGED and self._traced(change):
                room -= 1
                moves = self._moves(change) if room >= 0 else None
            done.append(change if moves is None else msgspec.structs.replace(change, lines=moves))
        if room < 0:
            self.diagnostics.append(
                Diagnostic(
                    Level.NOTE, "source lines", f"{-room} more changed kernels are not compared"
                )
            )
        return done

    def _sides(self, change: Change) -> tuple[Kernel, Kernel] | None:
        if change.before is None or change.after is None:
            return None
        before = self._kernels[change.pair[0]].get(change.before)
        after = self._kernels[change.pair[1]].get(change.after)
        return (before, after) if before and after else None

    def _traced(self, change: Change) -> bool:
        sides = self._sides(change)
        # What has `.loc` or a line table has a place of its own.
        return sides is not None and all(kernel.location is not None for kernel in sides)

    def _moves(self, change: Change) -> LineMoves | None:
        sides = self._sides(change)
        if sides is None:
            return None
        before, after = (self._lines(kernel) for kernel in sides)
        if before is None or after is None:
            return None
        return line_moves(
            before,
            after,
            (sides[0].location, sides[1].location),
            (self._reader(change.pair[0]), self._reader(change.pair[1])),
        )

    def _reader(self, label: str) -> SourceReader:
        # A state that is split by architecture is named `LABEL@ARCH`.
        return self._readers.get(label) or self._readers.get(label.rpartition("@")[0]) or NO_TEXT

    def _lines(self, kernel: Kernel) -> KernelLines | None:
        # Equal kernels have equal ids whatever their lines are.
        key = "\0".join(each or "" for each in (kernel.id, kernel.code.ptx, kernel.code.lines))
        if key not in self._read:
            self._read[key] = self._try(kernel)
        return self._read[key]

    def _try(self, kernel: Kernel) -> KernelLines | None:
        try:
            return read_kernel_lines(kernel, self._store, self._disassembler)
        except InputError:
            return None
        except SassayError as error:
            self.diagnostics.append(
                Diagnostic(Level.NOTE, kernel.name, f"its lines are not compared: {error}")
            )
            return None


def line_moves(
    before: KernelLines,
    after: KernelLines,
    defined: tuple[SourceLocation | None, SourceLocation | None],
    readers: tuple[SourceReader, SourceReader],
) -> LineMoves:
    """The lines that grew or shrank between two versions of a kernel.

    Args:
        before: Its lines before.
        after: Its lines after.
        defined: Where it is defined, before and after.
        readers: The source text before and after.
    """
    old = {line.location: line for line in before.lines}
    new = {line.location: line for line in after.lines}
    aligned = align_lines(
        _side(frozenset(old), defined[0], readers[0]), _side(frozenset(new), defined[1], readers[1])
    )
    partners = dict(aligned.pairs)
    pairs: list[tuple[SourceLocation | None, SourceLocation | None]] = [
        (place, partners.get(place)) for place in old
    ]
    taken = set(partners.values())
    pairs += [(None, place) for place in new if place not in taken]
    known = Layered(
        ptx=before.unattributed.ptx is not None and after.unattributed.ptx is not None,
        sass=before.unattributed.sass is not None and after.unattributed.sass is not None,
    )
    found = []
    for one, two in pairs:
        moved = _change(old.get(one) if one else None, new.get(two) if two else None, known)
        if moved is not None:
            place, reader = (two, readers[1]) if two else (one, readers[0])
            text = reader.text(place.file, place.line) if place else None
            found.append(msgspec.structs.replace(moved, text=text))
    return LineMoves(aligned.how, tuple(sorted(found, key=_order)))


def _side(
    places: frozenset[SourceLocation], defined: SourceLocation | None, reader: SourceReader
) -> Side:
    # A folder as it is now may have moved on: its text is shown, and nothing is concluded from it.
    files = {place.file for place in places if reader.is_exact(place.file)}
    return Side(places, defined, {file: reader.lines(file) for file in files})


def _change(
    before: LineCensus | None, after: LineCensus | None, known: Layered[bool]
) -> LineChange | None:
    own = _deltas(before.own if before else None, after.own if after else None, known)
    inclusive = _deltas(
        before.inclusive if before else None, after.inclusive if after else None, known
    )
    if not any(
        each and each.opcodes for each in (own.ptx, own.sass, inclusive.ptx, inclusive.sass)
    ):
        return None
    functions = {name for line in (before, after) if line for name in line.functions}
    return LineChange(
        before=before.location if before else None,
        after=after.location if after else None,
        functions=tuple(sorted(functions)),
        own=own,
        inclusive=inclusive,
    )


def _deltas(
    before: Layered[LineCounts] | None, after: Layered[LineCounts] | None, known: Layered[bool]
) -> Layered[LineDelta]:
    def delta(layer: Layer) -> LineDelta | None:
        if not known.of(layer):
            return None
        one = before.of(layer) if before else None
        two = after.of(layer) if after else None
        opcodes = _moved(one.instructions if one else {}, two.instructions if two else {})
        return LineDelta(
            opcodes,
            _moved(one.categories if one else {}, two.categories if two else {}),
            sum(opcodes.values()),
        )

    return Layered(ptx=delta(Layer.PTX), sass=delta(Layer.SASS))


def _moved(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    names = sorted({*before, *after})
    deltas = {name: after.get(name, 0) - before.get(name, 0) for name in names}
    return {name: delta for name, delta in deltas.items() if delta}


def _order(line: LineChange) -> tuple[int, str, int]:
    """Largest movement of the line itself and what it calls first."""
    chosen = line.inclusive.sass or line.inclusive.ptx
    size = sum(map(abs, chosen.categories.values())) if chosen else 0
    place = line.after or line.before
    return (-size, place.file if place else "", place.line if place else 0)
