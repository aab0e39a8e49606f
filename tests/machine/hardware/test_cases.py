"""The comparison with a GPU, without one: cases, and what is said where none is."""

from __future__ import annotations

import pickle
from ctypes.util import find_library
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sassay.errors import InputError, LimitError
from sassay.machine import TensorMap, run
from sassay.machine.hardware import __main__ as command
from sassay.machine.hardware import compare as comparison
from sassay.machine.hardware.cases import make, read_cases
from sassay.machine.hardware.driver import DeviceError
from sassay.machine.hardware.worker import Worker

CORPUS = Path(__file__).parents[1] / "corpus"


def test_the_corpus_reads_as_cases() -> None:
    cases = list(read_cases(CORPUS))
    assert len(cases) >= 10
    assert "floats-halves-0" in [each.name for each in cases]
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

    def run(self, entry: Any, _image: bytes, launch: Any) -> Any:
        arrays = run(entry, launch).arrays
        for array in arrays:
            if array is not None and entry.name == "halves":
                array.reshape(-1).view(np.uint8)[0] ^= 1
        if entry.name == "histogram":
            raise DeviceError("cuCtxSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS")
        return arrays


def test_outputs_that_differ_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "assemble", lambda *_: b"")
    report = comparison.compare([CORPUS], _Machine(), "h100")
    wrong = [each for each in report.outcomes if each.differing]
    assert [each.name for each in wrong] == ["floats-halves-0"]
    assert wrong[0].differing == 1
    assert wrong[0].first is not None
    assert wrong[0].first.startswith("argument 2, element 0: ")
    failed = [each for each in report.outcomes if each.problem]
    assert [(each.name, each.outputs) for each in failed] == [("integers-histogram-0", 0)]
    assert sum(total.outputs for total in report.totals) > 8000


def test_a_worker_says_what_its_process_said() -> None:
    """Here there is no driver; the process of its own tells that, hint and all."""
    error = pickle.loads(pickle.dumps(DeviceError("no driver", hint="--on cpu")))
    assert str(error) == "no driver (--on cpu)"
    if find_library("cuda") is None:
        with pytest.raises(DeviceError, match="--on cpu"):
            Worker()


def test_what_is_described_is_bounded(tmp_path: Path) -> None:
    described = {"make": "zeros", "dtype": "uint8", "shape": [1 << 20, 1 << 20]}
    with pytest.raises(LimitError, match="1048576 MiB"):
        make(described)
    (tmp_path / "a.ptx").write_text("")
    half = '{ make = "bf16", shape = [300000000], seed = 1 }'
    (tmp_path / "a.toml").write_text(
        f'[[launch]]\nentry = "k"\ngrid = [1]\nblock = [1]\narguments = [{half}, {half}]\n'
    )
    with pytest.raises(LimitError, match=r"a\.toml: arrays of 1144 MiB, over 1024"):
        list(read_cases(tmp_path))


def test_without_a_gpu_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def none() -> None:
        raise DeviceError("no NVIDIA driver (libcuda.so.1)")

    monkeypatch.setattr(command, "Worker", none)
    monkeypatch.setattr("sys.argv", ["hardware", str(CORPUS)])
    assert command.main() == 2
    assert "no NVIDIA driver" in capsys.readouterr().err
