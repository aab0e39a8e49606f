"""Which kind of place a path belongs to, for files whose content says nothing about it.

One row a kind; the first that matches wins. Layouts: FlashInfer's `jit/env.py`, tvm-ffi's
`cpp/extension.py`, PyTorch's `torch/_inductor/runtime/cache_dir_utils.py`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sassay.model.artifact import SourceKind

if TYPE_CHECKING:
    from collections.abc import Iterator

LAYOUTS: tuple[tuple[SourceKind, re.Pattern[str]], ...] = (
    (SourceKind.FLASHINFER, re.compile(r"(^|[/!_])(cached_ops|jit_cache)/|flashinfer")),
    (SourceKind.TVM_FFI, re.compile(r"(^|[/!])tvm-ffi/|(^|[/!])(\w+)_[0-9a-f]{16}/\3\.so$")),
    (SourceKind.DEEPGEMM, re.compile(r"(^|[/!])\.?deep_gemm/.*kernel\.")),
    (
        SourceKind.INDUCTOR,
        re.compile(r"(^|[/!])(torchinductor_[^/]+|inductor_cache|aotinductor)/"),
    ),
    (SourceKind.CUTE_DSL, re.compile(r"(^|[/!])(cute_dsl|cutlass___|kernel_cutlass_)[^/]*")),
)


def kind_of(path: str, default: SourceKind) -> SourceKind:
    """The kind of place that a path's layout shows.

    Args:
        path: Path with the input's own path before it, `/`-separated.
        default: The kind where no layout is recognized.
    """
    for kind, pattern in LAYOUTS:
        if pattern.search(path):
            return kind
    return default


_DIST_INFO = re.compile(r"(?:^|/)([A-Za-z0-9][\w.]*)-([0-9][\w.+!]*)\.(?:dist|egg)-info/")


def packages_in(paths: Iterator[str]) -> dict[str, str]:
    """Name to version of the Python packages whose metadata folders lie among `paths`."""
    found: dict[str, str] = {}
    for path in paths:
        if match := _DIST_INFO.search(path):
            found[match.group(1)] = match.group(2)
    return dict(sorted(found.items()))
