"""NVIDIA's driver, as far as a launch needs it, through ctypes: no toolkit, no compiler.

Source: "CUDA Driver API", modules "Module Management", "Memory Management", "Execution Control".
"""

from __future__ import annotations

import ctypes
from functools import partial
from typing import TYPE_CHECKING, Any

from sassay.errors import SassayError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

_MAJOR, _MINOR = 75, 76
"""`CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR` and `_MINOR`."""
_DYNAMIC_SHARED = 8
"""`CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES`."""
_PLAIN_SHARED = 48 << 10
"""Dynamic shared memory that a launch may have without asking."""
_ERROR_LOG, _ERROR_LOG_SIZE = 5, 6
"""`CU_JIT_ERROR_LOG_BUFFER` and its size."""


class DeviceError(SassayError):
    """A GPU could not be used, or refused a module or a launch."""

    def __reduce__(self) -> tuple[partial[DeviceError], tuple[str]]:
        """Another process raises it as it is."""
        return partial(DeviceError, hint=self.hint), (self.message,)


class Function:
    """An entry of a module that is loaded."""

    def __init__(self, device: Device, module: ctypes.c_void_p, handle: ctypes.c_void_p) -> None:
        self._device = device
        self._module = module
        self.handle = handle

    def unload(self) -> None:
        """Frees the module."""
        self._device.call("cuModuleUnload", self._module)


class Device:
    """One GPU with a context of its own.

    Attributes:
        name: As the driver says it.
        arch: Such as `sm_90`.
        driver: Version of CUDA that the driver has, such as `13.0`.
    """

    def __init__(self, index: int = 0) -> None:
        """Opens a GPU.

        Raises:
            DeviceError: There is no driver, or no such GPU.
        """
        try:
            self._library = ctypes.CDLL("libcuda.so.1")
        except OSError as error:
            raise DeviceError(
                "no NVIDIA driver (libcuda.so.1)", hint="run on the machine model instead: --on cpu"
            ) from error
        self.call("cuInit", 0)
        handle = ctypes.c_int()
        self.call("cuDeviceGet", ctypes.byref(handle), index)
        name = ctypes.create_string_buffer(256)
        self.call("cuDeviceGetName", name, len(name), handle)
        self.name = name.value.decode()
        self.arch = f"sm_{self._attribute(_MAJOR, handle)}{self._attribute(_MINOR, handle)}"
        version = ctypes.c_int()
        self.call("cuDriverGetVersion", ctypes.byref(version))
        self.driver = f"{version.value // 1000}.{version.value % 1000 // 10}"
        self._context = ctypes.c_void_p()
        self.call("cuDevicePrimaryCtxRetain", ctypes.byref(self._context), handle)
        self.call("cuCtxSetCurrent", self._context)

    def _attribute(self, which: int, handle: ctypes.c_int) -> int:
        found = ctypes.c_int()
        self.call("cuDeviceGetAttribute", ctypes.byref(found), which, handle)
        return found.value

    def call(self, name: str, *arguments: Any) -> None:
        """Calls the driver.

        Raises:
            DeviceError: It reports an error.
        """
        status = getattr(self._library, name)(*arguments)
        if status:
            text = ctypes.c_char_p()
            self._library.cuGetErrorName(status, ctypes.byref(text))
            said = text.value.decode() if text.value else str(status)
            raise DeviceError(f"{name}: {said}")

    def load(self, image: bytes, entry: str, *, shared: int = 0) -> Function:
        """Loads a module, PTX or cubin, and finds an entry.

        Args:
            image: The module.
            entry: Name of the entry.
            shared: Bytes of dynamic shared memory that launches will ask for.

        Raises:
            DeviceError: The driver refuses the module, with what its compiler says.
        """
        module, log = ctypes.c_void_p(), ctypes.create_string_buffer(1 << 13)
        options = (ctypes.c_int * 2)(_ERROR_LOG, _ERROR_LOG_SIZE)
        values = (ctypes.c_void_p * 2)(ctypes.cast(log, ctypes.c_void_p), len(log))
        try:
            self.call("cuModuleLoadDataEx", ctypes.byref(module), image + b"\0", 2, options, values)
        except DeviceError as error:
            said = log.value.decode(errors="replace").strip().splitlines()
            raise DeviceError(f"{error}: {said[0]}" if said else str(error)) from None
        handle = ctypes.c_void_p()
        self.call("cuModuleGetFunction", ctypes.byref(handle), module, entry.encode())
        if shared > _PLAIN_SHARED:
            self.call("cuFuncSetAttribute", handle, _DYNAMIC_SHARED, shared)
        return Function(self, module, handle)

    def allocate(self, size: int) -> int:
        """Allocates memory and gives its address."""
        address = ctypes.c_uint64()
        self.call("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(max(size, 1)))
        return address.value

    def free(self, address: int) -> None:
        """Frees memory."""
        self.call("cuMemFree_v2", ctypes.c_uint64(address))

    def upload(self, address: int, content: NDArray[np.uint8]) -> None:
        """Copies bytes to the GPU."""
        if content.size:
            self.call(
                "cuMemcpyHtoD_v2",
                ctypes.c_uint64(address),
                content.ctypes.data_as(ctypes.c_void_p),
                ctypes.c_size_t(content.size),
            )

    def download(self, address: int, content: NDArray[np.uint8]) -> None:
        """Copies bytes from the GPU, after all that runs there is done."""
        if content.size:
            self.call(
                "cuMemcpyDtoH_v2",
                content.ctypes.data_as(ctypes.c_void_p),
                ctypes.c_uint64(address),
                ctypes.c_size_t(content.size),
            )

    def launch(
        self,
        function: Function,
        grid: tuple[int, int, int],
        block: tuple[int, int, int],
        parameters: Sequence[bytes],
        *,
        shared: int = 0,
    ) -> None:
        """Launches an entry and waits for its end.

        Args:
            function: The entry.
            grid: Blocks by dimension.
            block: Threads by dimension.
            parameters: The bytes of each parameter.
            shared: Bytes of dynamic shared memory.

        Raises:
            DeviceError: The launch is refused, or the kernel failed.
        """
        # Sixty-four bytes as the alignment that a tensor map needs.
        kept = []
        for each in parameters:
            space = ctypes.create_string_buffer(len(each) + 64)
            start = -(-ctypes.addressof(space) // 64) * 64
            ctypes.memmove(start, each, len(each))
            kept.append((space, start))
        pointers = (ctypes.c_void_p * max(len(kept), 1))(*(start for _, start in kept))
        self.call("cuLaunchKernel", function.handle, *grid, *block, shared, None, pointers, None)
        self.call("cuCtxSynchronize")

    def encode_tensor_map(self, *arguments: Any) -> bytes:
        """Makes a tensor map: the 128 bytes that `cuTensorMapEncodeTiled` fills."""
        space = ctypes.create_string_buffer(128 + 64)
        start = -(-ctypes.addressof(space) // 64) * 64
        self.call("cuTensorMapEncodeTiled", ctypes.c_void_p(start), *arguments)
        return ctypes.string_at(start, 128)
