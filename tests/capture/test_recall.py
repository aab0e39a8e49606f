"""What earlier runs learned of a wheel gives the same state, without reading the wheel's code."""

from __future__ import annotations

import os
import zipfile
from typing import TYPE_CHECKING

import pytest
from tests.sources.material import KIND_CUBIN, KIND_PTX, Piece, code, fatbin, host_library

from sassay.capture import CodeArchive, cubin_facts, open_state, state_cache
from sassay.capture.reading import CubinReading
from sassay.containers.member import Member
from sassay.errors import InputError, ToolError
from sassay.isa.sass import Disassembler
from sassay.model.later import Later
from sassay.model.state import Level
from sassay.sources import recall, record_cache, unchanged
from sassay.sources.discover import Discovery
from sassay.sources.record_cache import RecordCache, trim

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sassay.isa.sass import Tool
    from sassay.model.artifact import Artifact
    from sassay.model.state import State


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SASSAY_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(recall, "MIN_BYTES", 1)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    pieces = [
        Piece(KIND_CUBIN, 80, code("cubin", 80), "lz4"),
        Piece(KIND_CUBIN, 90, code("cubin"), "zstd"),
        Piece(KIND_PTX, 90, code("ptx")),
    ]
    path = tmp_path / "pkg-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("pkg/lib.so", host_library(fatbin(pieces)))
        archive.writestr("pkg/rocm.so", host_library(None))
        archive.writestr("pkg/__init__.py", "")
    return path


def _open(
    path: Path,
    store: CodeArchive | None = None,
    tools: Sequence[Tool] | None = None,
    arch_globs: tuple[str, ...] = (),
) -> State:
    with Disassembler(None, tools, tables=tools is None) as disassembler:
        return open_state(
            str(path),
            store=store or CodeArchive(),
            disassembler=disassembler,
            arch_globs=arch_globs,
        )


def _refuse(*_: object, **__: object) -> bytes:
    pytest.fail("read again")


def test_a_known_wheel_is_not_unpacked(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = _open(wheel)
    assert [kernel.arch for kernel in first.kernels] == ["compute_90", "sm_80", "sm_90a"]
    monkeypatch.setattr(cubin_facts, "read_cubin", _refuse)
    monkeypatch.setattr(Disassembler, "opcodes", _refuse)
    read = Member.read
    monkeypatch.setattr(
        Member, "read", lambda self: _refuse() if self.path.endswith(".so") else read(self)
    )
    assert _open(wheel) == first


@pytest.fixture
def _settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of this test count as unchanged although they were written just now."""
    for clock in ("SETTLED_NS", "FINE_NS"):
        monkeypatch.setattr(unchanged, clock, -(10**18))


@pytest.mark.usefixtures("_settled")
def test_an_unchanged_wheel_is_not_walked(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    early, late = CodeArchive(), CodeArchive()
    first = _open(wheel, early)
    with monkeypatch.context() as patch:
        patch.setattr(Discovery, "artifacts", _refuse)
        second = _open(wheel, late)
    assert second == first
    for kernel in first.kernels:
        if kernel.code.sass is not None:
            assert late.sass(kernel.code.sass) == early.sass(kernel.code.sass)
        if kernel.code.ptx is not None:
            assert late.ptx(kernel.code.ptx) == early.ptx(kernel.code.ptx)


@pytest.mark.usefixtures("_settled")
def test_kernels_of_an_unchanged_wheel_are_made_when_somebody_looks(
    wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _open(wheel)
    with monkeypatch.context() as patch:
        patch.setattr(state_cache, "unpack", _refuse)
        second = _open(wheel)
        assert (len(second.kernels), second.counts) == (3, first.counts)
        assert isinstance(first.kernels, Later)
        assert isinstance(second.kernels, Later)
        assert second.kernels.identity == first.kernels.identity is not None
    assert second.kernels == first.kernels


@pytest.mark.usefixtures("_settled")
@pytest.mark.parametrize("kind", ["inputs", "heads", "states"])
def test_an_unchanged_wheel_whose_records_are_damaged_is_read(
    wheel: Path, tmp_path: Path, kind: str
) -> None:
    first = _open(wheel)
    (path,) = (tmp_path / "cache" / "analysis").rglob(f"{kind}/*")
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    assert _open(wheel) == first
    path.unlink()
    assert _open(wheel) == first


@pytest.mark.usefixtures("_settled")
def test_what_a_tool_failed_at_is_read_again(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(CubinReading, "ask", _failed)
        assert "ended early" in _open(wheel).diagnostics[0].message
    assert all(each.level is Level.NOTE for each in _open(wheel).diagnostics)


def _failed(_: CubinReading, artifact: Artifact) -> None:
    raise ToolError("a reader ended early", artifact=artifact.source.path)


@pytest.mark.usefixtures("_settled")
def test_an_unchanged_wheel_of_another_name_or_filter_is_another_input(
    wheel: Path, tmp_path: Path
) -> None:
    _open(wheel)
    assert len(_open(wheel, arch_globs=("sm_80",)).kernels) == 1
    other = tmp_path / "other-2.0-py3-none-any.whl"
    os.link(wheel, other)
    assert _open(other).label == "other-2.0"


@pytest.mark.usefixtures("_settled")
def test_a_wheel_that_changes_while_it_is_walked_is_walked_again(
    wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifacts = Discovery.artifacts

    def meanwhile(self: Discovery) -> Iterator[object]:
        yield from artifacts(self)
        os.utime(wheel)

    with monkeypatch.context() as patch:
        patch.setattr(Discovery, "artifacts", meanwhile)
        _open(wheel)
    walked = []

    def noted(self: Discovery) -> Iterator[object]:
        walked.append(self)
        return artifacts(self)

    monkeypatch.setattr(Discovery, "artifacts", noted)
    _open(wheel)
    assert walked


@pytest.mark.usefixtures("_settled")
def test_another_disassembler_reads_an_unchanged_wheel_anew(
    wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _open(wheel)
    monkeypatch.setattr(Disassembler, "version", lambda _, arch: f"{arch} of tomorrow")
    assert "tomorrow" in _open(wheel).tools["nvdisasm"]


def test_code_is_read_when_it_is_asked_for(wheel: Path) -> None:
    early, late = CodeArchive(), CodeArchive()
    first, second = _open(wheel, early), _open(wheel, late)
    for kernel in first.kernels:
        if kernel.code.sass is not None:
            assert late.sass(kernel.code.sass) == early.sass(kernel.code.sass)
        if kernel.code.ptx is not None:
            assert late.ptx(kernel.code.ptx) == early.ptx(kernel.code.ptx)
    assert first == second


@pytest.mark.parametrize("glob", ["sm_80", "sm_90*", "compute_*"])
def test_a_filter_finds_the_same(
    wheel: Path, glob: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _open(wheel)
    recalled = _open(wheel, arch_globs=(glob,))
    monkeypatch.setenv("SASSAY_CACHE_DIR", str(tmp_path / "another"))
    assert recalled == _open(wheel, arch_globs=(glob,))


def test_a_filtered_run_does_not_hide_the_rest(wheel: Path) -> None:
    assert len(_open(wheel, arch_globs=("sm_80",)).kernels) == 1
    assert len(_open(wheel).kernels) == 3


def test_listings_without_facts_are_read_again(wheel: Path, tmp_path: Path) -> None:
    first = _open(wheel)
    for path in (tmp_path / "cache" / "analysis").rglob("*/*/*"):
        if path.parent.name != "listings" and path.is_file():
            path.unlink()
    assert _open(wheel) == first


def test_damaged_records_do_not_count(wheel: Path, tmp_path: Path) -> None:
    first = _open(wheel)
    for number, path in enumerate(sorted((tmp_path / "cache" / "analysis").rglob("*/*/*"))):
        if path.is_file():
            data = bytearray(path.read_bytes())
            data[-1 - number] ^= 0x10
            path.write_bytes(data)
    assert _open(wheel) == first


def test_what_another_disassembler_counted_does_not_count(wheel: Path) -> None:
    first = _open(wheel)
    without = _open(wheel, tools=())
    assert [kernel.instructions.sass for kernel in without.kernels] == [None] * 3
    assert _open(wheel, tools=()) == without
    assert _open(wheel) == first


def test_another_wheel_of_one_name_is_read(wheel: Path) -> None:
    _open(wheel)
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        only = fatbin([Piece(KIND_CUBIN, 90, code("cubin"))])
        archive.writestr("pkg/lib.so", host_library(only))
    assert [kernel.arch for kernel in _open(wheel).kernels] == ["sm_90a"]


def test_a_file_that_changed_since_is_said(tmp_path: Path) -> None:
    library = tmp_path / "lib.so"
    library.write_bytes(host_library(fatbin([Piece(KIND_CUBIN, 90, code("cubin"))])))
    _open(library)
    store = CodeArchive()
    (kernel,) = _open(library, store).kernels
    library.unlink()
    library.write_bytes(host_library(fatbin([Piece(KIND_CUBIN, 80, code("cubin", 80))])))
    assert kernel.code.sass is not None
    with pytest.raises(InputError, match="no such code"):
        store.sass(kernel.code.sass)


def test_the_oldest_records_go_first(tmp_path: Path) -> None:
    cache = RecordCache(tmp_path, "kind", dict[str, int])
    for age, key in enumerate(("aa", "bb", "cc")):
        cache.save(key, {"n": age})
        (path,) = tmp_path.rglob(key)
        os.utime(path, (1_000_000 + age, 1_000_000 + age))
    size = path.stat().st_size
    trim(tmp_path, limit=2 * size)
    assert [cache.load(key) for key in ("aa", "bb", "cc")] == [None, {"n": 1}, {"n": 2}]


def test_a_record_answers_for_its_own_key_only(tmp_path: Path) -> None:
    cache = RecordCache(tmp_path, "kind", dict[str, int])
    cache.save("aa", {"n": 1})
    (path,) = tmp_path.rglob("aa")
    path.rename(path.with_name("bb"))
    assert cache.load("bb") is None


def test_another_analyzer_knows_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    RecordCache(tmp_path, "kind", dict[str, int]).save("aa", {"n": 1})
    monkeypatch.setattr(record_cache, "analyzer_version", lambda: "another")
    assert RecordCache(tmp_path, "kind", dict[str, int]).load("aa") is None
