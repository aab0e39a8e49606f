"""What was compiled is kept for the next run, and two runs at once do not share a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.cli.kept import kept_folder

if TYPE_CHECKING:
    from pathlib import Path


def test_the_next_run_finds_what_was_kept(tmp_path: Path) -> None:
    with kept_folder(tmp_path, "m.toml", "root") as folder:
        (folder / "entry").mkdir()
    with kept_folder(tmp_path, "m.toml", "root") as again:
        assert (again / "entry").is_dir()
    with kept_folder(tmp_path, "m.toml", "roo", "t") as other:
        assert not list(other.iterdir())


def test_a_second_run_at_the_same_time_has_a_folder_of_its_own(tmp_path: Path) -> None:
    with kept_folder(tmp_path, "m.toml") as first:
        with kept_folder(tmp_path, "m.toml") as second:
            (second / "half").mkdir()
            assert not list(first.iterdir())
        assert not second.exists()
        assert first.is_dir()
