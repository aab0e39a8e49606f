"""The key under which content is known again: a strong hash of its bytes.

No key leaves this machine, so that it may be of the fastest hash at hand: BLAKE3 reads twice as
many bytes a second as SHA-256, even where processors have instructions for the latter
(`python -m bench.release --parts limits`). Where it has no wheel, SHA-256 does it.
"""

from __future__ import annotations

import hashlib
import importlib
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Callable


class _Hash(Protocol):
    def update(self, data: bytes | memoryview, /) -> object: ...

    def hexdigest(self) -> str: ...


@lru_cache(maxsize=1)
def _fastest() -> Callable[[bytes], _Hash]:
    try:
        return cast("Callable[[bytes], _Hash]", importlib.import_module("blake3").blake3)
    except ImportError:
        return hashlib.sha256


def content_key(data: bytes | memoryview, how: str = "") -> str:
    """The key of some bytes, as hexadecimal digits.

    Args:
        data: The bytes.
        how: What else decides what they stand for, such as how they are compressed.
    """
    state = _fastest()(how.encode() + b"\0")
    state.update(data)
    return state.hexdigest()
