"""Manifests and sources that the tests of the wing write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.build import CompileRun, compile_manifest, load_manifest

if TYPE_CHECKING:
    from pathlib import Path

TORCH = "import torch\nimport triton\nimport triton.language as tl\n"

COPY = (
    TORCH
    + """

LIMIT = torch.finfo(torch.float16).max


@triton.autotune(configs=[triton.Config({"BLOCK": launch()})], key=["n"])
@triton.jit(do_not_specialize=["n"], repr=lambda _: launch())
def copy_kernel(x_ptr, out_ptr: torch.Tensor, n, BLOCK: tl.constexpr = 128):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out_ptr + offsets, tl.load(x_ptr + offsets, mask=offsets < n), mask=offsets < n)
"""
)

KERNEL = """
[[kernel]]
file = "kernels.py"
function = "copy_kernel"
arch = ["sm_90"]
signature = { x_ptr = "*fp32", out_ptr = "*fp32", n = "i32" }
"""


def write(folder: Path, manifest: str, **sources: str) -> Path:
    """A manifest and its source files; `kernels` stands for `kernels.py`."""
    for name, text in sources.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    path = folder / "manifest.toml"
    path.write_text(manifest, encoding="utf-8")
    return path


def compile_text(folder: Path, manifest: str, **sources: str) -> CompileRun:
    """Compiles a manifest given as text."""
    return compile_manifest(
        load_manifest(write(folder, manifest, **sources)), cache_dir=folder / "cache", jobs=1
    )
