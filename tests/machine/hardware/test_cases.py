"""The comparison with a GPU, without one: cases, and what is said where none is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sassay.errors import InputError
from sassay.machine import TensorMap
from sassay.machine.hardware import __main__ as command
from sassay.machine.hardware import compare as comparison
from sassay.machine.hardware.cases import make, read_cases
from sassay.machine.hardware.driver import DeviceError

CORPUS = Path(__file__).parents[1] / "corpus"


def test_the_corpus_reads_as_cases() -> None:
    cases = list(read_cases(CORPUS))
    assert len(cases) >= 10
    assert cases[0].name == "floats-halves-0"
    assert all(case.results for case in cases)


def test_arguments_are_made_as_described() -> None:
    given = make({"make": "bf16", "shape": [4, 64], "seed": 1, "box": [2, 64], "swizzle": 128})
    assert isinstance(given, TensorMap)
    assert (given.box, given.swizzle, given.array.shape) == ((2, 64), 128, (4, 64))
    assert make({"make": "null"}) is None
    words = make({"make": "mixed", "type": "e4m3", "shape": [5, 3], "seed": 1})
    assert (words.shape, words.dtype) == ((5, 3), np.uint8)


def test_a_folder_without_cases(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"NAME\.toml"):
        list(read_cases(tmp_path))
    (tmp_path / "a.toml").write_text("launch = 3\n")
    with pytest.raises(InputError, match=r"a\.toml"):
        list(read_cases(tmp_path))


class _Machine:
    """In place of a GPU: the machine's own results, some of them changed."""

    name, arch, driver = "Test", "sm_90", "13.0"


def test_outputs_that_differ_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    from sassay.machine import run

    def on_gpu(program: Any, _image: bytes, launch: Any, _device: Any) -> Any:
        arrays = run(program, launch).arrays
        for array in arrays:
            if array is not None and program.name == "halves":
                array.reshape(-1).view(np.uint8)[0] ^= 1
        return arrays

    monkeypatch.setattr(comparison, "run_on_gpu", on_gpu)
    monkeypatch.setattr(comparison, "assemble", lambda *_: b"")
    report = comparison.compare([CORPUS], _Machine(), "h100")  # type: ignore[arg-type] # in its place
    wrong = [each for each in report.outcomes if each.differing]
    assert [each.name for each in wrong] == ["floats-halves-0"]
    assert wrong[0].differing == 1
    assert wrong[0].first is not None
    assert wrong[0].first.startswith("argument 2, element 0: ")
    assert sum(total.outputs for total in report.totals) > 8000


def test_without_a_gpu_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def none() -> None:
        raise DeviceError("no NVIDIA driver (libcuda.so.1)")

    monkeypatch.setattr(command, "Device", none)
    monkeypatch.setattr("sys.argv", ["hardware", str(CORPUS)])
    assert command.main() == 2
    assert "no NVIDIA driver" in capsys.readouterr().err
