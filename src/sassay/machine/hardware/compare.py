"""Compares the machine with a GPU: every launch of a corpus on both, every output bit for bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec
import numpy as np

from sassay.errors import SassayError
from sassay.machine.hardware.cases import Case, read_cases
from sassay.machine.hardware.run import assemble
from sassay.machine.load import load_program
from sassay.machine.numeric import Label
from sassay.machine.run import run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sassay.machine.hardware.run import Arrays, HasParameters
    from sassay.machine.launch import Launch
    from sassay.machine.matrix.rules import Gpu


class Device(Protocol):
    """A GPU, such as `worker.Worker`."""

    name: str
    arch: str
    driver: str

    def run(self, entry: HasParameters, image: bytes, launch: Launch) -> Arrays:
        """Runs a launch."""


class Outcome(msgspec.Struct, frozen=True):
    """One launch on both.

    Attributes:
        name: Of the case.
        label: Of the machine's run.
        forms: What was not exact in it.
        outputs: Elements that were compared.
        differing: Elements whose bits differ.
        first: The first that differs: argument, index, words of the machine and of the GPU.
        problem: Why it could not be compared.
    """

    name: str
    label: Label | None
    forms: tuple[str, ...]
    outputs: int
    differing: int
    first: str | None = None
    problem: str | None = None


class Total(msgspec.Struct, frozen=True):
    """All launches of one label."""

    label: str
    launches: int
    outputs: int
    differing: int


class Report(msgspec.Struct, frozen=True):
    """A corpus on both.

    Attributes:
        device: Name and architecture of the GPU.
        driver: CUDA version of its driver.
        outcomes: In the order of the corpus.
        totals: By label.
    """

    device: str
    driver: str
    outcomes: tuple[Outcome, ...]
    totals: tuple[Total, ...]


def compare(
    folders: Sequence[Path],
    device: Device,
    gpu: Gpu,
    *,
    progress: Callable[[Outcome], None] | None = None,
) -> Report:
    """Runs a corpus on the machine and on a GPU.

    Args:
        folders: Of cases.
        device: The GPU.
        gpu: Whose rules the machine follows.
        progress: Is told of each launch.
    """
    outcomes = []
    for folder in folders:
        for case in read_cases(folder):
            found = _both(case, device, gpu)
            outcomes.append(found)
            if progress is not None:
                progress(found)
    return Report(
        f"{device.name} ({device.arch})", device.driver, tuple(outcomes), _totals(outcomes)
    )


def _totals(outcomes: Sequence[Outcome]) -> tuple[Total, ...]:
    labels = ("exact", "modelled", "approximate")
    return tuple(
        Total(
            label,
            len(mine),
            sum(each.outputs for each in mine),
            sum(each.differing for each in mine),
        )
        for label in labels
        if (mine := [each for each in outcomes if each.label == label])
    )


def _both(case: Case, device: Device, gpu: Gpu) -> Outcome:
    try:
        program = load_program(case.text, case.entry, gpu=gpu)
        result = run(program, case.launch)
        if result.trap is not None:
            return Outcome(case.name, None, (), 0, 0, problem=str(result.trap))
        arrays = device.run(program, assemble(case.text, device.arch), case.launch)
    except SassayError as error:
        return Outcome(case.name, None, (), 0, 0, problem=str(error))
    outputs = differing = 0
    first = None
    for index in case.results:
        mine, theirs = result.arrays[index], arrays[index]
        if mine is None or theirs is None:
            continue
        word = f"u{mine.dtype.itemsize}"
        a, b = mine.reshape(-1).view(word), theirs.reshape(-1).view(word)
        wrong = np.flatnonzero(a != b)
        outputs += a.size
        differing += wrong.size
        if wrong.size and first is None:
            at = int(wrong[0])
            first = f"argument {index}, element {at}: {int(a[at]):#x}, GPU {int(b[at]):#x}"
    return Outcome(case.name, result.label, tuple(result.forms), outputs, differing, first)
