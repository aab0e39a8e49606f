"""Code of this machine out of LLVM's language, where llvmlite is installed (`sassay[fast]`)."""

from __future__ import annotations

import re
from functools import lru_cache

_OLDEST = (0, 45)
"""The first llvmlite whose LLVM reads the IR that is written here."""


def available() -> bool:
    """Whether an llvmlite is installed that is new enough."""
    try:
        from llvmlite import __version__  # noqa: PLC0415 - an extra; LLVM itself is not loaded
    except ImportError:
        return False
    numbers = re.match(r"(\d+)\.(\d+)", __version__)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) >= _OLDEST


class Compiler:
    """The compiler, and the code that it made."""

    def __init__(self) -> None:
        """Starts LLVM for this machine.

        Raises:
            ImportError: There is no llvmlite that is new enough.
            OSError: It cannot be loaded.
            RuntimeError: It does not work on this machine.
        """
        if not available():
            raise ImportError("no llvmlite that is new enough", name="llvmlite")
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

    def compile(self, text: str, *, optimize: bool = True) -> None:
        """Compiles a module.

        Args:
            text: The module; no other one has functions of the same names.
            optimize: Whether LLVM's passes are to improve it first; starting them takes some 30 ms.
        """
        module = self._binding.parse_assembly(text)
        module.verify()
        if optimize:
            options = self._binding.create_pipeline_tuning_options(speed_level=2)
            builder = self._binding.create_pass_builder(self._target, options)
            builder.getModulePassManager().run(module, builder)
        self._engine.add_module(module)
        self._engine.finalize_object()

    def address(self, name: str) -> int:
        """Where a compiled function starts; it stays there as long as the compiler lives."""
        found: int = self._engine.get_function_address(name)
        return found


def object_file(text: str, triple: str) -> bytes:
    """What a module compiles to for any machine of a kind, for code that is made ahead of its use.

    Args:
        text: The module.
        triple: The kind, as LLVM names it.

    Returns:
        An object file whose code may lie anywhere.

    Raises:
        ImportError: There is no llvmlite that is new enough.
    """
    if not available():
        raise ImportError("no llvmlite that is new enough", name="llvmlite")
    from llvmlite import binding  # noqa: PLC0415 - an extra, and heavy

    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    target = binding.Target.from_triple(triple)
    machine = target.create_target_machine(opt=2, reloc="pic", codemodel="small")
    module = binding.parse_assembly(text)
    module.verify()
    found: bytes = machine.emit_object(module)
    return found


@lru_cache(maxsize=1)
def compiler() -> Compiler:
    """The compiler of this process."""
    return Compiler()
