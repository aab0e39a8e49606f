from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from tests.isa.sass import material
from tests.isa.sass.material import EXIT, NOP, fadd, ffma, program, section

from sassay.isa.sass import Disassembler, tier
from sassay.isa.sass.renaming import renamed
from sassay.model.code import SassCode
from sassay.model.layers import Tier

if TYPE_CHECKING:
    from pathlib import Path


def _compiled(body: str, folder: Path, name: str, *options: str, sm: int = 80) -> SassCode:
    cubin, _ = material.ptxas(body, sm, folder, *options)
    return material.kernels(cubin)[name].sass


def test_recompiling_in_another_folder_is_identical(
    tmp_path: Path, disassembler: Disassembler
) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    before = _compiled(material.ARITHMETIC, tmp_path, "arithmetic", "-lineinfo")
    after = _compiled(material.ARITHMETIC, other, "arithmetic", "-lineinfo")
    assert tier(before, after, disassembler) is Tier.IDENTICAL


@pytest.mark.parametrize("sm", [75, 80, 90, 100, 120])
def test_moved_constants_and_functions_are_relocated(
    tmp_path: Path, disassembler: Disassembler, sm: int
) -> None:
    tables = [
        ".const .align 4 .u32 left[3] = {1,2,3};\n",
        ".const .align 4 .u32 right[5] = {7,8,9,10,11};\n",
    ]
    entries = [material.table_entry("one", "left"), material.table_entry("two", "right")]
    before = _compiled("".join([*tables, *entries]), tmp_path, "two", sm=sm)
    after = _compiled("".join([tables[1], tables[0], *entries[::-1]]), tmp_path, "two", sm=sm)
    assert tier(before, after, disassembler) in {Tier.IDENTICAL, Tier.RELOCATED}
    linked = _compiled("".join([*tables, *entries]), tmp_path, "two", sm=sm)
    changed = tables[1].replace("8", "88")
    other = _compiled("".join([tables[0], changed, *entries]), tmp_path, "two", sm=sm)
    found = tier(linked, other, disassembler)
    shows_content = any(content for _, content in linked.constants) and not linked.relocations
    assert found is (Tier.REORDERED if shows_content else Tier.RELOCATED)


def test_offsets_into_an_address_table_are_relocated(disassembler: Disassembler) -> None:
    # IADD3 R2, R2, c[0x4][offset], RZ: form 6 at bits 9..11, bank 4 at 54, offset at 38.
    def code(offset: int, symbols: tuple[tuple[int, int, str], ...]) -> SassCode:
        low = 0x7C10 | 2 << 16 | 2 << 24 | 4 << 54 | offset << 38
        words = program((low & ~0xE00 | 0xA00, 0x000FC00007FFE0FF), EXIT)
        return SassCode("sm_80", words.tobytes(), (), ((4, bytes(32)),), symbols)

    here = code(8, ((4, 0, "other"), (4, 8, "wanted")))
    there = code(16, ((4, 16, "wanted"),))
    wrong = code(16, ((4, 8, "wanted"), (4, 16, "other")))
    assert tier(here, there, disassembler) is Tier.RELOCATED
    assert tier(here, wrong, disassembler) is Tier.REORDERED
    assert "wanted" in disassembler.listing(here)[0].text
    assert disassembler.listing(here)[0].key == disassembler.listing(there)[0].key


def test_more_padding_is_relocated(disassembler: Disassembler) -> None:
    words = program(fadd(2, 3, 4), EXIT)
    padded = program(fadd(2, 3, 4), EXIT, NOP, NOP)
    assert tier(section(words), section(padded), disassembler) is Tier.RELOCATED
    inside = program(NOP, fadd(2, 3, 4), EXIT)
    assert tier(section(words), section(inside), disassembler) is Tier.RECOMPOSED


def test_control_bits_alone_are_rescheduled(tmp_path: Path, disassembler: Disassembler) -> None:
    before = _compiled(material.ARITHMETIC, tmp_path, "arithmetic")
    words = np.frombuffer(before.code, dtype="<u8").reshape(-1, 2).copy()
    for bit in range(105, 122):
        edited = words.copy()
        edited[3, 1] ^= np.uint64(1) << np.uint64(bit - 64)
        after = msgspec.structs.replace(before, code=edited.tobytes())
        assert tier(before, after, disassembler) is Tier.RESCHEDULED
    edited = words.copy()
    edited[:, 1] &= ~np.uint64(0xF << 58)
    after = msgspec.structs.replace(before, code=edited.tobytes())
    assert tier(before, after, disassembler) in {Tier.RESCHEDULED, Tier.IDENTICAL}


def test_every_instruction_bit_is_deeper_than_rescheduled(disassembler: Disassembler) -> None:
    words = program(ffma(2, 3, 4, 5), EXIT)
    flips = [(0, bit) for bit in range(64)] + [(1, bit) for bit in range(41)]
    everything = np.concatenate([words[:1]] * len(flips))
    for row, (half, bit) in enumerate(flips):
        everything[row, half] ^= np.uint64(1) << np.uint64(bit)
    disassembler.texts("sm_80", everything.tobytes())  # all in one call
    for row, flip in enumerate(flips):
        edited = np.concatenate([everything[row : row + 1], words[1:]])
        found = tier(section(words), section(edited), disassembler)
        assert found in {Tier.RENAMED, Tier.REORDERED, Tier.RECOMPOSED}, flip


def test_swapped_registers_are_renamed(disassembler: Disassembler) -> None:
    before = program(fadd(2, 3, 4), ffma(5, 2, 3, 4), fadd(4, 5, 2), EXIT)
    after = program(fadd(2, 5, 4), ffma(3, 2, 5, 4), fadd(4, 3, 2), EXIT)
    inconsistent = program(fadd(2, 5, 4), ffma(3, 2, 5, 4), fadd(4, 5, 2), EXIT)
    with_zero = program(fadd(2, 255, 4), ffma(5, 2, 255, 4), fadd(4, 5, 2), EXIT)
    assert tier(section(before), section(after), disassembler) is Tier.RENAMED
    assert tier(section(after), section(before), disassembler) is Tier.RENAMED
    assert tier(section(before), section(inconsistent), disassembler) is Tier.REORDERED
    assert tier(section(before), section(with_zero), disassembler) is Tier.REORDERED


def test_order_and_opcodes(disassembler: Disassembler) -> None:
    before = program(fadd(2, 3, 4), ffma(5, 6, 7, 8), EXIT)
    swapped = program(ffma(5, 6, 7, 8), fadd(2, 3, 4), EXIT)
    other = program(fadd(2, 3, 4), fadd(5, 6, 7), EXIT)
    assert tier(section(before), section(swapped), disassembler) is Tier.REORDERED
    assert tier(section(before), section(other), disassembler) is Tier.RECOMPOSED


def test_another_register_budget_recomposes(tmp_path: Path, disassembler: Disassembler) -> None:
    body = material.pressure("many", 60)
    before = _compiled(body, tmp_path, "many")
    after = _compiled(body, tmp_path, "many", "-maxrregcount=32")
    assert tier(before, after, disassembler) is Tier.RECOMPOSED
    assert tier(before, before, disassembler) is Tier.IDENTICAL


def test_a_cut_section_is_not_equal_to_a_whole_one(disassembler: Disassembler) -> None:
    whole = section(program(fadd(2, 3, 4), EXIT))
    cut = msgspec.structs.replace(whole, code=whole.code + b"\1\2\3")
    assert tier(whole, cut, disassembler) is Tier.RECOMPOSED


WIDE = "IMAD.WIDE R2, R4, R5, R6"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (["LDG.E.64 R2, [R4.64]", "MOV R9, R3"], ["LDG.E.64 R6, [R4.64]", "MOV R9, R7"], True),
        (["LDG.E.64 R2, [R4.64]", "MOV R9, R3"], ["LDG.E.64 R6, [R4.64]", "MOV R9, R8"], False),
        (["MOV R2, R3", WIDE], ["MOV R8, R9", "IMAD.WIDE R8, R4, R5, R6"], True),
        (["MOV R1, R3", WIDE], ["MOV R1, R9", WIDE], False),
        (["@P0 BRA \x01+0x40"], ["@P1 BRA \x01+0x40"], True),
        (["@P0 BRA \x01+0x40"], ["@!P0 BRA \x01+0x40"], False),
        (["@P0 BRA \x01+0x40"], ["@P0 BRA \x01+0x50"], False),
        (["FADD R2.reuse, R3, RZ"], ["FADD R4, R3.reuse, RZ"], True),
        (["FADD R2, R3, RZ"], ["FADD R2, R3, R4"], False),
        (["MOV R2, 0x1"], ["MOV R2, 0x2"], False),
        (["MOV R1, R2", "MOV R3, R4"], ["MOV R1, R2", "MOV R2, R4"], False),
        (["S2R R2, SR_TID.X"], ["S2R R2, SR_TID.Y"], False),
        (["BSSY B0, \x01+0x10", "BSYNC B0"], ["BSSY B1, \x01+0x10", "BSYNC B1"], True),
    ],
)
def test_renaming_is_one_to_one(before: list[str], after: list[str], *, expected: bool) -> None:
    assert renamed(before, after) is expected
    assert renamed(after, before) is expected
    assert renamed(before, before)
