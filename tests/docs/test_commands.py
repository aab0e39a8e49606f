"""Every command in the documentation runs, or says why it does not; every option exists."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer.main
from tests.docs.blocks import PAGES, ROOT, Block, blocks

from sassay.cli.main import app

if TYPE_CHECKING:
    from collections.abc import Callable

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


def run(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """A shell with the tests' sassay, where the folder is also home."""
    place = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", f"type jq >/dev/null 2>&1 || jq() {{ cat >/dev/null; }}\n{script}"],
        cwd=folder,
        env={**os.environ, "PATH": place, "HOME": str(folder.parent), "COLUMNS": "100"},
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
        done = run(work, f"sassay compile kernels.toml -o {names[0]}.sassay --label {names[0]}")
        assert done.returncode == 0, done.stderr
        for name in names[1:]:
            shutil.copytree(work / f"{names[0]}.sassay", work / f"{name}.sassay")
    shutil.copytree(ROOT / "examples", work / "examples")
    (work / "cache.py").write_text(CACHE)
    done = run(work, f"TRITON_CACHE_DIR={folder}/.triton/cache python cache.py && rm cache.py")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def workplace(made_once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    return made_once("docs-workplace", make)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_run(page: Path, workplace: Path, tmp_path: Path) -> None:
    """The blocks of a page, in order, in one folder; a verdict is no failure."""
    todo = [block for block in blocks(page) if block.why_not is None]
    # Those of examples/ take minutes: tests/cli compiles the examples once for all.
    if not todo or page.is_relative_to(ROOT / "examples"):
        return
    folder = tmp_path / "place"
    shutil.copytree(workplace, folder, symlinks=True)
    here = folder / "work"
    for block in todo:
        # A folder that a block goes to is where the next block of the page starts.
        script = "\n".join(f"{line}\nstatus=$?; (( status > 1 )) && exit 9" for line in block.lines)
        done = run(here, f"set -o pipefail\n{script}\npwd > {tmp_path}/pwd")
        said = f"{block.page}:{block.line}\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
        assert done.returncode in {0, 1}, said
        here = Path((tmp_path / "pwd").read_text().strip())


COMMANDS = [
    pytest.param(block, words, id=f"{block.page}:{block.line}:{' '.join(words)[:40]}")
    for page in PAGES
    for block in blocks(page)
    for words in block.commands
]


@pytest.mark.parametrize(("block", "words"), COMMANDS)
def test_options_exist(block: Block, words: list[str]) -> None:
    """Also of the commands that cannot run here."""
    command: Any = typer.main.get_command(app)
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
