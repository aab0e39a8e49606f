from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from sassay.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

COMMITS = 16
PTX = """\
.version 8.0
.target sm_90
.address_size 64

.visible .entry {name}(.param .u64 p)
{{
    .reg .b64 %rd<3>;
    .reg .f32 %f<3>;
    ld.param.u64 %rd1, [p];
    ld.global.f32 %f1, [%rd1];
    {op}.f32 %f2, %f1, %f1;
    st.global.f32 [%rd1], %f2;
    ret;
}}
"""


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen commits: an `add` becomes a `mul` at 11; a kernel comes at 5; 8 does not build.

    Beside it lie captures of what a commit holds, named as its file `holds` says.
    """
    folder = tmp_path_factory.mktemp("bisect") / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    for number in range(1, COMMITS + 1):
        (folder / "scale.ptx").write_text(
            PTX.format(name="scale", op="mul" if number >= 11 else "add")
        )
        if number >= 5:
            (folder / "extra.ptx").write_text(PTX.format(name="extra", op="add"))
        (folder / "broken").unlink(missing_ok=True)
        if number == 8:
            (folder / "broken").write_text("x")
        (folder / "notes").write_text(f"{number}\n")
        holds = "mul-extra" if number >= 11 else "add-extra" if number >= 5 else "add"
        (folder / "holds").write_text(holds)
        if not (captures := folder.parent / holds).exists():
            assert main(["capture", str(folder), "-o", str(captures), "-q"]) == 0
        git(folder, "add", "-A")
        git(folder, "commit", "-qm", f"commit {number}")
        git(folder, "tag", f"c{number}")
    return folder


def capture_command(repository: Path, log: Path) -> list[str]:
    """Gives the capture of a checkout, unless it is broken, and logs that it did."""
    script = (
        'cat notes >>"$1"; if test -e broken; then echo "does not build" >&2; exit 1; fi\n'
        'cp -r "$2/$(cat holds)" "$3"'
    )
    return ["--", "sh", "-c", script, "sh", str(log), str(repository.parent), "{out}"]


def bisect(
    repository: Path, tmp_path: Path, *arguments: str, span: str = "c1..c16"
) -> tuple[int, dict[str, Any], list[str]]:
    log = tmp_path / "log"
    out = tmp_path / "out.json"
    status = main(
        ["bisect", "--commits", span, "--repo", str(repository), "-q", "-f", "json", "-o", str(out),
         *arguments, *capture_command(repository, log)]
    )  # fmt: skip
    return status, json.loads(out.read_text()), log.read_text().split()


def test_the_commit_that_changed_a_family_is_found_with_few_captures(
    repository: Path, tmp_path: Path
) -> None:
    status, found, captured = bisect(repository, tmp_path, "--family", "scale")
    assert status == 0
    (answer,) = found["answers"]
    assert answer["became"] == "changed (recomposed)"
    assert found["states"][answer["first_in"]].endswith("commit 11")
    assert found["states"][answer["not_yet"]].endswith("commit 10")
    assert len(captured) <= 7  # two ends, four halvings, and one that does not build
    assert not list(repository.glob(".git/worktrees/*"))


def test_a_family_that_appeared_is_found_around_a_commit_that_does_not_build(
    repository: Path, tmp_path: Path
) -> None:
    status, found, captured = bisect(repository, tmp_path, "--family", "extra")
    assert status == 0
    (answer,) = found["answers"]
    assert answer["became"] == "added"
    assert found["states"][answer["first_in"]].endswith("commit 5")
    assert "8" in captured
    assert any("does not build" in why for why in found["failures"].values())
    assert len(captured) <= 7


def test_captures_are_shared_and_kept(repository: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    _, both, captured = bisect(repository, tmp_path, "--captures", str(kept))
    assert len(both["answers"]) == 2
    assert len(captured) == len(set(captured)) <= 10
    again = tmp_path / "again"
    again.mkdir()
    log_before = (tmp_path / "log").read_text()
    status = main(
        ["bisect", "--commits", "c1..c16", "--repo", str(repository), "-q", "--captures", str(kept),
         "-o", str(again / "o"), *capture_command(repository, tmp_path / "log")]
    )  # fmt: skip
    assert status == 0
    new = (tmp_path / "log").read_text().removeprefix(log_before).split()
    assert set(new) <= {"8"}  # what did not build is tried again


def test_a_verdict_that_turned_is_found(repository: Path, tmp_path: Path) -> None:
    status, found, _ = bisect(
        repository, tmp_path, "--policy", "kernel-family-deltas", span="c6..c16"
    )
    assert status == 0
    (answer,) = found["answers"]
    assert answer["became"] == "PASS → REVIEW"
    assert found["states"][answer["first_in"]].endswith("commit 11")


def test_nothing_turned_is_told_by_the_status(repository: Path, tmp_path: Path) -> None:
    status, found, captured = bisect(repository, tmp_path, "--family", "scale", span="c1..c10")
    assert (status, found["answers"], len(captured)) == (1, [], 2)


def test_sassay_itself_captures_a_checkout(repository: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    status = main(
        ["bisect", "--commits", "c10..c11", "--repo", str(repository), "-q", "-f", "json",
         "-o", str(out), "--", sys.executable, "-m", "sassay", "capture", ".", "-o", "{out}"]
    )  # fmt: skip
    (answer,) = json.loads(out.read_text())["answers"]
    assert (status, answer["became"]) == (0, "changed (recomposed)")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--commits", "c1"], "is not GOOD..BAD"),
        (["--commits", "c16..c1", "--", "true", "{out}"], "no commit lies between"),
        (["--commits", "c1..nope", "--", "true", "{out}"], "git log"),
        (["--commits", "c1..c16", "--", "true"], "does not say where its capture goes"),
        (["--commits", "c1..c16", "--", "true", "{out}"], "cannot be captured"),
        ([], "bisect needs two states or more"),
    ],
)
def test_wrong_questions(
    repository: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bisect", "--repo", str(repository), *arguments]) == 2
    errors = capsys.readouterr().err
    assert said in errors
    assert len(errors.splitlines()) == 1
