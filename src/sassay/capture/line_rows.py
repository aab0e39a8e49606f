"""Source lines of whole states as rows of a table, for Parquet and for queries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.capture.lines import read_kernel_lines
from sassay.capture.texts import SourceReader, with_text
from sassay.errors import SassayError
from sassay.model.layers import Layer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sassay.capture.tables import Row
    from sassay.isa.sass import Disassembler
    from sassay.model.code import CodeStore
    from sassay.model.state import State


def line_rows(
    states: Iterable[State], store: CodeStore, disassembler: Disassembler
) -> Iterator[Row]:
    """One row for each category of each source line of each layer of each kernel.

    `own` counts the line itself, `inclusive` what it calls, too. Kernels without line information,
    and those whose line tables are broken, have no rows.

    Args:
        states: Whose kernels.
        store: Their code.
        disassembler: Reads SASS.
    """
    for state in states:
        reader = SourceReader(state.texts)
        for kernel in state.kernels:
            # What has `.loc` or a line table has a place of its own.
            if kernel.location is None:
                continue
            try:
                lines = with_text(read_kernel_lines(kernel, store, disassembler), reader)
            except SassayError:
                continue
            head = (state.label, kernel.id, kernel.family, kernel.arch)
            for line in lines.lines:
                place = (line.location.file, line.location.line)
                for layer in Layer:
                    own, inclusive = line.own.of(layer), line.inclusive.of(layer)
                    if own is None or inclusive is None:
                        continue
                    for name, count in inclusive.categories.items():
                        mine = own.categories.get(name, 0)
                        yield (*head, layer.value, *place, name, mine, count, line.text)
