"""Broken and hostile line tables: one clear line each, never a hang or another exception."""

from __future__ import annotations

import random
import struct
import time
from typing import TYPE_CHECKING

import pytest
from tests.containers.line_programs import END, SET_ADDRESS, run, uleb, unit
from tests.containers.lined import LINED, assemble_lined

from sassay.containers import limits, read_elf
from sassay.containers.lines import read_lines
from sassay.errors import FormatError, LimitError
from sassay.isa import ptx

if TYPE_CHECKING:
    from collections.abc import Callable

SECTIONS = (".debug_line", ".nv_debug_line_sass", ".rel.debug_line", ".debug_str")


def one_line(error: FormatError) -> None:
    text = str(error)
    assert text.startswith("m: ")
    assert "\n" not in text
    assert len(text) < 300


def place(data: bytes, name: str) -> tuple[int, int]:
    section = read_elf(data, artifact="m").by_name[name]
    return section.offset, section.size


def test_flipped_bytes_give_tables_or_one_line() -> None:
    data = assemble_lined("sm_80")
    generator = random.Random(5)
    refused = 0
    started = time.monotonic()
    for _ in range(1500):
        broken = bytearray(data)
        start, size = place(data, generator.choice(SECTIONS))
        for _ in range(generator.randint(1, 4)):
            broken[start + generator.randrange(size)] = generator.choice([0, 0xFF, 0x7F, 0x90, 1])
        try:
            lines = read_lines(bytes(broken), artifact="m")
        except FormatError as error:
            one_line(error)
            refused += 1
            continue
        for table in (lines.source or {}).values():
            assert all(table.chain(site) for site in table.sites.tolist() if site >= 0)
    assert 200 < refused < 1500
    assert time.monotonic() - started < 30


def test_a_line_table_cut_anywhere_is_refused_with_its_place() -> None:
    data = assemble_lined("sm_80")
    elf = read_elf(data, artifact="m")
    section = elf.by_name[".debug_line"]
    size_at = struct.unpack_from("<Q", data, 40)[0] + 64 * section.index + 32
    for size in range(1, section.size):
        cut = bytearray(data)
        struct.pack_into("<Q", cut, size_at, size)
        with pytest.raises(FormatError) as caught:
            read_lines(bytes(cut), artifact="m")
        one_line(caught.value)
        assert ".debug_line" in str(caught.value)


CASES: dict[str, tuple[Callable[[], bytes], str]] = {
    "reserved length": (lambda: b"\xf4\xff\xff\xff", "reserved length"),
    "a terabyte": (lambda: b"\xff" * 4 + struct.pack("<Q", 1 << 40), "claims"),
    "version 6": (lambda: unit(6, b""), "version 6"),
    "header outside": (lambda: struct.pack("<IHI", 6, 2, 999), "header of 999"),
    "no range": (
        lambda: struct.pack("<IHI", 40, 2, 30) + bytes([1, 1, 0, 0, 1]) + bytes(31),
        "range",
    ),
    "row without address": (lambda: unit(2, b"\1" + END), "before any address"),
    "far away": (lambda: unit(2, SET_ADDRESS + b"\1" + b"\x02" + uleb(1 << 66) + b"\1"), "lies"),
    "outside": (lambda: unit(2, SET_ADDRESS + b"\x02\xff\xff\x03\1"), "lies outside .text.k"),
    "no end": (lambda: unit(2, SET_ADDRESS + b"\1"), "does not end"),
    "negative line": (lambda: unit(2, SET_ADDRESS + b"\3\x40\1"), "line -63"),
    "huge line": (lambda: unit(2, SET_ADDRESS + b"\3" + uleb(1 << 40) + b"\1"), "line 1099"),
    "huge file": (lambda: unit(2, SET_ADDRESS + b"\4" + uleb(1 << 60) + b"\1"), "file 1152"),
    "endless number": (lambda: unit(2, SET_ADDRESS + b"\2" + b"\x80" * 40), "more than 10 bytes"),
    "call from nowhere": (lambda: unit(2, SET_ADDRESS + b"\0\3\x90\1\0\1"), "inlined at row 1"),
    "long opcode": (lambda: unit(2, SET_ADDRESS + b"\0\x7f\x90"), "127 bytes"),
    "short opcode": (lambda: unit(2, SET_ADDRESS + b"\0\2\x90\1\1\1"), "leave its 2"),
    "empty opcode": (lambda: unit(2, b"\0\0"), "0 bytes"),
    "narrow address": (lambda: unit(2, b"\0\5\2\0\0\0\0"), "4 bytes"),
    "earlier row": (lambda: unit(2, SET_ADDRESS + b"\2\4\1" + SET_ADDRESS + b"\1"), "follows"),
    "earlier end": (lambda: unit(2, SET_ADDRESS + b"\2\4\1" + SET_ADDRESS + END), "before a row"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong_is_named(name: str) -> None:
    build, expected = CASES[name]
    with pytest.raises(FormatError, match=expected) as caught:
        run(build())
    one_line(caught.value)


def test_rows_and_files_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_LINE_ROWS", 100)
    monkeypatch.setattr(limits, "MAX_LINE_FILES", 20)
    sequence = SET_ADDRESS + b"\1" * 60 + END
    assert len(run(unit(2, sequence))) == 1
    with pytest.raises(LimitError, match="more than 100 rows"):
        run(unit(2, sequence * 2))
    with pytest.raises(LimitError, match="more than 100 rows"):
        run(unit(2, SET_ADDRESS + b"\1" * 101 + END))
    with pytest.raises(FormatError, match="source files"):
        run(unit(2, SET_ADDRESS + b"\0\6\3a\0\1\1\1" * 40 + END))


def test_sections_are_bounded_before_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_LINE_BYTES", 64)
    with pytest.raises(LimitError, match="at most 64"):
        read_lines(assemble_lined("sm_80"), artifact="m")


def test_calls_that_nest_without_end_are_refused() -> None:
    data = assemble_lined("sm_80", text=nested(300))
    with pytest.raises(LimitError, match="inlined calls in each other") as caught:
        read_lines(data, artifact="m")
    one_line(caught.value)
    # PTX says the same of itself; there the innermost lines stay.
    function = ptx.read_module(nested(300).format(arch="sm_80"), artifact="m").entries[0]
    lines = ptx.source_lines(function)
    assert lines is not None
    assert max(len(chain) for chain in lines.chains) == limits.MAX_INLINE_DEPTH


def nested(depth: int) -> str:
    """`LINED` with calls inlined in one another, each at a line of its own."""
    locs = [
        f"    .loc 2 {1000 + step} 1, function_name $L__names, inlined_at "
        + (f"2 {999 + step} 1" if step else "1 11 3")
        for step in range(depth)
    ]
    head, tail = LINED.split("    ex2.approx", 1)
    return head + "\n".join(locs) + "\n    ex2.approx" + tail


def test_a_large_kernel_is_read_in_linear_time() -> None:
    row = b"\0\3\x90\1\0\3\1\x02\4\1\0\3\x90\0\0\3\x7f\1"
    rows = 100_000
    program = b"\0\x09\x02" + bytes(8) + b"\1" + row.replace(b"\x02\4", b"") * rows + END
    started = time.process_time()
    (sequence,) = run(unit(2, program))
    assert len(sequence.addresses) == 2 * rows + 1
    assert time.process_time() - started < 5
