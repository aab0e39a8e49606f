"""Compiles one Triton function in this process, for any architecture, without a GPU."""

from __future__ import annotations

import os
import tempfile
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sassay.build.archs import arch_number, canonical_arch, expected
from sassay.capture import CodeArchive, build_state, cache_dir
from sassay.errors import CompileError, InputError, ToolError, UsageError
from sassay.isa.sass import Disassembler

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from sassay.model.kernel import Kernel

_CACHE = "TRITON_CACHE_DIR"


class Workshop(AbstractContextManager["Workshop"]):
    """What all tests of one run share.

    Args:
        folder: Keeps what was compiled from run to run; None for this run only.

    Attributes:
        store: Holds the code of everything that was compiled.
        disassembler: Reads its SASS.
    """

    def __init__(self, folder: Path | None) -> None:
        self._scratch = None if folder else tempfile.TemporaryDirectory(prefix="sassay-tests-")
        self._triton = (folder or Path(self._scratch.name if self._scratch else "")) / "triton"
        self.store = CodeArchive()
        self.disassembler = Disassembler(cache_dir())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.disassembler.close()
        self.store.close()
        if self._scratch is not None:
            self._scratch.cleanup()

    def compile(
        self,
        function: Any,
        *,
        signature: Mapping[str, Any],
        constants: Mapping[str, Any],
        divisibility: Mapping[str, int],
        options: Mapping[str, Any],
        arch: str,
    ) -> Kernel:
        """Compile a function and read what it became; arguments as in `Lowering.__call__`.

        Raises:
            ToolError: Triton is not installed.
            UsageError: An argument does not fit the function.
            CompileError: Triton cannot compile it; the message is Triton's.
        """
        try:
            from triton.backends.compiler import GPUTarget  # noqa: PLC0415 - an optional extra
            from triton.compiler import ASTSource  # noqa: PLC0415 - an optional extra
            from triton.compiler import compile as lower  # noqa: PLC0415 - an optional extra
        except ImportError as error:
            raise ToolError(
                "Triton is not installed", hint="pip install 'sassay[triton]'"
            ) from error
        jit = _jit_function(function)
        name = canonical_arch(arch)
        if name is None:
            raise UsageError(f"unknown architecture {arch!r}", hint=expected())
        kinds, values = _arguments(jit, signature, constants)
        source = ASTSource(jit, kinds, values, _attributes(jit, kinds, divisibility))
        with _triton_cache(self._triton):
            try:
                compiled = lower(
                    source,
                    target=GPUTarget("cuda", arch_number(name), 32),
                    options={"enable_fp_fusion": True, **options},
                )
            except Exception as error:
                raise CompileError(str(error), artifact=jit.__name__) from error
        paths = [str(path) for path in compiled.metadata_group.values()]
        state = build_state(
            str(Path(paths[0]).parent), store=self.store, disassembler=self.disassembler
        )
        if len(state.kernels) != 1:
            raise InputError(
                f"compiled to {len(state.kernels)} kernels, one is expected", artifact=jit.__name__
            )
        return state.kernels[0]


def _jit_function(function: Any) -> Any:
    """The `@triton.jit` function inside autotuners and heuristics."""
    found = function
    while not hasattr(found, "arg_names") or not hasattr(found, "params"):
        found = getattr(found, "fn", None)
        if found is None:
            raise UsageError(
                f"{getattr(function, '__name__', function)!s} is no @triton.jit function"
            )
    return found


def _arguments(
    jit: Any, signature: Mapping[str, Any], constants: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[tuple[int, ...], Any]]:
    """Type by parameter, and constant by place, in the function's order."""
    names = list(jit.arg_names)
    for given in (*signature, *constants):
        if given not in names:
            raise UsageError(f"{jit.__name__} has no parameter {given!r}", hint=", ".join(names))
    kinds: dict[str, Any] = {}
    values: dict[tuple[int, ...], Any] = {}
    for number, parameter in enumerate(jit.params):
        name = parameter.name
        if name in constants or (name not in signature and parameter.has_default):
            kinds[name] = "constexpr"
            values[number,] = constants.get(name, parameter.default)
        elif name in signature:
            kinds[name] = signature[name]
        else:
            where = "constants" if parameter.is_constexpr else "signature"
            raise UsageError(f"parameter {name!r} of {jit.__name__} has no value in `{where}`")
    return kinds, values


def _attributes(
    jit: Any, kinds: Mapping[str, Any], divisibility: Mapping[str, int]
) -> dict[tuple[int, ...], list[list[Any]]]:
    found: dict[tuple[int, ...], list[list[Any]]] = {}
    for number, name in enumerate(jit.arg_names):
        kind = kinds[name]
        pointer = isinstance(kind, str) and kind.startswith("*")
        divisor = divisibility.get(name, divisibility.get("*", 1) if pointer else 1)
        if divisor > 1 and kind != "constexpr":
            found[number,] = [["tt.divisibility", divisor]]
    unknown = [name for name in divisibility if name not in kinds and name != "*"]
    if unknown:
        raise UsageError(f"{jit.__name__} has no parameter {unknown[0]!r}")
    return found


@contextmanager
def _triton_cache(folder: Path) -> Iterator[None]:
    """What is compiled meanwhile goes to a cache of its own."""
    before = os.environ.get(_CACHE)
    os.environ[_CACHE] = str(folder)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_CACHE, None)
        else:
            os.environ[_CACHE] = before
