"""Cubins that other processes read are what they are when they are read here."""

from __future__ import annotations

import os
import signal
import zipfile
from concurrent.futures import wait
from typing import TYPE_CHECKING, Any

import pytest
from tests.sources.material import KIND_CUBIN, KIND_PTX, Piece, code, fatbin, host_library

from sassay.capture import CodeArchive, builder, kernel_names, open_state, reading
from sassay.capture.readers import Readers, reader_count
from sassay.containers.mapped import identity
from sassay.errors import FormatError, ToolError
from sassay.isa.sass import Disassembler
from sassay.model.artifact import FilePart, Packed
from sassay.sources import archives

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future
    from pathlib import Path

    from sassay.capture.cubin_facts import CubinFacts
    from sassay.model.state import State

BROKEN = b"\x7fELF" + bytes(200)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SASSAY_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    pieces = [
        Piece(KIND_CUBIN, 80, code("cubin", 80), "lz4"),
        Piece(KIND_CUBIN, 90, BROKEN),
        Piece(KIND_CUBIN, 90, code("cubin")),
        Piece(KIND_PTX, 90, code("ptx")),
    ]
    path = tmp_path / "pkg-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("pkg/a.so", host_library(fatbin(pieces)))
        archive.writestr("pkg/b.so", host_library(fatbin(pieces[:1])))
    return path


def _open(path: Path, names: Callable[[str], bool] | None = None) -> tuple[State, CodeArchive]:
    store = CodeArchive()
    with Disassembler(None) as disassembler:
        state = open_state(str(path), store=store, disassembler=disassembler, names=names)
    return state, store


@pytest.mark.parametrize("streamed", [False, True])
def test_they_read_alike(
    wheel: Path, streamed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, _ = _open(wheel)
    monkeypatch.setenv("SASSAY_CACHE_DIR", str(tmp_path / "another"))
    monkeypatch.setattr(reading, "READ_HERE", 0)
    if streamed:
        monkeypatch.setattr(archives, "STREAM_FROM", 0)
    there, store = _open(wheel)
    assert there == here
    assert [item.place for item in there.diagnostics] == ["pkg/a.so!fatbin.1"]
    for kernel in there.kernels:
        if kernel.code.sass is not None:
            assert len(store.sass(kernel.code.sass).code) == kernel.code_bytes
    again, _ = _open(wheel)
    assert again == here


def test_readers_map_what_lies_on_disk(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    here, _ = _open(folder)
    monkeypatch.setenv("SASSAY_CACHE_DIR", str(tmp_path / "another"))
    monkeypatch.setattr(reading, "READ_HERE", 0)
    there, store = _open(folder)
    assert there == here
    assert len(there.kernels) > 1
    for kernel in there.kernels:
        if kernel.code.sass is not None:
            assert len(store.sass(kernel.code.sass).code) == kernel.code_bytes


@pytest.mark.parametrize(("large", "helped"), [(1, True), (1 << 40, False)])
def test_of_a_large_input_the_first_cubin_is_read_by_others(
    wheel: Path, large: int, helped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []

    def start(*arguments: Any) -> Readers:
        started.append(arguments)
        return Readers(*arguments)

    monkeypatch.setattr(reading, "Readers", start)
    monkeypatch.setattr(reading, "LARGE_INPUT", large)
    everything, _ = _open(wheel)
    # Where only one process may run, nobody can help.
    assert bool(started) == (helped and reader_count() > 1)
    started.clear()
    symbol = next(kernel.symbol for kernel in everything.kernels if kernel.code_bytes)
    monkeypatch.setenv("SASSAY_CACHE_DIR", str(wheel.parent / "another"))
    _open(wheel, kernel_names(symbol))
    assert not started


def test_what_is_read_first_decides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "pkg-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, packed in (("a", "lz4"), ("b", "")):
            piece = Piece(KIND_CUBIN, 80, code("cubin", 80), packed)
            archive.writestr(f"pkg/{name}.so", host_library(fatbin([piece])))
    monkeypatch.setattr(reading, "READ_HERE", 0)
    here, store = _open(path)

    def last_first(futures: Iterable[Future[CubinFacts]]) -> list[Future[CubinFacts]]:
        return [future for future in reversed(list(futures)) if wait([future])]

    monkeypatch.setenv("SASSAY_CACHE_DIR", str(tmp_path / "another"))
    monkeypatch.setattr(builder, "as_completed", last_first)
    there, other = _open(path)
    assert there == here
    # The same code in two cubins: the last place counts.
    for kernel in here.kernels:
        assert kernel.code.sass is not None
        for each in (store, other):
            assert each.place_of(kernel.code.sass) == "pkg/b.so!fatbin.0"


def test_a_file_that_changed_meanwhile_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "k.cubin"
    data = code("cubin")
    file.write_bytes(data)
    readers = Readers(None, 1)
    try:
        for known, fine in ((identity(file), True), ((1, 2, 3, 4), False)):
            packed = Packed(data, None, len(data), FilePart(str(file), known, 0))
            future = readers.submit(packed, place="x", locations=False, tables=True, key=None)
            assert future is not None
            if fine:
                assert future.result().kernels
            else:
                with pytest.raises(FormatError, match="x: changed while it was read"):
                    future.result()
    finally:
        readers.close()


def test_a_named_kernel_alone_is_read(wheel: Path) -> None:
    everything, _ = _open(wheel)
    symbol = next(kernel.symbol for kernel in everything.kernels if kernel.code_bytes)
    some, _ = _open(wheel, kernel_names(symbol))
    assert {kernel.symbol for kernel in some.kernels} == {symbol}
    assert kernel_names("0badcafe") is None
    none = kernel_names("no such *")
    assert none is not None
    assert not none(symbol)


def test_a_reader_that_dies_is_said() -> None:
    readers = Readers(None, 1)
    try:
        (reader,) = readers._readers
        os.kill(reader._process.pid, signal.SIGKILL)
        data = code("cubin")
        packed = Packed(data, None, len(data))

        def ask() -> None:
            for _ in range(2):
                future = readers.submit(packed, place="x", locations=False, tables=True, key=None)
                assert future is not None
                future.result()

        with pytest.raises(ToolError, match="ended early"):
            ask()
    finally:
        readers.close()
