from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import sassay

KERNELS = """\
import triton
import triton.language as tl


@triton.jit
def scale(x_ptr, y_ptr, n, factor, BLOCK: tl.constexpr = 128):
    o = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y_ptr + o, tl.load(x_ptr + o, mask=o < n) * factor, mask=o < n)


@triton.autotune(configs=[triton.Config({"BM": 64})], key=[])
@triton.jit
def gemm(a, b, c, K, BM: tl.constexpr):
    r = tl.arange(0, BM)
    acc = tl.zeros((BM, BM), tl.float32)
    for k in range(0, K, BM):
        x = tl.load(a + r[:, None] * K + (k + r)[None, :])
        y = tl.load(b + (k + r)[:, None] * BM + r[None, :])
        acc += tl.dot(x, y)
    tl.store(c + r[:, None] * BM + r[None, :], acc)
"""

TESTS = """\
import pytest
import kernels


def lowered(lowering, **more):
    return lowering(
        kernels.scale,
        signature={"x_ptr": "*bf16", "y_ptr": "*fp32", "n": "i32", "factor": "fp32"},
        divisibility={"*": 16, "n": 16},
        **more,
    )


def test_snapshot(lowering):
    lowered(lowering).assert_matches_snapshot()


@pytest.mark.parametrize("warps", [1, 4])
def test_parametrized(lowering, warps):
    lowered(lowering, options={"num_warps": warps}).assert_matches_snapshot()


def test_facts(lowering):
    kernel = lowered(lowering)
    assert kernel.no_spills()
    assert kernel.registers <= 64
    assert kernel.has("ld.global") and kernel.has("LDG")
    assert kernel.count("st.shared.*", layer="ptx") == 0
    assert kernel.count("mul.f32") == 1
    assert kernel.shared_bytes == 0
    assert "FMUL" in kernel.text("sass")
    assert kernel.categories("ptx")["tensor_core"] == 0
    assert kernel.numeric_path == lowered(lowering, options={"num_warps": 1}).numeric_path


@pytest.mark.parametrize("arch, opcode", [("sm_90", "wgmma"), ("sm_80", "mma.sync")])
def test_tensor_cores(lowering, arch, opcode):
    kernel = lowering(
        kernels.gemm,
        signature={"a": "*fp16", "b": "*fp16", "c": "*fp32", "K": "i32"},
        constants={"BM": 64}, divisibility={"*": 16, "K": 16}, arch=arch,
    )
    assert kernel.has(opcode)
    assert kernel.arch.startswith(arch)
"""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose snapshots are written."""
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "kernels.py").write_text(KERNELS)
    (folder / "test_kernels.py").write_text(TESTS)
    done = run(folder, "--sassay-update")
    assert "6 passed" in done.stdout, done.stdout
    return folder


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Pytest in a process of its own, as in the user's project."""
    source = Path(sassay.__file__).parent.parent
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "sassay.testing.plugin", "-q",
         "-W", "ignore", *arguments],
        cwd=folder, capture_output=True, text=True, check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(source), "HOME": str(folder),
             "XDG_CACHE_HOME": str(folder / "cache"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip


def test_snapshots_lie_beside_the_test_and_hold(compiled: Path) -> None:
    snapshots = sorted(p.name for p in (compiled / "__lowering__" / "test_kernels").iterdir())
    assert snapshots == [
        "test_parametrized[1].txt", "test_parametrized[4].txt", "test_snapshot.txt",
    ]  # fmt: skip
    text = (compiled / "__lowering__" / "test_kernels" / "test_snapshot.txt").read_text()
    assert text.startswith("# compiled by triton ")
    assert "scale @ sm_90a\nwarps 4\nregisters " in text
    assert "\nptx mul.f32 1\n" in text
    done = run(compiled)
    assert done.returncode == 0, done.stdout


def test_a_change_fails_with_a_short_diff_and_one_flag_accepts_it(
    compiled: Path, tmp_path: Path
) -> None:
    import shutil

    project = shutil.copytree(compiled, tmp_path / "project")
    changed = KERNELS.replace("* factor", "* factor + 1.0")
    (project / "kernels.py").write_text(changed)
    done = run(project, "-k", "test_snapshot")
    assert done.returncode == 1
    assert "scale @ sm_90a is not what test_snapshot.txt says" in done.stdout
    assert "-ptx mul.f32 1" in done.stdout
    assert "+ptx fma.rn.f32 1" in done.stdout
    assert "--sassay-update accepts it" in done.stdout
    assert len(done.stdout.splitlines()) < 40
    assert run(project, "-k", "test_snapshot", "--sassay-update").returncode == 0
    assert run(project, "-k", "test_snapshot").returncode == 0


def test_a_missing_snapshot_says_how_to_write_it(compiled: Path, tmp_path: Path) -> None:
    (tmp_path / "kernels.py").write_text(KERNELS)
    (tmp_path / "test_kernels.py").write_text(TESTS)
    done = run(tmp_path, "-k", "test_snapshot")
    assert done.returncode == 1
    assert "write it with --sassay-update" in done.stdout


def test_wrong_arguments_are_told(tmp_path: Path) -> None:
    (tmp_path / "kernels.py").write_text(KERNELS)
    (tmp_path / "test_kernels.py").write_text(
        "import kernels\n"
        "def test_a(lowering):\n"
        "    lowering(kernels.scale, signature={'x': '*bf16'})\n"
        "def test_b(lowering):\n"
        "    lowering(kernels.scale, signature={'x_ptr': '*bf16'})\n"
        "def test_c(lowering):\n"
        "    lowering(kernels.scale, signature={}, arch='sm_1')\n"
        "def test_d(lowering):\n"
        "    lowering(test_c, signature={})\n"
    )
    done = run(tmp_path)
    for said in (
        "scale has no parameter 'x'",
        "parameter 'y_ptr' of scale has no value in `signature`",
        "unknown architecture 'sm_1'",
        "test_c is no @triton.jit function",
    ):
        assert said in done.stdout


def test_the_plugin_imports_nothing_heavy() -> None:
    code = (
        "import sys, pytest\n"
        "before = set(sys.modules)\n"
        "import sassay.testing.plugin\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "assert new <= {'sassay'}, new\n"
    )
    source = Path(sassay.__file__).parent.parent
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(source)})
