"""Operands that one architecture hands to another, as nvdisasm prints both."""

from __future__ import annotations

import msgspec
import pytest

from sassay.errors import InputError
from sassay.isa.sass.learn.inherit import inherit
from sassay.isa.sass.tables.record import NO_SHAPE, OperandRecord
from sassay.isa.sass.tables.shipped import shipped_operands, shipped_table
from sassay.isa.sass.tools import find_tools

FADD, F2FP, UNKNOWN_KEY = 0x221, 0x23E, 0xFFF


def _donor() -> OperandRecord:
    record = shipped_operands("sm_89")
    assert record is not None
    chosen = tuple(opcode for opcode in record.opcodes if opcode.key in {FADD, F2FP})
    assert len(chosen) == 2
    stranger = msgspec.structs.replace(chosen[0], key=UNKNOWN_KEY)
    return msgspec.structs.replace(record, opcodes=(*chosen, stranger))


@pytest.mark.oracle
def test_only_opcodes_that_print_alike_are_handed_on() -> None:
    """sm_86 lacks the conversions of sm_89 to 8 bits, so F2FP prints otherwise."""
    said: list[str] = []
    donor, table = _donor(), shipped_table("sm_86")
    found = inherit(donor, table, find_tools(None), said.append)
    assert found.archs == table.archs == ("sm_86", "sm_87", "sm_88")
    assert [opcode.key for opcode in found.opcodes] == [FADD]
    places = memoryview(found.opcodes[0].places).cast("H").tolist()
    old = memoryview(donor.opcodes[0].places).cast("H").tolist()
    for new, before in zip(places, old, strict=True):
        if before == NO_SHAPE:
            assert new == NO_SHAPE
        else:
            assert found.shapes[new] == donor.shapes[before]
    assert len(found.shapes) < len(donor.shapes)
    assert said[0] == "sm_86 as sm_89: 2 opcodes asked, 1 left out"


def test_nothing_without_the_nvdisasm_that_taught() -> None:
    with pytest.raises(InputError, match=r"needs nvdisasm .* for sm_89"):
        inherit(_donor(), shipped_table("sm_86"), (), lambda _: None)
