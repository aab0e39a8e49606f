"""A GPU behind a process of its own.

A kernel that fails leaves the driver of its process useless, so the launches after it need another
process. Source: CUDA Driver API, `CUDA_ERROR_ILLEGAL_INSTRUCTION` and its relatives: "the process
must be terminated and relaunched".
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from sassay.machine.hardware.driver import Device, DeviceError
from sassay.machine.hardware.run import run_on_gpu

if TYPE_CHECKING:
    from types import TracebackType

    from sassay.isa.ptx.syntax import Parameter
    from sassay.machine.hardware.run import Arrays, HasParameters
    from sassay.machine.launch import Launch


@dataclass(frozen=True)
class _Signature:
    """What a launch needs to know of an entry."""

    name: str
    params: tuple[Parameter, ...]


_devices: list[Device] = []
"""The GPU of this process, once it is open."""


def _device() -> Device:
    if not _devices:
        _devices.append(Device())
    return _devices[0]


def _describe() -> tuple[str, str, str]:
    found = _device()
    return found.name, found.arch, found.driver


def _run(entry: _Signature, image: bytes, launch: Launch) -> Arrays:
    return run_on_gpu(entry, image, launch, _device())


class Worker:
    """The GPU of this computer; a launch that fails there does not end the comparison.

    Attributes:
        name: As the driver says it.
        arch: Such as `sm_90`.
        driver: Version of CUDA that the driver has.
    """

    def __init__(self) -> None:
        """Opens the GPU.

        Raises:
            DeviceError: There is none.
        """
        self._pool = self._start()
        try:
            self.name, self.arch, self.driver = self._pool.submit(_describe).result()
        except DeviceError:
            self._pool.shutdown()
            raise

    @staticmethod
    def _start() -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown()

    def run(self, entry: HasParameters, image: bytes, launch: Launch) -> Arrays:
        """Runs a launch, as `run_on_gpu`.

        Raises:
            DeviceError: The GPU refuses it, or it failed there; the next launch has a new process.
        """
        asked = _Signature(entry.name, entry.params)
        try:
            return self._pool.submit(_run, asked, image, launch).result()
        except DeviceError:
            self._again()
            raise
        except BrokenProcessPool:
            self._again()
            raise DeviceError("the process that runs on the GPU died") from None

    def _again(self) -> None:
        self._pool.shutdown()
        self._pool = self._start()
