"""Fatbins met on the way are those that the section table names, or none of them counts."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.containers.packing import host_object
from tests.sources.material import KIND_CUBIN, KIND_PTX, Piece, fatbin, host_library

from sassay.containers import fatbin_stream
from sassay.containers.fatbin import FatbinEntry, find_fatbins
from sassay.containers.fatbin_stream import Surprise, stream_fatbins

if TYPE_CHECKING:
    from collections.abc import Sequence

CODE = b"\x7fELF" + bytes(range(256)) * 3
PIECES = [
    Piece(KIND_CUBIN, 80, CODE, "lz4"),
    Piece(KIND_PTX, 90, b".version 8.0\n\0"),
    Piece(KIND_CUBIN, 90, CODE),
]
Met = tuple[int, str, int, bytes]


def _met(data: bytes) -> tuple[list[Met], Surprise | None]:
    notes: list[str] = []
    found: list[Met] = []
    for item in stream_fatbins(io.BytesIO(data), len(data), artifact="x", on_note=notes.append):
        if isinstance(item, Surprise):
            return found[: item.kept] if item.kept is not None else [], item
        found.append((item.index, item.arch, item.offset, bytes(item.stored)))
    return found, None


def _whole(entries: Sequence[FatbinEntry]) -> list[Met]:
    return [(each.index, each.arch, each.offset, bytes(each.stored)) for each in entries]


@pytest.fixture(params=[1 << 20, 64, 7])
def chunk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    size: int = request.param
    monkeypatch.setattr(fatbin_stream, "CHUNK", size)
    return size


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("between", [0, 8, 40])
def test_a_stream_meets_what_a_file_holds(between: int) -> None:
    content = fatbin(PIECES) + bytes(between) + fatbin(PIECES[:1]) + bytes(16)
    data = host_library(content)
    found, surprise = _met(data)
    assert surprise is None
    assert found == _whole(list(find_fatbins(data, artifact="x")))
    assert len(found) == 4


@pytest.mark.usefixtures("chunk")
def test_a_library_without_code() -> None:
    assert _met(host_library(None)) == ([], None)


def test_a_magic_before_the_section_makes_it_read_whole() -> None:
    data = host_object({".rodata": fatbin([]), ".nv_fatbin": fatbin(PIECES)})
    assert _met(data) == ([], Surprise(None))
    assert len(list(find_fatbins(data, artifact="x"))) == 3


def test_relocatable_code_behind_linked_code_does_not_count() -> None:
    data = host_object({".nv_fatbin": fatbin(PIECES), "__nv_relfatbin": fatbin(PIECES[2:])})
    found, surprise = _met(data)
    assert surprise is not None
    assert surprise.kept == 3
    assert "before device linking" in surprise.notes[0]
    assert found == _whole(list(find_fatbins(data, artifact="x")))


def test_what_lies_behind_the_section_does_not_count() -> None:
    content = fatbin(PIECES)
    data = bytearray(host_library(content + fatbin(PIECES[2:])))
    table = int.from_bytes(data[40:48], "little")
    count = int.from_bytes(data[60:62], "little")
    for index in range(count):
        place = table + 64 * index + 32
        size = int.from_bytes(data[place : place + 8], "little")
        if size == len(content) + len(fatbin(PIECES[2:])):
            data[place : place + 8] = len(content).to_bytes(8, "little")
    found, surprise = _met(bytes(data))
    assert surprise == Surprise(3)
    assert found == _whole(list(find_fatbins(bytes(data), artifact="x")))


@given(st.data())
def test_damage_never_goes_unnoticed(data: st.DataObject) -> None:
    library = bytearray(host_library(fatbin(PIECES) + bytes(8) + fatbin(PIECES[2:])))
    for _ in range(data.draw(st.integers(1, 3))):
        library[data.draw(st.integers(0, len(library) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(library[: data.draw(st.sampled_from([len(library), len(library) - 5, 100]))])
    found, surprise = _met(cut)
    if surprise is None or surprise.kept is not None:
        assert found == _whole(list(find_fatbins(cut, artifact="x")))
