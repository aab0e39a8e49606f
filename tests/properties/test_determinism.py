"""Same inputs, same bytes: over hash seeds, folders, caches, workers and orders of files."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.cli.inputs import AFTER, BEFORE, write_cache
from tests.cli.running import environment, run

if TYPE_CHECKING:
    from pathlib import Path

LINES = (
    ("show", "before", "--all"),
    ("diff", "before", "after", "--all", "--full"),
    ("check", "before", "after", "--policy", "gate.yaml"),
)
SCRIPT = """\
import sys
from sassay.cli.main import main
for line in {lines!r}:
    formats = ("json", "terminal")
    if line[0] == "check":
        formats = ("json", "terminal", "markdown", "html", "sarif", "junit")
    for format_ in formats:
        main([*line, "--format", format_])
main(["capture", "before", "-o", "c.sassay", "-q"])
"""


def everything(folder: Path, **env: str) -> tuple[bytes, dict[str, bytes]]:
    """All reports in all formats, and the files of a capture, from one process."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(lines=LINES)], cwd=folder,
        env=environment(**env), capture_output=True, check=True, timeout=120,
    )  # fmt: skip
    capture = folder / "c.sassay"
    files = {item.name: item.read_bytes() for item in sorted(capture.iterdir())}
    shutil.rmtree(capture)
    return done.stdout, files


def test_hash_seeds_folders_and_caches_leave_no_trace(workplace: Path, tmp_path: Path) -> None:
    from sassay.capture import cache_dir

    cache = str(tmp_path / "cache")
    (tmp_path / "cache").mkdir()
    shutil.copy(cache_dir() / "nvdisasm.json", cache)  # which programs there are: the same for all
    expected = everything(workplace, PYTHONHASHSEED="0", SASSAY_CACHE_DIR=cache)
    assert len(expected[0]) > 20_000
    assert str(tmp_path).encode() not in expected[0]
    warm = everything(workplace, PYTHONHASHSEED="77", SASSAY_CACHE_DIR=cache)
    assert warm == expected
    elsewhere = tmp_path / "another place"
    workplace.rename(elsewhere)
    moved = everything(elsewhere, PYTHONHASHSEED="123", PYTHONOPTIMIZE="1")
    assert moved == expected


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_order_in_which_files_were_written_leaves_no_trace(
    seed: int, inputs: Path, tmp_path: Path
) -> None:
    chance = random.Random(seed)
    for name, compilations in (("before", BEFORE), ("after", AFTER)):
        write_cache(tmp_path / name, chance.sample(compilations, len(compilations)))
    shutil.copy(inputs / "gate.yaml", tmp_path)
    for line in LINES:
        expected = run(*line, "--format", "json", cwd=inputs)
        assert run(*line, "--format", "json", cwd=tmp_path) == expected


def test_the_order_of_inputs_of_a_capture_leaves_no_trace(workplace: Path) -> None:
    texts = []
    for order in (("before", "lone.ptx", "rows.fatbin"), ("rows.fatbin", "lone.ptx", "before")):
        assert run("capture", *order, "-o", "m.sassay", "--label", "m", cwd=workplace).status == 0
        texts.append(run("show", "m.sassay", "--format", "json", cwd=workplace).stdout)
    assert texts[0] == texts[1]


def test_workers_leave_no_trace(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sassay.capture import cache_dir
    from sassay.isa.sass import raw

    texts = []
    for workers in (1, 3):
        monkeypatch.setattr("os.cpu_count", lambda count=workers: count)
        monkeypatch.setattr(raw, "SPLIT_WORDS", 8)
        cache = workplace / f"cache{workers}"
        cache.mkdir()
        shutil.copy(cache_dir() / "nvdisasm.json", cache)  # which programs there are
        env = {"SASSAY_CACHE_DIR": str(cache)}
        line = ("diff", "before", "after", "--format", "json", "--all")
        texts.append(run(*line, cwd=workplace, env=env).stdout)
    assert texts[0] == texts[1]
