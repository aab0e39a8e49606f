"""Triton kernels compiled without a GPU."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="session")
def triton_ptx(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], str]:
    """Compiles the test kernel for an architecture, once a session."""
    import os

    os.environ.setdefault("TRITON_CACHE_DIR", str(tmp_path_factory.mktemp("triton")))
    import triton
    from tests.isa.ptx.kernels import mixed
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    @lru_cache
    def compile_for(arch: int) -> str:
        types = ["*fp16", "*bf16", "*fp32", "i32", "constexpr"]
        names = ["a", "out", "total", "n", "size"]
        source = ASTSource(mixed, dict(zip(names, types, strict=True)), {(4,): 64})
        compiled = triton.compile(
            source, target=GPUTarget("cuda", arch, 32), options={"num_warps": 4}
        )
        return str(compiled.asm["ptx"])

    return compile_for
