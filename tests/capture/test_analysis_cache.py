from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.sources.material import code

from sassay.capture import analysis_cache
from sassay.capture.analysis_cache import AnalysisCache, analyze

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_kept_is_what_was_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = code("ptx").rstrip(b"\0")
    facts = AnalysisCache(tmp_path).module(text, artifact="k.ptx")
    assert facts == analyze(text, artifact="k.ptx")
    assert [entry.name for entry in facts.entries] == ["scale_rows"]

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("analyzed twice")

    monkeypatch.setattr(analysis_cache, "analyze", refuse)
    assert AnalysisCache(tmp_path).module(text, artifact="k.ptx") == facts


@pytest.mark.parametrize("position", [0, 31, 32, 60, -1])
def test_a_damaged_file_is_made_again(tmp_path: Path, position: int) -> None:
    text = code("ptx").rstrip(b"\0")
    facts = AnalysisCache(tmp_path).module(text, artifact="k.ptx")
    (file,) = [item for item in tmp_path.rglob("*") if item.is_file() and item.name != ".trimmed"]
    whole = file.read_bytes()
    damaged = bytearray(whole)
    damaged[position] ^= 1
    for content in (bytes(damaged), whole[:40], b""):
        file.write_bytes(content)
        assert AnalysisCache(tmp_path).module(text, artifact="k.ptx") == facts
        assert file.read_bytes() == whole


def test_a_folder_that_cannot_be_written_costs_time_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    text = code("ptx").rstrip(b"\0")
    assert AnalysisCache(tmp_path / "file").module(text, artifact="k.ptx").entries
