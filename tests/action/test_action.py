"""The action's own steps, for real, on a repository of two commits behind a bare one."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.action.job import Job

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
KERNEL = """\
import triton
import triton.language as tl


@triton.jit
def scale_kernel(x_ptr, out_ptr, count, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + at, mask=at < count)
    tl.store(out_ptr + at, {body}, mask=at < count)
"""
MANIFEST = """\
[[kernel]]
file = "kernels.py"
function = "scale_kernel"
arch = ["sm_80"]
signature = { x_ptr = "*fp32", out_ptr = "*fp32", count = "i32" }
constants = { BLOCK = 256 }
"""
POLICY = """\
version: v1
rules:
  - id: no-division
    effect: fail
    match:
      operation: "div.full.f32"
      layer: ptx
    reason: A division where the reference multiplies.
"""


def git(folder: Path, *arguments: str) -> str:
    """Run git as somebody, without anybody's configuration."""
    who = ["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare repository: main has the base and moves on; `pr` changes the kernel and the policy."""
    work = tmp_path_factory.mktemp("work")
    git(work, "init", "-q", "-b", "main")
    (work / "kernels.py").write_text(KERNEL.format(body="x * 2.0"))
    (work / "kernels.toml").write_text(MANIFEST)
    (work / "policy.yaml").write_text(POLICY)
    git(work, "add", ".")
    git(work, "commit", "-qm", "base")
    git(work, "checkout", "-qb", "pr")
    (work / "kernels.py").write_text(KERNEL.format(body="x / tl.load(x_ptr)"))
    (work / "policy.yaml").write_text(POLICY.replace("effect: fail", "effect: pass"))
    git(work, "commit", "-qam", "divide")
    git(work, "checkout", "-q", "main")
    (work / "README").write_text("main moved on\n")
    git(work, "add", ".")
    git(work, "commit", "-qm", "elsewhere")
    bare = tmp_path_factory.mktemp("hub") / "repository.git"
    git(work, "clone", "-q", "--bare", str(work), str(bare))
    git(bare, "config", "uploadpack.allowAnySHA1InWant", "true")
    return bare


@pytest.fixture
def action(tmp_path: Path) -> Path:
    """The action, with the tests' environment in place of a fresh installation."""
    folder = tmp_path / "sassay-action"
    shutil.copytree(ROOT / "action", folder / "action")
    shutil.copy(ROOT / "action.yml", folder)
    tools = Path(sys.executable).parent
    (folder / "action" / "install.sh").write_text(f'test -x "{tools}/sassay"\n')
    return folder


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty folder, each time at one path as on a runner: what was compiled there is reused."""
    folder = tmp_path_factory.getbasetemp() / "action-place"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


def review(
    hub: Path, action: Path, place: Path, inputs: dict[str, str] | None = None, depth: int = 0
) -> Job:
    """One job of the pull request."""
    checkout = place / "checkout"
    shallow = ["--depth", str(depth), "--single-branch"] if depth else []
    git(place, "clone", "-q", *shallow, "-b", "pr", f"file://{hub}", str(checkout))
    event = place / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 7}}))
    main = git(hub, "rev-parse", "main")
    tools = f"{Path(sys.executable).parent}:"
    return Job(
        action=action,
        workspace=checkout,
        temp=place / "runner",
        inputs={"manifest": "kernels.toml", "policy": "policy.yaml", "comment": "never"}
        | (inputs or {}),
        github={
            "event_name": "pull_request",
            "repository": "engine/engine",
            "event": {
                "pull_request": {
                    "base": {"sha": main},
                    "head": {"repo": {"full_name": "engine/engine"}},
                }
            },
        },
        environment={
            "PATH": tools + os.environ["PATH"],
            "GITHUB_EVENT_PATH": str(event),
        },
    ).run()


def test_reviews_a_pull_request(hub: Path, action: Path, place: Path) -> None:
    """The base's policy judges, from where the change started; the reports are all there."""
    job = review(hub, action, place, {"fail-on": "fail"})
    assert job.status == 1, job.log
    assert job.outputs["judge"]["verdict"] == "FAIL"
    report = Path(job.outputs["judge"]["report"])
    assert sorted(path.name for path in report.iterdir()) == [
        "comment.md",
        "report.html",
        "report.json",
        "sassay.sarif",
        "sassay.xml",
    ]
    text = (report / "comment.md").read_text()
    assert text.startswith("<!-- sassay:kernels -->\n")
    assert "no-division" in text
    assert job.summary == text
    assert job.outputs["revisions"]["base"] == git(hub, "rev-parse", "main~1")
    captures = Path(job.outputs["judge"]["captures"])
    assert sorted(path.name for path in captures.iterdir()) == ["base.sassay", "head.sassay"]
    assert [name for name, _ in job.used] == [
        "actions/cache/restore",
        "actions/cache/save",
        "actions/upload-artifact",
        "actions/upload-artifact",
    ]
    keys = {given["key"] for name, given in job.used if name.startswith("actions/cache")}
    assert len(keys) == 1
    assert job.outputs["revisions"]["base"] in keys.pop()


@pytest.mark.parametrize(
    ("verdict", "gate", "unknown", "status"),
    [
        ("PASS", "review", "false", 0),
        ("REVIEW", "fail", "false", 0),
        ("REVIEW", "review", "false", 1),
        ("FAIL", "fail", "true", 1),
        ("UNKNOWN", "fail", "false", 2),
        ("UNKNOWN", "review", "true", 0),
        ("PASS", "sometimes", "false", 2),
        ("", "fail", "true", 1),
    ],
)
def test_gate(verdict: str, gate: str, unknown: str, status: int) -> None:
    """What each verdict makes of the job; no verdict never passes."""
    done = subprocess.run(
        ["bash", str(ROOT / "action" / "gate.sh")],
        env={**os.environ, "VERDICT": verdict, "FAIL_ON": gate, "ALLOW_UNKNOWN": unknown},
        capture_output=True,
        check=False,
    )
    assert done.returncode == status


def test_reuses_the_base(hub: Path, action: Path, place: Path) -> None:
    """A restored capture of the base is not compiled again, and not saved again."""
    first = review(hub, action, place)
    shutil.rmtree(place / "checkout")
    kept = place / "kept"
    shutil.copytree(place / "runner" / "sassay" / "base.sassay", kept)
    shutil.rmtree(place / "runner")
    checkout_of_base = place / "runner" / "sassay" / "base.sassay"
    shutil.copytree(kept, checkout_of_base)
    git(place, "clone", "-q", "-b", "pr", f"file://{hub}", str(place / "checkout"))
    second = Job(
        action=action,
        workspace=first.workspace,
        temp=first.temp,
        inputs=first.inputs,
        github=first.github,
        environment=first.environment,
        hits=frozenset({"cached"}),
    ).run()
    assert second.outputs["judge"]["verdict"] == "FAIL", second.log
    assert "capture-base" not in second.outputs
    assert "actions/cache/save" not in [name for name, _ in second.used]
    assert first.outputs["revisions"]["cache-key"] == second.outputs["revisions"]["cache-key"]


def test_deepens_a_shallow_checkout(hub: Path, action: Path, place: Path) -> None:
    """With one commit fetched, it still finds where the change started."""
    job = review(hub, action, place, depth=1)
    assert job.status == 0, job.log
    assert job.outputs["revisions"]["base"] == git(hub, "rev-parse", "main~1")


@pytest.mark.parametrize(
    ("inputs", "line"),
    [
        ({"manifest": "absent.toml"}, "there is no manifest 'absent.toml'"),
        ({"manifest": ""}, "needs a 'manifest' to compile, or a 'command'"),
        ({"base": "--upload-pack=x"}, "'--upload-pack=x' is no commit"),
        ({"name": "a b; rm -rf /"}, "'name' is letters, digits"),
        ({"policy": "no-such-preset"}, "could not judge (exit status 2)"),
    ],
)
def test_says_what_is_wrong(
    hub: Path, action: Path, place: Path, inputs: dict[str, str], line: str
) -> None:
    """A wrong input ends the job with one annotation."""
    job = review(hub, action, place, inputs)
    assert job.status == 2, job.log
    errors = [found for found in job.log.splitlines() if found.startswith("::error::")]
    assert len(errors) == 1
    assert line in errors[0]


def test_no_input_enters_a_script() -> None:
    """Expressions reach shell steps through the environment only, never inside the script."""
    for name in ("action.yml", "comment/action.yml"):
        for run in re.findall(r"^ *run: (.*)$", (ROOT / name).read_text(), re.MULTILINE):
            assert "${{" not in run


def test_every_foreign_action_is_pinned() -> None:
    """By commit, with its version beside it."""
    files = [ROOT / "action.yml", ROOT / "comment" / "action.yml"]
    files += (ROOT / ".github" / "workflows").glob("*.yml")
    uses = [line for path in files for line in re.findall(r"uses: (.*)", path.read_text())]
    assert len(uses) > 8
    for line in uses:
        assert line == "$/" or re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v[\d.]+", line)
