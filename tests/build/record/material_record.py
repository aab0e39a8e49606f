"""A project whose kernels compile without a GPU, and the script that launches them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import sassay

KERNELS = """\
import os

import triton
import triton.language as tl

SCALE = tl.constexpr(float(os.environ.get("KERNEL_SCALE", "2.0")))
DEPTH = tl.constexpr(len(os.sep) + 2)
WIDE = tl.constexpr(8)


@triton.jit
def relu(x):
    return tl.maximum(x, 0.0)


@triton.jit
def scale(x_ptr, y_ptr, n, stride, ACT: tl.constexpr, DT: tl.constexpr, BLOCK: tl.constexpr):
    o = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + o * stride, mask=o < n)
    if ACT is not None:
        x = ACT(x)
    tl.store(y_ptr + o, (x * SCALE + DEPTH + WIDE).to(DT), mask=o < n)


@triton.jit
def pair(ptrs, mode: tl.constexpr, BLOCK: tl.constexpr):
    o = tl.arange(0, BLOCK)
    if mode == "tl.add":
        tl.store(ptrs[1] + o, tl.load(ptrs[0] + o) + ptrs[2])


@triton.autotune(
    configs=[triton.Config({"BLOCK": b}, num_warps=w) for b, w in ((64, 1), (128, 2), (256, 8))],
    key=["n"],
)
@triton.heuristics({"EVEN": lambda a: a["n"] % a["BLOCK"] == 0})
@triton.jit
def tuned(x_ptr, n, BLOCK: tl.constexpr, EVEN: tl.constexpr):
    o = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = (o >= 0) if EVEN else (o < n)
    tl.store(x_ptr + o, tl.load(x_ptr + o, mask=mask) + 1, mask=mask)


def closure():
    offset = tl.constexpr(5)

    @triton.jit
    def inner(x_ptr):
        tl.store(x_ptr, offset)

    return inner
"""

LAUNCH = '''\
import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget


class Dtype:
    def __init__(self, name):
        self.name = name

    def __str__(self):
        return "torch." + self.name

    __repr__ = __str__


class Tensor:
    def __init__(self, dtype, address=0x1000):
        self.dtype, self.address, self.shape = Dtype(dtype), address, [1]

    def data_ptr(self):
        return self.address


class Driver:
    """As much of a driver as compiling needs; every launch is a warm-up."""

    def get_current_target(self):
        return GPUTarget("cuda", 90, 32)

    def get_current_device(self):
        return 0

    def get_current_stream(self, device):
        return 0

    def get_benchmarker(self):
        def bench(call, quantiles=None):
            call()
            return [1.0, 1.0, 1.0]

        return bench


triton.runtime.driver.set_active(Driver())
import kernels as k


def launch_scale():
    x, odd = Tensor("float32"), Tensor("float32", 0x1004)
    k.scale.warmup(x, Tensor("bfloat16"), 1024, 1, k.relu, tl.bfloat16, BLOCK=128, grid=(1,))
    k.scale.warmup(odd, x, 1023, 2, None, tl.float32, BLOCK=128, num_warps=8, grid=(1,))


def launch_all():
    launch_scale()
    k.pair.warmup((Tensor("float32"), Tensor("float32"), 3), "tl.add", BLOCK=32, grid=(1,))
    k.tuned.run(Tensor("float32"), 1024, grid=(1,), warmup=True)
    k.closure().warmup(Tensor("int32"), grid=(1,))
'''


def project(folder: Path) -> Path:
    """Write the project."""
    (folder / "kernels.py").write_text(KERNELS)
    (folder / "launch.py").write_text(LAUNCH)
    return folder


def sassay_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "sassay", *arguments]


def environment(folder: Path, **more: str) -> dict[str, str]:
    source = Path(sassay.__file__).parent.parent
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRITON_")}
    return {
        **kept,
        "PYTHONPATH": str(source),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "TRITON_DEFAULT_FP_FUSION": "1",
        **more,
    }


def record(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[Any]:
    """Run `sassay record` in a project; output as bytes."""
    return subprocess.run(
        sassay_command("record", *arguments),
        cwd=folder,
        env=environment(folder, **more),
        capture_output=True,
        check=False,
        timeout=120,
    )
