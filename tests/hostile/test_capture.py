from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from tests.capture.helpers import opened
from tests.sources.material import code, copy_cache, triton_cache

from sassay.capture import CodeArchive, read_capture, write_capture
from sassay.errors import FormatError, InputError, SassayError
from sassay.model.state import Level

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("manifest.json", "state.msgpack.zst", "code.bin", "code.index")


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    store = CodeArchive()
    write_capture(opened(triton_cache(), store), store, tmp_path / "x.sassay")
    return tmp_path / "x.sassay"


@pytest.mark.parametrize("name", NAMES)
def test_cut_files_are_refused_by_name(capture: Path, name: str) -> None:
    content = (capture / name).read_bytes()
    for size in (0, len(content) // 2, len(content) - 2):
        (capture / name).write_bytes(content[:size])
        with pytest.raises(FormatError, match=name.replace(".", r"\.")):
            read_capture(capture, CodeArchive())
    (capture / name).unlink()
    with pytest.raises(SassayError, match=name.replace(".", r"\.")):
        read_capture(capture, CodeArchive())


def test_a_flipped_bit_anywhere_is_noticed(capture: Path) -> None:
    for name in ("state.msgpack.zst", "code.index", "code.bin"):
        file = capture / name
        content = file.read_bytes()
        for position in range(0, len(content), max(1, len(content) // 23)):
            damaged = bytearray(content)
            damaged[position] ^= 0x10
            file.write_bytes(damaged)
            store = CodeArchive()
            with pytest.raises(FormatError):  # noqa: PT012 - which of the reads notices depends on the byte
                for kernel in read_capture(capture, store).kernels:
                    store.sass(kernel.code.sass or "")
                    store.ptx(kernel.code.ptx or "")
                    store.lines(kernel.code.lines or "")
        file.write_bytes(content)


def test_a_newer_schema_is_refused_in_words(capture: Path) -> None:
    manifest = json.loads((capture / "manifest.json").read_text())
    manifest["schema"] = "sassay/capture/2"
    manifest["kernels"] = {"moved": "elsewhere"}
    (capture / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=r"manifest\.json: written by a newer sassay.*up to"):
        read_capture(capture, CodeArchive())


@pytest.mark.parametrize(
    "files",
    [
        {"../../etc/passwd": {"bytes": 1, "sha256": "0"}},
        {},
        {"state.msgpack.zst": {"bytes": "x", "sha256": "0"}},
    ],
)
def test_manifests_that_lie(capture: Path, files: object) -> None:
    manifest = json.loads((capture / "manifest.json").read_text())
    manifest["files"] = files
    (capture / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(FormatError):
        read_capture(capture, CodeArchive())


def test_a_folder_with_the_name_of_a_capture(tmp_path: Path) -> None:
    (tmp_path / "x.sassay").mkdir()
    with pytest.raises(InputError, match=r"manifest\.json: cannot be read.*expected a capture"):
        opened(tmp_path / "x.sassay")


def test_one_bad_cubin_among_many(tmp_path: Path) -> None:
    cache = copy_cache(tmp_path / "c")
    bad = min(cache.glob("*/scale_rows.cubin"))
    bad.write_bytes(bad.read_bytes()[:1000])
    state = opened(cache)
    assert len(state.kernels) == 2
    (wrong,) = [item for item in state.diagnostics if item.level is Level.ERROR]
    assert wrong.place == f"{bad.parent.name}/scale_rows.cubin"
    assert bad.parent.name not in wrong.message


def test_bad_ptx_beside_a_good_cubin(tmp_path: Path) -> None:
    cache = copy_cache(tmp_path / "c")
    bad = min(cache.glob("*/scale_rows.ptx"))
    bad.write_text(".version 8.4\n.target sm_90\n.visible .entry scale_rows( {{{ @@@\n")
    state = opened(cache)
    assert len(state.kernels) == 3
    (wrong,) = [item for item in state.diagnostics if item.level is Level.ERROR]
    assert (wrong.place, wrong.layer) == (f"{bad.parent.name}/scale_rows.ptx", "ptx")
    lacking = [kernel for kernel in state.kernels if kernel.instructions.ptx is None]
    assert len(lacking) == 1
    assert lacking[0].instructions.sass is not None


@pytest.mark.parametrize("size", [0, 3, 17, 63, 64, 500, 2000])
def test_a_lone_cut_cubin_is_one_line(tmp_path: Path, size: int) -> None:
    file = tmp_path / "cut.cubin"
    file.write_bytes(code("cubin")[:size])
    with pytest.raises(InputError) as caught:
        opened(file)
    assert str(caught.value).startswith("cut.cubin: ")
    assert "\n" not in str(caught.value)


def test_a_capture_inside_a_tree_of_sources_is_not_code(capture: Path, tmp_path: Path) -> None:
    shutil.copytree(triton_cache(), tmp_path / "cache")
    assert len(opened(tmp_path).kernels) == 3
    assert capture.exists()
