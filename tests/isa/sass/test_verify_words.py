"""Each different instruction against nvdisasm's raw mode."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from tests.isa.sass.material import ARITHMETIC, CALLS, ptxas

from sassay.errors import FormatError
from sassay.isa.sass import Disassembler, census, verify_words
from sassay.isa.sass.cubin_code import code_sections
from sassay.isa.sass.tables import TableDecoder
from sassay.isa.sass.tables.columns import columns_of
from sassay.isa.sass.tables.shipped import shipped_table
from sassay.isa.sass.tools import find_tools
from sassay.isa.sass.verify_words import WordVerifier


@pytest.fixture(scope="module")
def cubin(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return ptxas(CALLS + ARITHMETIC, 80, tmp_path_factory.mktemp("words"))[0]


@pytest.mark.oracle
def test_equal_words_are_asked_once_and_all_instructions_counted(cubin: bytes) -> None:
    verifier = WordVerifier(find_tools(None))
    for number in range(3):
        verifier.read(cubin, f"{number}.cubin")
    verifier.read(cubin, "other.cubin", ("sm_9*",))
    verifier.ask(lambda _: None)
    assert set(verifier.by_arch) == {"sm_80"}
    found = verifier.by_arch["sm_80"]
    assert (found.cubins, found.functions, found.mismatches) == (3, 6, 0)
    assert found.asked == found.different == found.by_tables + found.by_nvdisasm
    assert found.different < found.instructions / 3 + 1
    assert found.known == found.instructions > 600
    assert (found.trailing, found.unreadable, verifier.mismatches) == (0, 0, [])


@pytest.mark.oracle
def test_a_wrong_table_is_told_with_the_word(cubin: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    table = shipped_table("sm_80")
    names = tuple("LEAVE" if name == "EXIT" else name for name in table.names)
    wrong = TableDecoder(columns_of(msgspec.structs.replace(table, names=names)))
    monkeypatch.setattr(verify_words, "decoder_for", lambda _: wrong)
    verifier = WordVerifier(find_tools(None))
    verifier.read(cubin, "a.cubin")
    verifier.ask(lambda _: None)
    with Disassembler(None) as disassembler:
        _, sections = code_sections(cubin, "a.cubin")
        decoded = disassembler.opcodes([("sm_80", each.code) for each in sections])
    counts = sum((Counter(census(each)) for each in decoded if each is not None), Counter())
    assert sum(each.count for each in verifier.mismatches) == counts["EXIT"] > 0
    assert verifier.by_arch["sm_80"].mismatches == counts["EXIT"]
    for each in verifier.mismatches:
        assert (each.ours, each.theirs, each.word & 0xFFF) == ("LEAVE", "EXIT", 0x94D)


def test_nothing_is_checked_without_an_nvdisasm(cubin: bytes) -> None:
    verifier = WordVerifier(())
    verifier.read(cubin, "a.cubin")
    verifier.ask(lambda _: None)
    assert verifier.by_arch["sm_80"].unreadable == 2
    assert verifier.by_arch["sm_80"].asked == 0
    with pytest.raises(FormatError):
        verifier.read(cubin[:100], "cut.cubin")
