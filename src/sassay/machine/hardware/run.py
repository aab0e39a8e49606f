"""Runs a launch on a GPU, with the arguments that the machine takes."""

from __future__ import annotations

import ctypes
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sassay.errors import UsageError
from sassay.machine.async_copy.tensor_map import SWIZZLES, TensorMap
from sassay.machine.hardware.driver import Device, DeviceError
from sassay.machine.launch import Launch, Pointer
from sassay.machine.run import bytes_of

if TYPE_CHECKING:
    from sassay.isa.ptx.syntax import Parameter
    from sassay.machine.launch import Argument


class HasParameters(Protocol):
    """An entry, as far as a launch needs to know it."""

    @property
    def name(self) -> str:
        """Of the entry."""

    @property
    def params(self) -> tuple[Parameter, ...]:
        """Formal parameters."""


Arrays = tuple[NDArray[Any] | None, ...]
"""By argument position: the array after a run, None for a scalar."""

_DRIVER_TYPES = {"u1": 0, "u2": 1, "u4": 2, "i4": 3, "u8": 4, "i8": 5, "f2": 6, "f4": 7, "f8": 8}
_BFLOAT16 = 9


def assemble(text: str, arch: str, *, contract: bool = False) -> bytes:
    """What the GPU loads: a cubin of `ptxas`, with PTX as it is written.

    Args:
        text: The module.
        arch: Of the GPU that it is for, such as `sm_90`.
        contract: Let ptxas fuse products and sums that have no `.rn`.

    Raises:
        DeviceError: There is no `ptxas`, or it refuses the module.
    """
    ptxas = shutil.which("ptxas")
    if ptxas is None:
        raise DeviceError(
            "no ptxas on PATH: the driver's own compiler fuses products and sums",
            hint="add the bin folder of a CUDA toolkit, or of Triton's NVIDIA backend",
        )
    target = arch + ("a" if "_90a" in text.split(".target", 1)[-1][:40] else "")
    with tempfile.TemporaryDirectory() as folder:
        source, cubin = Path(folder, "module.ptx"), Path(folder, "module.cubin")
        source.write_text(text, encoding="utf-8")
        fuse = "true" if contract else "false"
        command = [ptxas, f"-arch={target}", f"--fmad={fuse}", str(source), "-o", str(cubin)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise DeviceError(f"ptxas: {said[0] if said else 'it failed'}")
        return cubin.read_bytes()


def run_on_gpu(entry: HasParameters, image: bytes, launch: Launch, device: Device) -> Arrays:
    """Runs an entry on a GPU.

    Args:
        entry: Its name and parameters.
        image: What `assemble` gave.
        launch: How many threads, with which arguments.
        device: The GPU. After a kernel has failed on it nothing else runs in this process.

    Raises:
        DeviceError: The GPU refuses, or the kernel failed.
        UsageError: The launch does not fit the entry.
    """
    if len(launch.arguments) != len(entry.params):
        raise UsageError(f"{entry.name} takes {len(entry.params)} arguments")
    function = device.load(image, entry.name, shared=launch.shared)
    places: dict[int, tuple[int, NDArray[Any]]] = {}
    parameters = [
        _parameter(entry, index, given, device, places)
        for index, given in enumerate(launch.arguments)
    ]
    if launch.blocks:
        device.launch(function, launch.grid, launch.block, parameters, shared=launch.shared)
    found: dict[int, NDArray[Any]] = {}
    for key, (place, array) in places.items():
        result = np.empty(array.nbytes, np.uint8)
        device.download(place, result)
        found[key] = result.view(array.dtype).reshape(array.shape)
        device.free(place)
    function.unload()
    arrays = [_array_of(each) for each in launch.arguments]
    return tuple(None if each is None else found[id(each)] for each in arrays)


def _array_of(given: Argument) -> NDArray[Any] | None:
    if isinstance(given, (Pointer, TensorMap)):
        return given.array
    return given if isinstance(given, np.ndarray) else None


def _parameter(
    entry: HasParameters,
    index: int,
    given: Argument,
    device: Device,
    places: dict[int, tuple[int, NDArray[Any]]],
) -> bytes:
    array, param = _array_of(given), entry.params[index]
    if array is None or (isinstance(given, np.ndarray) and param.size is not None):
        return bytes_of(param, given, f"argument {index} of {entry.name}")
    if id(array) not in places:
        content = np.ascontiguousarray(array)
        place = device.allocate(content.nbytes)
        places[id(array)] = (place, content)
        device.upload(place, content.reshape(-1).view(np.uint8))
    place = places[id(array)][0]
    if isinstance(given, TensorMap):
        return _encode(given, place, device)
    return struct.pack("<Q", place + (given.offset if isinstance(given, Pointer) else 0))


def _encode(given: TensorMap, place: int, device: Device) -> bytes:
    array, rank = given.array, given.array.ndim
    strides = [int(each) for each in array.strides[-2::-1]] or [0]
    kind = _DRIVER_TYPES[array.dtype.str[1:]]
    if given.nan_fill and array.dtype == np.uint16:
        kind = _BFLOAT16
    return device.encode_tensor_map(
        kind,
        rank,
        ctypes.c_uint64(place),
        (ctypes.c_uint64 * rank)(*array.shape[::-1]),
        (ctypes.c_uint64 * len(strides))(*strides),
        (ctypes.c_uint32 * rank)(*given.box[::-1]),
        (ctypes.c_uint32 * rank)(*[1] * rank),
        0,
        SWIZZLES.index(given.swizzle),
        0,
        int(given.nan_fill),
    )
