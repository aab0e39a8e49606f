from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sassay.capture.section_counts import Counts, count_sections
from sassay.isa.categories import CATEGORIES, category
from sassay.isa.sass import spill_bytes
from sassay.isa.sass.tables import TableDecoder
from sassay.isa.sass.tables.columns import columns_of
from sassay.isa.sass.tables.compiled import Meter
from sassay.isa.sass.tables.record import SCHEMA, OpcodeRecord, TableRecord
from sassay.model.layers import Layer

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES = ("STL.64", "FADD", "LDL", "HMMA.1688.F32", "BRA", "FADD.FTZ", "LDL.128", "EXIT")
"""Not sorted, as no table promises."""


@pytest.fixture(params=[1 << 62, 0], ids=["numpy", "compiled"])
def decoder(request: pytest.FixtureRequest) -> TableDecoder:
    """A table of one key, whose bits 72 to 75 are the place of the name."""
    places = np.arange(len(NAMES), dtype="<u4").tobytes()
    opcode = OpcodeRecord(
        5, (0, 0), (0, 0), (72, 73, 74, 75), (), places, places, bytes(len(NAMES))
    )
    table = TableRecord(SCHEMA, ("sm_1",), "1.2.3", NAMES, (opcode,))
    return TableDecoder(columns_of(table), Meter(request.param))


def code(places: Sequence[int]) -> bytes:
    return b"".join((5 | place << 72).to_bytes(16, "little") for place in places)


def test_counts_categories_and_spills(decoder: TableDecoder) -> None:
    held: tuple[list[int], ...] = ([1, 0, 2, 1, 6, 9], [], [3, 3, 3], [15, 7, 10, 7], [7, 4, 5])
    parts = [code(places) + b"?" * (len(places) % 3) for places in held]
    starts = np.cumsum([0, *map(len, parts)]).tolist()
    sections = list(zip(starts, map(len, parts), strict=False))
    names, counts = count_sections(memoryview(b"".join(parts)), sections, decoder)
    assert list(names) == sorted(NAMES)
    for places, found in zip(held, counts, strict=True):
        census = Counter(NAMES[place] for place in places if place < len(NAMES))
        assert found.census(names) == dict(sorted(census.items()))
        assert list(found.census(names)) == sorted(census)
        assert found.left == code([place for place in places if place >= len(NAMES)])
        groups = Counter[str]()
        for name, count in census.items():
            groups[category(Layer.SASS, name)] += count
        assert found.grouped() == dict(groups)
        assert found.spills == spill_bytes(census)


def test_nothing_to_count(decoder: TableDecoder) -> None:
    assert count_sections(memoryview(b""), [], decoder) == ((), [])
    empty = Counts(b"", b"", b"", bytes(4 * len(CATEGORIES)))
    assert count_sections(memoryview(b"123"), [(0, 3), (1, 0)], decoder) == ((), [empty, empty])
    assert not empty.grouped()


def test_without_a_table_all_is_left() -> None:
    image = code([1, 2]) + b"tail"
    assert count_sections(memoryview(image), [(0, 32), (32, 4)], None) == (
        (),
        [Counts(b"", b"", image[:32]), Counts(b"", b"", b"tail")],
    )
