from __future__ import annotations

import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest
from tests.sources.material import (
    KIND_CUBIN,
    Piece,
    code,
    copy_cache,
    fatbin,
    host_library,
)

from sassay.errors import InputError
from sassay.model.artifact import Artifact
from sassay.model.state import Diagnostic, Level
from sassay.sources import discover


def errors(path: Path) -> tuple[int, list[Diagnostic]]:
    """How many artifacts are read, and what is reported beside them."""
    found = list(discover(str(path)).artifacts())
    wrong = [item for item in found if isinstance(item, Diagnostic) and item.level is Level.ERROR]
    return sum(isinstance(item, Artifact) for item in found), wrong


def victim(cache: Path) -> Path:
    """The first cache entry of `scale_rows`."""
    return next(item for item in sorted(cache.iterdir()) if (item / "scale_rows.cubin").exists())


def test_empty_cubin(tmp_path: Path) -> None:
    entry = victim(copy_cache(tmp_path / "c"))
    (entry / "scale_rows.cubin").write_bytes(b"")
    count, wrong = errors(tmp_path / "c")
    assert count == 4
    assert [(item.place, item.message) for item in wrong] == [
        (f"{entry.name}/scale_rows.cubin", "0 bytes: expected a cubin")
    ]


def test_half_written_entry(tmp_path: Path) -> None:
    entry = victim(copy_cache(tmp_path / "c"))
    (entry / "scale_rows.cubin").unlink()
    count, wrong = errors(tmp_path / "c")
    assert count == 4
    assert len(wrong) == 1
    assert wrong[0].place == f"{entry.name}/scale_rows"
    assert "half-written" in wrong[0].message
    assert "scale_rows.cubin" in wrong[0].message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"num_warps": 4, "target"', "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"name": "left-pad", "version": "1.0"}', "no Triton metadata"),
        (b'{"num_warps": "4", "hash": 3}', "no Triton metadata"),
        (b"[1, 2]", "no Triton metadata"),
    ],
)
def test_json_that_is_no_metadata(tmp_path: Path, content: bytes, message: str) -> None:
    entry = victim(copy_cache(tmp_path / "c"))
    (entry / "scale_rows.json").write_bytes(content)
    count, wrong = errors(tmp_path / "c")
    assert count == 6, "the code is still read"
    assert len(wrong) == 1
    assert wrong[0].place == f"{entry.name}/scale_rows.json"
    assert message in wrong[0].message


def test_metadata_with_odd_values(tmp_path: Path) -> None:
    entry = victim(copy_cache(tmp_path / "c"))
    (entry / "scale_rows.json").write_text(
        '{"num_warps": 4, "hash": 1, "target": [1], "name": {"a": 1}, "shared": 1e30,'
        ' "cluster_dims": [2, 1, 1], "ptx_options": "/home/me/secret", "launch_pdl": [[[]]]}'
    )
    found = [item for item in discover(str(tmp_path)).artifacts() if isinstance(item, Artifact)]
    info = next(item.compile for item in found if entry.name in item.source.path)
    assert info is not None
    assert info.name == "scale_rows"
    assert info.metadata["cluster_dims"] == "2x1x1"
    assert "secret" not in repr(info)


def test_lone_files_that_lie_about_their_kind(tmp_path: Path) -> None:
    (tmp_path / "a.cubin").write_bytes(b"")
    (tmp_path / "b.fatbin").write_bytes(b"\0" * 64)
    (tmp_path / "c.ptx").write_bytes(b"\0\0")
    (tmp_path / "d.so").write_bytes(b"\x7fELF\x02\x01\x01" + b"\xff" * 40)
    (tmp_path / "e.cubin").write_bytes(code("cubin"))
    count, wrong = errors(tmp_path)
    assert count == 1
    assert [item.place for item in wrong] == ["a.cubin", "b.fatbin", "c.ptx", "d.so"]


def test_fatbin_that_claims_a_terabyte(tmp_path: Path) -> None:
    content = bytearray(fatbin([Piece(KIND_CUBIN, 90, code("cubin"), "lz4")]))
    content[16 + 56 : 16 + 64] = (1 << 40).to_bytes(8, "little")
    (tmp_path / "bomb.so").write_bytes(host_library(bytes(content)))
    (tmp_path / "good.cubin").write_bytes(code("cubin"))
    count, wrong = errors(tmp_path)
    assert count == 1
    assert len(wrong) == 1
    assert wrong[0].place.startswith("bomb.so")


def test_archive_that_climbs_out(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "evil.whl", "w") as archive:
        archive.writestr("../../evil.cubin", code("cubin"))
    data = io.BytesIO(code("cubin"))
    with tarfile.open(tmp_path / "evil.tar", "w") as archive_tar:
        member = tarfile.TarInfo("/etc/evil.cubin")
        member.size = len(data.getvalue())
        archive_tar.addfile(member, data)
    count, wrong = errors(tmp_path)
    assert count == 0
    assert [item.place for item in wrong] == ["evil.tar", "evil.whl"]


def test_archives_in_archives_end(tmp_path: Path) -> None:
    inner = code("cubin")
    name = "k.cubin"
    for depth in range(8):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            archive.writestr(name, inner)
        inner, name = stream.getvalue(), f"{depth}.zip"
    (tmp_path / "deep.zip").write_bytes(inner)
    count, wrong = errors(tmp_path)
    assert count == 0
    assert len(wrong) == 1
    assert "nest deeper" in wrong[0].message


def test_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = copy_cache(tmp_path / "c")
    file = victim(cache) / "scale_rows.cubin"
    real = os.open

    def refuse(path: str | Path, flags: int) -> int:
        if Path(path) == file:
            raise PermissionError(13, "Permission denied")
        return real(path, flags)

    monkeypatch.setattr(os, "open", refuse)
    count, wrong = errors(cache)
    assert count == 5
    assert "Permission denied" in wrong[0].message


def test_names_with_escapes_reach_nobody_raw(tmp_path: Path) -> None:
    (tmp_path / "a\x1b[31m<b>.cubin").write_bytes(b"")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.cubin")).write_bytes(b"")
    _, wrong = errors(tmp_path)
    assert len(wrong) == 2
    for item in wrong:
        item.place.encode("utf-8")


def test_missing_and_special_inputs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        discover(str(tmp_path / "nothing"))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="neither a file nor a folder"):
        discover(str(tmp_path / "pipe"))
    with pytest.raises(InputError):
        discover("a\0b")
