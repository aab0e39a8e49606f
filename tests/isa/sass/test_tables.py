from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
import zstandard
from tests.isa.sass.material import CALLS, EXIT, NOP, fadd, ffma, kernels, program, ptxas

from sassay.errors import FormatError, ToolError
from sassay.isa.sass import Disassembler, Tool, census
from sassay.isa.sass import words as word
from sassay.isa.sass.tables import UNKNOWN, TableDecoder, decoder_for, shipped_archs
from sassay.isa.sass.tables.columns import StoredTable, TableColumns, columns_of
from sassay.isa.sass.tables.files import MAGIC, read_table, write_table
from sassay.isa.sass.tables.layout import DENSE_BITS, lay_out
from sassay.isa.sass.tables.names import WHOLE, Names
from sassay.isa.sass.tables.record import SCHEMA, ConditionRecord, OpcodeRecord, TableRecord
from sassay.isa.sass.tables.shipped import shipped_columns, shipped_table

if TYPE_CHECKING:
    from pathlib import Path

POWERS = (2, 4, 8, 1 << 20)


def _opcode(
    key: int,
    bits: tuple[int, ...],
    conditions: tuple[ConditionRecord, ...],
    known: dict[int, int],
    *,
    fixed: tuple[int, int] = (0, 0),
    reuse: int = 0,
) -> OpcodeRecord:
    return OpcodeRecord(
        key=key,
        fixed_mask=(fixed[0] & 2**64 - 1, fixed[0] >> 64),
        fixed_value=(fixed[1] & 2**64 - 1, fixed[1] >> 64),
        bits=bits,
        conditions=conditions,
        indices=np.array(sorted(known), dtype="<u4").tobytes(),
        names=np.array([known[index] for index in sorted(known)], dtype="<u4").tobytes(),
        reuse=bytes(reuse ^ (index & 1) for index in sorted(known)),
    )


def _table(seed: int = 3) -> TableRecord:
    """Opcodes of every kind that the decoder tells apart, with random answers."""
    rng = np.random.default_rng(seed)

    def some(bits: int, share: float) -> dict[int, int]:
        picked = np.flatnonzero(rng.random(1 << bits) < share)
        return {int(index): int(rng.integers(0, 50)) for index in picked}

    wide = tuple(range(32, 38)) + tuple(range(66, 76))
    assert len(wide) > DENSE_BITS
    conditions = (ConditionRecord(24, 8, (255,)), ConditionRecord(32, 32, POWERS))
    return TableRecord(
        schema=SCHEMA,
        archs=("sm_1", "sm_2"),
        taught_by="1.2.3",
        names=tuple(f"NAME{number}" for number in range(50)),
        opcodes=(
            _opcode(0x005, (), (), {0: 7}),
            _opcode(
                0x221, (72, 80, 91), (), some(3, 0.8), fixed=(3 << 92 | 3 << 70, 1 << 92 | 3 << 70)
            ),
            _opcode(0x224, (73, 81, 82), conditions, some(5, 0.9), reuse=6),
            _opcode(0x989, (58, 59, 65, 104), (), some(4, 0.7), fixed=(1 << 40, 0), reuse=15),
            _opcode(0xFFF, wide, (), some(len(wide), 0.5)),
        ),
    )


def _slowly(table: TableRecord, low: int, high: int) -> int:
    """The same look-up bit by bit, as the format says."""
    whole = low | high << 64
    for opcode in table.opcodes:
        if opcode.key != low & 0xFFF:
            continue
        mask = opcode.fixed_mask[0] | opcode.fixed_mask[1] << 64
        if (whole ^ (opcode.fixed_value[0] | opcode.fixed_value[1] << 64)) & mask:
            return UNKNOWN
        index = sum((whole >> bit & 1) << place for place, bit in enumerate(opcode.bits))
        for place, item in enumerate(opcode.conditions, len(opcode.bits)):
            index |= (whole >> item.start & (1 << item.width) - 1 in item.values) << place
        known = np.frombuffer(opcode.indices, "<u4").tolist()
        if index not in known:
            return UNKNOWN
        place = known.index(index)
        if high >> 58 & 0xF & ~opcode.reuse[place]:
            return UNKNOWN
        return int(np.frombuffer(opcode.names, "<u4")[place])
    return UNKNOWN


def _random_words(table: TableRecord, count: int) -> word.Words:
    """Words that mostly hold the fixed bits and often fulfil a condition."""
    rng = np.random.default_rng(11)
    words = rng.integers(0, 2**64, (count, 2), dtype=np.uint64)
    for row in range(count):
        if row % 16 == 0:
            continue
        opcode = table.opcodes[row % len(table.opcodes)]
        whole = (int(words[row, 0]) & ~0xFFF | opcode.key) | int(words[row, 1]) << 64
        mask = opcode.fixed_mask[0] | opcode.fixed_mask[1] << 64
        value = opcode.fixed_value[0] | opcode.fixed_value[1] << 64
        whole = whole & ~mask | value if row % 7 else whole
        for item in opcode.conditions:
            if rng.random() < 0.5:
                field = ((1 << item.width) - 1) << item.start
                whole = whole & ~field | int(rng.choice(item.values)) << item.start
        if row % 3:
            whole &= ~(0xF << 122)
        words[row] = (whole & 2**64 - 1, whole >> 64)
    return words


def test_look_ups_do_what_the_format_says() -> None:
    table = _table()
    words = _random_words(table, 6000)
    found = TableDecoder(columns_of(table)).decode(words)
    expected = [_slowly(table, int(low), int(high)) for low, high in words]
    assert found.tolist() == expected
    shares = np.unique(found >= 0, return_counts=True)[1] / len(words)
    assert shares.min() > 0.2  # both answers are well represented
    assert TableDecoder(columns_of(table)).decode(words[:0]).tolist() == []


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    table = _table(5)
    words = _random_words(table, 500)
    whole = TableDecoder(columns_of(table)).decode(words)
    monkeypatch.setattr("sassay.isa.sass.tables.vectors.BLOCK_WORDS", 7)
    assert TableDecoder(columns_of(table)).decode(words).tolist() == whole.tolist()
    # Rows of a larger array, as a slice of a section has them.
    spread = np.zeros((len(words), 4), dtype=np.uint64)
    spread[:, 1:3] = words
    assert TableDecoder(columns_of(table)).decode(spread[:, 1:3]).tolist() == whole.tolist()


def test_a_table_file_is_the_same_again_and_damage_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "one.sasstable"
    size = write_table(_table(), path)
    data = path.read_bytes()
    assert len(data) == size
    assert read_table(data, artifact="one").record() == _table()
    write_table(_table(), path)
    assert path.read_bytes() == data
    for bad in (b"", data[:20], data[:-1], data[:-1] + bytes([data[-1] ^ 1]), b"x" + data[1:]):
        with pytest.raises(FormatError, match=r"bad: .*table"):
            read_table(bad, artifact="bad")


def test_a_table_of_another_schema_is_refused() -> None:
    other = msgspec.structs.replace(columns_of(_table()).stored, schema=SCHEMA + 1)
    packed = zstandard.compress(msgspec.msgpack.encode(other))
    with pytest.raises(FormatError, match=f"schema {SCHEMA + 1}, expected {SCHEMA}"):
        read_table(MAGIC + hashlib.sha256(packed).digest() + packed, artifact="bad")
    packed = zstandard.compress(b"no msgpack")
    with pytest.raises(FormatError, match="cannot be read"):
        read_table(MAGIC + hashlib.sha256(packed).digest() + packed, artifact="bad")


@pytest.mark.parametrize("leader", ["sm_70", "sm_90a", "sm_120a"])
def test_a_shipped_table_is_what_its_records_are_written_as(leader: str) -> None:
    stored = shipped_columns(leader).stored
    again = columns_of(shipped_table(leader)).stored
    assert msgspec.msgpack.encode(again) == msgspec.msgpack.encode(stored)


def test_names_are_spelled_one_by_one() -> None:
    names = ["", "A", "A.B", "A.Bé", "A.Bè.C", "Z", *(f"NAME.{n:03}.X" for n in range(5 * WHOLE))]
    stored = Names.of(names)
    assert [stored[place] for place in range(len(names))] == names
    assert list(stored) == names
    assert (stored[-1], stored[3:5], len(stored)) == (names[-1], tuple(names[3:5]), len(names))
    assert len(stored.rests) < len("".join(names)) // 2
    with pytest.raises(IndexError):
        _ = stored[len(names)]
    assert list(Names.of([])) == []


@pytest.mark.parametrize(
    "column",
    [
        name
        for name in StoredTable.__struct_fields__
        if name not in ("schema", "archs", "taught_by")
    ],
)
def test_columns_that_do_not_fit_together_are_refused(column: str) -> None:
    stored = columns_of(_table()).stored
    cut: memoryview = getattr(stored, column)[:-1]
    longer = memoryview(bytes(getattr(stored, column)) + bytes(8))
    for bad in (cut, longer):
        with pytest.raises(FormatError, match="fit together"):
            TableColumns(msgspec.structs.replace(stored, **{column: bad}))


def test_columns_that_lead_out_of_the_arrays_are_refused() -> None:
    stored = columns_of(_table()).stored

    def refused(column: str, place: int, value: int, why: str) -> None:
        data = bytearray(getattr(stored, column))
        data[place] = value
        with pytest.raises(FormatError, match=why):
            lay_out(TableColumns(msgspec.structs.replace(stored, **{column: memoryview(data)})))

    refused("keys", 1, 0xFF, "more than 12 bits")
    refused("bits", 0, 200, "no bit of a word")
    refused("places", 2, 1, "has no name")
    refused("indices", 3, 1, "none of its opcode")
    refused("shared", 0, 1, "shares more")
    refused("shared", 2, 0xFF, "shares more")


def _any_words(table: TableRecord, count: int, seed: int) -> word.Words:
    """Random words that the table knows: every opcode, random combinations, random operands."""
    rng = np.random.default_rng(seed)
    words = []
    for number in range(count):
        opcode = table.opcodes[number % len(table.opcodes)]
        index = int(rng.choice(np.frombuffer(opcode.indices, "<u4")))
        low, high = rng.integers(0, 2**64, 2, dtype=np.uint64).tolist()
        whole = (low & ~0xFFF | opcode.key) | (high & 2**41 - 1) << 64
        mask = opcode.fixed_mask[0] | opcode.fixed_mask[1] << 64
        whole = whole & ~mask | opcode.fixed_value[0] | opcode.fixed_value[1] << 64
        for place, bit in enumerate(opcode.bits):
            whole = whole & ~(1 << bit) | (index >> place & 1) << bit
        words.append((whole & 2**64 - 1, whole >> 64))
    return word.canonical(program(*words))


@pytest.mark.parametrize("arch", ["sm_80", "sm_89", "sm_90a", "sm_100a", "sm_103a"])
def test_instructions_that_no_seed_leads_to_are_known(arch: str) -> None:
    table = shipped_table(arch)
    names = {
        opcode.key: {table.names[place] for place in np.frombuffer(opcode.names, "<u4").tolist()}
        for opcode in table.opcodes
    }
    assert "ATOMS.POPC.INC.32" in names[0xF8C]
    assert "I2F.F16" in names[0x906]
    assert "I2F.U64.RP" in names[0xD12]


@pytest.mark.oracle
def test_shipped_tables_answer_as_nvdisasm_does(disassembler: Disassembler) -> None:
    """Any operands at all, in every opcode: where a table answers, it is right."""
    asked = 0
    plain = Disassembler(None, disassembler.tools, tables=False)
    for arch in shipped_archs():
        if not plain.knows(arch):
            continue
        table = decoder_for(arch)
        assert table is not None
        if table.archs[0] != arch:
            continue
        words = _any_words(shipped_table(arch), 1200, 17)
        found = table.decode(words)
        known = np.flatnonzero(found != UNKNOWN)
        [expected] = plain.opcodes([(arch, words[known].tobytes())])
        assert expected is not None
        names = [expected.names[i] for i in expected.opcodes.tolist()]
        assert [table.names[i] for i in found[known].tolist()] == names, arch
        asked += len(known)
    assert asked > 5000


@pytest.mark.oracle
@pytest.mark.parametrize("sm", [80, 86, 89, 90, 100, 120])
def test_compiled_code_needs_no_disassembler(
    disassembler: Disassembler, tmp_path: Path, sm: int
) -> None:
    cubin, _ = ptxas(CALLS, sm, tmp_path)
    [kernel] = kernels(cubin).values()
    arch = kernel.sass.arch
    alone = Disassembler(None, [])
    [found] = alone.opcodes([(arch, bytes(kernel.code))])
    [expected] = Disassembler(None, disassembler.tools, tables=False).opcodes(
        [(arch, bytes(kernel.code))]
    )
    assert found is not None
    assert expected is not None
    assert census(found) == census(expected)
    counts = alone.counts[arch]
    assert (counts.tables, counts.others, counts.undecided) == (len(found.opcodes), 0, 0)


def test_volta_without_any_program() -> None:
    alone = Disassembler(None, [])
    code = program(fadd(2, 3, 4), ffma(5, 6, 7, 8), EXIT, NOP)
    strange = program(fadd(2, 3, 4), (2**64 - 1, 5))
    assert alone.knows("sm_70")
    found, left = alone.opcodes([("sm_70", code.tobytes()), ("sm_70", strange.tobytes())])
    assert found is not None
    assert census(found) == {"EXIT": 1, "FADD": 1, "FFMA": 1, "NOP": 1}
    assert left is None  # one word is beyond the table, and nothing is guessed
    counts = alone.counts["sm_70"]
    assert (counts.tables, counts.others, counts.undecided) == (5, 1, 1)
    assert alone.version("sm_70") == "12.8.55 (tables alone)"
    with pytest.raises(ToolError, match="no nvdisasm was found"):
        alone.texts("sm_70", code.tobytes())


def test_what_a_table_does_not_know_goes_to_nvdisasm(disassembler: Disassembler) -> None:
    mixed = Disassembler(None, disassembler.tools)
    code = program(fadd(2, 3, 4), (2**64 - 1, 5), EXIT)
    [found] = mixed.opcodes([("sm_80", code.tobytes())])
    assert found is not None
    assert census(found) == {"EXIT": 1, "FADD": 1, "INVALID": 1}
    counts = mixed.counts["sm_80"]
    assert (counts.tables, counts.others, counts.undecided) == (2, 1, 0)


def test_versions_of_tables_and_tools_are_both_named() -> None:
    taught = decoder_for("sm_80")
    assert taught is not None
    other = Tool("none", (99, 1, 2), ("sm_80",))
    assert Disassembler(None, [other]).version("sm_80") == f"{taught.taught_by} and 99.1.2"
    assert Disassembler(None, [other], tables=False).version("sm_80") == "99.1.2"
    assert Disassembler(None, []).version("sm_80") == f"{taught.taught_by} (tables alone)"
