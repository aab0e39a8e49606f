"""From IR to code of this machine, with llvmlite."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from functools import lru_cache
from importlib import metadata

Entry = Callable[[int, int, int], int]
"""Compiled code: takes the table, the first block, and the one after the last; 0 if all ran."""


_OLDEST = (0, 45)
"""The first llvmlite whose LLVM reads the IR that is written here."""


def available() -> bool:
    """Whether an llvmlite is installed that is new enough."""
    try:
        version = metadata.version("llvmlite")
    except metadata.PackageNotFoundError:
        return False
    numbers = re.match(r"(\d+)\.(\d+)", version)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) >= _OLDEST


class Machine:
    """The compiler, and the code that it made."""

    def __init__(self) -> None:
        """Starts LLVM for this machine."""
        from llvmlite import binding  # noqa: PLC0415 - an extra, and heavy

        self._binding = binding
        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        features = binding.get_host_cpu_features().flatten()
        target = binding.Target.from_default_triple()
        self._target = target.create_target_machine(
            cpu=binding.get_host_cpu_name(), features=features, opt=2, jit=True
        )
        self._engine = binding.create_mcjit_compiler(binding.parse_assembly(""), self._target)

    def compile(self, text: str, name: str) -> Entry:
        """Compiles a module and gives its one function that is seen from outside.

        Args:
            text: The module.
            name: Of the function; no other module has one of that name.
        """
        module = self._binding.parse_assembly(text)
        module.verify()
        options = self._binding.create_pipeline_tuning_options(speed_level=2)
        builder = self._binding.create_pass_builder(self._target, options)
        builder.getModulePassManager().run(module, builder)
        self._engine.add_module(module)
        self._engine.finalize_object()
        kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
        return kind(self._engine.get_function_address(name))


@lru_cache(maxsize=1)
def machine() -> Machine:
    """The compiler of this process."""
    return Machine()
