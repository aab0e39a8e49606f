"""Makes Triton jit functions out of an extraction; runs in a worker, where Triton is imported.

No statement of an engine's file is executed. Each `def` is compiled alone, under its own file
name and line numbers, without its decorators, defaults and annotations' code; its namespace holds
only the values and functions that extraction collected.
"""

from __future__ import annotations

import ast
import copy
import hashlib
import importlib
import linecache
import math
import textwrap
import types
from typing import TYPE_CHECKING, Any

from triton import JITFunction
from triton import language as tl
from triton.runtime import jit as triton_jit

from sassay.build.values import (
    Constexpr,
    Dtype,
    Float,
    FunctionRef,
    Literal,
    ModuleRef,
    TritonRef,
    TupleValue,
    Value,
)
from sassay.build.wire import Extraction, FunctionKind, FunctionSource, Unit

if TYPE_CHECKING:
    from collections.abc import Mapping


class MissingNameError(Exception):
    """The installed Triton lacks something that a kernel imports from it."""


class Loader:
    """The live objects of one extraction.

    Attributes:
        kernel: The jit function to compile.
    """

    def __init__(self, extraction: Extraction) -> None:
        self._modules = {unit.file: types.ModuleType(unit.module) for unit in extraction.units}
        self._functions: dict[tuple[str, str], Any] = {}
        for unit in extraction.units:
            _show_lines(unit)
            for function in unit.functions:
                self._functions[unit.file, function.name] = self._define(unit, function)
        for unit in extraction.units:
            namespace = self._modules[unit.file].__dict__
            for name, value in unit.bindings.items():
                namespace[name] = self.live(value)
            for function in unit.functions:
                namespace.setdefault(function.name, self._functions[unit.file, function.name])
        for (file, _), function in self._functions.items():
            if isinstance(function, JITFunction):
                _drop_unknown_annotations(function, self._modules[file].__dict__)
        self.kernel: JITFunction[Any] = self._functions[extraction.file, extraction.function]

    def functions(self) -> Mapping[tuple[str, str], Any]:
        """All functions by file and name."""
        return self._functions

    def live(self, value: Value) -> Any:
        """The Python or Triton object for a value.

        Raises:
            MissingNameError: The installed Triton has no such module or attribute.
        """
        match value:
            case Literal():
                return value.value
            case Float():
                return float.fromhex(value.hex)
            case Dtype():
                return getattr(tl, value.name)
            case TupleValue():
                return tuple(self.live(item) for item in value.items)
            case Constexpr():
                return tl.constexpr(self.live(value.value))
            case FunctionRef():
                return self._functions[value.unit, value.name]
            case ModuleRef():
                return self._modules[value.unit]
            case TritonRef():
                return _import(value.path)

    def _define(self, unit: Unit, function: FunctionSource) -> Any:
        tree = ast.parse(textwrap.dedent(function.text))
        node = tree.body[0]
        if not isinstance(node, ast.FunctionDef):  # extraction kept the lines of one `def`
            raise TypeError(f"{unit.file}: line {function.line} is not a function")
        _quiet(node)
        ast.increment_lineno(tree, function.line - 1)
        namespace = self._modules[unit.file].__dict__
        # Executing a bare `def` binds its name and does nothing else.
        exec(compile(tree, unit.file, "exec", dont_inherit=True), namespace)  # noqa: S102 - see above
        plain = namespace.pop(function.defined)
        plain.__module__ = unit.module
        if function.kind is FunctionKind.CONSTEXPR:
            return triton_jit.constexpr_function(plain)
        made = JITFunction(plain, noinline=function.noinline or None)
        made.__name__ = function.name
        return made


def salt(kernel: JITFunction[Any], place: str) -> None:
    """Makes Triton's cache key depend on the file too.

    Triton's key covers a kernel's text and line but not its file; two files that hold the same
    kernel would share one entry and one of them would lose its location.
    """
    kernel.hash = hashlib.sha256(f"{kernel.cache_key}:{place}".encode()).hexdigest()


def _quiet(node: ast.FunctionDef) -> None:
    """Leaves nothing in a `def` statement that runs when it is executed."""
    node.decorator_list = []
    node.returns = None
    arguments = node.args
    arguments.defaults = [
        ast.copy_location(ast.Constant(None), item) for item in arguments.defaults
    ]
    arguments.kw_defaults = [
        None if item is None else ast.copy_location(ast.Constant(None), item)
        for item in arguments.kw_defaults
    ]
    for item in (
        *arguments.posonlyargs,
        *arguments.args,
        *arguments.kwonlyargs,
        arguments.vararg,
        arguments.kwarg,
    ):
        if item is not None and item.annotation is not None:
            note = item.annotation
            written = note.value if isinstance(note, ast.Constant) else ast.unparse(note)
            item.annotation = ast.copy_location(ast.Constant(str(written)), note)


def _show_lines(unit: Unit) -> None:
    """Lets `inspect` find the functions' text: Triton reads it there, not from the file."""
    lines: list[str] = []
    for function in unit.functions:
        lines += ["\n"] * (function.line - 1 - len(lines))
        own = function.text.splitlines(keepends=True)
        lines[function.line - 1 : function.line - 1 + len(own)] = own
    linecache.cache[unit.file] = (sum(map(len, lines)), None, [*lines, "\n"], unit.file)


def _drop_unknown_annotations(function: JITFunction[Any], namespace: Mapping[str, Any]) -> None:
    """Takes annotations such as `torch.Tensor` away from what Triton's code generator visits."""
    tree = function.parse()
    arguments = tree.body[0].args
    found = False
    for item in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        names = (
            [node.id for node in ast.walk(item.annotation) if isinstance(node, ast.Name)]
            if item.annotation
            else []
        )
        if any(name not in namespace for name in names):
            item.annotation = None
            found = True
    if found:
        function.parse = lambda: copy.deepcopy(tree)


def _import(path: str) -> Any:
    if path == "math" or path.startswith("math."):
        return getattr(math, path[5:]) if path != "math" else math
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:length]))
        except ImportError:
            continue
        try:
            for name in parts[length:]:
                found = getattr(found, name)
        except AttributeError:
            break
        return found
    raise MissingNameError(f"the installed Triton has no `{path}`")
