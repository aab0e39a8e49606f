from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sassay.isa.sass import Disassembler

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def disassembler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disassembler]:
    """One for all tests of this folder: a word is decoded once."""
    cache: Path = tmp_path_factory.mktemp("sass-cache")
    with Disassembler(cache) as shared:
        yield shared
