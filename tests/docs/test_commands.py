"""Every command in the documentation runs, or says why it does not; every option exists."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer.main
from tests.cli import running
from tests.docs.blocks import PAGES, ROOT, Block, blocks

from sassay.cli.main import application

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KERNELS = """\
import triton
import triton.language as tl


@triton.jit
def _rmsnorm_kernel(x_ptr, out_ptr, hidden, eps, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + tl.program_id(0) * hidden + at, mask=at < hidden, other=0.0).to(tl.float32)
    scale = tl.rsqrt(tl.sum(x * x) / hidden + eps)
    tl.store(out_ptr + tl.program_id(0) * hidden + at, {norm}, mask=at < hidden)


@triton.jit
def _router_kernel(x_ptr, out_ptr, count, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + at, mask=at < count)
    tl.store(out_ptr + at, {router}, mask=at < count)
"""
BASE = {"norm": "(x * scale).to(tl.bfloat16)", "router": "x * 2.0"}
HEAD = {"norm": "(x.to(tl.bfloat16) * scale.to(tl.bfloat16))", "router": "tl.exp(x) / 3.0"}
MANIFEST = """\
[defaults]
arch = ["sm_80", "sm_90"]

[[kernel]]
file = "kernels.py"
function = "_rmsnorm_kernel"
signature = { x_ptr = "*bf16", out_ptr = "*bf16", hidden = "i32", eps = "fp32" }
constants = { BLOCK = 1024 }

[[kernel]]
file = "kernels.py"
function = "_router_kernel"
signature = { x_ptr = "*fp32", out_ptr = "*fp32", count = "i32" }
constants = { BLOCK = 256 }
"""
POLICY = """\
version: v1
rules:
  - id: review-changes
    effect: review
    match:
      family: "*"
    reason: Look at what changed.
tests:
  - name: one family alone is quiet
    states:
      - kernels: [{ family: one }]
      - kernels: [{ family: one }]
    expect: { verdict: PASS, findings: [] }
"""
CACHE = """\
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
import kernels

pointers = {"x_ptr": "*fp32", "out_ptr": "*fp32", "BLOCK": "constexpr"}
more = {"_rmsnorm_kernel": {"hidden": "i32", "eps": "fp32"}, "_router_kernel": {"count": "i32"}}
for name, types in more.items():
    function = getattr(kernels, name)
    signature = {each: (pointers | types)[each] for each in function.arg_names}
    source = ASTSource(function, signature, constexprs={"BLOCK": 128})
    triton.compile(source, target=GPUTarget("cuda", 90, 32))
"""
CAPTURES = {"main": ("base", "main", "old"), "pr": ("pr", "head", "new", "model", "candidate")}


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


_QUOTED = re.compile(r"""'[^']*'|"[^"$`]*\"""")
_COMMENT = re.compile(r"\s# .*$")
_SHELL = re.compile(r"""[|&;<>()$`~*?'"\n]""")


def _around(home: Path) -> dict[str, str]:
    """What a command finds in its environment: the tests' sassay, a home, a width."""
    place = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {"PATH": place, "HOME": str(home), "COLUMNS": "100"}


def run(folder: Path, script: str, home: Path) -> subprocess.CompletedProcess[str]:
    """A shell in a folder."""
    return subprocess.run(
        ["bash", "-c", f"type jq >/dev/null 2>&1 || jq() {{ cat >/dev/null; }}\n{script}"],
        cwd=folder,
        env={**os.environ, **_around(home)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def make(folder: Path) -> None:
    """A checkout on the branch `pr`, with the files that the documentation's commands name."""
    hub = folder / "hub"
    hub.mkdir()
    git(hub, "init", "-q", "-b", "main")
    (hub / "kernels.toml").write_text(MANIFEST)
    (hub / "policy.yaml").write_text(POLICY)
    (hub / "kernels.py").write_text(KERNELS.format(**BASE))
    git(hub, "add", ".")
    git(hub, "commit", "-qm", "base")
    git(hub, "checkout", "-qb", "pr")
    (hub / "kernels.py").write_text(KERNELS.format(**HEAD))
    git(hub, "commit", "-qam", "pr")
    git(folder, "clone", "-q", "-b", "pr", str(hub), "work")
    work = folder / "work"
    git(work, "branch", "main", "origin/main")
    for branch, names in CAPTURES.items():
        git(work, "checkout", "-q", branch)
        line = f"sassay compile kernels.toml -o {names[0]}.sassay --label {names[0]}"
        done = run(work, line, folder)
        assert done.returncode == 0, done.stderr
        for name in names[1:]:
            shutil.copytree(work / f"{names[0]}.sassay", work / f"{name}.sassay")
    shutil.copytree(ROOT / "examples", work / "examples")
    for manifest in (work / "examples").rglob("*.toml"):
        # What a manifest compiled to is kept by where it really lies: the pages and tests/cli
        # compile an example once for all of them.
        manifest.unlink()
        manifest.symlink_to(ROOT / manifest.relative_to(work))
    (work / "cache.py").write_text(CACHE)
    line = f"TRITON_CACHE_DIR={folder}/.triton/cache python cache.py && rm cache.py"
    done = run(work, line, folder)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def workplace(made_once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    return made_once("docs-workplace", make)


@pytest.fixture
def place(workplace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A fresh copy for each page, at one path: what its manifest compiled to is reused."""
    folder = tmp_path_factory.getbasetemp() / "docs-place"
    shutil.copytree(workplace, folder, symlinks=True)
    yield folder
    shutil.rmtree(folder)


def do(place: Path, here: Path, line: str) -> tuple[int, str, Path]:
    """The status of a line, what it printed, and the folder where the next line starts.

    A plain `sassay` command runs in this process, whatever needs a shell in one.
    """
    plain = _COMMENT.sub("", line)
    if plain.startswith("sassay ") and not _SHELL.search(_QUOTED.sub("", plain)):
        result = running.run(*shlex.split(plain)[1:], cwd=here, env=_around(place))
        return result.status, result.stdout[-1500:] + result.stderr[-1500:], here
    done = run(here, f"set -o pipefail\n{line}\nstatus=$?\npwd > {place}/pwd\nexit $status", place)
    after = Path((place / "pwd").read_text().strip())
    return done.returncode, done.stdout[-1500:] + done.stderr[-1500:], after


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_run(page: Path, request: pytest.FixtureRequest) -> None:
    """The blocks of a page, in order, in one folder; a verdict is no failure."""
    todo = [block for block in blocks(page) if block.why_not is None]
    # Those of examples/ take minutes: tests/cli compiles the examples once for all.
    if not todo or page.is_relative_to(ROOT / "examples"):
        return
    if any(line == "cd examples/router" for block in todo for line in block.lines):
        request.getfixturevalue("router")  # its states are compiled once for all tests
    place: Path = request.getfixturevalue("place")
    here = place / "work"
    for block in todo:
        for line in block.lines:
            status, said, here = do(place, here, line)
            assert status in {0, 1}, f"{block.page}:{block.line}: {line}\n{said}"


COMMANDS = [
    pytest.param(block, words, id=f"{block.page}:{block.line}:{' '.join(words)[:40]}")
    for page in PAGES
    for block in blocks(page)
    for words in block.commands
]


@pytest.mark.parametrize(("block", "words"), COMMANDS)
def test_options_exist(block: Block, words: list[str]) -> None:
    """Also of the commands that cannot run here."""
    command: Any = typer.main.get_command(application())
    own = words[: words.index("--")] if "--" in words else words
    for word in own:
        if word.startswith("-"):
            break
        child = getattr(command, "commands", {}).get(word)
        if child is None:
            break
        command = child
    assert command.name != "sassay" or own[0].startswith("--"), f"no command {own[0]!r}"
    known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
    known |= {"-h", "--help"}
    asked = {word.partition("=")[0] for word in own if word.startswith("-") and word != "-"}
    assert asked <= known, f"{block.page}:{block.line}: {sorted(asked - known)}"


def test_what_does_not_run_says_why() -> None:
    """Reasons are few and plain, and whatever would download has one."""
    for page in PAGES:
        for block in blocks(page):
            assert block.why_not or "pypi:" not in " ".join(block.lines), block
    reasons = {block.why_not for page in PAGES for block in blocks(page)} - {None}
    assert all(reason and len(reason) < 80 for reason in reasons)
