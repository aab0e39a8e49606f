"""From instruction words to mnemonics by table look-ups, many words at a time.

How a word is looked up is said in `layout`. A word whose fixed bits, combination or `.reuse` flags
were not learned is `UNKNOWN`.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from sassay.isa.sass.tables.compiled import METER, CompiledTable, Meter
from sassay.isa.sass.tables.layout import lay_out
from sassay.isa.sass.tables.vectors import VectorTable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sassay.isa.sass.tables.columns import TableColumns
    from sassay.isa.sass.words import Words

UNKNOWN = -1


class TableDecoder:
    """The opcodes of one family of architectures, ready for look-ups.

    Attributes:
        archs: The architectures that the table holds for.
        taught_by: The version of the nvdisasm that gave every answer.
        names: The mnemonic of each id.
    """

    def __init__(self, table: TableColumns, meter: Meter = METER) -> None:
        """Lay the tables out.

        Args:
            table: What was learned.
            meter: Says when words are looked up by compiled code.

        Raises:
            FormatError: The table contradicts itself.
        """
        self.archs = table.archs
        self.taught_by = table.taught_by
        self.names = table.names
        self._layout = lay_out(table)
        self._meter = meter

    @cached_property
    def _compiled(self) -> CompiledTable:
        return CompiledTable(self._layout, len(self.names))

    @cached_property
    def _vectors(self) -> VectorTable:
        return VectorTable(self._layout)

    def decode(self, words: Words) -> NDArray[np.int32]:
        """The id of each word's mnemonic, `UNKNOWN` where the table has none."""
        functions = self._meter.functions(len(words))
        if functions is not None:
            return self._compiled.decode(functions, words)
        self._meter.spent += len(words)
        return self._vectors.decode(words)

    def count(
        self, image: memoryview, spans: NDArray[np.int64]
    ) -> tuple[NDArray[np.int32], NDArray[np.uint32], NDArray[np.int64]] | None:
        """How often each id occurs in each of some sections; None: only `decode` is there.

        Args:
            image: What holds the sections.
            spans: Offset and words of each, which lie inside `image`.

        Returns:
            The ids of each section in turn, ascending, how often each occurs, and where those of
            each section end.
        """
        functions = self._meter.functions(int(spans[:, 1].sum()))
        return None if functions is None else self._compiled.count(functions, image, spans)
