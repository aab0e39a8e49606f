"""Contract and probe files that are wrong or want to do harm."""

from __future__ import annotations

import os
import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sassay.errors import SassayError
from sassay.machine.parity import Chooser, Sides, check_contracts, load_contracts
from sassay.machine.probe import load_probe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GOOD = """\
from = "m.ptx"
[[contract]]
name = "c"
claim = "bitwise"
dims = { n = [4] }
inputs = ["normal"]
[contract.buffers]
x = { type = "fp32", shape = ["n"] }
[contract.left]
python = "r.py:f"
[contract.right]
python = "r.py:f"
"""


@pytest.mark.parametrize("load", [load_contracts, load_probe])
@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe\x00",
        b"a = " + b"[" * 100_000,
        b"x" * (2 << 20),
        b"[[contract]]\nname = 3\n",
        b"contract = 5\n",
        b'from = "a\\u0000b"\n',
        b"",
    ],
    ids=["no-utf8", "deep", "large", "type", "no-array", "nul", "empty"],
)  # fmt: skip
def test_a_broken_file_is_one_line(
    load: Callable[[Path], object], content: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "c.toml"
    file.write_bytes(content)
    with pytest.raises(SassayError) as raised:
        load(file)
    assert "\n" not in str(raised.value)
    assert str(file) in str(raised.value)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "c.toml")
    with pytest.raises(SassayError, match="is not a contract file"):
        load_contracts(tmp_path / "c.toml")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('shape = ["n"]', 'shape = ["n * 1000000000"]', "MiB"),
        ('shape = ["n"]', 'shape = ["n - 9"]', "has the shape"),
        ('shape = ["n"]', 'shape = ["4 // (n - n)"]', "divides by zero"),
        ('shape = ["n"]', 'shape = ["n"], file = "x.npy"', "is no file"),
        ('shape = ["n"]', 'shape = ["n"], file = "p.npy"', "cannot be read as .npy"),
        ('shape = ["n"]', 'shape = ["n"], file = "s.npy"', "has the shape (3,), not (4,)"),
        ("dims = { n = [4] }", "dims = { n = [4] }\nseeds = 1000", ""),
        (
            "dims = { n = [4] }",
            "dims = { n = [1, 2, 3, 4, 5, 6, 7, 8, 9] }\nseeds = 1000",
            "9000 cases (at most 2000)",
        ),
    ],
)
def test_what_asks_too_much_is_unknown(old: str, new: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "p.npy").write_bytes(pickle.dumps({"not": "an array"}))
    np.save(tmp_path / "s.npy", np.zeros(3, np.float32))
    assert old in GOOD
    (tmp_path / "c.toml").write_text(GOOD.replace(old, new))
    (contract,) = check_contracts(
        load_contracts(tmp_path / "c.toml"), Sides(Chooser(lambda *_: ()))
    ).contracts
    assert contract.outcome == "unknown"  # at the latest since Python was not asked for
    assert words in contract.cases[0].why
