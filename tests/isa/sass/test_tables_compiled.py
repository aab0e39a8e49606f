from __future__ import annotations

import ctypes
import mmap
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.isa.sass.test_tables import _slowly as slowly

from sassay.isa.sass import words as word
from sassay.isa.sass.tables import UNKNOWN, TableDecoder, shipped_archs, tally
from sassay.isa.sass.tables import compiled as compiled_module
from sassay.isa.sass.tables.columns import TableColumns, columns_of
from sassay.isa.sass.tables.compiled import (
    Functions,
    Meter,
    compile_functions,
    prepared_functions,
)
from sassay.isa.sass.tables.layout import CHUNKS, SPECIAL, lay_out
from sassay.isa.sass.tables.record import (
    SCHEMA,
    ConditionRecord,
    OpcodeRecord,
    TableRecord,
)
from sassay.isa.sass.tables.shipped import shipped_columns, shipped_leader, shipped_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


LEADERS = sorted({shipped_leader(arch) for arch in shipped_archs()})
NEVER = 1 << 62
"""So many words are never met: nothing is compiled."""
METERS: dict[str, Callable[[], Meter]] = {"llvmlite": lambda: Meter(0)}
if prepared_functions() is not None:
    METERS["prepared"] = lambda: Meter(NEVER, prepared=True)


def decoder_of(columns: TableColumns, meter: Meter) -> TableDecoder:
    decoder = TableDecoder(columns, meter)
    counted = decoder.count(memoryview(b""), np.zeros((0, 2), np.int64))
    assert (counted is None) == (meter.functions(0) is None)
    return decoder


def decoded(decoder: TableDecoder, words: word.Words) -> list[int]:
    ids = decoder.decode(words)
    assert ids.dtype == np.int32
    return [int(number) for number in ids]


def tallied(
    image: bytes, sections: Sequence[tuple[int, int]], decoder: TableDecoder
) -> list[tuple[dict[int, int], bytes]]:
    found = tally(memoryview(image), sections, decoder)
    assert found.used.tolist() == sorted(set(found.used[found.places].tolist()))
    keys = found.sections * (len(found.used) + 1) + found.places
    assert (np.diff(keys) > 0).all()
    every: list[tuple[dict[int, int], bytes]] = [
        ({}, found.left[row].tobytes() if row in found.left else b"")
        for row in range(len(sections))
    ]
    for row, place, count in zip(found.sections, found.places, found.counts, strict=True):
        every[int(row)][0][int(found.used[place])] = int(count)
    return every


def plainly(
    image: bytes, sections: Sequence[tuple[int, int]], decoder: TableDecoder
) -> list[tuple[dict[int, int], bytes]]:
    every = []
    for start, size in sections:
        words = word.section_words(image[start : start + size])
        ids = decoder.decode(words)
        counts = Counter(ids[ids != UNKNOWN].tolist())
        every.append((dict(sorted(counts.items())), words[ids == UNKNOWN].tobytes()))
    return every


def mixed_table() -> TableRecord:
    """Opcodes of all kinds: plain, with bytes, with more bytes than fit, tests, and searched."""
    rng = np.random.default_rng(7)

    def opcode(
        key: int,
        bits: tuple[int, ...],
        conditions: tuple[ConditionRecord, ...] = (),
        fixed: tuple[int, int] = (0, 0),
        share: float = 0.8,
    ) -> OpcodeRecord:
        known = np.flatnonzero(rng.random(1 << len(bits) + len(conditions)) < share)
        return OpcodeRecord(
            key=key,
            fixed_mask=(fixed[0] & 2**64 - 1, fixed[0] >> 64),
            fixed_value=(fixed[1] & 2**64 - 1, fixed[1] >> 64),
            bits=bits,
            conditions=conditions,
            indices=known.astype("<u4").tobytes(),
            names=rng.integers(0, 90, len(known)).astype("<u4").tobytes(),
            reuse=rng.integers(0, 16, len(known)).astype("u1").tobytes(),
        )

    byte = ConditionRecord(24, 8, (3, 255))
    chunked = ConditionRecord(64, 8, (255,))
    across = ConditionRecord(28, 8, (0, 7, 129))
    long = ConditionRecord(32, 32, tuple(1 << bit for bit in reversed(range(29))))
    never = ConditionRecord(40, 16, ())
    wide = (*range(32, 38), *range(66, 76))
    return TableRecord(
        schema=SCHEMA,
        archs=("sm_1",),
        taught_by="1.2.3",
        names=tuple(f"NAME{number}" for number in range(90)),
        opcodes=(
            opcode(0x001, (), share=1),
            opcode(0x002, (64, 72, 81, 82, 91)),
            opcode(0x003, (12, 20, 63, 92, 104), fixed=(1 << 41 | 1 << 93, 1 << 41)),
            opcode(0x004, (73,), (byte, chunked, never, across, long)),
            opcode(0x005, wide, share=0.5),
            opcode(0x006, wide, (byte, long), fixed=(3 << 16, 1 << 16), share=0.3),
            opcode(0xFFF, (70,), (chunked,), fixed=(3 << 70 | 3 << 90, 3 << 90)),
        ),
    )


def likely_words(table: TableRecord, each: int, seed: int) -> word.Words:
    """Words of every opcode that mostly have a name, some with a bit turned, and random ones."""
    rng = np.random.default_rng(seed)
    found = []
    for opcode in table.opcodes:
        indices = np.frombuffer(opcode.indices, "<u4")
        mask = opcode.fixed_mask[0] | opcode.fixed_mask[1] << 64
        value = opcode.fixed_value[0] | opcode.fixed_value[1] << 64
        for index in rng.choice(indices, each).tolist() if len(indices) else ():
            whole = int.from_bytes(rng.bytes(16), "little") & ~(0xFFF | 0xF << 122) | opcode.key
            whole = whole & ~mask | value
            for place, item in enumerate(opcode.conditions, len(opcode.bits)):
                field = (1 << item.width) - 1 << item.start
                if index >> place & 1 and item.values:
                    whole = whole & ~field | int(rng.choice(item.values)) << item.start
            for place, bit in enumerate(opcode.bits):
                whole = whole & ~(1 << bit) | (index >> place & 1) << bit
            kind = int(rng.integers(0, 8))
            whole ^= (1 << int(rng.integers(0, 128)) if kind == 0 else 0) | int(kind == 1) << 122
            found.append(whole.to_bytes(16, "little"))
    found.append(rng.bytes(16 * len(found)))
    words = word.section_words(b"".join(found))
    return words[rng.permutation(len(words))]


@pytest.fixture(scope="module")
def by_numpy() -> TableDecoder:
    decoder = decoder_of(columns_of(mixed_table()), Meter(NEVER))
    assert decoder.count(memoryview(b""), np.zeros((0, 2), np.int64)) is None
    return decoder


@pytest.fixture(scope="module", params=METERS)
def compiled(request: pytest.FixtureRequest) -> TableDecoder:
    decoder = decoder_of(columns_of(mixed_table()), METERS[request.param]())
    assert decoder.count(memoryview(b""), np.zeros((0, 2), np.int64)) is not None
    return decoder


def test_compiled_look_ups_are_those_of_numpy(
    by_numpy: TableDecoder, compiled: TableDecoder
) -> None:
    words = likely_words(mixed_table(), 3000, 1)
    expected = decoded(by_numpy, words)
    assert decoded(compiled, words) == expected
    assert 0.2 < np.mean(np.array(expected) == UNKNOWN) < 0.8
    assert decoded(compiled, words[:0]) == []
    for strided in (np.asfortranarray(words[:5000]), words[:10000:2]):
        assert decoded(compiled, strided) == decoded(by_numpy, strided)


def test_both_do_what_the_format_says(by_numpy: TableDecoder, compiled: TableDecoder) -> None:
    table = mixed_table()
    words = likely_words(table, 150, 10)
    expected = [slowly(table, int(low), int(high)) for low, high in words]
    assert decoded(by_numpy, words) == expected
    assert decoded(compiled, words) == expected


@pytest.mark.parametrize("leader", LEADERS)
def test_shipped_tables_compiled(leader: str) -> None:
    words = likely_words(shipped_table(leader), 8, 2)
    expected = decoded(decoder_of(shipped_columns(leader), Meter(NEVER)), words)
    for meter in METERS.values():
        assert decoded(decoder_of(shipped_columns(leader), meter()), words) == expected
    # Of the words that are not random, most have a name.
    assert np.mean(np.array(expected) != UNKNOWN) > 0.3


@pytest.mark.parametrize("leader", LEADERS)
def test_no_word_leads_out_of_the_arrays(leader: str) -> None:
    layout = lay_out(shipped_columns(leader))
    most = layout.heads[:, -1].astype(np.int64)
    for column, (_, width) in enumerate(CHUNKS):
        begins = layout.heads[:, column, np.newaxis].astype(np.int64)
        values = begins + np.arange(1 << width)
        assert (values >= 0).all()
        assert (values < len(layout.chunks)).all()
        most += layout.chunks[values].max(axis=1)
    tests = [sum(test.adds for test in rest.tests) if rest else 0 for rest in layout.rests]
    more = layout.pieces.max(axis=2).sum(axis=1) + np.array(tests)
    searched = layout.spans[:, 0] != layout.spans[:, 1]
    bound = np.where(searched, SPECIAL, len(layout.answers))
    for highest, number in zip(most.tolist(), layout.specials.tolist(), strict=True):
        reached = highest + (more[number] - SPECIAL if number else 0)
        assert 0 <= reached < bound[number]
    places = layout.starts + layout.spans[:, 1] - layout.spans[:, 0]
    assert (places <= len(layout.answers)).all()
    assert int(layout.specials.max()) < len(layout.rests)


def test_sections_are_counted_alike(by_numpy: TableDecoder, compiled: TableDecoder) -> None:
    image = b"." * 5 + likely_words(mixed_table(), 400, 3).tobytes() + b"." * 7
    mixed = [
        (5, 16 * 1023),
        (5 + 16 * 1023, 16 * 1026 + 9),
        (5 + 16 * 40, 16 * 30),
        (0, 0),
        (5 + 16 * 2100, 15),
        (5 + 16 * 2101, 16),
        (len(image), 0),
        (len(image) - 20, 400),
        (len(image) + 50, 32),
    ]
    aligned = [(5 + 16 * 100 * number, 1600) for number in range(20)]
    for sections in (mixed, aligned, []):
        expected = plainly(image, sections, by_numpy)
        assert tallied(image, sections, by_numpy) == expected
        assert tallied(image, sections, compiled) == expected
    for decoder in (by_numpy, compiled):
        assert tallied(b"", [(0, 0), (3, 9)], decoder) == [({}, b"")] * 2


KEYS = st.sampled_from([b"\x01\x00", b"\x02\xf0", b"\x04\x10", b"\x05\x00", b"\x06\x00"])


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_bytes_in_any_sections(
    by_numpy: TableDecoder, compiled: TableDecoder, data: st.DataObject
) -> None:
    instruction = st.tuples(KEYS, st.binary(min_size=14, max_size=14)).map(b"".join)
    image = b"".join(data.draw(st.lists(instruction | st.binary(max_size=20), max_size=30)))
    place = st.integers(0, len(image) + 3)
    sections = data.draw(st.lists(st.tuples(place, place), max_size=8))
    expected = plainly(image, sections, by_numpy)
    assert tallied(image, sections, by_numpy) == expected
    assert tallied(image, sections, compiled) == expected


def test_a_few_rows_at_a_time(by_numpy: TableDecoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[tally.__module__], "_ENTRIES", 100)
    image = likely_words(mixed_table(), 100, 4).tobytes()
    sections = [(16 * 40 * number, 16 * 40) for number in range(20)]
    assert tallied(image, sections, by_numpy) == plainly(image, sections, by_numpy)


def test_nothing_behind_a_section_is_read(by_numpy: TableDecoder, compiled: TableDecoder) -> None:
    page = mmap.PAGESIZE
    memory = mmap.mmap(-1, 2 * page)
    words = likely_words(mixed_table(), 200, 5)[: page // 16]
    memory[:page] = words.tobytes()
    first = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    protect = ctypes.CDLL(None).mprotect
    assert protect(ctypes.c_void_p(first + page), ctypes.c_size_t(page), 0) == 0
    image = memoryview(memory)[:page]
    held = np.frombuffer(image, "<u8").reshape(-1, 2)
    assert decoded(compiled, held) == decoded(by_numpy, words)
    found = tally(image, [(0, page), (page - 33, 33), (page, 0)], compiled)
    left = sum(map(len, found.left.values()))
    assert int(found.counts.sum()) + left == page // 16 + 2


def test_threads_do_not_disturb_one_another(compiled: TableDecoder) -> None:
    words = likely_words(mixed_table(), 2000, 6)
    images = [words[first:].tobytes() for first in range(0, 8000, 1000)]
    sections = [(16 * 300 * number, 16 * 300) for number in range(60)]
    expected = [plainly(image, sections, compiled) for image in images]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda image: tallied(image, sections, compiled), images * 6))
    assert found == expected * 6


def test_it_compiles_when_that_pays(
    by_numpy: TableDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def make() -> Functions:
        made.append(1)
        return compile_functions()

    monkeypatch.setattr(compiled_module, "compile_functions", make)
    meter = Meter(worth=150)
    decoder = TableDecoder(columns_of(mixed_table()), meter)
    words = likely_words(mixed_table(), 10, 8)[:60]
    spans = np.array([(0, 60)], np.int64)
    image = memoryview(words.tobytes())
    assert decoder.count(image, spans) is None
    assert (meter.spent, made) == (0, [])
    for spent in (60, 120, 120):
        assert decoded(decoder, words) == decoded(by_numpy, words)
        assert meter.spent == spent
    assert decoder.count(image, spans) is not None
    assert made == [1]


def test_without_llvmlite_numpy_stays() -> None:
    script = (
        "import sys, numpy as np\n"
        "sys.modules['llvmlite'] = None\n"
        "from sassay import jit\n"
        "from sassay.isa.sass.tables import TableDecoder, tally\n"
        "from sassay.isa.sass.tables.columns import columns_of\n"
        "from sassay.isa.sass.tables.compiled import Meter\n"
        "from sassay.isa.sass.tables.shipped import shipped_table\n"
        "meter = Meter(worth=0)\n"
        "decoder = TableDecoder(columns_of(shipped_table('sm_80')), meter)\n"
        "words = np.random.default_rng(1).integers(0, 1 << 63, (5000, 2), np.uint64)\n"
        "words[::2] = 0x918, 0x000fc00000000000\n"
        "found = tally(memoryview(words.tobytes()), [(0, 80000)], decoder)\n"
        "again = tally(memoryview(words.tobytes()), [(0, 80000)], decoder)\n"
        "assert not jit.available() and meter.functions(0) is None\n"
        "assert 'NOP' in [decoder.names[number] for number in found.used]\n"
        "assert again.counts.tolist() == found.counts.tolist() and found.counts.max() >= 2500\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_little_work_loads_no_compiler() -> None:
    script = (
        "import sys, numpy as np\n"
        "from sassay.isa.sass.tables import decoder_for, tally\n"
        "decoder = decoder_for('sm_80')\n"
        "decoder.decode(np.zeros((100_000, 2), np.uint64))\n"
        "tally(memoryview(bytes(1 << 20)), [(0, 1 << 20)], decoder)\n"
        "sys.exit('llvmlite' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
