"""Runs the launches of parity contracts on a GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sassay.machine.hardware.driver import Device
from sassay.machine.hardware.run import assemble, run_on_gpu
from sassay.machine.result import Result

if TYPE_CHECKING:
    from sassay.machine.launch import Launch
    from sassay.machine.numeric import Label
    from sassay.machine.program import Program

_RANK: dict[Label, int] = {"exact": 0, "modelled": 1, "approximate": 2}


class HasCode(Protocol):
    """A kernel: its module and its program."""

    @property
    def text(self) -> str:
        """The module."""

    @property
    def program(self) -> Program:
        """The entry, lowered."""


class GpuRunner:
    """Runs kernels on the GPU of this computer, each assembled once."""

    def __init__(self) -> None:
        """Opens the GPU.

        Raises:
            DeviceError: There is none.
        """
        self.device = Device()
        self._images: dict[str, bytes] = {}

    def __call__(self, kernel: HasCode, launch: Launch) -> Result:
        """Runs a launch; the label is that of the whole program.

        Raises:
            DeviceError: The GPU refuses it, or it failed there.
        """
        image = self._images.get(kernel.text)
        if image is None:
            image = self._images[kernel.text] = assemble(kernel.text, self.device.arch)
        program = kernel.program
        arrays = run_on_gpu(program, image, launch, self.device)
        forms = {form: label for block in program.blocks for form, label in block.forms}
        worst: Label = max(forms.values(), key=_RANK.__getitem__, default="exact")
        return Result(arrays=arrays, trap=None, label=worst, forms=forms, instructions=0)
