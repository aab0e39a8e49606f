"""`sassay parity --on gpu`, with the machine in place of the GPU."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from sassay.machine import Launch, load_program, run
from sassay.machine.hardware import contracts
from sassay.machine.hardware.cases import read_cases

if TYPE_CHECKING:
    import pytest

CORPUS = Path(__file__).parents[1] / "corpus"


def test_a_runner_assembles_once_and_labels_by_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    assembled: list[str] = []

    def assemble(text: str, _device: Any) -> bytes:
        assembled.append(text)
        return b""

    def on_gpu(program: Any, _image: bytes, launch: Launch, _device: Any) -> Any:
        return run(program, launch).arrays

    monkeypatch.setattr(contracts, "Device", lambda: SimpleNamespace(arch="sm_90"))
    monkeypatch.setattr(contracts, "assemble", assemble)
    monkeypatch.setattr(contracts, "run_on_gpu", on_gpu)
    runner = contracts.GpuRunner()
    case = next(each for each in read_cases(CORPUS) if "softmax" in each.name)
    kernel = SimpleNamespace(text=case.text, program=load_program(case.text, case.entry))
    first, second = runner(kernel, case.launch), runner(kernel, case.launch)
    assert len(assembled) == 1
    assert first.label == second.label == "modelled"
    assert first.trap is None
    assert first.arrays[1] is not None
    np.testing.assert_allclose(first.arrays[1].sum(axis=1), 1, rtol=1e-5)
