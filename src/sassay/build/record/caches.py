"""Private caches of a recorded command: where each compiler is told to leave what it emits.

Sources of the variables: Triton `knobs.py`; PyTorch `torch/_inductor/runtime/cache_dir_utils.py`;
DeepGEMM `csrc/jit/compiler.hpp`; SGLang `environ.py`; vLLM `envs.py`; FlashInfer `jit/env.py`;
tvm-ffi `cpp/extension.py`; CuTe DSL `base_dsl/env_manager.py`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from sassay.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Cache(msgspec.Struct, frozen=True):
    """One kind of cache.

    Attributes:
        name: What the command line calls it; its folder's name too.
        folders: Variable to the folder below the cache's own that it is set to.
        settings: Variables that make what is emitted complete.
        unset: Variables that would keep something from being written.
    """

    name: str
    folders: Mapping[str, str]
    settings: Mapping[str, str] = {}
    unset: tuple[str, ...] = ()


CACHES: tuple[Cache, ...] = (
    Cache("triton", {"TRITON_CACHE_DIR": ""}, unset=("TRITON_STORE_BINARY_ONLY",)),
    Cache(
        "inductor",
        {"TORCHINDUCTOR_CACHE_DIR": ""},
        # A remote cache would hand out code that this machine never compiled.
        {
            "TORCHINDUCTOR_FX_GRAPH_REMOTE_CACHE": "0",
            "TORCHINDUCTOR_AUTOTUNE_REMOTE_CACHE": "0",
            "TORCHINDUCTOR_BUNDLED_AUTOTUNE_REMOTE_CACHE": "0",
            "TORCHINDUCTOR_AUTOGRAD_REMOTE_CACHE": "0",
        },
    ),
    Cache(
        "deepgemm",
        {
            "DG_JIT_CACHE_DIR": "deep_gemm",
            "SGLANG_DG_CACHE_DIR": "deep_gemm",
            "SGL_DG_CACHE_DIR": "deep_gemm",
        },
        {"DG_JIT_DUMP_PTX": "1"},
    ),
    Cache("flashinfer", {"FLASHINFER_WORKSPACE_BASE": ""}),
    Cache("tvm-ffi", {"TVM_FFI_CACHE_DIR": ""}),
    Cache(
        "cute_dsl",
        {"CUTE_DSL_DUMP_DIR": "dump", "CUTE_DSL_CACHE_DIR": "cache"},
        # Older releases know one switch a file instead of the list.
        {"CUTE_DSL_KEEP": "ptx,cubin", "CUTE_DSL_KEEP_PTX": "1", "CUTE_DSL_KEEP_CUBIN": "1"},
    ),
    # vLLM points Triton, Inductor and DeepGEMM below its own root by itself.
    Cache("vllm", {"VLLM_CACHE_ROOT": ""}),
)
NAMES: tuple[str, ...] = tuple(cache.name for cache in CACHES)


def private_environment(
    environment: Mapping[str, str], folder: Path, *, leave: Sequence[str] = ()
) -> dict[str, str]:
    """The environment of a command whose caches are fresh and its own.

    Args:
        environment: The caller's.
        folder: Where the caches go; a folder is made for each.
        leave: Names of caches that stay where they are.

    Raises:
        UsageError: A name in `leave` is no cache.
    """
    for name in leave:
        if name not in NAMES:
            raise UsageError(f"no cache is called {name!r}", hint=f"one of {', '.join(NAMES)}")
    changed = dict(environment)
    for cache in CACHES:
        if cache.name in leave:
            continue
        for variable, below in cache.folders.items():
            place = folder / cache.name / below
            place.mkdir(parents=True, exist_ok=True)
            changed[variable] = os.fspath(place)
        changed |= cache.settings
        for variable in cache.unset:
            changed.pop(variable, None)
    return changed


def variables() -> frozenset[str]:
    """Every variable that a recording sets or unsets: none of them tells runs apart."""
    return frozenset(
        name for cache in CACHES for name in (*cache.folders, *cache.settings, *cache.unset)
    )
