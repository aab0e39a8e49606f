"""Opens states for tests: one cache folder for what is analyzed, one disassembler."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

from sassay.capture import CodeArchive, open_state
from sassay.isa.sass import Disassembler

if TYPE_CHECKING:
    from sassay.model.state import State


@functools.cache
def cache() -> Path:
    """A cache folder shared by the tests of this process."""
    folder = Path(tempfile.mkdtemp(prefix="sassay-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def opened(
    spec: Path | str, store: CodeArchive | None = None, arch_globs: tuple[str, ...] = ()
) -> State:
    """The state of an input."""
    with (
        mock.patch.dict(os.environ, {"SASSAY_CACHE_DIR": str(cache())}),
        Disassembler(cache()) as disassembler,
    ):
        return open_state(
            str(spec),
            store=store if store is not None else CodeArchive(),
            disassembler=disassembler,
            arch_globs=arch_globs,
        )
