"""Where source text comes from, and what a hostile line table cannot make a report show."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from sassay.capture.source_files import GitRevision, SourceRoot, candidates
from sassay.capture.texts import KEPT, SourceReader, stretches
from sassay.errors import UsageError
from sassay.model.text import TextRun

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    (folder / "pkg" / "ops").mkdir(parents=True)
    (folder / "pkg" / "ops" / "norm.py").write_bytes(b"one\r\n\ttwo\rthree\xff\n")
    (folder / ".env.py").write_text("SECRET = 1")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "a.py").write_text("secret")
    (folder / "key.pem").write_text("secret")
    (tmp_path / "outside.py").write_text("secret")
    (folder / "pkg" / "link.py").symlink_to(tmp_path / "outside.py")
    (folder / "pkg" / "inner.py").symlink_to(folder / "key.pem")
    os.mkfifo(folder / "pkg" / "fifo.py")
    return folder


@pytest.mark.parametrize(
    "path",
    [
        "pkg/ops/norm.py",
        "{root}/pkg/ops/norm.py",
        "/build/machine/src/pkg/ops/norm.py",
        "C:\\build\\pkg\\ops\\norm.py",
        "./pkg/ops/norm.py",
    ],
)
def test_a_file_is_found_by_the_end_of_its_path(root: Path, path: str) -> None:
    found = SourceRoot(root).lines(path.format(root=root))
    assert found == ["one", "    two", "three\ufffd", ""]


@pytest.mark.parametrize(
    "path",
    [
        "../outside.py",
        "pkg/../../outside.py",
        "/etc/passwd",
        "{root}/../outside.py",
        "pkg/link.py",
        "pkg/inner.py",
        "pkg/fifo.py",
        "pkg",
        "key.pem",
        ".env.py",
        "x/.env.py",
        ".hidden/a.py",
        "norm.py",
        "/norm.py",
        "pkg/ops/norm.py\0.py",
        "",
        "/".join(["a"] * 100) + "/pkg/ops/norm.py",
        "pkg/ops/" + "n" * 5000 + ".py",
    ],
)
def test_nothing_else_is_ever_read(root: Path, path: str) -> None:
    assert SourceRoot(root).lines(path.format(root=root)) is None


def test_a_name_alone_counts_only_at_the_top(root: Path) -> None:
    (root / "top.py").write_text("x")
    assert SourceRoot(root).lines("top.py") == ["x"]
    assert SourceRoot(root).lines("/elsewhere/top.py") is None
    assert candidates("/a/b/c/top.py", "/r") == ["b/c/top.py", "c/top.py"]


def test_a_large_file_and_a_missing_folder_are_refused(root: Path) -> None:
    (root / "big.py").write_bytes(b"x" * (4 << 20) + b"y")
    assert SourceRoot(root).lines("big.py") is None
    with pytest.raises(UsageError, match="is no folder"):
        SourceRoot(root / "none")


def test_a_revision_is_read_as_it_was(root: Path) -> None:
    def git(*arguments: str) -> str:
        names = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a", "GIT_COMMITTER_NAME": "a",
                 "GIT_COMMITTER_EMAIL": "a"}  # fmt: skip
        run = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True, check=True, text=True, env={**os.environ, **names},
        )  # fmt: skip
        return run.stdout.strip()

    git("init", "-q")
    git("add", "pkg/ops/norm.py")
    git("commit", "-q", "-m", "first")
    commit = git("rev-parse", "HEAD")
    (root / "pkg" / "ops" / "norm.py").write_text("changed\n")
    place = GitRevision(root / "pkg", commit[:10])
    assert place.lines("/build/pkg/ops/norm.py") == ["one", "    two", "three\ufffd", ""]
    assert place.lines("pkg/none.py") is None
    assert place.origin == f"git {commit[:12]}"
    assert place.is_exact
    for bad in ("nothing", "--help", "-x", "HEAD:pkg", ""):
        with pytest.raises(UsageError, match="no git commit"):
            GitRevision(root, bad)


def test_what_was_kept_comes_before_what_is_there_now(root: Path) -> None:
    kept = {"pkg/ops/norm.py": (TextRun(2, "kept\nlines"),)}
    reader = SourceReader(kept, [SourceRoot(root)])
    assert reader.text("pkg/ops/norm.py", 3) == "lines"
    assert reader.text("pkg/ops/norm.py", 1) is None
    assert reader.origin("pkg/ops/norm.py") == KEPT
    assert reader.is_exact("pkg/ops/norm.py")
    assert reader.text("x/ops/norm.py", 1) is None
    assert reader.text("/b/pkg/ops/norm.py", 1) == "one"
    assert not reader.is_exact("/b/pkg/ops/norm.py")
    assert not reader.is_exact("nowhere.py")


def test_only_stretches_around_named_lines_are_kept() -> None:
    text = {number: f"line {number}" for number in range(1, 200)}
    runs = stretches(text, {10, 12, 100, 5000})
    assert [(run.line, run.text.count("\n") + 1) for run in runs] == [(7, 8), (97, 6)]
    assert runs[0].text.splitlines()[3] == "line 10"
    assert stretches({}, {3}) == []
