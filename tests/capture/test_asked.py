"""A quick look at a symbol leaves out none that its name or family would have matched."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

from sassay.capture import kernel_names
from sassay.capture.demangle import demangle
from sassay.capture.families import cxx_family

SYMBOLS = (
    "_rmsnorm_kernel",
    "_ZN5flash33prepare_varlen_num_blocks_kernelEiiiPKi",
    "_ZN12_GLOBAL__N_112scale_kernelIfEEvPT_S1_j",
    "_Z11copy_kernelISsEvT_Sa_",
    "_Z6kernelISt6vectorIjSaIjEEEvT_",
    "_Z11pick_kernelINSt3__112basic_stringIcNS0_11char_traitsIcEENS0_9allocatorIcEEEEEvT_",
    "_ZN7cutlass13device_kernelINS_4gemm6kernel13GemmUniversalIiffEEEEvNT_6ParamsE",
    "_Z10cast_kernelIDhDnDsEvT_T0_T1_",
    "_ZN2at6native24vectorized_elementwise_kernelILi4EZNS0_3addEvEUlfE_EEvT0_",
    "_Z12shift_kernelIoEvT_",
    "_ZNK3FoocvSsEv",
)


def slow(wanted: str, symbol: str) -> bool:
    texts = (symbol, demangle(symbol), cxx_family(symbol))
    return wanted in texts or any(fnmatchcase(text, wanted) for text in texts)


def wanted_names() -> list[str]:
    texts = {text for symbol in SYMBOLS for text in (symbol, demangle(symbol), cxx_family(symbol))}
    parts = {
        text[start : start + size]
        for text in texts
        for size in (7, 13, 29)
        for start in range(0, max(1, len(text) - size), 3)
    }
    return [*sorted(texts), *(f"*{part}*" for part in sorted(parts)), "*[Kk]ernel*", "*", "_Z*?"]


def test_what_is_asked_for_is_found() -> None:
    found = 0
    for wanted in wanted_names():
        test = kernel_names(wanted)
        assert test is not None
        for symbol in SYMBOLS:
            assert test(symbol) == slow(wanted, symbol), (wanted, symbol)
            found += test(symbol)
    assert found > len(SYMBOLS) * 10


@pytest.mark.parametrize(
    ("wanted", "word"),
    [
        ("prepare_varlen_num_blocks_kernel", "prepare_varlen_num_blocks_kernel"),
        ("cutlass::*<*GemmUniversal*", "GemmUniversal"),
    ],
)
def test_a_symbol_without_its_words_is_not_demangled(
    wanted: str, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def note(symbol: str) -> str:
        asked.append(symbol)
        return demangle(symbol)

    monkeypatch.setattr("sassay.capture.asked.demangle", note)
    test = kernel_names(wanted)
    assert test is not None
    for symbol in SYMBOLS:
        test(symbol)
    assert asked == [symbol for symbol in SYMBOLS if word in symbol]
