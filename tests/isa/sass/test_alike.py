"""Operands that hold for every architecture of a table, as nvdisasm prints them."""

from __future__ import annotations

import msgspec
import pytest

from sassay.isa.sass.learn.alike import hold_alike
from sassay.isa.sass.tables.record import NO_SHAPE, OperandRecord, TableRecord
from sassay.isa.sass.tables.shipped import shipped_operands, shipped_table
from sassay.isa.sass.tools import Tool, find_tools

FADD, F2FP, UNKNOWN_KEY = 0x221, 0x23E, 0xFFF


def _learned() -> OperandRecord:
    record = shipped_operands("sm_89")
    assert record is not None
    chosen = tuple(opcode for opcode in record.opcodes if opcode.key in {FADD, F2FP})
    assert len(chosen) == 2
    stranger = msgspec.structs.replace(chosen[0], key=UNKNOWN_KEY)
    return msgspec.structs.replace(record, opcodes=(*chosen, stranger))


def _table(*archs: str) -> TableRecord:
    return msgspec.structs.replace(shipped_table("sm_89"), archs=archs)


@pytest.mark.oracle
def test_only_opcodes_that_print_alike_hold() -> None:
    """sm_86 lacks the conversions of sm_89 to 8 bits, so F2FP prints otherwise."""
    said: list[str] = []
    learned = _learned()
    tool = next(tool for tool in find_tools(None) if "sm_89" in tool.archs)
    found = hold_alike(learned, "sm_89", _table("sm_86", "sm_89"), tool, said.append)
    assert found.archs == ("sm_86", "sm_89")
    assert [opcode.key for opcode in found.opcodes] == [FADD]
    places = memoryview(found.opcodes[0].places).cast("H").tolist()
    old = memoryview(learned.opcodes[0].places).cast("H").tolist()
    for new, before in zip(places, old, strict=True):
        if before == NO_SHAPE:
            assert new == NO_SHAPE
        else:
            assert found.shapes[new] == learned.shapes[before]
    assert len(found.shapes) < len(learned.shapes)
    assert said == ["operands of sm_86: 2 opcodes asked, 1 left out"]


def test_an_architecture_alone_is_asked_nothing_and_keeps_what_its_table_knows() -> None:
    nothing = Tool("there is none", (1, 2, 3), ())
    found = hold_alike(_learned(), "sm_89", _table("sm_89"), nothing, lambda _: None)
    assert [opcode.key for opcode in found.opcodes] == [FADD, F2FP]
