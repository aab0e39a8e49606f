"""Where a kernel lies, said so that two builds of one thing say the same."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sassay.model.kernel import Kernel

# A wheel's file name is `{distribution}-{version}(-{build})?-{python}-{abi}-{platform}.whl`
# (PyPA "Binary distribution format", "File name convention"): only the first part stays.
_WHEEL = re.compile(r"(^|[/!])([^/!-]+)-[^/!]*\.whl(?=$|[/!])")
# Triton names a cache folder by 52 characters of base32, DeepGEMM, FlashInfer and Inductor by
# hexadecimal digests, all of which change with the compiler or an install path.
_BASE32_KEY = re.compile(r"(?<![A-Za-z0-9])[A-Z2-7]{52}(?![A-Za-z0-9])")
_HEX_KEY = re.compile(r"(?<![A-Za-z0-9])[0-9a-f]{16,}(?![A-Za-z0-9])")
_INDUCTOR_KEY = re.compile(r"(?<=/)[a-z2-7]{2}/c[a-z2-7]{50,}(?=[./])")
_VERSION = re.compile(r"\d+(?:\.\d+)+(?:[a-z]+\d+)?")
_ENTRY_INDEX = re.compile(r"!([A-Za-z_]+)\.\d+(?=$|!)")


@lru_cache(maxsize=65536)
def relative_place(path: str) -> str:
    """A source path with its version-like parts replaced by `#`.

    What two builds of one project share stays (`lib_cuda126.so`), what a build stamps on its
    output goes: wheel versions and tags, dotted versions, cache keys, the position of an entry
    in its fatbin.

    Args:
        path: `Source.path`, relative to its input.
    """
    path = _WHEEL.sub(r"\1\2.whl", path)
    path = _BASE32_KEY.sub("#", path)
    path = _HEX_KEY.sub("#", path)
    path = _INDUCTOR_KEY.sub("#", path)
    path = _ENTRY_INDEX.sub(r"!\1", path)
    return _VERSION.sub("#", path)


def places(kernel: Kernel) -> tuple[str, ...]:
    """All relative places of a kernel, sorted, each once."""
    if len(kernel.sources) == 1:
        return (relative_place(kernel.sources[0].path),)
    return tuple(sorted({relative_place(source.path) for source in kernel.sources}))
