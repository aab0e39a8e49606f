"""Keys of content tell content apart, whichever hash makes them."""

from __future__ import annotations

import hashlib
import importlib
from typing import TYPE_CHECKING

import pytest

from sassay.containers import content_key as module
from sassay.containers.content_key import content_key

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=["installed", "missing"])
def hash_name(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    def refuse(name: str) -> object:
        raise ImportError(name)

    if request.param == "missing":
        monkeypatch.setattr(importlib, "import_module", refuse)
    module._fastest.cache_clear()
    yield request.param
    module._fastest.cache_clear()


def test_equal_bytes_have_equal_keys_and_others_others(hash_name: str) -> None:
    data = bytes(range(256)) * 999
    key = content_key(data, "lz4")
    assert key == content_key(memoryview(data), "lz4")
    others = {content_key(data), content_key(data, "zstd"), content_key(data[1:], "lz4")}
    # Where the name of the compression ends must be plain.
    others |= {content_key(b"4" + data, "lz"), content_key(data[:-1] + b"x", "lz4")}
    assert len(others | {key}) == 6
    of_sha256 = hashlib.sha256(b"lz4\0" + data).hexdigest()
    assert hash_name == "installed" or key == of_sha256
