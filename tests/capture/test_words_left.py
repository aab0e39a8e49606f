"""Words that the tables lack: who answered for them is said, and counted alike when remembered."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING
from unittest import mock

from tests.sources.material import code

from sassay.capture import CodeArchive, open_state
from sassay.isa.sass import Disassembler
from sassay.isa.sass.tables import TableDecoder

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from sassay.isa.sass.words import Words
    from sassay.model.state import State


def test_words_left_to_nvdisasm_are_told(tmp_path: Path) -> None:
    cubin = tmp_path / "k.cubin"
    cubin.write_bytes(code("cubin"))
    known = TableDecoder.decode

    def without_exit(decoder: TableDecoder, words: Words) -> NDArray[np.int32]:
        ids = known(decoder, words)
        ids[ids == decoder.names.index("EXIT")] = -1
        return ids

    def opened(cache: str) -> State:
        with (
            mock.patch.dict(os.environ, {"SASSAY_CACHE_DIR": str(tmp_path / cache)}),
            Disassembler(tmp_path / cache) as disassembler,
        ):
            return open_state(str(cubin), store=CodeArchive(), disassembler=disassembler)

    whole = opened("whole")
    exits = sum((kernel.instructions.sass or {})["EXIT"] for kernel in whole.kernels)
    assert whole.diagnostics == ()
    with (
        mock.patch.object(TableDecoder, "decode", without_exit),
        mock.patch.object(TableDecoder, "count", return_value=None),  # every word is decoded
    ):
        partly = opened("partly")
    (told,) = partly.diagnostics
    assert re.fullmatch(
        rf"sm_\w+: {exits} words? that no table knows w\w+ read by nvdisasm .+", told.message
    )
    assert partly.kernels == whole.kernels
    for remembered in ("nothing", "states"):
        for folder in (tmp_path / "partly").rglob(remembered):
            shutil.rmtree(folder)
        assert opened("partly") == partly
